"""What a driver looks at after each evaluation, in one compiled pass: whether it is finite, best, enough.

Both drivers call this, so they stop at the same step, with the same bits.
"""

from typing import Any

import numpy as np
from numba import config, types
from numba.extending import intrinsic

from numbaopt.backends.cpu import jit

# Rows of the block that a run works in.
X, G, BEST_X, BEST_G, LOWER, UPPER = range(6)

# Entries of the record that a run keeps, a float64 array. NIT counts steps; MOST_NIT and MOST_NFEV are limits; MORE is
# how many evaluations one with gradient takes beside the first, LESS the same where the value is not finite. Of a
# solver: where in h its iterations and the latest iterate's value lie, what both were when last looked at, and the
# tolerance on the change of that value. Then what is done about what is not finite, how many evaluations were so, and
# how many of them in a row.
BEST, PREVIOUS, NORM, GTOL, FTOL, LATEST, NIT, NFEV, EPOCH, SUM, WEIGHT, TOLERANT = range(12)
MOST_NIT, MOST_NFEV, MORE, LESS, ITERATIONS, VALUE, DONE, DONE_VALUE, DONE_FTOL = range(12, 21)
NONFINITE, SPOILED, IN_A_ROW = range(21, 24)
SIZE = 24

# What to do about an evaluation that is not finite, and how many in a row are enough.
STOP, SKIP, SHRINK = range(3)
ENOUGH = 50

# Verdicts.
GO_ON, GTOL_MET, FTOL_MET, BAD_FUN, BAD_JAC, BAD_X, MAXITER, MAXFEV, MAXTIME, STOPPED, EPOCHS_DONE, STALLED = range(12)
RAISED = 12  # what the objective did, of many problems one


def new_record(gtol=-1.0, ftol=-1.0, latest=False, tolerant=False, nonfinite=STOP):
    """Return the record of a run that has not begun; a negative tolerance is never met.

    With ``tolerant`` what is not finite is left to the rule.
    """
    record = np.zeros(SIZE)
    record[TOLERANT], record[DONE_FTOL] = tolerant, -1.0
    record[MOST_NIT], record[MOST_NFEV] = np.inf, np.inf
    record[BEST], record[PREVIOUS], record[NORM] = np.inf, np.nan, np.nan
    record[GTOL], record[FTOL], record[LATEST], record[NONFINITE] = gtol, ftol, latest, nonfinite
    return record


def _to_bits(context, a):
    """Read a float as the integer of the same bits: without a sign they are ordered alike, NaN at the top."""
    integer = types.int32 if a == types.float32 else types.int64
    return integer(a), lambda cg, builder, sig, args: builder.bitcast(args[0], cg.get_value_type(integer))


def _to_real(context, b):
    """Undo `_to_bits`."""
    real = types.float32 if b == types.int32 else types.float64
    return real(b), lambda cg, builder, sig, args: builder.bitcast(args[0], cg.get_value_type(real))


_bits: Any
_real: Any
if vars(config)["DISABLE_JIT"]:  # all in Python, to see what tests cover
    _bits, _real = (lambda a: a.view(f"i{a.itemsize}")), (lambda b: b.view(f"f{b.itemsize}"))
else:
    _bits, _real = intrinsic(_to_bits), intrinsic(_to_real)


@jit(inline="always")
def observe(f, x, g, best, box, record):
    """Judge the evaluation ``f, g`` at ``x`` and keep it if it is the best (or if the latest is wanted).

    Inlined, and no function is called with an array: that would cost an atomic increment of a reference
    count. The gradient's largest entry is found in integers: that vectorises, and a maximum of floats that
    lets no NaN slip does not.
    """
    top = _bits(g.dtype.type(0))
    for i in range(g.size):
        b = _bits(abs(g[i]))
        if b > top:
            top = b
    norm = np.float64(_real(top))
    previous = record[PREVIOUS]
    record[PREVIOUS] = f
    finite = abs(f) < np.inf and norm < np.inf
    if not finite and record[TOLERANT] == 0.0:
        return BAD_FUN if not abs(f) < np.inf else BAD_JAC
    if finite and (f < record[BEST] or record[LATEST] != 0.0):
        record[BEST] = f
        for i in range(x.size):
            best[0, i] = x[i]
        if best.shape[0] > 1:
            for i in range(x.size):
                best[1, i] = g[i]
    if box.shape[0] > 0:  # of the gradient, what the bounds leave
        norm = 0.0
        for i in range(g.size):
            p = g[i]
            p = max(p, x[i] - box[1, i]) if p < 0 else min(p, x[i] - box[0, i])
            norm = max(norm, np.float64(abs(p)))
    record[NORM] = norm
    if norm <= record[GTOL]:
        return GTOL_MET
    if abs(f - previous) <= record[FTOL] * max(abs(f), max(abs(previous), 1.0)):
        return FTOL_MET
    return GO_ON


@jit
def over(done, record):
    """Return which limit ends a run after so many steps, or iterations of a solver."""
    if done >= record[MOST_NIT]:
        return MAXITER
    if record[NFEV] >= record[MOST_NFEV]:
        return MAXFEV
    return GO_ON


@jit
def iterated(h, record):
    """Judge a solver's latest iteration once it is done; evaluations in between are trials."""
    done, new, old = h[int(record[ITERATIONS])], h[int(record[VALUE])], record[DONE_VALUE]
    if done == record[DONE]:
        return GO_ON
    record[DONE], record[DONE_VALUE] = done, new
    if abs(new - old) <= record[DONE_FTOL] * max(abs(new), max(abs(old), 1.0)):
        return FTOL_MET
    return over(done, record)


@jit
def spoiled(f, x, g, best, record):
    """Tell whether the evaluation ``f, g`` at ``x`` is not finite and forgiven; go half way back, if that is wanted."""
    finite = abs(f) < np.inf
    for i in range(g.size):
        finite &= abs(g[i]) < np.inf
    if finite:
        record[IN_A_ROW] = 0.0
        return False
    if record[IN_A_ROW] >= ENOUGH:
        return False
    record[IN_A_ROW] += 1.0
    record[SPOILED] += 1.0
    if record[NONFINITE] == SHRINK:
        for i in range(x.size):
            x[i] = best[0, i] + (x[i] - best[0, i]) / 2
            if not abs(x[i]) < np.inf:
                x[i] = best[0, i]
    return True


@jit
def forgive(f, block, record):
    """`spoiled` for callers in Python."""
    return spoiled(f, block[X], block[G], block[BEST_X:LOWER], record)


@jit
def look(f, block, record):
    """`observe` for callers in Python, for whom each further argument costs 50 ns."""
    return observe(f, block[X], block[G], block[BEST_X:LOWER], block[LOWER:], record)
