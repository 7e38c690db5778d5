"""A strong Wolfe line search that is asked, not asking: it consumes phi(t), phi'(t) and names the next t.

Bracket, then zoom (Nocedal & Wright 2006, Algorithms 3.5 and 3.6), with the cubic steps and safeguards of minFunc
(Schmidt 2005), in the order in which torch.optim.LBFGS takes them. Two additions act only where that search is at a
loss. A trial where phi or phi' is not finite becomes the far end of a bracket, and the next one lies a quarter of the
way to it. Where two values differ by no more than rounding, slopes decide: the condition of sufficient decrease gives
way to the approximate one of Hager & Zhang (2005, section 4), and the cubic to the secant.

What a solver carries from call to call are numbers in an array w, at these places.
"""

import math

from numbaopt.backends.cpu import jit

ITERATIONS = 0  # accepted so far: first, where `Solver.iterations` finds it
BEGUN = 1  # whether a search is under way
F0, SLOPE0 = 2, 3  # phi(0), phi'(0)
T = 4  # the trial
T_LO, F_LO, SLOPE_LO = 5, 6, 7  # the better end of the bracket; before there is one, the last trial
T_HI, F_HI, SLOPE_HI = 8, 9, 10
BRACKETED, TRIALS, NEAR_END = 11, 12, 13
NOISE = 14  # by how much values may differ by rounding alone
BEST_F, BEST_GG, STALE = 15, 16, 17
CARRIED = 18

GO_ON, TAKE, TAKE_LOW, FAIL = range(4)
ROUNDINGS = 10.0  # a value is trusted up to this many units of its dtype's spacing


@jit
def begin(w, f, slope, t, eps):
    """Start a search at phi(0) = f, phi'(0) = slope < 0 with the trial t; eps is the spacing of the dtype."""
    w[BEGUN] = 1.0
    w[F0] = w[F_LO] = f
    w[SLOPE0] = w[SLOPE_LO] = slope
    w[T], w[T_LO] = t, 0.0
    w[BRACKETED] = w[TRIALS] = w[NEAR_END] = 0.0
    w[NOISE] = ROUNDINGS * eps * abs(f)


@jit
def advance(w, f, slope, c1, c2, most):
    """Consume phi and phi' at the trial w[T].

    Returns
    -------
    GO_ON: w[T] is the next trial. If w[T_LO] is now the trial just consumed, its gradient may be asked for later.
    TAKE: the trial just consumed satisfies the strong Wolfe conditions.
    TAKE_LOW: no trial does, and w[T_LO], with the value w[F_LO], is the best. FAIL: none is better than t = 0.
    """
    t = w[T]
    finite = math.isfinite(f) and math.isfinite(slope)
    decreases = f <= w[F0] + c1 * t * w[SLOPE0] or abs(f - w[F0]) <= w[NOISE]
    # Not at the second trial, where torch does not ask either.
    compared = w[BRACKETED] or w[TRIALS] > 1
    worse = compared and f >= w[F_LO] and not abs(f - w[F_LO]) <= w[NOISE]
    if not finite:
        f = slope = math.inf
    if finite and decreases and not worse:
        if abs(slope) <= -c2 * w[SLOPE0]:
            return TAKE
        rises = slope >= 0
    else:
        rises = True

    if not w[BRACKETED] and not rises:  # Algorithm 3.5: go further
        least, furthest = t + 0.01 * (t - w[T_LO]), 10 * t
        t_next = interpolate(w[T_LO], w[F_LO], w[SLOPE_LO], t, f, slope, least, furthest, w[NOISE])
        w[T_LO], w[F_LO], w[SLOPE_LO] = t, f, slope
    else:
        narrow(w, t, f, slope, finite and decreases and not worse)
        t_next = inside(w)
    w[TRIALS] += 1
    if w[TRIALS] > most or t_next == w[T_LO] or t_next == w[T_HI] * w[BRACKETED]:
        lower = w[F_LO] < w[F0] and w[T_LO] > 0
        return TAKE_LOW if lower else FAIL
    w[T] = t_next
    return GO_ON


@jit
def narrow(w, t, f, slope, good):
    """Replace an end of the bracket, or make the last trial and this one its ends (Algorithm 3.6)."""
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
    """Return the next trial in a bracket: interpolated, but not near the same end twice in a row."""
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
    """Return the minimiser of the cubic through two values and slopes (eq. 3.59), held between bounds.

    Of the parabola through the slopes, where the values tell nothing.
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
    """Tell whether neither f nor g'g has been lower than ever for so many iterations; to be asked at each.

    At working precision a search may find steps for ever.
    """
    first = w[ITERATIONS] <= 1
    if first or f < w[BEST_F] or gg < w[BEST_GG]:
        w[STALE] = 0.0
    else:
        w[STALE] += 1
    w[BEST_F] = f if first else min(w[BEST_F], f)
    w[BEST_GG] = gg if first else min(w[BEST_GG], gg)
    return w[STALE] >= patience
