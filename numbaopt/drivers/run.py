"""The state of one minimization, which every driver uses."""

from time import perf_counter

import numpy as np

from numbaopt.backends.cpu import parallel_pays, undecorated
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

_set_limits = undecorated(set_limits)
COMPILING = 10.0  # seconds before the deadline from which on nothing more is compiled


class Run:
    """The state of one minimization: a block of points and gradients, the slots, the record, and the limits.

    Parameters
    ----------
    objective : Objective
    rule : Rule
        With bounds, a chain that ends with a projection.
    limits : tuple of two ndarrays, or None
        Lower and upper bounds.
    options : dict
        From `numbaopt.drivers.options.complete_options`.
    batches : Batches or None
    watchers : sequence of callable
        Each is called as ``watch(run, t)`` after t steps, when the arrays hold the complete state of the run: after
        every step with a Python objective, and otherwise at least a few times a second.

    Attributes
    ----------
    block : ndarray, shape (3, 4 or 6, n)
        Rows by the names in `numbaopt.drivers.stopping`: up to BEST_X for minibatches, up to BEST_G for a full batch,
        and up to UPPER with bounds.
    record : ndarray
        Entries by the names in `numbaopt.drivers.stopping`.
    leaves : list of (rule, x, g, s, h)
        The parts that are stepped separately: all of x, or each array of x0 if the rule needs norms or matrices.
    head : (rule, s, h) or None
        The part of the rule that steps all leaves together, before the rest of the rule steps each of them.
    program : Lowering or None
        The lowered rule, if the step can be inlined in the compiled driver; None if the driver must call the step.
    s, h
        Slots and hyperparameters of the first leaf.
    initial_stop : int or None
        None for a new run. For a resumed run, whose state is in the arrays, a reason to stop immediately, or `GO_ON`.
    position : tuple of int
        With minibatches, the epoch, and the number of steps in it so far.
    check_every_step : bool
        Whether the Python driver must call `check_run_limits` after every step.
    recorder : Recorder or None
        Records the history, if there is to be one, once a driver has been chosen.
    """

    def __init__(self, objective, rule, limits, options, batches=None, watchers=()):
        x0 = objective.x0 if limits is None else np.clip(objective.x0, *limits)
        rows = [x0, np.full_like(x0, np.nan), x0]  # as `prepare` of `numbaopt.drivers.beginning` leaves them
        if batches is None:
            rows += [rows[G], *(limits or ())]
        self.block = np.array(rows)
        blank(self.block[G])
        self.gradients_per_step = rule.gradients_per_step
        self.iterations = getattr(rule, "iterations", None)  # of a solver, whose iterations take several evaluations
        self.objective, self.limits, self.batches = objective, limits, batches
        gtol, ftol = (
            -1.0 if batches is not None or options[name] is None else options[name] for name in ("gtol", "ftol")
        )
        self.ftol, self.maxiter, self.maxtime = ftol, options["maxiter"], options["maxtime"]
        self.maxfev = np.inf if options["maxfev"] is None else options["maxfev"]
        tolerant = batches is not None and rule.handles_nonfinite
        self.record = new_record(tolerant, POLICIES.index(options["nonfinite"]))
        latest = batches is not None or options["return"] == "last"
        positions = RULE if self.iterations is None else rule.places
        _set_limits(self.record, gtol, ftol, self.maxiter, self.maxfev, latest, positions)
        self.start_time, self.history_option, self.recorder = perf_counter(), options["history"], None
        self.deadline = None if self.maxtime is None else self.start_time + self.maxtime
        self.watchers = tuple(watchers)
        self.initial_stop, self.position = None, (0, 0)
        only_maxiter = self.deadline is None and self.maxfev == np.inf and self.iterations is None
        self.check_every_step = not only_maxiter or bool(watchers)
        shapes, parts = objective.structure.real_shapes, objective.segments
        self.head = None
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
        hyper = {name: rule.hyper.get(name) for name in rule.slots_of}
        arrays = {name: value for name, value in hyper.items() if isinstance(value, PerCoordinate)}
        fixed |= {name: value.flat(self.block.shape[1], rule.name, name)[part] for name, value in arrays.items()}
        if rule.shape is not None:
            fixed = {name: values.reshape(rule.shape) for name, values in fixed.items()}
        return rule, x, self.block[G, part], rule.slots(x, **fixed), rule.h

    @property
    def flags(self):
        """The flags of the compiled driver for this run: see `numbaopt.drivers.flags`."""
        flags, recorder = flags_of(self.rule, self.skips_nonfinite), self.recorder
        if recorder is None:
            return flags
        named = {"HISTORY": True, "HISTORY_X": recorder.keeps_points, "HISTORY_NUMBERS": bool(recorder.factors)}
        return flags.union(name for name, on in named.items() if on)

    @lazy
    def step(self):
        """Return ``step(t, x, g, s, h)`` for all leaves; it is compiled only for a driver that calls it."""
        kernels = [rule.kernel(x) for rule, x, *_ in self.leaves]
        if len(kernels) == 1:
            return kernels[0]
        needs_value, head, leaves = self.rule.needs_value, self.head, self.leaves
        if head is not None:
            head, slots, numbers = head
            kernel, g_head = head.kernel(self.block[X]), self.block[G].copy()
            offsets = np.cumsum([0, *(x.size for _, x, *_ in leaves)])
            gradients = [g_head[lo : lo + x.size] for lo, (_, x, *_) in zip(offsets, leaves, strict=False)]
            leaves = [(rule, x, g, s, h) for g, (rule, x, _, s, h) in zip(gradients, leaves, strict=True)]

        def step_leaves(t, x, g, s, h):
            if head is not None:
                g_head[:] = g
                kernel(t, x, g_head, slots, numbers)
                t = head.gate(numbers, t)
                if t is None:
                    return
            for kernel_leaf, (_, x_leaf, g_leaf, s_leaf, h_leaf) in zip(kernels, leaves, strict=True):
                if needs_value:
                    h_leaf[-1] = h[-1]
                kernel_leaf(t, x_leaf, g_leaf, s_leaf, h_leaf)

        return step_leaves

    def arrays(self):
        """Return the state of the run between two steps, except counts of evaluations: arrays by name."""
        heads = [] if self.head is None else [self.head]
        states = [(s, h) for *_, s, h in (*self.leaves, *heads)]
        named = {"block": self.block, "record": self.record[:SIZE]}  # entries of a history may follow the record
        for i, (s, h) in enumerate(states):
            named |= {f"s{i}": s, f"h{i}": h}
        return named

    @property
    def has_reported_point(self):
        """Whether the point to report is not x."""
        return self.rule.has_reported_point or (self.head is not None and self.head[0].has_reported_point)

    def evaluate_reported(self):
        """Evaluate the point that the rule reports, if that is not x; it is the solution, unless another is better."""
        t, x = self.method_steps(int(self.record[NIT])), self.block[X]
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
        """Whether evaluations that are not finite are skipped."""
        return bool(self.record[NONFINITE] != STOP)

    def method_steps(self, t):
        """Return the number of steps of the method after ``t`` steps of the run, which include skipped batches."""
        return t if self.batches is None else t - int(self.record[NONFINITE_COUNT])

    def iterations_done(self, t):
        """Return the number of iterations after ``t`` steps."""
        return t if self.iterations is None else self.iterations(self.h)

    @property
    def has_time_to_compile(self):
        """Whether there is enough time before the deadline to compile a driver."""
        return self.deadline is None or self.deadline - perf_counter() > COMPILING

    def check_run_limits(self, t):
        """Call the watchers after ``t`` steps; return which limit has been reached, or `GO_ON`."""
        self.record[NFEV] = self.objective.nfev
        for watch in self.watchers:
            watch(self, t)
        if stop := check_limits(self.iterations_done(t), self.record):
            return stop
        return MAXTIME if self.deadline is not None and perf_counter() >= self.deadline else GO_ON
