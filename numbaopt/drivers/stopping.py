"""The stopping test: one compiled pass after each evaluation, and the limits on iterations and evaluations.

Every driver calls `check`, so all drivers stop at the same step, with the same results bit for bit. This includes SIMD
lanes: `check` and `projected` contain no branch that depends on a value, so their text compiles for numbers and for
lanes. The functions that must be written differently for lanes are in `numbaopt.many.simd_loop`: `largest_entry`,
`largest_projected` and `keep_if`; `select` is in `numbaopt.backends.simd`.
"""

from typing import Any

import numpy as np
from numba import config, types
from numba.extending import intrinsic

from numbaopt.backends.cpu import jit

# Rows of the block of a run.
X, G, BEST_X, BEST_G, LOWER, UPPER = range(6)

# Entries of the record of a run, a float64 array in three parts. (With a structured array, each call of `check` from
# Python would take 0.1 microseconds longer.)
#
# The limits, which `numbaopt.drivers.beginning.set_limits` writes: gtol, ftol, and the ftol for the iterations of a
# solver; the maximum numbers of steps (or iterations) and of evaluations; whether the result is the latest point; the
# policy for evaluations that are not finite; the number of additional evaluations that an evaluation with a gradient
# takes, and the same if its value is not finite; for a solver, the positions in h of its iterations and of the value at
# its latest iterate.
GTOL, FTOL, DONE_FTOL, MOST_NIT, MOST_NFEV, LATEST, NONFINITE, MORE, LESS, ITERATIONS, VALUE = range(11)
END_OF_LIMITS = 11
LIMITS = slice(0, END_OF_LIMITS)
# The counts: steps and evaluations; the epoch; evaluations that were not finite, and how many of these were the latest
# ones in a row; the iterations of a solver when they were last checked; whether the method handles evaluations that are
# not finite.
NIT, NFEV, EPOCH, NONFINITE_COUNT, IN_A_ROW, DONE, TOLERANT = range(11, 18)
# The values: the best and the latest value; the largest entry of the latest gradient; the value at the iterate of a
# solver when it was last checked; the weighted sum of the losses of an epoch, and the sum of the weights.
BEST, PREVIOUS, NORM, DONE_VALUE, SUM, WEIGHT = range(18, 24)
SIZE = 24

# Policies for evaluations that are not finite, and how many of these in a row are skipped.
STOP, SKIP, SHRINK = range(3)
MAX_SKIPPED = 50

# Reasons to stop; GO_ON means that there is none.
GO_ON, GTOL_MET, FTOL_MET, BAD_FUN, BAD_JAC, BAD_X, MAXITER, MAXFEV, MAXTIME, STOPPED, EPOCHS_DONE, STALLED = range(12)
RAISED = 12  # the objective raised an exception, for one of many problems


def new_record(tolerant=False, nonfinite=STOP):
    """Return the record of a new run without limits; a negative tolerance is never met."""
    record = np.zeros(SIZE)
    record[GTOL], record[FTOL], record[DONE_FTOL] = -1.0, -1.0, -1.0
    record[MOST_NIT], record[MOST_NFEV] = np.inf, np.inf
    record[BEST], record[PREVIOUS], record[NORM] = np.inf, np.nan, np.nan
    record[TOLERANT], record[NONFINITE] = tolerant, nonfinite
    return record


def _to_bits(context, a):
    """Define `to_bits`: nonnegative floats are ordered like the integers with the same bits, and NaN is the largest."""
    integer = types.int32 if a == types.float32 else types.int64
    return integer(a), lambda cg, builder, sig, args: builder.bitcast(args[0], cg.get_value_type(integer))


def _to_float(context, b):
    """Define `to_float`, the inverse of `to_bits`."""
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
    """Return `a` if a condition is true and `b` otherwise."""
    return a if condition else b


