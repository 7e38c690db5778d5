"""The memory of one minimisation, for whichever driver runs it."""

import functools
from time import perf_counter

import numpy as np

from numbaopt.cpu import parallel_pays
from numbaopt.objective import blank
from numbaopt.observe import GO_ON, MAXFEV, MAXITER, MAXTIME, G, X, new_record


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
        From `numbaopt.options.settle`.
    batches : Batches or None

    Attributes
    ----------
    block : ndarray, shape (3, 4 or 6, n)
        Rows by the names in `numbaopt.observe`: for minibatches up to BEST_X, for a full batch up to BEST_G,
        and with bounds up to UPPER.
    record : ndarray
        Entries by the names in `numbaopt.observe`.
    leaves : list of (x, g, s)
        What is stepped as one: all of x, or each array of x0 where the rule takes norms.
    program : Lowering or None
        The rule as lowered, where the compiled driver may have its step inside: None where that is a call.
    s, h
        Slots, of the only leaf, and hyperparameters.
    """

    def __init__(self, objective, rule, limits, options, batches=None):
        x0 = objective.x0 if limits is None else np.clip(objective.x0, *limits)
        rows = [x0, np.full_like(x0, np.nan), x0]
        if batches is None:
            rows += [rows[G], *(limits or ())]
        self.block = np.array(rows)
        blank(self.block[G])
        self.objective, self.limits, self.batches = objective, limits, batches
        gtol, ftol = (-1.0 if options[name] is None else options[name] for name in ("gtol", "ftol"))
        if batches is None:
            self.record = new_record(gtol, ftol, options["return"] == "last")
        else:
            self.record = new_record(latest=True)
        self.maxiter, self.maxtime = options["maxiter"], options["maxtime"]
        self.maxfev = np.inf if options["maxfev"] is None else options["maxfev"]
        self.deadline = None if self.maxtime is None else perf_counter() + self.maxtime
        self.limited = self.deadline is not None or self.maxfev < np.inf
        self.h = rule.h
        self.program = None if parallel_pays(x0.size) or not rule.elementwise else rule.program
        parts = [(0, x0.size)] if rule.elementwise else objective.segments
        self.leaves = [self._leaf(rule, slice(lo, hi)) for lo, hi in parts]
        self.rule, self.s = rule, self.leaves[0][2]

    def _leaf(self, rule, part):
        x = self.block[X, part]
        fixed = {} if self.limits is None else {"lower": self.limits[0][part], "upper": self.limits[1][part]}
        return x, self.block[G, part], rule.slots(x, **fixed)

    @functools.cached_property
    def step(self):
        """What does ``step(t, x, g, s, h)`` to all of it; compiled only for a driver that calls it."""
        kernels = [self.rule.kernel(x) for x, _, _ in self.leaves]
        if len(kernels) == 1:
            return kernels[0]

        def each(t, x, g, s, h):
            for kernel, (x_leaf, g_leaf, s_leaf) in zip(kernels, self.leaves, strict=True):
                kernel(t, x_leaf, g_leaf, s_leaf, h)

        return each

    def over(self, t):
        """Return why to stop after ``t`` steps, if a limit is reached."""
        if t >= self.maxiter:
            return MAXITER
        if self.objective.nfev >= self.maxfev:
            return MAXFEV
        if self.deadline is not None and perf_counter() >= self.deadline:
            return MAXTIME
        return GO_ON
