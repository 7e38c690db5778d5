"""A strong Wolfe line search by reverse communication: it consumes phi(t) and phi'(t) and sets the next trial step t.

The search brackets a step and then zooms (Nocedal & Wright 2006, Algorithms 3.5 and 3.6), with the cubic interpolation
and safeguards of minFunc (Schmidt 2005), in the same order as torch.optim.LBFGS. Two additions apply only where that
search fails. A trial at which phi or phi' is not finite becomes the far end of a bracket, and the next trial is a
quarter of the way to it. Where two values differ by no more than rounding errors, slopes decide: the approximate
condition of Hager & Zhang (2005, Section 4) replaces sufficient decrease, and the secant replaces the cubic.

The state of a search is stored in an array w, with the indices that are defined below.
"""

import math

from numbaopt.backends.cpu import jit
from numbaopt.solvers.vectors import copy, dot, move

ITERATIONS = 0  # number of accepted iterations; `Solver.iterations` expects it first
BEGUN = 1  # whether a search is in progress
F0, SLOPE0 = 2, 3  # phi(0), phi'(0)
T = 4  # trial step
T_LO, F_LO, SLOPE_LO = 5, 6, 7  # better end of the bracket; without a bracket, the previous trial
T_HI, F_HI, SLOPE_HI = 8, 9, 10  # other end of the bracket
BRACKETED, TRIALS, NEAR_END = 11, 12, 13
NOISE = 14  # difference of values that may be due to rounding
BEST_F, BEST_GG, STALE = 15, 16, 17  # lowest value, lowest g'g, and iterations since one of them decreased
NUMBERS = 18  # size of this part of w

CONTINUE, ACCEPT, ACCEPT_LOW, FAIL = range(4)
ROUNDINGS = 10.0  # assumed rounding error of a value, in units of the machine epsilon


@jit
def begin(w, f, slope, t, eps):
    """Start a search at ``phi(0) = f`` with ``phi'(0) = slope < 0`` and trial step t; eps is the machine epsilon."""
    w[BEGUN] = 1.0
    w[F0] = w[F_LO] = f
    w[SLOPE0] = w[SLOPE_LO] = slope
    w[T], w[T_LO] = t, 0.0
    w[BRACKETED] = w[TRIALS] = w[NEAR_END] = 0.0
    w[NOISE] = ROUNDINGS * eps * abs(f)


@jit
def advance(w, f, slope, c1, c2, most):
    """Consume the value and slope of phi at the trial step w[T].

    Returns
    -------
    int
        CONTINUE: w[T] is the next trial step. If w[T_LO] is now the consumed trial step, its gradient may be needed.
        ACCEPT: the consumed trial step satisfies the strong Wolfe conditions.
        ACCEPT_LOW: no trial step does, and the best is w[T_LO] with the value w[F_LO].
        FAIL: no trial step is better than t = 0.
    """
    t = w[T]
    finite = math.isfinite(f) and math.isfinite(slope)
    decreases = f <= w[F0] + c1 * t * w[SLOPE0] or abs(f - w[F0]) <= w[NOISE]
    # The second trial is not compared with the first, as in PyTorch.
    compared = w[BRACKETED] or w[TRIALS] > 1
    worse = compared and f >= w[F_LO] and not abs(f - w[F_LO]) <= w[NOISE]
    if not finite:
        f = slope = math.inf
    if finite and decreases and not worse:
        if abs(slope) <= -c2 * w[SLOPE0]:
            return ACCEPT
        rises = slope >= 0
    else:
        rises = True

    if not w[BRACKETED] and not rises:  # Algorithm 3.5: a longer step
        least, furthest = t + 0.01 * (t - w[T_LO]), 10 * t
        t_next = interpolate(w[T_LO], w[F_LO], w[SLOPE_LO], t, f, slope, least, furthest, w[NOISE])
        w[T_LO], w[F_LO], w[SLOPE_LO] = t, f, slope
    else:
        narrow(w, t, f, slope, finite and decreases and not worse)
        t_next = inside(w)
    w[TRIALS] += 1
    if w[TRIALS] > most or t_next == w[T_LO] or t_next == w[T_HI] * w[BRACKETED]:
        lower = w[F_LO] < w[F0] and w[T_LO] > 0
        return ACCEPT_LOW if lower else FAIL
    w[T] = t_next
    return CONTINUE


