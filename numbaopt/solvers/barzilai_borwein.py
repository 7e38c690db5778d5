"""Barzilai-Borwein: the gradient, at the step length of a secant; three arrays of memory, and bounds at no cost."""

import math

from numbaopt.backends.cpu import jit
from numbaopt.solvers import line_search as ls
from numbaopt.solvers.solver import Solver
from numbaopt.solvers.vectors import copy, curvature, dot, move, rounding, scale

LR, FORMULA, MEMORY, C1, MAX_LS = range(5)
HYPER = 5
ABB, BB1, BB2 = range(3)
LENGTH = ls.CARRIED  # lambda
OWN = ls.CARRIED + 1  # behind: the latest values
X0, G0, D, LOWER, UPPER = range(5)  # rows of s, the last two with bounds only
PATIENCE = 50, 5  # and this many more for each value in memory


@jit
def step(t, x, g, s, h):
    """Barzilai & Borwein (1988), made global by Raydan (1997), and within bounds by Birgin, Martinez & Raydan (2000).

    That is their SPG2 (Algorithm 2.2): d = P(x - lambda g) - x, where lambda is s's / s'y of the last step ("BB1") or
    s'y / y'y ("BB2"), then x + t d for the first t for which f is enough below the largest of its last `memory` values
    (Grippo, Lampariello & Lucidi 1986). So f may rise for some steps. The first lambda is lr / |P(x - g) - x|_inf.

    "ABB" takes BB2 where that is less than a fifth of BB1 (Zhou, Gao & Dai 2006, "Gradient methods with adaptive
    step-sizes"). On ill-conditioned problems the line search cuts many steps of BB1 short, which spoils it:
    a quadratic of condition 1e4 took over 20 000 evaluations with `memory` 10, and 2 200 with the defaults here.

    Where s'y <= 0, Birgin et al. take lambda = 1e30, which goes far unless there are bounds; here it is ten times the
    last step's. And a value that is enough below but for rounding is enough, or the search would end before the
    gradient's last digits.
    """
    memory = int(h[MEMORY])
    bounded = s.shape[0] == UPPER + 1
    if g.size != x.size or s.shape != (UPPER + 1 if bounded else LOWER, x.size) or h.size != HYPER + OWN + memory + 1:
        raise ValueError("barzilai_borwein: x, g and the rows of s have one length; s and h are made for this solver")
    w, f = h[HYPER:], h[-1]
    if not w[ls.BEGUN]:
        copy(s[X0], x)
        copy(s[G0], g)
        going = math.isfinite(f) and start(w, f, s, h)
    elif not (math.isfinite(f) and math.isfinite(dot(g, s[D]))):
        going = shorten(w, 0.25 * w[ls.T], h)
    elif f <= highest(w, memory) + h[C1] * w[ls.T] * w[ls.SLOPE0] + w[ls.NOISE]:
        going = accept(w, f, x, g, s, h)
    else:  # to the minimum of the parabola, unless that is near an end
        t, slope = w[ls.T], w[ls.SLOPE0]
        lowest = -0.5 * slope * t * t / (f - w[ls.F0] - t * slope)
        going = shorten(w, lowest if 0.1 * t <= lowest <= 0.9 * t else 0.5 * t, h)
    if going:
        move(x, s[X0], w[ls.T], s[D])
        if bounded:  # rounding may have left them
            clip(x, s[LOWER], s[UPPER])
    else:
        copy(x, s[X0])
        w[ls.BEGUN] = 0.0
    h[-1] = 0.0 if going else math.nan


@jit
def start(w, f, s, h):
    """Begin at x0: there is no step yet to learn lambda from."""
    aim(s, 1.0)
    largest = 0.0
    for i in range(s.shape[1]):
        largest = max(largest, abs(s[D, i]))
    w[OWN : OWN + int(h[MEMORY])] = -math.inf
    w[LENGTH] = h[LR] / largest if largest > 0 else 0.0
    return math.isfinite(dot(s[D], s[D])) and search(w, f, s, h)


@jit
def accept(w, f, x, g, s, h):
    """Make x, where f and g are, the iterate; tell whether a search from there was begun."""
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
    """Begin a search at x0 by the whole of d; tell whether that goes down."""
    i = int(w[ls.ITERATIONS]) % int(h[MEMORY])
    w[OWN + i] = f
    aim(s, w[LENGTH])
    slope = dot(s[G0], s[D])
    ls.begin(w, f, slope, 1.0, rounding(s))
    return slope < 0


@jit
def shorten(w, t, h):
    """Try t next; tell whether there are trials left."""
    w[ls.T] = t
    w[ls.TRIALS] += 1
    return w[ls.TRIALS] <= h[MAX_LS]


@jit
def highest(w, memory):
    """Return the largest of the latest values."""
    top = w[OWN]
    for i in range(OWN + 1, OWN + memory):
        top = max(top, w[i])
    return top


@jit
def aim(s, length):
    """Set d = P(x0 - length g0) - x0."""
    if s.shape[0] == LOWER:
        scale(s[D], -length, s[G0])
    else:
        project(s[D], length, s[X0], s[G0], s[LOWER], s[UPPER])


@jit
def project(d, length, x0, g0, lower, upper):
    """Set d = P(x0 - length g0) - x0, for bounds."""
    T = d.dtype.type
    c = T(length)
    for i in range(d.size):
        d[i] = min(max(x0[i] - c * g0[i], lower[i]), upper[i]) - x0[i]


@jit
def clip(x, lower, upper):
    """Put x between the bounds."""
    for i in range(x.size):
        x[i] = min(max(x[i], lower[i]), upper[i])


barzilai_borwein = Solver(
    "barzilai_borwein",
    step,
    rows=lambda hyper: ("x0", "g0", "d"),
    numbers=lambda hyper: OWN + hyper["memory"],
    bounded=True,
    lr=(1.0, "(0, inf)"),
    formula=("ABB", ("ABB", "BB1", "BB2")),
    memory=(20, "[1, inf)"),
    c1=(1e-4, "(0, 1)"),
    max_ls=(25, "[1, inf)"),
)
