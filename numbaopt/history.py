"""What a run was at each step: `Result.history`, and how it is written down at little cost.

Compiled loops write the value and the gradient's norm, two numbers a step; all the rest follows from the number of the
step, and is filled in when the run is over. They have no clock: it is read before and after each slice of some 50 ms,
and the steps in between are taken to have been equally long.
"""

from array import array
from time import perf_counter

import numpy as np
from numba import from_dtype, types

from numbaopt import cpu, passes
from numbaopt.cpu import jit
from numbaopt.hyper import is_schedule
from numbaopt.observe import (
    BAD_FUN,
    BAD_JAC,
    BEST,
    DONE,
    GTOL_MET,
    LOWER,
    NIT,
    NORM,
    PREVIOUS,
    STALLED,
    VALUE,
    G,
    X,
    observe,
)
from numbaopt.result import Result

X0, G0 = range(2)  # rows of every solver's s: the latest iterate, and the gradient there
REACTIVE = {"plateau": "scale", "prodigy": "d", "dadapt_adamw": "d"}  # by what a method multiplies its lr
LEAST = 4096  # entries that there is room for at first


class History(dict):
    """A run step by step: a dict of equally long arrays, whose keys are attributes too.

    There is an entry for the start and one for each step (of a solver: for each iteration). With data there is one for
    each step only: a batch is evaluated before it.

    Attributes
    ----------
    nit : ndarray of int64, shape (k,)
        Steps, or iterations, done.
    fun : ndarray of float64, shape (k,)
        The objective there; with data the loss of that step's batch, before it.
    norm : ndarray of float64, shape (k,)
        The largest entry of the gradient (with bounds, of the projected one): what gtol is compared with.
    lr : ndarray of float64, shape (k,)
        The learning rate that the step was made with, by its schedule, and by what changes it on the way
        (`plateau`, Prodigy, D-Adaptation). NaN at the start, and where a method has none, or one for each coordinate.
    seconds : ndarray of float64, shape (k,)
        Since the run began. In compiled runs the clock is read some twenty times a second; in between they are
        interpolated.
    x : ndarray of x0's dtype, shape (k, n)
        The points, flat; with ``options={"history": "x"}``.

    Examples
    --------
    >>> from numbaopt import minimize
    >>> def fun(x):
    ...     return ((x - 1) ** 2).sum(), 2 * (x - 1)
    >>> options = {"lr": 0.1, "maxiter": 3, "history": True}
    >>> history = minimize(fun, [3.0, -2.0], jac=True, method="sgd", options=options).history
    >>> history
    History of 3 steps: nit, fun, norm, lr, seconds
    >>> history.fun.round(3), history["lr"]
    (array([13.   ,  8.32 ,  5.325,  3.408]), array([nan, 0.1, 0.1, 0.1]))
    """

    __getattr__, __dir__ = Result.__getattr__, Result.__dir__

    def __repr__(self):
        steps = int(self["nit"][-1]) if len(self["nit"]) else 0
        return f"History of {steps} step{'s' * (steps != 1)}: {', '.join(self)}"


@jit
def largest(s, block, record):
    """Return the largest entry of the gradient, or of what bounds leave of it, at a solver's latest iterate."""
    scratch = np.zeros(record.size)
    scratch[BEST] = -np.inf
    observe(0.0, s[X0], s[G0], block[:0], block[LOWER:], scratch)
    return scratch[NORM]


class Unrecorded:
    """What stands for the record of a run of which nothing is kept."""

    marks: tuple = ()
    kinds: tuple = ()
    note = None

    def open(self):
        """See `Slices.open`."""

    def room(self, steps):
        """See `Slices.room`."""
        return ()

    def passed(self):
        """See `Slices.passed`."""

    def history(self, verdict):
        """See `Recorder.history`."""
        return None


