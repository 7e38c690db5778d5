"""The start of a run, for every driver: set its limits, clip x to the bounds, and evaluate the objective there."""

import numpy as np

from numbaopt.backends.cpu import jit
from numbaopt.drivers.flags import SOLVER
from numbaopt.drivers.stopping import (
    BAD_X,
    BEST_G,
    BEST_X,
    DONE_FTOL,
    FTOL,
    GO_ON,
    GTOL,
    ITERATIONS,
    LATEST,
    LESS,
    LOWER,
    MORE,
    MOST_NFEV,
    MOST_NIT,
    NFEV,
    VALUE,
    G,
    X,
    begin_trials,
    check,
    check_limits,
)
from numbaopt.drivers.termination import finite

RULE = (0, 0)  # the positions of a rule, which, unlike a solver, stores neither iterations nor a value in h


@jit
def set_limits(record, gtol, ftol, maxiter, maxfev, latest, positions):
    """Write the limits of a run into its record.

    Parameters
    ----------
    record : ndarray
    gtol, ftol, maxiter, maxfev : float
    latest : bool
        Whether the result is the latest point instead of the best one.
    positions : tuple of two int
        For a solver, the positions in h of its iterations and of the value at its latest iterate; for a rule, `RULE`.
        The evaluations of a solver are trials, so ftol applies to its iterations instead.
    """
    solver = positions[0] != 0
    record[GTOL], record[FTOL], record[DONE_FTOL] = gtol, -1.0 if solver else ftol, ftol if solver else -1.0
    record[MOST_NIT], record[MOST_NFEV], record[LATEST] = maxiter, maxfev, 1.0 if latest else 0.0
    record[ITERATIONS], record[VALUE] = positions[0], positions[1]


@jit
def clip(x, box):
    """Clip x to the bounds, if there are any; NaN remains NaN."""
    if box.shape[0] > 0:
        for i in range(x.size):
            if x[i] < box[0, i]:
                x[i] = box[0, i]
            if x[i] > box[1, i]:
                x[i] = box[1, i]


@jit
def prepare(block, box):
    """Prepare a block in which x is set: clip x to the bounds, copy it to the best point, set gradients to NaN.

    An x that is not finite stays as it is.
    """
    if finite(block[X]):
        clip(block[X], box)
    for i in range(block.shape[1]):
        block[G, i], block[BEST_X, i] = np.nan, block[X, i]
    if block.shape[0] > BEST_G:
        for i in range(block.shape[1]):
            block[BEST_G, i] = np.nan


@jit
def prepare_problem(b, starts, boxes, block):
    """Prepare a block for problem ``b`` of `minimize_many`, given the starts and the bounds of all problems."""
    x, box = block[X], block[LOWER:]
    for k in range(box.shape[0]):
        for i in range(x.size):
            box[k, i] = boxes[k, b if boxes.shape[1] > 1 else 0, i]
    for i in range(x.size):
        x[i] = starts[b, i]
    prepare(block, box)


@jit
def all_fixed(box):
    """Return whether there are bounds, and all of them are equal."""
    for i in range(box.shape[1]):
        if box.shape[0] == 0 or box[0, i] != box[1, i]:
            return False
    return box.shape[0] > 0


@jit
def prepare_record(record, template, box):
    """Copy a template to a record. If bounds fix all variables, a gradient of zero meets gtol, whatever gtol is."""
    for i in range(template.size):
        record[i] = template[i]
    if all_fixed(box):
        record[GTOL] = max(record[GTOL], 0.0)


def evaluate_start(fun, block, h, record, args):
    """Evaluate the objective at the start; return the reason to stop there, or `GO_ON`."""
    if not finite(block[X]):
        return BAD_X
    x, g, best, box = block[X], block[G], block[BEST_X:LOWER], block[LOWER:]
    record[NFEV] = 1.0
    f = fun(x, g, args)
    record[NFEV] += record[MORE] if abs(f) < np.inf else record[LESS]
    stop = check(f, x, g, best, box, record)
    if SOLVER:
        begin_trials(f, record)
    return check_limits(0, record) if stop == GO_ON else stop
