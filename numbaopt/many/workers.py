"""Many problems of one kind on several threads, in compiled code; each has its start, its bounds and its end."""

import threading
from time import perf_counter

import numba
import numpy as np
from numba import types

from numbaopt.backends.cpu import kernel, signature
from numbaopt.common.per_coordinate import PerCoordinate
from numbaopt.drivers.beginning import evaluate_start, prepare_problem
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
from numbaopt.drivers.termination import AT, BEGUN, END, REASON, STEPS, finish
from numbaopt.lowering import emit_init
from numbaopt.many.simd import Pool, simd_driver
from numbaopt.many.simd_loop import ALIVE, OVER

FIRST = 5e-4  # seconds before further threads are started
WORTH = 1e-3  # seconds of work, as estimated, that a worker gets at least
ALONE, TOGETHER = 16, 20_000  # evaluations of a worker's first call: problems one after another, and in lanes


def solve_problems(
    fun, step, starts, boxes, fixed, numbers, template, block, s, h, record, args, points, slopes, table, cursor, budget
):
    """Solve problems one after another, as many evaluations as the budget says; return what is left of that."""
    x, g, box = block[X], block[G], block[LOWER:]
    while cursor[AT] < cursor[END] and budget > 0:
        b = cursor[AT]
        if cursor[BEGUN] == 0:
            cursor[BEGUN] = 1
            args[2] = b  # PROBLEM
            prepare_problem(b, starts, boxes, block)
            for i in range(x.size):
                g[i] = slopes[b, i]  # where the objective writes none
            for i in range(h.size):
                h[i] = numbers[b if numbers.shape[0] > 1 else 0, i]
            for i in range(record.size):
                record[i] = template[i]
            begin(x, s, h, box, fixed)  # noqa: F821
            budget -= 1
        t = int(record[NIT])
        stop = run_full_batch(fun, step, block, s, h, record, args, t + max(budget, 1), None, None)
        budget -= int(record[NIT]) - t
        if stop == GO_ON:
            return budget  # the next call goes on there
        finish(stop, b, block, h, record, points, slopes, table)
        cursor[AT], cursor[BEGUN] = cursor[AT] + 1, 0
    return budget


