"""The end of a run, in compiled code for every driver: the solution, the status, and the counts."""

import numba
import numpy as np
from numba import types

from numbaopt.backends.cache import refresh
from numbaopt.backends.cpu import jit
from numbaopt.common.locking import lock, once
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

STATUS = (4, 0, 0, 3, 3, 3, 1, 1, 2, 99, 0, 6, 7)  # of each reason to stop; 4 for `GO_ON`: the run was interrupted
OVERSHOT = 5
# Columns of the table of many problems. LATEST_VALUE is the last value and LARGEST the largest entry of the gradient;
# if an entry of the gradient is not finite, they are the value and the index of the first such entry.
FUN, CODE, STEPS, EVALUATIONS, GRADIENTS, REASON, LATEST_VALUE, LARGEST, SKIPPED = range(9)
COLUMNS = 9

# Entries of the cursor of a worker: the current problem, the end of its chunk, and whether the current one has started.
AT, END, BEGUN = range(3)


@jit
def finite(x):
    """Return whether all entries are finite."""
    for i in range(x.size):
        if not abs(x[i]) < np.inf:
            return False
    return True


@jit
def check_x(stop, is_finite):
    """Return the reason to stop, or `BAD_X` if x is not finite, which is possible even if the evaluation is."""
    return stop if is_finite or stop == BAD_FUN or stop == BAD_JAC else BAD_X


@jit
def answer(record):
    """Return the value at the best point, or at the latest point if that is the result, and the row of its gradient."""
    if record[BEST] < np.inf:
        return record[BEST], BEST_G
    return record[PREVIOUS], G  # no evaluation was finite


@jit
def status_of(stop, fun, record):
    """Return the status: `OVERSHOT` if a tolerance was met at a much worse point than the best one."""
    code = STATUS[stop]
    if code == 0 and record[ITERATIONS] == 0 and record[PREVIOUS] - fun > 1e-6 * max(1.0, abs(fun)):
        return OVERSHOT
    return code


@jit
def iterations_of(stop, h, record):
    """Return the number of steps, or of iterations of a solver; a trial point that meets gtol ends an iteration."""
    if record[ITERATIONS] == 0:
        return int(record[NIT])
    return int(h[int(record[ITERATIONS])]) + (1 if stop == GTOL_MET and record[NIT] > 0 else 0)


@jit
def summary(stop, h, record):
    """Return the value, the row of the gradient, the status and the number of iterations."""
    fun, row = answer(record)
    return fun, row, status_of(stop, fun, record), iterations_of(stop, h, record)


@jit
def keep_reported(f, point, gradient, block, record):
    """Store the point that a method reports as the best one, unless an earlier point is better."""
    if f < record[BEST] or (record[LATEST] != 0.0 and abs(f) < np.inf):
        record[BEST] = f
        for i in range(block.shape[1]):
            block[BEST_X, i], block[BEST_G, i] = point[i], gradient[i]
        if f < record[PREVIOUS]:
            record[PREVIOUS] = f


@jit
def evaluations(f, record):
    """Return the number of evaluations of the objective that an evaluation with a gradient and this value took."""
    return 1.0 + (record[MORE] if abs(f) < np.inf else record[LESS])


@jit
def finish(stop, b, block, h, record, points, slopes, table):
    """Store the result of problem ``b`` of many."""
    stalled = stop == STALLED  # then the last step had no evaluation
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


@once
def load_finish(dtype):
    """Load `finish` for x of a dtype: Python can then call it at once while another thread is compiling."""
    block, numbers = numba.from_dtype(dtype)[:, ::1], types.float64[::1]
    with lock:
        refresh()
        finish.compile((types.int64, types.int64, block, numbers, numbers, block, block, types.float64[:, ::1]))
