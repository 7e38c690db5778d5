"""The stopping test: one compiled pass after each evaluation, and the limits on iterations and evaluations.

Every driver calls `check`, so all of them stop at the same step, with the same bits. SIMD lanes, too: `check` and
`projected` contain no branch that depends on a value, so their text compiles for numbers and for lanes alike. What has
to be written differently for lanes is in `numbaopt.many.simd_loop`: `select`, `largest_entry`, `largest_projected` and
`keep_if`.
"""

from typing import Any

import numpy as np
from numba import config, types
from numba.extending import intrinsic

from numbaopt.backends.cpu import jit

# Rows of the block that a run works in.
X, G, BEST_X, BEST_G, LOWER, UPPER = range(6)

# Entries of the record of a run, a float64 array in three parts. (An array and names of its entries: a structured
# array would make each call of `check` from Python a tenth of a microsecond longer.)
#
# The limits, which `set_limits` of `numbaopt.drivers.beginning` writes: gtol and ftol, also for a solver's iterations;
# the largest counts of steps (or iterations) and evaluations; whether the latest point is the answer; the policy for
# evaluations that are not finite. How many further evaluations one with a gradient takes, and the same where its value
# is not finite. Of a solver: where its iterations, and the value at its latest iterate, lie in h.
GTOL, FTOL, DONE_FTOL, MOST_NIT, MOST_NFEV, LATEST, NONFINITE, MORE, LESS, ITERATIONS, VALUE = range(11)
LIMITS = slice(0, 11)
# The counts of steps and evaluations; the epoch; the evaluations that were not finite, and how many of these came one
# after another; a solver's iterations when they were last checked. Whether the method handles what is not finite.
NIT, NFEV, EPOCH, NONFINITE_COUNT, IN_A_ROW, DONE, TOLERANT = range(11, 18)
# The best value and the latest; the largest entry of the latest gradient; the value at a solver's iterate when it was
# last checked; the sum of an epoch's losses, and their weight.
BEST, PREVIOUS, NORM, DONE_VALUE, SUM, WEIGHT = range(18, 24)
SIZE = 24

# Policies for an evaluation that is not finite, and how many in a row end a run.
STOP, SKIP, SHRINK = range(3)
ENOUGH = 50

# Why a run stops.
GO_ON, GTOL_MET, FTOL_MET, BAD_FUN, BAD_JAC, BAD_X, MAXITER, MAXFEV, MAXTIME, STOPPED, EPOCHS_DONE, STALLED = range(12)
RAISED = 12  # the objective raised an exception: one problem of many


def new_record(tolerant=False, nonfinite=STOP):
    """Return the record of a run that has not begun, without limits; a negative tolerance is never met."""
    record = np.zeros(SIZE)
    record[GTOL], record[FTOL], record[DONE_FTOL] = -1.0, -1.0, -1.0
    record[MOST_NIT], record[MOST_NFEV] = np.inf, np.inf
    record[BEST], record[PREVIOUS], record[NORM] = np.inf, np.nan, np.nan
    record[TOLERANT], record[NONFINITE] = tolerant, nonfinite
    return record


def _to_bits(context, a):
    """Type `to_bits`: floats without a sign are ordered as the integers of the same bits, with NaN at the top."""
    integer = types.int32 if a == types.float32 else types.int64
    return integer(a), lambda cg, builder, sig, args: builder.bitcast(args[0], cg.get_value_type(integer))


def _to_float(context, b):
    """Type `to_float`, the inverse of `to_bits`."""
    real = types.float32 if b == types.int32 else types.float64
    return real(b), lambda cg, builder, sig, args: builder.bitcast(args[0], cg.get_value_type(real))


to_bits: Any
to_float: Any
if vars(config)["DISABLE_JIT"]:  # everything runs in Python, to measure what the tests cover
    to_bits, to_float = (lambda a: a.view(f"i{a.itemsize}")), (lambda b: b.view(f"f{b.itemsize}"))
else:
    to_bits, to_float = intrinsic(_to_bits), intrinsic(_to_float)


@jit
def select(condition, a, b):
    """Return `a` if a condition holds and `b` otherwise."""
    return a if condition else b


@jit
def largest_entry(g):
    """Return the largest absolute value in g; NaN if one is NaN.

    It is found among integers: that loop is vectorized, and a maximum of floats that propagates NaN is not.
    """
    top = to_bits(g.dtype.type(0))
    for i in range(g.size):
        size = to_bits(abs(g[i]))
        if size > top:
            top = size
    return np.float64(to_float(top))


@jit
def projected(x, g, lower, upper):
    """Return one entry of the projected gradient: what a step along it can change x by without leaving the bounds."""
    down, up = x - upper, x - lower
    return select(g < 0.0, select(g <= down, down, g), select(g >= up, up, g))


