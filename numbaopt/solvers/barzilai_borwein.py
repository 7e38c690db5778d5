"""Barzilai-Borwein: gradient descent with step lengths from secants; three arrays of memory, and bounds."""

import math

from numbaopt.backends.cpu import jit
from numbaopt.solvers import line_search as ls
from numbaopt.solvers.solver import Solver
from numbaopt.solvers.vectors import copy, curvature, dot, rounding, scale

LR, FORMULA, MEMORY, C1, MAX_LS = range(5)
HYPER = 5
ABB, BB1, BB2 = range(3)
LENGTH = ls.NUMBERS  # lambda
NUMBERS = ls.NUMBERS + 1  # followed by the recent values
X0, G0, D, LOWER, UPPER = range(5)  # rows of s; the last two only with bounds
PATIENCE = 50, 5  # iterations, and further ones for each value in memory


@jit
def step(t, x, g, s, h):
    """Spectral projected gradients (Barzilai & Borwein 1988; Raydan 1997; Birgin, Martinez & Raydan 2000).

    The method is SPG2 (Algorithm 2.2 of Birgin et al.). The direction is ``d = P(x - lambda * g) - x``, where P
    projects onto the bounds and lambda is ``s's / s'y`` of the previous step ("BB1") or ``s'y / y'y`` ("BB2"). The step
    ``t * d`` uses the first t for which f is sufficiently below the maximum of its last `memory` values (Grippo,
    Lampariello & Lucidi 1986), so that f may increase for some steps. The first lambda is ``lr / |P(x - g) - x|_inf``.

    The formula "ABB" uses BB2 where it is less than a fifth of BB1 (Zhou, Gao & Dai 2006, "Gradient methods with
    adaptive step-sizes"). On ill-conditioned problems the line search shortens many steps of BB1, which slows it down:
    a quadratic of condition 1e4 took over 20000 evaluations with BB1 and `memory` 10, and 2200 with the defaults.

    If ``s'y <= 0``, Birgin et al. use ``lambda = 1e30``, which is a very long step without bounds. Here lambda is ten
    times that of the previous step. A value that is sufficiently low up to rounding errors is accepted, because the
    search would otherwise end before the gradient is accurate to its last digits.
    """
    memory = int(h[MEMORY])
    bounded = s.shape[0] == UPPER + 1
    rows = UPPER + 1 if bounded else LOWER
    if g.size != x.size or s.shape != (rows, x.size) or h.size != HYPER + NUMBERS + memory + 1:
        raise ValueError("barzilai_borwein: x, g and rows of s must have the same length; s and h must come from it")
    w, f = h[HYPER:], h[-1]
    if not w[ls.BEGUN]:
        copy(s[X0], x)
        copy(s[G0], g)
        proceed = math.isfinite(f) and start(w, f, s, h)
    elif not (math.isfinite(f) and math.isfinite(dot(g, s[D]))):
        proceed = shorten(w, 0.25 * w[ls.T], h)
    elif f <= highest(w, memory) + h[C1] * w[ls.T] * w[ls.SLOPE0] + w[ls.NOISE]:
        proceed = accept(w, f, x, g, s, h)
    else:  # the minimum of the parabola, unless it is near an end of the interval
        t, slope = w[ls.T], w[ls.SLOPE0]
        lowest = -0.5 * slope * t * t / (f - w[ls.F0] - t * slope)
        proceed = shorten(w, lowest if 0.1 * t <= lowest <= 0.9 * t else 0.5 * t, h)
    ls.finish(proceed, w, x, s[X0], s[D], h)
    if proceed and bounded:  # x may lie outside by rounding errors
        clip(x, s[LOWER], s[UPPER])


@jit
def start(w, f, s, h):
    """Begin the first search at x0, with the initial lambda."""
    aim(s, 1.0)
    largest = 0.0
    for i in range(s.shape[1]):
        largest = max(largest, abs(s[D, i]))
    w[NUMBERS : NUMBERS + int(h[MEMORY])] = -math.inf
    w[LENGTH] = h[LR] / largest if largest > 0 else 0.0
    return math.isfinite(dot(s[D], s[D])) and search(w, f, s, h)


@jit
def accept(w, f, x, g, s, h):
    """Accept x, with value f and gradient g, as the iterate; return whether a new search was begun."""
    w[ls.ITERATIONS] += 1
    t, dd = w[ls.T], dot(s[D], s[D])
    dy, yy = curvature(s[D], g, s[G0])
    if dy <= 0:
        w[LENGTH] *= 10 * t
    else:
        long, short = t * dd / dy, t * dy / yy
        w[LENGTH] = short if h[FORMULA] == BB2 or (h[FORMULA] == ABB and short < 0.2 * long) else long
    copy(s[X0], x)
    copy(s[G0], g)
    aim(s, 1.0)
    patience = PATIENCE[0] + PATIENCE[1] * h[MEMORY]
    return not ls.stuck(w, f, dot(s[D], s[D]), patience) and search(w, f, s, h)


@jit
def search(w, f, s, h):
    """Begin a search at x0 with the trial step d; return whether it descends."""
    i = int(w[ls.ITERATIONS]) % int(h[MEMORY])
    w[NUMBERS + i] = f
    aim(s, w[LENGTH])
    slope = dot(s[G0], s[D])
    ls.begin(w, f, slope, 1.0, rounding(s))
    return slope < 0


@jit
def shorten(w, t, h):
    """Set the next trial step t; return whether another trial is allowed."""
    w[ls.T] = t
    w[ls.TRIALS] += 1
    return w[ls.TRIALS] <= h[MAX_LS]


@jit
def highest(w, memory):
    """Return the maximum of the recent values."""
    top = w[NUMBERS]
    for i in range(NUMBERS + 1, NUMBERS + memory):
        top = max(top, w[i])
    return top


@jit
def aim(s, length):
    """Set ``d = P(x0 - length * g0) - x0``."""
    if s.shape[0] == LOWER:
        scale(s[D], -length, s[G0])
    else:
        project(s[D], length, s[X0], s[G0], s[LOWER], s[UPPER])


@jit
def project(d, length, x0, g0, lower, upper):
    """Set ``d = P(x0 - length * g0) - x0`` for bounds."""
    T = d.dtype.type
    c = T(length)
    for i in range(d.size):
        d[i] = min(max(x0[i] - c * g0[i], lower[i]), upper[i]) - x0[i]


@jit
def clip(x, lower, upper):
    """Clip x to the bounds."""
    for i in range(x.size):
        x[i] = min(max(x[i], lower[i]), upper[i])


barzilai_borwein = Solver(
    "barzilai_borwein",
    step,
    rows=lambda hyper: ("x0", "g0", "d"),
    numbers=lambda hyper: NUMBERS + hyper["memory"],
    bounded=True,
    lr=(1.0, "(0, inf)"),
    formula=("ABB", ("ABB", "BB1", "BB2")),
    memory=(20, "[1, inf)"),
    c1=(1e-4, "(0, 1)"),
    max_ls=(25, "[1, inf)"),
)