@jit
def largest_entry(g):
    """Return the largest absolute value in g; NaN if an entry is NaN.

    The loop compares integers because it is then vectorized, unlike a maximum of floats that propagates NaN.
    """
    top = to_bits(g.dtype.type(0))
    for i in range(g.size):
        size = to_bits(abs(g[i]))
        if size > top:
            top = size
    return np.float64(to_float(top))


@jit
def projected(x, g, lower, upper):
    """Return an entry of the projected gradient: g, limited to the distance from x to the bound in direction -g."""
    down, up = x - upper, x - lower
    return select(g < 0.0, select(g <= down, down, g), select(g >= up, up, g))


@jit
def largest_projected(x, g, box):
    """Return the largest absolute value in the projected gradient; NaN if an entry is NaN."""
    top = to_bits(g.dtype.type(0))
    for i in range(g.size):
        size = to_bits(abs(projected(x[i], g[i], box[0, i], box[1, i])))
        if size > top:
            top = size
    return np.float64(to_float(top))


@jit
def keep_if(better, f, x, g, best, record):
    """Store a point as the best one if it is better, and its gradient if there is a row for it."""
    if better:
        record[BEST] = f
        for i in range(x.size):
            best[0, i] = x[i]
        if best.shape[0] > 1:
            for i in range(x.size):
                best[1, i] = g[i]


@jit
def check(f, x, g, best, box, record):
    """Test whether to stop after the evaluation ``f, g`` at ``x``; store the point if it is the best.

    If the result is to be the latest point, every finite point is stored.

    Parameters
    ----------
    f : float
    x, g : ndarray, shape (n,)
    best : ndarray, shape (1 or 2, n)
        Overwritten with the best point and its gradient.
    box : ndarray, shape (0 or 2, n)
        The bounds, if there are any.
    record : ndarray

    Returns
    -------
    int
        The reason to stop, or `GO_ON`.
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
    """Call `check`; a call from Python takes 50 ns less for each argument that it does not have."""
    return check(f, block[X], block[G], block[BEST_X:LOWER], block[LOWER:], record)


@jit
def gradient_norm(x, g, box):
    """Return the largest absolute value in the gradient, projected if there are bounds."""
    return largest_projected(x, g, box) if box.shape[0] > 0 else largest_entry(g)


@jit
def begin_trials(f, record):
    """Record the start of a solver; all further evaluations are trials, which need not be finite."""
    record[TOLERANT], record[DONE], record[DONE_VALUE] = 1.0, 0.0, f


@jit
def check_limits(done, record):
    """Return the limit that is reached after ``done`` steps, or iterations of a solver; `GO_ON` if there is none."""
    if done >= record[MOST_NIT]:
        return MAXITER
    if record[NFEV] >= record[MOST_NFEV]:
        return MAXFEV
    return GO_ON


@jit
def check_iteration(h, record):
    """Test whether to stop after an iteration of a solver; return `GO_ON` after a trial within an iteration."""
    done, new, old = h[int(record[ITERATIONS])], h[int(record[VALUE])], record[DONE_VALUE]
    if done == record[DONE]:
        return GO_ON
    record[DONE], record[DONE_VALUE] = done, new
    if abs(new - old) <= record[DONE_FTOL] * max(abs(new), max(abs(old), 1.0)):
        return FTOL_MET
    return check_limits(done, record)


@jit
def skip_nonfinite(f, x, g, best, record):
    """Return whether to skip the evaluation ``f, g`` at ``x`` because it is not finite.

    With the policy "shrink", x moves halfway back to the best point.
    """
    finite = abs(f) < np.inf
    for i in range(g.size):
        finite &= abs(g[i]) < np.inf
    if finite:
        record[IN_A_ROW] = 0.0
        return False
    if record[IN_A_ROW] >= MAX_SKIPPED:
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
    """Call `skip_nonfinite` with the rows of a block, from Python."""
    return skip_nonfinite(f, block[X], block[G], block[BEST_X:LOWER], record)