@jit
def largest_projected(x, g, box):
    """Return the largest absolute value in the projected gradient; NaN if one is NaN."""
    top = to_bits(g.dtype.type(0))
    for i in range(g.size):
        size = to_bits(abs(projected(x[i], g[i], box[0, i], box[1, i])))
        if size > top:
            top = size
    return np.float64(to_float(top))


@jit
def keep_if(better, f, x, g, best, record):
    """Keep a point if it is better; its gradient, too, where there is a row for it."""
    if better:
        record[BEST] = f
        for i in range(x.size):
            best[0, i] = x[i]
        if best.shape[0] > 1:
            for i in range(x.size):
                best[1, i] = g[i]


@jit
def check(f, x, g, best, box, record):
    """Judge the evaluation ``f, g`` at ``x``; keep the point if it is the best, or if the latest is wanted.

    Parameters
    ----------
    f : float
    x, g : ndarray, shape (n,)
    best : ndarray, shape (1 or 2, n)
        Where the best point is kept, and its gradient.
    box : ndarray, shape (0 or 2, n)
        The bounds, if there are any.
    record : ndarray

    Returns
    -------
    int
        `GO_ON`, or why to stop.
    """
    norm = largest_entry(g)
    finite = (abs(f) < np.inf) & (norm < np.inf)
    keep_if(finite & ((f < record[BEST]) | (record[LATEST] != 0.0)), f, x, g, best, record)
    if box.shape[0] > 0:
        norm = largest_projected(x, g, box)
    previous = record[PREVIOUS]
    record[PREVIOUS], record[NORM] = f, norm
    scale = select(abs(previous) > 1.0, abs(previous), 1.0)
    scale = select(abs(f) > scale, abs(f), scale)
    met = select(abs(f - previous) <= record[FTOL] * scale, FTOL_MET, GO_ON)
    met = select(norm <= record[GTOL], GTOL_MET, met)
    bad = select(abs(f) < np.inf, BAD_JAC, BAD_FUN)
    return select(finite, met, select(record[TOLERANT] == 0.0, bad, GO_ON))


@jit
def check_from_python(f, block, record):
    """`check` for callers in Python, for whom each further argument costs 50 ns."""
    return check(f, block[X], block[G], block[BEST_X:LOWER], block[LOWER:], record)


@jit
def gradient_norm(x, g, box):
    """Return the largest absolute value in the gradient, projected if there are bounds."""
    return largest_projected(x, g, box) if box.shape[0] > 0 else largest_entry(g)


@jit
def begin_trials(f, record):
    """Take note of a solver's start: from then on evaluations are trials, also those that are not finite."""
    record[TOLERANT], record[DONE], record[DONE_VALUE] = 1.0, 0.0, f


@jit
def check_limits(done, record):
    """Return which limit ends a run after so many steps, or iterations of a solver; `GO_ON` if none."""
    if done >= record[MOST_NIT]:
        return MAXITER
    if record[NFEV] >= record[MOST_NFEV]:
        return MAXFEV
    return GO_ON


@jit
def check_iteration(h, record):
    """Judge a solver's latest iteration once it is done; the evaluations in between are trials."""
    done, new, old = h[int(record[ITERATIONS])], h[int(record[VALUE])], record[DONE_VALUE]
    if done == record[DONE]:
        return GO_ON
    record[DONE], record[DONE_VALUE] = done, new
    if abs(new - old) <= record[DONE_FTOL] * max(abs(new), max(abs(old), 1.0)):
        return FTOL_MET
    return check_limits(done, record)


@jit
def skip_nonfinite(f, x, g, best, record):
    """Return whether the evaluation ``f, g`` at ``x`` is not finite and is to be skipped.

    With the policy "shrink" x moves half way back to the best point.
    """
    finite = abs(f) < np.inf
    for i in range(g.size):
        finite &= abs(g[i]) < np.inf
    if finite:
        record[IN_A_ROW] = 0.0
        return False
    if record[IN_A_ROW] >= ENOUGH:
        return False
    record[IN_A_ROW] += 1.0
    record[NONFINITE_COUNT] += 1.0
    if record[NONFINITE] == SHRINK:
        for i in range(x.size):
            x[i] = best[0, i] + (x[i] - best[0, i]) / 2
            if not abs(x[i]) < np.inf:
                x[i] = best[0, i]
    return True


@jit
def skip_nonfinite_from_python(f, block, record):
    """`skip_nonfinite` for callers in Python."""
    return skip_nonfinite(f, block[X], block[G], block[BEST_X:LOWER], record)
