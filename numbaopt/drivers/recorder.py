"""What a run was at each step: `Result.history`, and how it is written down at little cost.

Compiled code writes the value and the gradient's norm, two numbers a step; all the rest follows from the number of the
step, and is filled in when the run is over. The clock is read before and after each slice of some 50 ms of a compiled
run, and each millisecond of a plain one; steps in between are taken to have been equally long.
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

X0, G0 = range(2)  # rows of every solver's s: the latest iterate, and the gradient there
LEAST = 4096  # entries that there is room for at first
RING = 256  # entries that a plain driver writes before Python looks...
TICK = 1e-3  # ...or as many as take these seconds
COUNT = SIZE  # where in the record of a plain run they are counted


@jit
def check_and_keep(f, block, record):
    """`check`, and write value and norm behind the record proper: into a ring, after the count of entries."""
    stop = check(f, block[X], block[G], block[BEST_X:LOWER], block[LOWER:], record)
    k = int(record[COUNT])
    at = COUNT + 1 + 2 * (k % RING)
    record[at], record[at + 1] = f, record[NORM]
    record[COUNT] = k + 1
    return stop


class Recorder:
    """The history of a run while it goes on; `Steps` and `Slices` say how it is written.

    Parameters
    ----------
    run : Run
        With all its memory.

    Attributes
    ----------
    trace : ndarray, shape (2 or more, room)
        fun, norm, and the numbers by which the learning rate of the step after is multiplied.
    points : ndarray, shape (room, n)
    count : int
        Entries, as far as Python has seen them written.
    """

    def __init__(self, run):
        self.run, self.pointed = run, run.wanted == "x"
        self.solver, self.first = run.iterations is not None, 0 if run.batches is None else 1
        places = [] if self.solver else factors_of(run.rule)
        self.at = min(places, default=0)
        self.numbers = run.h[self.at : max(places, default=-1) + 1]  # a view of what steps change
        self.before, self.places = self.numbers.copy(), [k - self.at for k in places]
        self.trace = np.empty((2 + self.numbers.size, 0))
        self.points = np.empty((0, run.block.shape[1]), run.block.dtype)
        # What a run that is taken up again did before is not there: entries keep their numbers, and are left out.
        self.base = 0 if run.opening is None else int(run.done(run.record[NIT]))
        self.made = int(run.steps(run.record[NIT]))  # steps before the first of these
        self.count, self.slices = self.base, []  # (entries, seconds) where each begins, and where it ends
        if run.opening is not None and not self.first:
            begun = self.solver and run.record[NIT]
            self.put(self.base, *(self.iterate() if begun else (run.record[PREVIOUS], run.record[NORM], run.block[X])))
            self.slices.append((self.base, run.began, self.count, perf_counter()))

    @property
    def size(self):
        """How many entries there are."""
        return self.count

    def make_room(self, need):
        """Make room for so many entries."""
        room = self.trace.shape[1]
        if need > room:
            room = max(need, 2 * room, LEAST)
            self.trace = _grown(self.trace, 1, room, self.base)
            if self.pointed:
                self.points = _grown(self.points, 0, room, self.base)

    def put(self, k, f, norm, x):
        """Write entry ``k``."""
        self.make_room(k + 1)
        self.trace[:2, k], self.trace[2:, k] = (f, norm), self.numbers
        if self.pointed:
            self.points[k] = x
        self.count = max(self.count, k + 1)

    def iterate(self):
        """Return value, norm and point of a solver's latest iterate."""
        run = self.run
        return run.h[int(run.record[VALUE])], gradient_norm(run.s[X0], run.s[G0], run.block[LOWER:]), run.s[X0]

    def history(self, stop):
        """Return what there is of it, of a run that ended so, or is broken off (GO_ON)."""
        if self.solver and self.count:
            self._end(stop)
        base, size = self.base, min(self.size, self.trace.shape[1])
        columns = self.trace[:, base:size]
        fun, norm, *numbers = columns.copy() if 2 * (size - base) < self.trace.shape[1] else columns
        if stop in (BAD_FUN, BAD_JAC) and not self.first:
            norm[-1:] = abs(self.run.block[G]).max(initial=0.0)  # no driver asked for it
        nit, lr = np.arange(self.first + base, self.first + size), self._lr(norm, numbers)
        history = History(nit=nit, fun=fun, norm=norm, lr=lr, seconds=self._seconds(size))
        if self.pointed:
            history["x"] = self.points[base:size].copy()
        return history

    def _end(self, stop):
        """Keep a solver's last iterates: one that it stopped at, and one that was a trial, and is enough."""
        run, record, k = self.run, self.run.record, self.run.iterations(self.run.h)
        if k:
            f, norm, x = self.iterate()
            if stop == STALLED and k != record[DONE]:  # no search was begun there, which would have kept f
                f = record[PREVIOUS] if norm == record[NORM] else run.h[run.rule.low]
            self.put(k, f, norm, x)
        if stop == GTOL_MET and record[NIT]:
            self.put(k + 1, record[PREVIOUS], record[NORM], run.block[X])

    def _seconds(self, size):
        """Return the seconds since the run began: within a slice, as if all its entries had taken equally long."""
        seconds, end = np.empty(size - self.base), 0
        for begin, began, end, ended in self.slices:
            end -= self.base
            part = seconds[begin - self.base : end]
            part[:] = np.arange(1, part.size + 1)
            part *= (ended - began) / max(part.size, 1)
            part += began - self.run.began
        seconds[end:] = perf_counter() - self.run.began
        return seconds

    def _lr(self, norm, numbers):
        """Return the learning rate of each step; ``numbers`` are what the step after it is made with."""
        lr = np.full(norm.size, np.nan)
        value = None if self.solver else constant_or_schedule(self.run.rule)
        made = ~np.isnan(norm) if self.first and self.run.skips_nonfinite else slice(1 - self.first, None)
        steps = lr[made]  # without the start, and batches that were passed over
        if is_schedule(value):
            filler(value)(steps, np.array(value.values, float), self.made)
        elif isinstance(value, float):
            steps[:] = value
        lr[made] = steps
        for k in self.places:
            lr *= np.append(self.before[k], numbers[k])[: lr.size]
        return lr


