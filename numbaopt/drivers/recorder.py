"""The history of a run, `Result.history`, recorded at little cost.

Compiled code writes two numbers per step: the value and the norm of the gradient. Everything else follows from the
number of the step and is filled in at the end of the run. The clock is read before and after each slice of about 50 ms
of a compiled run, and every millisecond of a run in Python; the steps in between are assumed to take equally long.
"""

from time import perf_counter

import numpy as np

from numbaopt.backends.cpu import jit
from numbaopt.drivers.learning_rate import constant_or_schedule, factors_of, filler
from numbaopt.drivers.stopping import (
    BAD_FUN,
    BAD_JAC,
    BEST_X,
    DONE,
    GTOL_MET,
    LOWER,
    NIT,
    NORM,
    PREVIOUS,
    SIZE,
    STALLED,
    VALUE,
    G,
    X,
    check,
    gradient_norm,
)
from numbaopt.methods.hyperparameters import is_schedule
from numbaopt.results.history import History

X0, G0 = range(2)  # the first rows of s of every solver: the latest iterate, and the gradient there
LEAST = 4096  # entries for which memory is allocated at first
RING = 256  # entries that the Python driver writes between two calls of `Steps.update`, at most
TICK = 1e-3  # seconds between two calls of `Steps.update`, approximately
COUNT = SIZE  # the position of the count of these entries in the record of a run in Python


@jit
def check_and_keep(f, block, record):
    """Call `check`, and write the value and the norm to a ring buffer, which follows the record and the count."""
    stop = check(f, block[X], block[G], block[BEST_X:LOWER], block[LOWER:], record)
    k = int(record[COUNT])
    at = COUNT + 1 + 2 * (k % RING)
    record[at], record[at + 1] = f, record[NORM]
    record[COUNT] = k + 1
    return stop


class Recorder:
    """Records the history of a run; the subclasses `Steps` and `Slices` define how entries are written.

    Parameters
    ----------
    run : Run
        The run, with all its memory.

    Attributes
    ----------
    trace : ndarray, shape (2 or more, capacity)
        fun, norm, and the numbers by which the learning rate of the next step is multiplied.
    points : ndarray, shape (capacity, n)
    count : int
        The number of the entries of which Python knows, including those before the run was resumed.
    """

    def __init__(self, run):
        self.run, self.keeps_points = run, run.history_option == "x"
        self.solver, self.first = run.iterations is not None, 0 if run.batches is None else 1
        factors = [] if self.solver else factors_of(run.rule)
        self.numbers_start = min(factors, default=0)
        self.numbers = run.h[self.numbers_start : max(factors, default=-1) + 1]  # a view, which steps change
        self.initial_numbers, self.factors = self.numbers.copy(), [k - self.numbers_start for k in factors]
        self.trace = np.empty((2 + self.numbers.size, 0))
        self.points = np.empty((0, run.block.shape[1]), run.block.dtype)
        # Entries of a resumed run are numbered like those of a single run; those before it was resumed remain unused.
        self.base = 0 if run.initial_stop is None else int(run.iterations_done(run.record[NIT]))
        self.steps_before = int(run.method_steps(run.record[NIT]))
        self.count, self.slices = self.base, []  # of each slice: first entry, start time, end of entries, end time
        if run.initial_stop is not None and not self.first:
            has_iterate = self.solver and run.record[NIT]
            latest = self.iterate() if has_iterate else (run.record[PREVIOUS], run.record[NORM], run.block[X])
            self.put(self.base, *latest)
            self.slices.append((self.base, run.start_time, self.count, perf_counter()))

    @property
    def size(self):
        """The number of entries."""
        return self.count

    def reserve(self, size):
        """Allocate memory for this many entries."""
        capacity = self.trace.shape[1]
        if size > capacity:
            capacity = max(size, 2 * capacity, LEAST)
            self.trace = _grown(self.trace, 1, capacity, self.base)
            if self.keeps_points:
                self.points = _grown(self.points, 0, capacity, self.base)

    def put(self, k, f, norm, x):
        """Write entry ``k``."""
        self.reserve(k + 1)
        self.trace[:2, k], self.trace[2:, k] = (f, norm), self.numbers
        if self.keeps_points:
            self.points[k] = x
        self.count = max(self.count, k + 1)

    def iterate(self):
        """Return the value, the norm and the point of the latest iterate of a solver."""
        run = self.run
        return run.h[int(run.record[VALUE])], gradient_norm(run.s[X0], run.s[G0], run.block[LOWER:]), run.s[X0]

    def history(self, stop):
        """Return the history of a run that stopped for the reason ``stop``, or that was interrupted (GO_ON)."""
        if self.solver and self.count:
            self._write_last_iterates(stop)
        base, size = self.base, min(self.size, self.trace.shape[1])
        columns = self.trace[:, base:size]
        fun, norm, *numbers = columns.copy() if 2 * (size - base) < self.trace.shape[1] else columns
        if stop in (BAD_FUN, BAD_JAC) and not self.first:
            norm[-1:] = abs(self.run.block[G]).max(initial=0.0)  # drivers do not compute it in this case
        nit, lr = np.arange(self.first + base, self.first + size), self._lr(norm, numbers)
        history = History(nit=nit, fun=fun, norm=norm, lr=lr, seconds=self._seconds(size))
        if self.keeps_points:
            history["x"] = self.points[base:size].copy()
        return history

    def _write_last_iterates(self, stop):
        """Write the last iterate of a solver, and the last trial point if that meets gtol."""
        run, record, k = self.run, self.run.record, self.run.iterations(self.run.h)
        if k:
            f, norm, x = self.iterate()
            if stop == STALLED and k != record[DONE]:  # no search has started there, which would have stored f
                f = record[PREVIOUS] if norm == record[NORM] else run.h[run.rule.low]
            self.put(k, f, norm, x)
        if stop == GTOL_MET and record[NIT]:
            self.put(k + 1, record[PREVIOUS], record[NORM], run.block[X])

    def _seconds(self, size):
        """Return the seconds since the start of the run, as if all entries of a slice had taken equally long."""
        seconds, end = np.empty(size - self.base), 0
        for begin, start_time, end, end_time in self.slices:
            end -= self.base
            part = seconds[begin - self.base : end]
            part[:] = np.arange(1, part.size + 1)
            part *= (end_time - start_time) / max(part.size, 1)
            part += start_time - self.run.start_time
        seconds[end:] = perf_counter() - self.run.start_time
        return seconds

    def _lr(self, norm, numbers):
        """Return the learning rate of each step; ``numbers`` has the factors of the next step."""
        lr = np.full(norm.size, np.nan)
        value = None if self.solver else constant_or_schedule(self.run.rule)
        stepped = ~np.isnan(norm) if self.first and self.run.skips_nonfinite else slice(1 - self.first, None)
        steps = lr[stepped]  # without the start and skipped batches
        if is_schedule(value):
            filler(value)(steps, np.array(value.values, float), self.steps_before)
        elif isinstance(value, float):
            steps[:] = value
        lr[stepped] = steps
        for k in self.factors:
            lr *= np.append(self.initial_numbers[k], numbers[k])[: lr.size]
        return lr