class ThreadPool:
    """The compiled run of many problems on several threads.

    Parameters
    ----------
    run : Run
        Of one problem like them, whose arrays are copied.
    ends : ResultTable
        The starts, and the results so far.
    limits : ndarray, shape (2, B or 1, n)
        Lower and upper bounds; n is 0 where there are none.
    numbers : ndarray, shape (B or 1, p)
        What h starts from.
    rows : tuple of ndarray
        The data that differ from problem to problem.
    watch : callable
        Called with the number of solved problems some twenty times a second; a true value ends the run.
    """

    def __init__(self, run, ends, limits, numbers, rows, watch):
        self.run, self.ends, self.rows, self.watch = run, ends, rows, watch
        starts = ends.points.copy()
        fixed = [name for name in run.rule.slots_of if isinstance(run.rule.hyper.get(name), PerCoordinate)]
        fixed = [run.rule.slot(run.s, name) for name in fixed]
        fixed = np.array(fixed, starts.dtype).reshape(len(fixed), starts.shape[1])
        self.stop, self._next, self._took, self._reported = GO_ON, 0, 0.0, perf_counter()
        self._others, self._compiler, self._left = [], None, []
        self.over, self._failure, self._lock, self._compiling = False, None, threading.Lock(), threading.Lock()
        self._first = Worker(self)
        begin = "@jit\n" + emit_init.emit(run.rule, run.limits is not None)
        real, f8, i8 = numba.from_dtype(starts.dtype), types.float64, types.int64
        rest = (real[:, ::1], real[:, :, ::1], real[:, ::1], f8[:, ::1], f8[::1], *array_types(starts.dtype), i8[::1])
        rest += (real[:, ::1], real[:, ::1], f8[:, ::1], i8[::1], i8)
        functions, function = (evaluate_start, run_full_batch, solve_problems), self._first.compiled.function
        step, kinds = kernel(run.rule.jit, starts.dtype), signature(starts.dtype)
        self.drive = driver_of(functions, run.program, run.flags, begin, function, step, kinds, rest)
        self.given = starts, limits, fixed, numbers, run.record
        self.flat = tuple(array.reshape(len(array), -1) for array in rows)
        self.simd = None if len(numbers) == 1 else False  # None: not tried yet; lanes share h

    def solve(self, threads):
        """Solve all problems. If an exception is raised, the results so far are kept."""
        others = self._others
        try:
            self._first.work(perf_counter() + FIRST)
            if threads > 1 and self._next < len(self.ends.points):
                workers = [Worker(self) for _ in range(threads - 1)]
                others += [threading.Thread(target=self._run, args=(worker,)) for worker in workers]
            for thread in others:
                thread.start()
            self._first.work()
            while alive := [thread for thread in others if thread.is_alive()]:
                alive[-1].join(SLICE)
                self.report()
            self.report(last=True)
        except KeyboardInterrupt:
            self.over = True
            self._left = [thread for thread in others if thread is self._compiler]  # which takes seconds
            raise
        finally:
            self.over = True
            for thread in others:
                if thread not in self._left:
                    thread.join()
        if self._failure is not None:
            raise self._failure
        if self.run.objective.jac == "inplace":
            self._filled()
        if self.stop != GO_ON:
            self.ends.mark(self.ends.table[:, REASON] == GO_ON, self.stop)

    def _filled(self):
        """Report gradients that the objective did not fill."""
        table, slopes = self.ends.table, self.ends.slopes
        for b in np.flatnonzero((table[:, REASON] == BAD_JAC) & (table[:, STEPS] == 0)).tolist():
            try:
                self.run.objective.check_filled(0.0, slopes[b])
            except ValueError as error:
                slopes[b], self.ends.errors[b] = np.nan, error
                self.ends.mark(b, RAISED)

    def _run(self, worker):
        """Let a worker work in a thread; an error in the worker itself is raised in the thread of the caller."""
        try:
            worker.work()
        except BaseException as error:
            self._failure, self.over = error, True

    def report(self, last=False):
        """Report progress from time to time; stop if the callback or the clock says so."""
        now = perf_counter()
        if not last and now < self._reported + SLICE and (self.run.deadline is None or now < self.run.deadline):
            return
        self._reported = now
        if self.stop == GO_ON and self.watch(int(np.count_nonzero(self.ends.table[:, REASON]))):
            self.stop = STOPPED
        if self.stop == GO_ON and self.run.deadline is not None and perf_counter() >= self.run.deadline:
            self.stop = MAXTIME
        self.over = self.over or self.stop != GO_ON

    def spent(self, seconds):
        """Add to the time that problems took; compile a faster driver once that pays."""
        self.took(seconds)
        here = threading.current_thread()
        if self._others and here not in self._others:  # Ctrl-C arrives in this one, and compiling would delay it
            self.drive.add_time(seconds)
        elif self.drive.add_time(seconds) and not self.over and self._compiling.acquire(blocking=False):
            try:
                self._compiler = here
                if self.simd is None and not self.drive.exact:
                    self.simd = False  # a lane might not have the bits of a problem alone
                elif self.simd is None:
                    self.simd = simd_driver(self.run, self.rows, self.run.objective.args) or False
                if self.simd is False:
                    self.drive.specialize()
            finally:
                self._compiler = None
                self._compiling.release()

    def took(self, seconds):
        """Add to the time that problems took."""
        self._took += seconds

    def claim(self, cursor):
        """Give a worker its next problems; return whether there are any.

        There are fewer as fewer are left, but enough to keep a worker busy for `WORTH`.
        """
        with self._lock:
            left = len(self.ends.points) - self._next
            count = min(left, max(1, left // 16, int(self._next / max(self._took, 1e-6) * WORTH)))
            cursor[AT], cursor[END], cursor[BEGUN] = self._next, self._next + count, 0
            self._next += count
        return count > 0


class Worker:
    """The arrays of one thread, and what it does with them."""

    def __init__(self, threads):
        run = threads.run
        self.threads, self.compiled = threads, run.objective.compiled(each=threads.rows)
        run.record[MORE], run.record[LESS] = self.compiled.cost - 1, self.compiled.failed - 1
        self.memory = run.block.copy(), run.s.copy(), run.h.copy(), run.record.copy()
        self.cursor, self.budget, self.chunk, self.pool = np.zeros(3, np.int64), ALONE, TOGETHER, None

    def work(self, until=np.inf):
        """Solve problems until none are left, or until a point in time."""
        threads, cursor = self.threads, self.cursor
        while not threads.over and (self._busy or cursor[AT] < cursor[END] or threads.claim(cursor)):
            if perf_counter() >= until:
                return
            if threads.simd and not cursor[BEGUN]:
                self._in_lanes()
            else:
                self._alone(cursor)
            if self is threads._first:
                threads.report()
        if threading.current_thread() in threads._left:  # the results have been handed over
            return
        if cursor[BEGUN]:
            self._keep(cursor, threads.stop)
        if self._busy:
            self._leave(threads.stop)

    def _alone(self, cursor):
        """Solve the problems of a cursor, one after another, for a while."""
        threads, ends, began, left = self.threads, self.threads.ends, perf_counter(), 0
        results = ends.points, ends.slopes, ends.table
        try:
            left = threads.drive(*threads.given, *self.memory, self.compiled.args, *results, cursor, self.budget)
        except Exception as error:
            ends.errors[int(cursor[AT])] = error
            self._keep(cursor, RAISED)
        seconds = perf_counter() - began
        if left <= 0:
            self.budget = next_chunk(self.budget, seconds, threads.run.deadline)
        threads.spent(seconds)

    def _keep(self, cursor, stop):
        (block, _, h, record), ends = self.memory, self.threads.ends
        finish(stop, cursor[AT], block, h, record, ends.points, ends.slopes, ends.table)
        cursor[AT], cursor[BEGUN] = cursor[AT] + 1, 0

    @property
    def _busy(self):
        return self.pool is not None and self.pool.state[ALIVE] > 0

    def _in_lanes(self):
        """Solve problems in SIMD lanes for a while; solve alone those that cannot be solved there."""
        threads, ends, began = self.threads, self.threads.ends, perf_counter()
        starts, limits, _, numbers, template = threads.given
        if self.pool is None:
            self.pool = Pool.of(threads.run, threads.rows, len(starts))
        pool, cursor, args = self.pool, self.cursor, threads.run.objective.args
        results = ends.points, ends.slopes, ends.table
        try:
            left = threads.simd(
                starts, limits, numbers, template, threads.flat, args, pool, *results, cursor, self.chunk
            )
            if left <= 0:
                self.chunk = next_chunk(self.chunk, perf_counter() - began, threads.run.deadline)
            again = pool.again[: pool.state[OVER]].tolist()
            threads.took(perf_counter() - began)
        except Exception:  # raised by some problem: solving them alone will show by which
            again = [*pool.again[: pool.state[OVER]].tolist(), *pool.ids[pool.alive != 0].tolist()]
            pool.alive[:] = pool.state[ALIVE] = 0
        pool.state[OVER] = 0
        for b in again:
            one = np.array([b, b + 1, 0])
            while one[AT] < one[END] and not threads.over:
                self._alone(one)
                if self is threads._first:
                    threads.report()
            if one[BEGUN]:
                self._keep(one, threads.stop)

    def _leave(self, stop):
        """Keep the best points so far of problems that were interrupted."""
        pool, ends = self.pool, self.threads.ends
        for j in np.flatnonzero(pool.alive):
            pool.keep(j, stop, self.threads.run.record, ends)