class Recorder:
    """The history of a run while it goes on; `Steps` and `Slices` say how it is kept.

    Parameters
    ----------
    run : Run
        With all its memory.
    """

    def __init__(self, run):
        self.run, self.pointed = run, run.wanted == "x"
        self.solver, self.first = run.iterations is not None, 0 if run.batches is None else 1
        places = [] if self.solver else _reactive(run.rule)
        self.at = min(places, default=0)
        self.numbers = run.h[self.at : max(places, default=-1) + 1]  # a view of what steps change
        self.before, self.places = self.numbers.copy(), [k - self.at for k in places]
        self.points = np.empty((0, run.block.shape[1]), run.block.dtype)

    def history(self, verdict):
        """Return what there is of it, of a run that ended so, or is broken off (GO_ON)."""
        if self.solver and self.size:
            self._end(verdict)
        fun, norm, *numbers = self.columns()
        if verdict in (BAD_FUN, BAD_JAC) and not self.first:
            norm[-1:] = abs(self.run.block[G]).max(initial=0.0)  # no driver asked for it
        nit = np.arange(self.first, self.first + fun.size)
        history = History(nit=nit, fun=fun, norm=norm, lr=self._lr(nit.size, numbers), seconds=self.seconds())
        if self.pointed:
            history["x"] = self.points[: fun.size].copy()
        return history

    def _end(self, verdict):
        """Keep a solver's last iterates: one that it stopped at, and one that was a trial, and is enough."""
        run, record, k = self.run, self.run.record, self.run.iterations(self.run.h)
        if k:
            f, norm = run.h[int(record[VALUE])], largest(run.s, run.block, record)
            if verdict == STALLED and k != record[DONE]:  # no search was begun there, which would have kept f
                f = record[PREVIOUS] if norm == record[NORM] else run.h[run.rule.low]
            self.put(k, f, norm, run.s[X0])
        if verdict == GTOL_MET and record[NIT]:
            self.put(k + 1, record[PREVIOUS], record[NORM], run.block[X])

    def _lr(self, size, numbers):
        """Return the learning rate of each step; ``numbers`` are what the step after it is made with."""
        lr = np.full(size, np.nan)
        value = None if self.solver else _rate(self.run.rule)
        steps = lr[1 - self.first :]  # the start is none
        if is_schedule(value):
            _filler(value)(steps, np.array(value.values, float))
        elif isinstance(value, float):
            steps[:] = value
        for k in self.places:
            steps *= np.append(self.before[k], numbers[k])[: steps.size] if self.first else numbers[k][:-1]
        return lr


class Steps(Recorder):
    """The record of a plain run, which calls ``note(f)`` after each evaluation, or with data, each step."""

    marks: tuple = ()

    def __init__(self, run):
        super().__init__(run)
        # These are quicker to append to than arrays of NumPy are to write.
        self._fun, self._norm, self._seconds, self._more = (array("d") for _ in range(4))
        self.note = self._iterate if self.solver else self._noting()

    @property
    def size(self):
        """How many entries there are."""
        return len(self._seconds)  # these last: Ctrl-C may come in between

    def _noting(self):
        fun, norm, seconds = self._fun.append, self._norm.append, self._seconds.append
        record, x, clock = self.run.record, self.run.block[X], perf_counter
        more = self._extend if self.pointed or self.places else None

        def note(f):
            if more is not None:
                more(x)
            fun(f)
            norm(record[NORM])
            seconds(clock())

        return note

    def _iterate(self, f):
        """Be the `note` of a solver, most of whose evaluations may be trials."""
        run, k = self.run, self.run.iterations(self.run.h)
        if not self.size:
            self.put(0, f, run.record[NORM], run.block[X])
        elif k == self.size:
            self.put(k, run.h[int(run.record[VALUE])], largest(run.s, run.block, run.record), run.s[X0])

    def put(self, k, f, norm, x):
        """Keep entry ``k``, if it is not there."""
        if k == self.size:
            self._extend(x)
            self._fun.append(f)
            self._norm.append(norm)
            self._seconds.append(perf_counter())

    def _extend(self, x):
        self._more.extend(self.numbers)
        if self.pointed:
            k = self.size
            if k == len(self.points):
                self.points = _grown(self.points, 0, 2 * k + 64)
            self.points[k] = x

    def columns(self):
        """Return fun, norm and the numbers."""
        size, numbers = self.size, self.numbers.size
        more = np.array(self._more[: size * numbers]).reshape(size, numbers)
        return np.array([self._fun[:size], self._norm[:size], *more.T])

    def seconds(self):
        """Return the seconds since the run began."""
        return np.array(self._seconds) - self.run.began