class Steps(Recorder):
    """Records a run in Python, whose driver calls `check` at every step, and `update` when that asks for it.

    A step therefore makes no more calls from Python than it does without a history.
    """

    check = staticmethod(check_and_keep)

    def __init__(self, run):
        super().__init__(run)
        run.record = np.append(run.record, np.zeros(1 + 2 * RING))
        self._ring = run.record[COUNT + 1 :].reshape(RING, 2)
        self._every_step = self.solver or self.keeps_points or bool(self.factors)
        self._next_update, self._stride, self._last_time = 0, 1, run.start_time
        run.record[COUNT] = self.count

    def update(self, t):
        """Record the entries of ``t`` steps, before the next one; return the step at which to call this again."""
        if t >= self._next_update:
            now = perf_counter()
            adapted = min(2 * self._stride, RING) if now < self._last_time + TICK else max(self._stride // 2, 1)
            self._stride = 1 if self._every_step else adapted
            self._next_update = t + self._stride
            self._read_ring(t, now)
        return self._next_update

    def _read_ring(self, t, now):
        """Copy new entries from the ring buffer."""
        run, before, written = self.run, self.count, int(self.run.record[COUNT])
        if self.solver:
            k = run.iterations(run.h)
            if written and not before:
                self.put(0, *self._ring[0], run.block[X])
            elif k == before:
                self.put(k, *self.iterate())
        else:
            after = min(written, t) if self.first else written  # no step followed a batch that was not finite
            self.reserve(after)
            self.trace[:2, before:after] = self._ring[np.arange(before, after) % RING].T
            if self._every_step and after > before:
                self.put(before, *self.trace[:2, before], run.block[X])
            self.count = after
        self.slices.append((before, self._last_time, self.count, now))
        self._last_time = now

    def record_skipped(self, f):
        """Record the value of a skipped batch; the norm of its gradient is NaN, as it is not computed."""
        k = int(self.run.record[COUNT])
        self._ring[k % RING] = f, np.nan
        self.run.record[COUNT] = k + 1

    def close(self):
        """Record the last entries, at the end of the run or at an interrupt."""
        self._read_ring(int(self.run.record[NIT]), perf_counter())


class Slices(Recorder):
    """Records a compiled run, whose driver writes to the arrays that `allocate` returns."""

    def __init__(self, run):
        super().__init__(run)
        self._slice_start = None

    @property
    def size(self):
        """The number of entries; within a slice of a full-batch run, those after which the next step has started."""
        run = self.run
        written = run.record[NIT] if not self.solver else 1 + run.iterations(run.h) if self.count else 0
        return max(self.count, int(written))

    def open(self):
        """Record the start, which a full-batch run has evaluated."""
        self._slice_start = self.count, perf_counter()
        self.end_slice()

    def allocate(self, steps):
        """Return the argument ``history`` of a compiled driver, with memory for this many steps."""
        steps = steps if self.solver else max(0, min(steps, self.run.maxiter - self.run.record[NIT]))
        self.reserve(self.size + int(steps) + 2)
        self._slice_start = self.size, perf_counter()
        return self.trace, self.points, self.numbers_start

    def end_slice(self):
        """Record the end of a slice, and the entry with which the next slice would start."""
        run, record = self.run, self.run.record
        if not self.first and not (self.solver and record[NIT]):
            self.put(int(record[NIT]), record[PREVIOUS], record[NORM], run.block[X])
        self.count = self.size
        self.close()

    def close(self):
        """Record the time, if a slice has not ended."""
        if self._slice_start is not None:
            self.slices.append((*self._slice_start, self.size, perf_counter()))
            self._slice_start = None


def _grown(old, axis, capacity, base):
    """Return a copy of the entries from ``base`` on, with a larger capacity along an axis.

    Entries that have not been written take no physical memory.
    """
    shape = list(old.shape)
    shape[axis] = capacity
    new = np.empty(shape, old.dtype)
    written = (slice(None),) * axis + (slice(base, old.shape[axis]),)
    new[written] = old[written]
    return new
