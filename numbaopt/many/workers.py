"""The threads that solve many similar problems in compiled code."""

import threading
from time import perf_counter

import numba
import numpy as np
from numba import types

from numbaopt.backends.cpu import signature
from numbaopt.common.per_coordinate import PerCoordinate
from numbaopt.drivers.beginning import evaluate_start, prepare_problem, prepare_record
from numbaopt.drivers.compiled_loop import SLICE, array_types, next_chunk, run_full_batch
from numbaopt.drivers.specialize import driver_of
from numbaopt.drivers.stopping import (
    BAD_JAC,
    GO_ON,
    LESS,
    LOWER,
    MAXTIME,
    MORE,
    NIT,
    RAISED,
    STOPPED,
    G,
    X,
)
from numbaopt.drivers.termination import AT, BEGUN, END, REASON, STEPS, finish, load_finish
from numbaopt.lowering import emit_init
from numbaopt.many.simd import Pool, simd_driver
from numbaopt.many.simd_loop import ALIVE, REDO

DELAY = 5e-4  # seconds before further threads are started
MIN_CHUNK = 1e-3  # seconds that the chunk of problems of a worker is expected to take, at least
FIRST_BUDGET = 16  # evaluations of the first call of a worker that solves problems one after another
FIRST_LANE_BUDGET = 20_000  # evaluations of the first call of a worker that solves problems in SIMD lanes


def solve_problems(
    fun, step, starts, boxes, fixed, numbers, template, block, s, h, record, args, points, slopes, table, cursor, budget
):
    """Solve problems one after another until ``budget`` evaluations have been made; return the rest of the budget."""
    x, g, box = block[X], block[G], block[LOWER:]
    while cursor[AT] < cursor[END] and budget > 0:
        b = cursor[AT]
        if cursor[BEGUN] == 0:
            cursor[BEGUN] = 1
            args[2] = b  # PROBLEM
            prepare_problem(b, starts, boxes, block)
            for i in range(x.size):
                g[i] = slopes[b, i]  # remains where the objective does not fill the gradient
            for i in range(h.size):
                h[i] = numbers[b if numbers.shape[0] > 1 else 0, i]
            prepare_record(record, template, box)
            begin(x, s, h, box, fixed)  # noqa: F821
            budget -= 1
        t = int(record[NIT])
        stop = run_full_batch(fun, step, block, s, h, record, args, t + max(budget, 1), None, None)
        budget -= int(record[NIT]) - t
        if stop == GO_ON:
            return budget  # the next call continues with this problem
        finish(stop, b, block, h, record, points, slopes, table)
        cursor[AT], cursor[BEGUN] = cursor[AT] + 1, 0
    return budget


