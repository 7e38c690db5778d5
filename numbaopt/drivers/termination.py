"""The end of a run, in compiled code for every driver: the answer, the status, the counts."""

import numpy as np

from numbaopt.backends.cpu import jit
from numbaopt.drivers.stopping import (
    BAD_FUN,
    BAD_JAC,
    BAD_X,
    BEST,
    BEST_G,
    BEST_X,
    GTOL_MET,
    ITERATIONS,
    LATEST,
    LESS,
    MORE,
    NFEV,
    NIT,
    NONFINITE_COUNT,
    NORM,
    PREVIOUS,
    RAISED,
    STALLED,
    G,
)

STATUS = (4, 0, 0, 3, 3, 3, 1, 1, 2, 99, 0, 6, 7)  # of each reason to stop; 4 for none: the run was broken off
OVERSHOT = 5
# Columns of the table of many problems. LATEST_VALUE is the last value, or the first entry of the gradient that is not
# finite; LARGEST is the gradient's largest entry, or the place of that entry.
FUN, CODE, STEPS, EVALUATIONS, GRADIENTS, REASON, LATEST_VALUE, LARGEST, SKIPPED = range(9)
COLUMNS = 9

# Entries of a worker's cursor: the problem at hand, the one after its last, and whether that at hand has begun.
AT, END, BEGUN = range(3)


@jit
def finite(x):
    """Tell whether all entries are finite."""
    for i in range(x.size):
        if not abs(x[i]) < np.inf:
            return False
    return True


@jit
def check_x(stop, is_finite):
    """Return the reason to stop, given whether x is finite: it may not be although value and gradient are."""
    return stop if is_finite or stop == BAD_FUN or stop == BAD_JAC else BAD_X


@jit
def answer(record):
    """Return the value at the best point (or the latest, if that is wanted), and the row of its gradient."""
    if record[BEST] < np.inf:
        return record[BEST], BEST_G
    return record[PREVIOUS], G  # not even the start was finite


@jit
def status_of(stop, fun, record):
    """Return the status: `OVERSHOT` for a tolerance that was met at a much worse point than the best."""
    code = STATUS[stop]
    if code == 0 and record[ITERATIONS] == 0 and record[PREVIOUS] - fun > 1e-6 * max(1.0, abs(fun)):
        return OVERSHOT
    return code


@jit
def iterations_of(stop, h, record):
    """Return the number of steps, or of a solver's iterations, the last of which a tolerance may have cut short."""
    if record[ITERATIONS] == 0:
        return int(record[NIT])
    return int(h[int(record[ITERATIONS])]) + (1 if stop == GTOL_MET and record[NIT] > 0 else 0)


@jit
def summary(stop, h, record):
    """Return what a run came to: the value, the row of the gradient, the status and the iterations."""
    fun, row = answer(record)
    return fun, row, status_of(stop, fun, record), iterations_of(stop, h, record)


@jit
def keep_reported(f, point, gradient, block, record):
    """Keep the point that a method reports: it is the answer, unless a better one was met."""
    if f < record[BEST] or (record[LATEST] != 0.0 and abs(f) < np.inf):
        record[BEST] = f
        for i in range(block.shape[1]):
            block[BEST_X, i], block[BEST_G, i] = point[i], gradient[i]
        if f < record[PREVIOUS]:
            record[PREVIOUS] = f


@jit
def evaluations(f, record):
    """Return how many evaluations of the objective one with a gradient took that gave this value."""
    return 1.0 + (record[MORE] if abs(f) < np.inf else record[LESS])


@jit
def finish(stop, b, block, h, record, points, slopes, table):
    """Keep what problem ``b`` of many came to."""
    stalled = stop == STALLED  # at a step without an evaluation
    stop = check_x(stop, finite(block[BEST_X]))
    fun, row, code, nit = summary(stop, h, record)
    for i in range(block.shape[1]):
        points[b, i] = block[BEST_X, i]
        slopes[b, i] = np.nan if stop == RAISED and row == G else block[row, i]
    table[b, FUN], table[b, REASON], table[b, CODE] = fun, stop, code
    table[b, STEPS], table[b, EVALUATIONS] = nit, record[NFEV]
    table[b, GRADIENTS] = record[NIT] + record[NONFINITE_COUNT] + min(1.0, record[NFEV]) - stalled
    table[b, SKIPPED] = record[NONFINITE_COUNT]
    table[b, LATEST_VALUE], table[b, LARGEST] = record[PREVIOUS], record[NORM]
    if stop == BAD_JAC:
        for i in range(block.shape[1] - 1, -1, -1):
            if not abs(block[G, i]) < np.inf:
                table[b, LATEST_VALUE], table[b, LARGEST] = block[G, i], i
