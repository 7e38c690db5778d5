"""How a full-batch run ended: what is the answer, and which status it has. In compiled code, for every driver."""

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
    NFEV,
    NIT,
    NORM,
    PREVIOUS,
    RAISED,
    SPOILED,
    STALLED,
    G,
)

STATUS = (4, 0, 0, 3, 3, 3, 1, 1, 2, 99, 0, 6, 7)  # of each verdict; 4 where there is none: the run was broken off
OVERSHOT = 5
# What is kept of each of many problems, beside x and jac: seen is the last value, or the first entry of the gradient
# that is not finite; largest is the gradient's largest entry, or where that entry is; passed is how many evaluations
# that were not finite were passed over.
FUN, CODE, STEPS, EVALUATIONS, GRADIENTS, VERDICT, SEEN, LARGEST, PASSED = range(9)

# Where a worker is: the problem at hand, the one to end before, and whether that at hand has begun.
AT, END, BEGUN = range(3)


@jit
def judged(verdict, block):
    """Return the verdict, after a look at x itself: a function may have nothing against a point that is not finite."""
    if verdict != BAD_FUN and verdict != BAD_JAC:
        for i in range(block.shape[1]):
            if not abs(block[BEST_X, i]) < np.inf:
                return BAD_X
    return verdict


@jit
def answer(record):
    """Return the value at the best point (or the latest, if that was asked for), and which row is the gradient."""
    if record[BEST] < np.inf:
        return record[BEST], BEST_G
    return record[PREVIOUS], G  # not even the start was finite


@jit
def status(verdict, fun, record):
    """Return the status; a tolerance that was met at a much worse point than the best has one of its own."""
    code = STATUS[verdict]
    if code == 0 and record[ITERATIONS] == 0 and record[PREVIOUS] - fun > 1e-6 * max(1.0, abs(fun)):
        return OVERSHOT
    return code


@jit
def iterations(verdict, h, record):
    """Return the steps done; of a solver its iterations, the last of which a tolerance may have cut short."""
    if record[ITERATIONS] == 0:
        return int(record[NIT])
    return int(h[int(record[ITERATIONS])]) + (1 if verdict == GTOL_MET and record[NIT] > 0 else 0)


@jit
def finish(verdict, b, block, h, record, points, slopes, ends):
    """Keep what problem ``b`` of many came to."""
    stalled = verdict == STALLED  # at a step without an evaluation
    verdict = judged(verdict, block)
    fun, row = answer(record)
    for i in range(block.shape[1]):
        points[b, i] = block[BEST_X, i]
        slopes[b, i] = np.nan if verdict == RAISED and row == G else block[row, i]
    ends[b, FUN], ends[b, VERDICT], ends[b, CODE] = fun, verdict, status(verdict, fun, record)
    ends[b, STEPS], ends[b, EVALUATIONS] = iterations(verdict, h, record), record[NFEV]
    ends[b, GRADIENTS] = record[NIT] + record[SPOILED] + min(1.0, record[NFEV]) - stalled
    ends[b, PASSED] = record[SPOILED]
    ends[b, SEEN], ends[b, LARGEST] = record[PREVIOUS], record[NORM]
    if verdict == BAD_JAC:
        for i in range(block.shape[1] - 1, -1, -1):
            if not abs(block[G, i]) < np.inf:
                ends[b, SEEN], ends[b, LARGEST] = block[G, i], i