class ThreadPool:
    """The compiled run of many problems on several threads.

    Parameters
    ----------
    run : Run
        The run of one such problem, whose arrays are copied.
    results : ResultTable
        The starts, and the results so far.
    limits : ndarray, shape (2, B or 1, n)
        Lower and upper bounds; n is 0 if there are none.
    numbers : ndarray, shape (B or 1, p)
        The initial values of h.
    rows : tuple of ndarray
        The data that differ from problem to problem.
    watch : callable
        Called with the number of solved problems about twenty times a second; a true value ends the run.
    """

    def __init__(self, run, results, limits, numbers, rows, watch):
        self.run, self.results, self.rows, self.watch = run, results, rows, watch
        starts = results.points.copy()
        fixed = [name for name in run.rule.slots_of if isinstance(run.rule.hyper.get(name), PerCoordinate)]
        fixed = [run.rule.slot(run.s, name) for name in fixed]
        fixed = np.array(fixed, starts.dtype).reshape(len(fixed), starts.shape[1])
        self.stop, self._next_problem, self._seconds, self._last_report = GO_ON, 0, 0.0, perf_counter()
        self._other_threads, self._compiling_thread, self._abandoned = [], None, []
        self.finished, self._failure, self._lock, self._compiling = False, None, threading.Lock(), threading.Lock()
        self._first_worker = Worker(self)
        begin = "@jit\n" + emit_init.emit(run.rule, run.limits is not None)
        real, f8, i8 = numba.from_dtype(starts.dtype), types.float64, types.int64
        other_types = (real[:, ::1], real[:, :, ::1], real[:, ::1], f8[:, ::1], f8[::1], *array_types(starts.dtype))
        other_types += (i8[::1], real[:, ::1], real[:, ::1], f8[:, ::1], i8[::1], i8)
        functions, function = (evaluate_start, run_full_batch, solve_problems), self._first_worker.compiled.function
        step, step_types = run.rule.kernel(starts[0, :0]), signature(starts.dtype)  # of no entries: the serial one
        self.driver = driver_of(functions, run.program, run.flags, begin, function, step, step_types, other_types)
        self.inputs = starts, limits, fixed, numbers, run.record
        self.flat_rows = tuple(array.reshape(len(array), -1) for array in rows)
        self.simd = None if len(numbers) == 1 else False  # None: not tried yet; False: impossible, as lanes share h

    def solve(self, threads):
        """Solve all problems. If an exception is raised, the results so far remain in the table."""
        others, workers = self._other_threads, {}
        try:
            self._first_worker.work(perf_counter() + DELAY)
            if threads > 1 and self._next_problem < len(self.results.points):
                for worker in [Worker(self) for _ in range(threads - 1)]:
                    others.append(threading.Thread(target=self._run, args=(worker,)))
                    workers[others[-1]] = worker
            for thread in others:
                thread.start()
            self._first_worker.work()
            while alive := [thread for thread in others if thread.is_alive()]:
                alive[-1].join(SLICE)
                self.report()
            self.report(last=True)
        except BaseException as error:  # Ctrl-C, or what the callback has raised
            self.finished = True
            if isinstance(error, KeyboardInterrupt):
                # Compiling takes seconds, so the thread that compiles is not waited for.
                self._abandoned = [thread for thread in others if thread is self._compiling_thread]
            for worker in (self._first_worker, *(workers[thread] for thread in self._abandoned)):
                worker.store_unfinished()
            raise
        finally:
            self.finished = True
            for thread in others:
                if thread.ident is not None and thread not in self._abandoned:  # it has been started
                    thread.join()
        if self._failure is not None:
            raise self._failure
        if self.run.objective.jac == "inplace":
            self._report_unfilled()
        if self.stop != GO_ON:
            self.results.mark(self.results.table[:, REASON] == GO_ON, self.stop)

    def _report_unfilled(self):
        """Store an exception for each problem whose gradient the objective did not fill."""
        table, slopes = self.results.table, self.results.slopes
        for b in np.flatnonzero((table[:, REASON] == BAD_JAC) & (table[:, STEPS] == 0)).tolist():
            try:
                self.run.objective.check_filled(0.0, slopes[b])
            except ValueError as error:
                slopes[b], self.results.errors[b] = np.nan, error
                self.results.mark(b, RAISED)

    def _run(self, worker):
        """Run a worker in its thread; an error of the worker itself is later raised in the thread of the caller."""
        try:
            worker.work()
        except BaseException as error:
            self._failure, self.finished = error, True

    def report(self, last=False):
        """Report progress from time to time; stop at the deadline, or if the callback asks for it."""
        now = perf_counter()
        if not last and now < self._last_report + SLICE and (self.run.deadline is None or now < self.run.deadline):
            return
        self._last_report = now
        if self.stop == GO_ON and self.watch(int(np.count_nonzero(self.results.table[:, REASON]))):
            self.stop = STOPPED
        if self.stop == GO_ON and self.run.deadline is not None and perf_counter() >= self.run.deadline:
            self.stop = MAXTIME
        self.finished = self.finished or self.stop != GO_ON

    def add_time_or_compile(self, seconds):
        """Add to the time that problems have taken; compile a faster driver once the total justifies it."""
        self.add_time(seconds)
        thread = threading.current_thread()
        if self._other_threads and thread not in self._other_threads:  # compiling here would delay Ctrl-C
            self.driver.add_time(seconds)
        elif self.driver.add_time(seconds) and not self.finished and self._compiling.acquire(blocking=False):
            try:
                self._compiling_thread = thread
                load_finish(self.results.points.dtype)
                if self.simd is None and not self.driver.exact:
                    self.simd = False  # the result in a lane might differ from that of a separate run
                elif self.simd is None:
                    self.simd = simd_driver(self.run, self.rows, self.run.objective.args) or False
                if self.simd is False:
                    self.driver.specialize()
            finally:
                self._compiling_thread = None
                self._compiling.release()

    def add_time(self, seconds):
        """Add to the time that problems have taken."""
        self._seconds += seconds

    def claim(self, cursor):
        """Give a worker its next chunk of problems; return whether there are any.

        Chunks become smaller as fewer problems remain, but are expected to take at least `MIN_CHUNK`.
        """
        with self._lock:
            remaining = len(self.results.points) - self._next_problem
            least = int(self._next_problem / max(self._seconds, 1e-6) * MIN_CHUNK)
            count = min(remaining, max(1, remaining // 16, least))
            cursor[AT], cursor[END], cursor[BEGUN] = self._next_problem, self._next_problem + count, 0
            self._next_problem += count
        return count > 0


class Worker:
    """The work of one thread, and its arrays."""

    def __init__(self, threads):
        run = threads.run
        self.threads, self.compiled = threads, run.objective.compiled(each=threads.rows)
        run.record[MORE], run.record[LESS] = self.compiled.cost - 1, self.compiled.failed - 1
        self.memory = run.block.copy(), run.s.copy(), run.h.copy(), run.record.copy()
        self.cursor, self.redo_cursor, self.pool = np.zeros(3, np.int64), np.zeros(3, np.int64), None
        self.budget, self.lane_budget = FIRST_BUDGET, FIRST_LANE_BUDGET

    def work(self, until=np.inf):
        """Solve problems until none remain, or until the time ``until``."""
        threads, cursor = self.threads, self.cursor
        while not threads.finished and (self._busy or cursor[AT] < cursor[END] or threads.claim(cursor)):
            if perf_counter() >= until:
                return
            if threads.simd and not cursor[BEGUN]:
                self._solve_in_lanes()
            else:
                self._solve_separately(cursor)
            if self is threads._first_worker:
                threads.report()
        if threading.current_thread() not in threads._abandoned:  # whose results have already been returned
            self.store_unfinished()

    def store_unfinished(self):
        """Store the results so far of the problems that this worker was solving."""
        for cursor in filter(lambda cursor: cursor[BEGUN], (self.cursor, self.redo_cursor)):
            self._store(cursor, self.threads.stop)
        if self._busy:
            self._store_lanes(self.threads.stop)

    def _solve_separately(self, cursor):
        """Solve the problems of a cursor, one after another, until the budget is used up."""
        threads, results, start_time, rest = self.threads, self.threads.results, perf_counter(), 0
        arrays = *self.memory, self.compiled.args, results.points, results.slopes, results.table
        try:
            rest = threads.driver(*threads.inputs, *arrays, cursor, self.budget)
        except Exception as error:
            results.errors[int(cursor[AT])] = error
            self._store(cursor, RAISED)
        seconds = perf_counter() - start_time
        if rest <= 0:
            self.budget = next_chunk(self.budget, seconds, threads.run.deadline)
        threads.add_time_or_compile(seconds)

    def _store(self, cursor, stop):
        """Store the result of the current problem of a cursor, and move the cursor to the next problem."""
        (block, _, h, record), results = self.memory, self.threads.results
        finish(stop, cursor[AT], block, h, record, results.points, results.slopes, results.table)
        cursor[AT], cursor[BEGUN] = cursor[AT] + 1, 0

    @property
    def _busy(self):
        return self.pool is not None and self.pool.state[ALIVE] > 0

    def _solve_in_lanes(self):
        """Solve problems in SIMD lanes until the budget is used up; solve separately those that lanes cannot solve."""
        threads, results, start_time = self.threads, self.threads.results, perf_counter()
        starts, limits, _, numbers, template = threads.inputs
        if self.pool is None:
            self.pool = Pool.of(threads.run, threads.rows, len(starts))
        pool, cursor = self.pool, self.cursor
        inputs = starts, limits, numbers, template, threads.flat_rows, threads.run.objective.args
        outputs = results.points, results.slopes, results.table
        try:
            rest = threads.simd(*inputs, pool, *outputs, cursor, self.lane_budget)
            if rest <= 0:
                self.lane_budget = next_chunk(self.lane_budget, perf_counter() - start_time, threads.run.deadline)
            redo = pool.redo[: pool.state[REDO]].tolist()
            threads.add_time(perf_counter() - start_time)
        except Exception:  # raised by one of the problems; solving all of them separately will show by which
            redo = [*pool.redo[: pool.state[REDO]].tolist(), *pool.ids[pool.alive != 0].tolist()]
            pool.alive[:] = pool.state[ALIVE] = 0
        pool.state[REDO] = 0
        cursor = self.redo_cursor
        for b in redo:
            cursor[:] = b, b + 1, 0
            while cursor[AT] < cursor[END]:
                if threads.finished:
                    return
                self._solve_separately(cursor)
                if self is threads._first_worker:
                    threads.report()

    def _store_lanes(self, stop):
        """Store the results so far of the problems in lanes, which were interrupted."""
        pool, results = self.pool, self.threads.results
        for j in np.flatnonzero(pool.alive):
            pool.store(j, stop, results)