@jit
def narrow(w, t, f, slope, good):
    """Replace one end of the bracket, or bracket the interval of the last two trial steps (Algorithm 3.6)."""
    if good and w[BRACKETED]:
        if slope * (w[T_HI] - w[T_LO]) >= 0:
            w[T_HI], w[F_HI], w[SLOPE_HI] = w[T_LO], w[F_LO], w[SLOPE_LO]
        w[T_LO], w[F_LO], w[SLOPE_LO] = t, f, slope
    elif w[F_LO] <= f:
        w[T_HI], w[F_HI], w[SLOPE_HI] = t, f, slope
    else:
        w[T_HI], w[F_HI], w[SLOPE_HI] = w[T_LO], w[F_LO], w[SLOPE_LO]
        w[T_LO], w[F_LO], w[SLOPE_LO] = t, f, slope
    w[BRACKETED] = 1.0


@jit
def inside(w):
    """Return the next trial step in a bracket: interpolated, but not near the same end twice in a row."""
    low, high = w[T_LO], w[T_HI]
    if not math.isfinite(w[F_HI]):
        return low + 0.25 * (high - low)
    left, right = min(low, high), max(low, high)
    t = interpolate(low, w[F_LO], w[SLOPE_LO], high, w[F_HI], w[SLOPE_HI], left, right, w[NOISE])
    margin = 0.1 * (right - left)
    near_end = min(right - t, t - left) < margin
    if near_end and (w[NEAR_END] or t >= right or t <= left):
        t = right - margin if abs(t - right) < abs(t - left) else left + margin
        near_end = False
    w[NEAR_END] = near_end
    return t


@jit
def interpolate(t1, f1, slope1, t2, f2, slope2, least, most, noise):
    """Return the minimizer of the cubic through two values and slopes (eq. 3.59), clipped to an interval.

    If the values are equal up to rounding errors, return that of the parabola through the slopes.
    """
    if t1 > t2:
        t1, f1, slope1, t2, f2, slope2 = t2, f2, slope2, t1, f1, slope1
    if abs(f1 - f2) <= noise:
        bend = slope2 - slope1
        if not bend > 0:
            return most
        return min(max(t2 - slope2 * (t2 - t1) / bend, least), most)
    d1 = slope1 + slope2 - 3 * (f1 - f2) / (t1 - t2)
    square = d1 * d1 - slope1 * slope2
    if not square >= 0:
        return (least + most) / 2
    d2 = math.sqrt(square)
    t = t2 - (t2 - t1) * ((slope2 + d2 - d1) / (slope2 - slope1 + 2 * d2))
    if t != t:
        return (least + most) / 2
    return min(max(t, least), most)


@jit
def stuck(w, f, gg, patience):
    """Return whether f and g'g have had no new minimum for `patience` iterations; to be called once per iteration.

    At working precision a search may otherwise find steps forever.
    """
    first = w[ITERATIONS] <= 1
    if first or f < w[BEST_F] or gg < w[BEST_GG]:
        w[STALE] = 0.0
    else:
        w[STALE] += 1
    w[BEST_F] = f if first else min(w[BEST_F], f)
    w[BEST_GG] = gg if first else min(w[BEST_GG], gg)
    return w[STALE] >= patience


@jit
def search(w, f, g, d, g_low, c1, c2, most):
    """Consume f and g at the trial step along d; see `advance`. The gradient at w[T_LO] is stored in g_low."""
    trial = w[T]
    status = advance(w, f, dot(g, d), c1, c2, most)
    if status != ACCEPT and w[T_LO] == trial:
        copy(g_low, g)
    return status


@jit
def finish(proceed, w, x, x0, d, h):
    """Set x to the next trial point or, if the solver cannot proceed, to the last iterate and h[-1] to NaN."""
    if proceed:
        move(x, x0, w[T], d)
    else:
        copy(x, x0)
        w[BEGUN] = 0.0
    h[-1] = 0.0 if proceed else math.nan
