"""The memory of one minimization, for whichever driver runs it."""

from time import perf_counter

import numpy as np

from numbaopt.backends.cpu import parallel_pays
from numbaopt.common.locking import lazy
from numbaopt.common.per_coordinate import PerCoordinate
from numbaopt.drivers.beginning import RULE, set_limits
from numbaopt.drivers.flags import flags_of
from numbaopt.drivers.options import NONFINITE as POLICIES
from numbaopt.drivers.stopping import (
    GO_ON,
    MAXTIME,
    NFEV,
    NIT,
    NONFINITE,
    NONFINITE_COUNT,
    SIZE,
    STOP,
    G,
    X,
    check_limits,
    new_record,
)
from numbaopt.drivers.termination import keep_reported
from numbaopt.objectives.objective import blank

_set_limits = getattr(set_limits, "py_func", set_limits)  # in Python this is faster than loaded from a cache
COMPILING = 10.0  # seconds that a run must have left to spend some of them on compiling


class Run:
    """Iterate, gradient and best point in one block; the slots; the record; the limits.

    Parameters
    ----------
    objective : Objective
    rule : Rule
        With bounds, a chain that ends in a projection.
    limits : tuple of two ndarrays, or None
        Lower and upper bounds.
    options : dict
        From `numbaopt.drivers.options.settle`.
    batches : Batches or None
    watchers : sequence of callable
        Each is called as ``watch(run, t)`` between steps, a few times a second at least: after t of them, with all
        that the run is in its arrays. Of a Python objective, after every step.

    Attributes
    ----------
    block : ndarray, shape (3, 4 or 6, n)
        Rows by the names in `numbaopt.drivers.stopping`: for minibatches up to BEST_X, for a full batch up to BEST_G,
        and with bounds up to UPPER.
    record : ndarray
        Entries by the names in `numbaopt.drivers.stopping`.
    leaves : list of (rule, x, g, s, h)
        What is stepped as one: all of x, or each array of x0 where the rule takes norms or sees matrices.
    program : Lowering or None
        The rule as lowered, where the compiled driver may have its step inside: None where that is a call.
    s, h
        Slots and hyperparameters of the first leaf.
    opening : int or None
        None for a new run. Of a run that continues another, whose state is in the arrays: a reason to stop at once, or
        `GO_ON`.
    place : tuple of int
        Of minibatches in the plain driver: the epoch, and how many steps it has had.
    recorder : Recorder or None
        What keeps a history, if one is wanted, once a driver is chosen.
    """

    def __init__(self, objective, rule, limits, options, batches=None, watchers=()):
        x0 = objective.x0 if limits is None else np.clip(objective.x0, *limits)
        rows = [x0, np.full_like(x0, np.nan), x0]  # as `prepare` of `numbaopt.drivers.beginning` leaves them
        if batches is None:
            rows += [rows[G], *(limits or ())]
        self.block = np.array(rows)
        blank(self.block[G])
        self.gradients_per_step = rule.gradients_per_step
        self.iterations = getattr(rule, "iterations", None)  # a solver takes several evaluations for one
        self.objective, self.limits, self.batches = objective, limits, batches
        gtol, ftol = (
            -1.0 if batches is not None or options[name] is None else options[name] for name in ("gtol", "ftol")
        )
        self.ftol, self.maxiter, self.maxtime = ftol, options["maxiter"], options["maxtime"]
        self.maxfev = np.inf if options["maxfev"] is None else options["maxfev"]
        tolerant = batches is not None and rule.handles_nonfinite
        self.record = new_record(tolerant, POLICIES.index(options["nonfinite"]))
        latest = batches is not None or options["return"] == "last"
        places = RULE if self.iterations is None else rule.places
        _set_limits(self.record, gtol, ftol, self.maxiter, self.maxfev, latest, places)
        self.began, self.wanted, self.recorder = perf_counter(), options["history"], None
        self.deadline = None if self.maxtime is None else self.began + self.maxtime
        self.watchers = tuple(watchers)
        self.opening, self.place = None, (0, 0)
        endless = self.deadline is None and self.maxfev == np.inf and self.iterations is None
        self.limited = not endless or bool(watchers)
        shapes, parts = objective.structure.real_shapes, objective.segments
        self.head = None  # what is done to all arrays together before each is stepped: rule, slots, numbers
        if rule.needs_norms and rule.needs_global_sum and len(parts) > 1:
            head, rule = rule.split()
            self.head = head, head.slots(self.block[X]), head.h
        if not rule.needs_norms:
            shapes, parts = [x0.shape], [(0, x0.size)]
        leaves = zip(shapes, parts, strict=True)
        self.leaves = [self._leaf(rule.shaped(shape), slice(lo, hi)) for shape, (lo, hi) in leaves]
        self.rule, _, _, self.s, self.h = self.leaves[0]
        self.program = None if parallel_pays(x0.size) or not self.rule.elementwise else self.rule.program

    def _leaf(self, rule, part):
        x = self.block[X, part]
        fixed = {} if self.limits is None else {"lower": self.limits[0][part], "upper": self.limits[1][part]}
        given = {name: rule.hyper.get(name) for name in rule.slots_of}
        own = {name: value for name, value in given.items() if isinstance(value, PerCoordinate)}
        fixed |= {name: value.flat(self.block.shape[1], rule.name, name)[part] for name, value in own.items()}
        if rule.shape is not None:
            fixed = {name: values.reshape(rule.shape) for name, values in fixed.items()}
        return rule, x, self.block[G, part], rule.slots(x, **fixed), rule.h

    @property
    def flags(self):
        """The flags that a compiled driver is made for: see `numbaopt.drivers.flags`."""
        flags, recorder = flags_of(self.rule, self.skips_nonfinite), self.recorder
        if recorder is None:
            return flags
        named = {"HISTORY": True, "HISTORY_X": recorder.pointed, "HISTORY_NUMBERS": bool(recorder.places)}
        return flags.union(name for name, on in named.items() if on)

    @lazy
    def step(self):
        """Return what does ``step(t, x, g, s, h)`` to all of it; compiled only for a driver that calls it."""
        kernels = [rule.kernel(x) for rule, x, *_ in self.leaves]
        if len(kernels) == 1:
            return kernels[0]
        valued, head, leaves = self.rule.needs_value, self.head, self.leaves
        if head is not None:
            head, slots, numbers = head
            kernel, own = head.kernel(self.block[X]), self.block[G].copy()
            bounds = np.cumsum([0, *(x.size for _, x, *_ in leaves)])
            leaves = [(r, x, own[lo : lo + x.size], s, h) for lo, (r, x, _, s, h) in zip(bounds, leaves, strict=False)]

        def each(t, x, g, s, h):
            if head is not None:
                own[:] = g
                kernel(t, x, own, slots, numbers)
                t = head.gate(numbers, t)
                if t is None:
                    return
            for kernel_leaf, (_, x_leaf, g_leaf, s_leaf, h_leaf) in zip(kernels, leaves, strict=True):
                if valued:
                    h_leaf[-1] = h[-1]
                kernel_leaf(t, x_leaf, g_leaf, s_leaf, h_leaf)

        return each

    def arrays(self):
        """Return all that a run is between two steps, beside counts of evaluations: arrays by name."""
        heads = [] if self.head is None else [self.head]
        states = [(s, h) for *_, s, h in (*self.leaves, *heads)]
        named = {"block": self.block, "record": self.record[:SIZE]}  # a history may lie behind it
        for i, (s, h) in enumerate(states):
            named |= {f"s{i}": s, f"h{i}": h}
        return named

    @property
    def has_reported_point(self):
        """Whether the point to report is another than x."""
        return self.rule.has_reported_point or (self.head is not None and self.head[0].reports)

    def settle(self):
        """Look at the point that the rule reports, where that is not x: the answer, unless a better one was met."""
        t, x = self.steps(int(self.record[NIT])), self.block[X]
        if not self.has_reported_point or not np.isfinite(x).all():
            return
        if self.rule.has_reported_point:
            point = np.concatenate([rule.reported(x, s, h, t) for rule, x, _, s, h in self.leaves])
        else:
            head, slots, numbers = self.head
            point = head.reported(x, slots, numbers, t)
        if self.limits is not None:
            point = np.clip(point, *self.limits)
        if self.batches is not None:
            self.block[X] = point
            return
        if self.objective.nfev >= self.maxfev:
            return
        g = np.empty_like(point)
        blank(g)
        f = self.objective(point, g)
        keep_reported(f, point, g, self.block, self.record)

    @property
    def skips_nonfinite(self):
        """Whether what is not finite is passed over."""
        return bool(self.record[NONFINITE] != STOP)

    def steps(self, t):
        """Return the steps that the method has made after ``t``: of batches that were passed over it knows nothing."""
        return t if self.batches is None else t - int(self.record[NONFINITE_COUNT])

    def done(self, t):
        """Return the iterations done after ``t`` steps."""
        return t if self.iterations is None else self.iterations(self.h)

    @property
    def at_leisure(self):
        """Whether there is time to compile something."""
        return self.deadline is None or self.deadline - perf_counter() > COMPILING

    def over(self, t):
        """Return why to stop after ``t`` steps, if a limit is reached; let the watchers see."""
        self.record[NFEV] = self.objective.nfev
        for watch in self.watchers:
            watch(self, t)
        if stop := check_limits(self.done(t), self.record):
            return stop
        return MAXTIME if self.deadline is not None and perf_counter() >= self.deadline else GO_ON