class Slices(Recorder):
    """The record of a compiled run, whose lines marked "history" write into what `room` returns.

    Attributes
    ----------
    marks : tuple of str
        Of these lines.
    kinds : tuple of numba types
        Of what `room` returns.
    """

    note = None

    def __init__(self, run):
        super().__init__(run)
        kind = "solver" if self.solver else "rule"
        self.marks = "history", f"history {kind}"
        self.marks += (f"history x {kind}",) * self.pointed + ("history numbers",) * bool(self.places)
        self.kinds = types.float64[:, ::1], from_dtype(run.block.dtype)[:, ::1], types.int64
        self.trace, self._slices, self._now, self._last = np.empty((2 + self.numbers.size, 0)), [], None, 0

    @property
    def size(self):
        """How many entries there are; amid a slice, of a full batch's steps those that the next one has begun after."""
        if self.solver:
            return 1 + self.run.iterations(self.run.h)
        return int(self.run.record[NIT]) + (self._now is None and not self.first)

    def open(self):
        """Take note of the start, which was evaluated if it is a full batch's."""
        self.room(1)
        self._now = 0, perf_counter()
        self.passed()

    def room(self, steps):
        """Return what a compiled driver takes beside the rest to do so many steps."""
        steps = steps if self.solver else min(steps, self.run.maxiter - self.run.record[NIT])
        need, room = self.size + int(steps) + 2, self.trace.shape[1]
        if need > room:
            room = max(need, 2 * room, LEAST)
            self.trace = _grown(self.trace, 1, room)
            if self.pointed:
                self.points = _grown(self.points, 0, room)
        self._now = self.size, perf_counter()
        return self.trace, self.points, self.at

    def passed(self):
        """Take note of the end of what `room` was for, and of the entry that the next slice would begin with."""
        (size, began), self._now = self._now, None
        self._slices.append((size, began, self.size, perf_counter()))
        run, record = self.run, self.run.record
        if not self.first and not (self.solver and record[NIT]):
            self.put(self.size - 1, record[PREVIOUS], record[NORM], run.block[X])

    def put(self, k, f, norm, x):
        """Write entry ``k``, for which there is room."""
        self.trace[:2, k], self.trace[2:, k] = (f, norm), self.numbers
        if self.pointed:
            self.points[k] = x
        self._last = max(self._last, k + 1)

    def columns(self):
        """Return fun, norm and the numbers."""
        size = max(self.size, self._last)
        columns = self.trace[:, :size]
        return columns.copy() if 2 * size < self.trace.shape[1] else columns

    def seconds(self):
        """Return the seconds since the run began: within a slice, as if all its entries had taken equally long."""
        if self._now is not None:  # broken off amid one
            self._slices.append((*self._now, self.size, perf_counter()))
        seconds, end = np.empty(min(max(self.size, self._last), self.trace.shape[1])), 0
        for begin, began, end, ended in self._slices:
            part = seconds[begin:end]
            part[:] = np.arange(1, part.size + 1)
            part *= (ended - began) / max(part.size, 1)
            part += began - self.run.began
        seconds[end:] = perf_counter() - self.run.began
        return seconds


def _grown(old, axis, room):
    """Return a copy with room for more along an axis; what nobody has written takes no memory yet."""
    shape = list(old.shape)
    shape[axis] = room
    new = np.empty(shape, old.dtype)
    new[tuple(map(slice, old.shape))] = old
    return new


def _rate(rule):
    """Return the learning rate among a rule's hyperparameters; None where it has none."""
    own = {author: whole for math, pairs in rule._stages if math.role == "rule" for author, whole in pairs}
    return rule.hyper.get(own.get("lr"))


def _reactive(rule):
    """Return where in h the numbers lie that the learning rate is multiplied by."""
    named = [whole for math, pairs in rule._stages for own, whole in pairs if REACTIVE.get(math.name) == own]
    return [rule.place(name) for name in named if name in rule.numbers_of]


def _filler(value):
    """Return a compiled function ``fill(lr, values)`` that puts a schedule's values at 0, 1, ... into lr."""
    functions = [f"@jit\n{text}" for text in value.texts().values()]
    lines = ["@step", "def fill(lr, h):", "    for k in range(lr.size):", f"        lr[k] = {value.text('k', 0)}"]
    return cpu.load(passes.assemble("a schedule", None, "numpy", [*functions, "\n".join(lines)]), "schedule")