class Steps(Recorder):
    """The record of a plain run, whose driver calls `check`, and `seen` as often as that asks for.

    So a step costs no call from Python more than it does without.
    """

    check = staticmethod(check_and_keep)

    def __init__(self, run):
        super().__init__(run)
        run.record = np.append(run.record, np.zeros(1 + 2 * RING))
        self._ring = run.record[COUNT + 1 :].reshape(RING, 2)
        self._each = self.solver or self.pointed or bool(self.places)
        self._due, self._stride, self._then = 0, 1, run.began
        run.record[COUNT] = self.count

    def seen(self, t):
        """Take note of t steps done, before the next; return at how many to be called again."""
        if t >= self._due:
            now = perf_counter()
            quick = now < self._then + TICK
            self._stride = 1 if self._each else min(2 * self._stride, RING) if quick else max(self._stride // 2, 1)
            self._due = t + self._stride
            self._take(t, now)
        return self._due

    def _take(self, t, now):
        """Take out of the ring what is there."""
        run, before, looked = self.run, self.count, int(self.run.record[COUNT])
        if self.solver:
            k = run.iterations(run.h)
            if looked and not before:
                self.put(0, *self._ring[0], run.block[X])
            elif k == before:
                self.put(k, *self.iterate())
        else:
            after = min(looked, t) if self.first else looked  # a batch that was not finite has had no step
            self.make_room(after)
            self.trace[:2, before:after] = self._ring[np.arange(before, after) % RING].T
            if self._each and after > before:
                self.put(before, *self.trace[:2, before], run.block[X])
            self.count = after
        self.slices.append((before, self._then, self.count, now))
        self._then = now

    def pass_over(self, f):
        """Keep the value of a batch that is passed over, its gradient not being looked at."""
        k = int(self.run.record[COUNT])
        self._ring[k % RING] = f, np.nan
        self.run.record[COUNT] = k + 1

    def close(self):
        """Take note of the end of the run, or of what it is broken off by."""
        self._take(int(self.run.record[NIT]), perf_counter())


class Slices(Recorder):
    """The record of a compiled run, whose driver writes into the arrays that `room` returns."""

    def __init__(self, run):
        super().__init__(run)
        self._began = None

    @property
    def size(self):
        """How many entries there are; amid a slice, of a full batch's steps those that the next one has begun after."""
        run = self.run
        written = run.record[NIT] if not self.solver else 1 + run.iterations(run.h) if self.count else 0
        return max(self.count, int(written))

    def open(self):
        """Take note of the start, which was evaluated if it is a full batch's."""
        self._began = self.count, perf_counter()
        self.passed()

    def room(self, steps):
        """Return what a compiled driver takes beside the rest to do so many steps."""
        steps = steps if self.solver else max(0, min(steps, self.run.maxiter - self.run.record[NIT]))
        self.make_room(self.size + int(steps) + 2)
        self._began = self.size, perf_counter()
        return self.trace, self.points, self.at

    def passed(self):
        """Take note of the end of what `room` was for, and of the entry that the next slice would begin with."""
        run, record = self.run, self.run.record
        if not self.first and not (self.solver and record[NIT]):
            self.put(int(record[NIT]), record[PREVIOUS], record[NORM], run.block[X])
        self.count = self.size
        self.close()

    def close(self):
        """Take note of the time, if the run is amid a slice."""
        if self._began is not None:
            self.slices.append((*self._began, self.size, perf_counter()))
            self._began = None


def _grown(old, axis, room, base):
    """Return a copy, from ``base``, with room for more along an axis; what nobody has written takes no memory yet."""
    shape = list(old.shape)
    shape[axis] = room
    new = np.empty(shape, old.dtype)
    written = (slice(None),) * axis + (slice(base, old.shape[axis]),)
    new[written] = old[written]
    return new
