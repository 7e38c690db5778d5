"""Many problems of one kind, one after another in compiled code, each with a start, bounds and an end of its own."""

import threading
from time import perf_counter

import numba
import numpy as np
from numba import types

from numbaopt.backends.cpu import kernel, signature
from numbaopt.common.per_coordinate import PerCoordinate
from numbaopt.drivers.compiled_loop import SLICE, memory, open_problem, paced, run_full_batch, text
from numbaopt.drivers.specialize import tier
from numbaopt.drivers.stopping import (
    BAD_JAC,
    BEST_X,
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
from numbaopt.drivers.termination import AT, BEGUN, END, STEPS, VERDICT, finish
from numbaopt.lowering import emit_init
from numbaopt.many.simd import Pool, swimmer
from numbaopt.many.simd_loop import ALIVE, OVER

FIRST = 5e-4  # seconds before further threads are started
WORTH = 1e-3  # seconds of work that a worker is given at least, as far as one can tell
ALONE, TOGETHER = 16, 20_000  # evaluations of a worker's first call: one after another, side by side




def _crowd(
    fun, step, starts, limits, own, numbers, template, block, s, h, record, args, points, slopes, ends, cursor, budget
):
    x, box = block[X], block[LOWER:]
    while cursor[AT] < cursor[END] and budget > 0:
        b, verdict, t = cursor[AT], GO_ON, 0
        if cursor[BEGUN] == 0:
            cursor[BEGUN] = 1
            args[2] = b  # PROBLEM
            for k in range(box.shape[0]):
                for i in range(x.size):
                    box[k, i] = limits[k, b if limits.shape[1] > 1 else 0, i]
            for i in range(x.size):
                x[i] = starts[b, i]
                if box.shape[0] > 0:
                    x[i] = max(x[i], box[0, i])
                    x[i] = min(x[i], box[1, i])
                block[BEST_X, i], block[G, i] = x[i], slopes[b, i]
            for i in range(h.size):
                h[i] = numbers[b if numbers.shape[0] > 1 else 0, i]
            for i in range(record.size):
                record[i] = template[i]
            begin(x, s, h, box, own)  # noqa: F821
            verdict = open_problem(fun, block, h, record, args)
            budget -= 1
        if verdict == GO_ON:
            t = int(record[NIT])
            verdict = run_full_batch(fun, step, block, s, h, record, args, t + max(budget, 1))
            budget -= int(record[NIT]) - t
            if verdict == GO_ON:
                return budget  # to be taken up there
        finish(verdict, b, block, h, record, points, slopes, ends)
        cursor[AT], cursor[BEGUN] = b + 1, 0
    return budget


class Crowd:
    """The compiled run of many problems on several threads.

    Parameters
    ----------
    run : Run
        Of one problem like them: its memory is the pattern.
    ends : Ends
        Where the problems start, and what becomes of them.
    limits : ndarray, shape (2, B or 1, n)
        Lower and upper bounds; n is 0 where there are none.
    numbers : ndarray, shape (B or 1, p)
        What h starts from.
    rows : tuple of ndarray
        What each problem has of its own.
    watch : callable
        Called with the number of problems done, some twenty times a second; true ends the run.
    """

    def __init__(self, run, ends, limits, numbers, rows, watch):
        self.run, self.ends, self.rows, self.watch = run, ends, rows, watch
        starts = ends.points.copy()
        own = [name for name in run.rule.slots_of if isinstance(run.rule.hyper.get(name), PerCoordinate)]
        own = np.array([run.rule.slot(run.s, name) for name in own], starts.dtype).reshape(len(own), starts.shape[1])
        self.verdict, self._next, self._took, self._seen = GO_ON, 0, 0.0, perf_counter()
        self._others, self._compiler, self._left = [], None, []
        self.over, self._failure, self._lock, self._compiling = False, None, threading.Lock(), threading.Lock()
        self._first = Worker(self)
        step = kernel(run.rule.jit, starts.dtype) if run.program is None else None
        begin = "@jit\n" + emit_init.emit(run.rule, run.limits is not None)
        real, f8, i8 = numba.from_dtype(starts.dtype), types.float64, types.int64
        rest = (real[:, ::1], real[:, :, ::1], real[:, ::1], f8[:, ::1], f8[::1], *memory(starts.dtype), i8[::1])
        rest += (real[:, ::1], real[:, ::1], f8[:, ::1], i8[::1], i8)
        functions = text((run_full_batch, open_problem, _crowd), run.program, run.marks, begin)
        self.drive = tier(functions, self._first.compiled.function, step, signature(starts.dtype), rest)
        self.given = starts, limits, own, numbers, run.record
        self.flat = tuple(array.reshape(len(array), -1) for array in rows)
        self.swim = None if len(numbers) == 1 else False  # not tried yet; what is not the same for all, cannot be

    def solve(self, threads):
        """Solve all of them. On the way out of an exception what is done is kept."""
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
                self.look()
            self.look(last=True)
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
        if self.verdict != GO_ON:
            self.ends.mark(self.ends.table[:, VERDICT] == GO_ON, self.verdict)

    def _filled(self):
        """Tell of gradients that were not written."""
        table, slopes = self.ends.table, self.ends.slopes
        for b in np.flatnonzero((table[:, VERDICT] == BAD_JAC) & (table[:, STEPS] == 0)).tolist():
            try:
                self.run.objective.check_filled(0.0, slopes[b])
            except ValueError as error:
                slopes[b], self.ends.errors[b] = np.nan, error
                self.ends.mark(b, RAISED)

    def _run(self, worker):
        """Let a worker work in a thread; what it does not expect is the caller's to hear of."""
        try:
            worker.work()
        except BaseException as error:
            self._failure, self.over = error, True

    def look(self, last=False):
        """Let the caller see how far it is, now and then, and stop where he or the clock says so."""
        now = perf_counter()
        if not last and now < self._seen + SLICE and (self.run.deadline is None or now < self.run.deadline):
            return
        self._seen = now
        if self.verdict == GO_ON and self.watch(int(np.count_nonzero(self.ends.table[:, VERDICT]))):
            self.verdict = STOPPED
        if self.verdict == GO_ON and self.run.deadline is not None and perf_counter() >= self.run.deadline:
            self.verdict = MAXTIME
        self.over = self.over or self.verdict != GO_ON

    def spent(self, seconds):
        """Take note of the time that problems took; see what is worth compiling for them."""
        self.took(seconds)
        here = threading.current_thread()
        if self._others and here not in self._others:  # Ctrl-C comes to this one, and no compilation is to delay it
            self.drive.spent(seconds)
        elif self.drive.spent(seconds) and not self.over and self._compiling.acquire(blocking=False):
            try:
                self._compiler = here
                if self.swim is None and not self.drive.exact:
                    self.swim = False  # each lane is to have the bits of a problem alone
                elif self.swim is None:
                    self.swim = swimmer(self.run, self.rows, self.run.objective.args) or False
                if self.swim is False:
                    self.drive.specialise()
            finally:
                self._compiler = None
                self._compiling.release()

    def took(self, seconds):
        """Take note of the time that problems took."""
        self._took += seconds

    def claim(self, cursor):
        """Give a worker its next problems: fewer as fewer are left, but enough to keep it busy for `WORTH`.

        Tell whether there are any.
        """
        with self._lock:
            left = len(self.ends.points) - self._next
            count = min(left, max(1, left // 16, int(self._next / max(self._took, 1e-6) * WORTH)))
            cursor[AT], cursor[END], cursor[BEGUN] = self._next, self._next + count, 0
            self._next += count
        return count > 0


class Worker:
    """What one thread works with."""

    def __init__(self, crowd):
        run = crowd.run
        self.crowd, self.compiled = crowd, run.objective.compiled(each=crowd.rows)
        run.record[MORE], run.record[LESS] = self.compiled.cost - 1, self.compiled.failed - 1
        self.memory = run.block.copy(), run.s.copy(), run.h.copy(), run.record.copy()
        self.cursor, self.budget, self.stroke, self.pool = np.zeros(3, np.int64), ALONE, TOGETHER, None

    def work(self, until=np.inf):
        """Solve problems until none are left, or it is time."""
        crowd, cursor = self.crowd, self.cursor
        while not crowd.over and (self._busy or cursor[AT] < cursor[END] or crowd.claim(cursor)):
            if perf_counter() >= until:
                return
            if crowd.swim and not cursor[BEGUN]:
                self._side_by_side()
            else:
                self._alone(cursor)
            if self is crowd._first:
                crowd.look()
        if threading.current_thread() in crowd._left:  # the results have been handed over
            return
        if cursor[BEGUN]:
            self._keep(cursor, crowd.verdict)
        if self._busy:
            self._leave(crowd.verdict)

    def _alone(self, cursor):
        """Solve the problems that a cursor says, for a while."""
        crowd, ends, began, left = self.crowd, self.crowd.ends, perf_counter(), 0
        results = ends.points, ends.slopes, ends.table
        try:
            left = crowd.drive(*crowd.given, *self.memory, self.compiled.args, *results, cursor, self.budget)
        except Exception as error:
            ends.errors[int(cursor[AT])] = error
            self._keep(cursor, RAISED)
        seconds = perf_counter() - began
        if left <= 0:
            self.budget = paced(self.budget, seconds, crowd.run.deadline)
        crowd.spent(seconds)

    def _keep(self, cursor, verdict):
        (block, _, h, record), ends = self.memory, self.crowd.ends
        finish(verdict, cursor[AT], block, h, record, ends.points, ends.slopes, ends.table)
        cursor[AT], cursor[BEGUN] = cursor[AT] + 1, 0

    @property
    def _busy(self):
        return self.pool is not None and self.pool.state[ALIVE] > 0

    def _side_by_side(self):
        """Solve problems side by side, for a while; what cannot be told there, alone."""
        crowd, ends, began = self.crowd, self.crowd.ends, perf_counter()
        starts, limits, _, numbers, template = crowd.given
        if self.pool is None:
            self.pool = Pool.of(crowd.run, crowd.rows, len(starts))
        pool, cursor, args = self.pool, self.cursor, crowd.run.objective.args
        try:
            left = crowd.swim(
                starts, limits, numbers, template, crowd.flat, args, pool, ends.points, ends.slopes, ends.table, cursor,
                self.stroke,
            )  # fmt: skip
            if left <= 0:
                self.stroke = paced(self.stroke, perf_counter() - began, crowd.run.deadline)
            again = pool.again[: pool.state[OVER]].tolist()
            crowd.took(perf_counter() - began)
        except Exception:  # of some problem: alone, it will be seen of which
            again = [*pool.again[: pool.state[OVER]].tolist(), *pool.ids[pool.alive != 0].tolist()]
            pool.alive[:] = pool.state[ALIVE] = 0
        pool.state[OVER] = 0
        for b in again:
            own = np.array([b, b + 1, 0])
            while own[AT] < own[END] and not crowd.over:
                self._alone(own)
                if self is crowd._first:
                    crowd.look()
            if own[BEGUN]:
                self._keep(own, crowd.verdict)

    def _leave(self, verdict):
        """Keep the best so far of problems that were broken off."""
        pool, ends = self.pool, self.crowd.ends
        for j in np.flatnonzero(pool.alive):
            pool.keep(j, verdict, self.crowd.run.record, ends)
