"""L-BFGS: a limited-memory quasi-Newton method, the first choice for smooth deterministic objectives."""

import math

from numbaopt.backends.cpu import jit
from numbaopt.solvers import line_search as ls
from numbaopt.solvers.solver import Solver
from numbaopt.solvers.vectors import add, copy, curvature, dot, move, one_norm, rounding, scale

LR, HISTORY, C1, C2, LINE_SEARCH, MAX_LS = range(6)
HYPER = 6
STORED, NEWEST, SCALE = range(ls.NUMBERS, ls.NUMBERS + 3)  # number of pairs; index of the newest; its y's / y'y
NUMBERS = ls.NUMBERS + 3  # followed by 1 / y's of each pair, and alpha of each pair
X0, G0, D, G_LOW, PAIRS = range(5)  # rows of s: G_LOW is the gradient at w[T_LO]; from PAIRS on, s and y of all pairs
PATIENCE = 50, 200  # with a line search, which hardly lets f increase, and without


@jit
def step(t, x, g, s, h):
    """L-BFGS (Nocedal & Wright 2006, Algorithms 7.4 and 7.5), with the step lengths of torch.optim.LBFGS.

    The first trial step of a search is `lr`, or ``lr * min(1, 1 / |g|_1)`` in the first iteration, and the initial
    inverse Hessian is scaled by ``y's / y'y``. With `line_search`, the evaluated points are those of PyTorch with
    ``line_search_fn="strong_wolfe"``; without it, every step has length `lr`, as in PyTorch with None.

    Two thresholds differ from PyTorch, which omits a pair if ``y's <= 1e-10`` and stops at brackets of width 1e-9,
    whatever the scales of f and x, and therefore does not reach small gradients (9e-5 after 20000 evaluations on
    Powell's singular function, where 59 evaluations suffice for 1e-10 here). Here a pair is omitted if
    ``y's <= eps * y'y``, as in L-BFGS-B, and a bracket is used until no number lies between its ends. `history`
    defaults to 10, as in SciPy; the default of PyTorch, 100, needs 200 arrays.
    """
    history = int(h[HISTORY])
    if g.size != x.size or s.shape != (PAIRS + 2 * history, x.size) or h.size != HYPER + NUMBERS + 2 * history + 1:
        raise ValueError("lbfgs: x, g and rows of s must have the same length; s and h must come from it")
    w, f = h[HYPER:], h[-1]
    trial = w[ls.T]
    if not w[ls.BEGUN]:
        copy(s[X0], x)
        copy(s[G0], g)
        proceed = math.isfinite(f) and downhill(w, f, s, h)
    elif not h[LINE_SEARCH]:
        proceed = math.isfinite(f) and math.isfinite(dot(g, g)) and accept(w, trial, f, g, s, h)
    else:
        status = ls.search(w, f, g, s[D], s[G_LOW], h[C1], h[C2], h[MAX_LS])
        if status == ls.CONTINUE:
            proceed = True
        elif status == ls.ACCEPT:
            proceed = accept(w, trial, f, g, s, h)
        elif status == ls.ACCEPT_LOW:
            proceed = accept(w, w[ls.T_LO], w[ls.F_LO], s[G_LOW], s, h)
        else:  # restart along -g, unless that failed already
            proceed = w[STORED] > 0 and downhill(w, w[ls.F0], s, h)
    ls.finish(proceed, w, x, s[X0], s[D], h)


@jit
def downhill(w, f, s, h):
    """Discard all pairs and begin a search along -g; return whether it descends."""
    w[STORED] = 0.0
    scale(s[D], -1.0, s[G0])
    slope = dot(s[G0], s[D])
    ls.begin(w, f, slope, min(1.0, 1.0 / one_norm(s[G0])) * h[LR], rounding(s))
    return slope < 0 and w[ls.T] > 0


@jit
def accept(w, t, f, g, s, h):
    """Accept x0 + t d, with value f and gradient g, as the iterate; return whether a new search was begun."""
    w[ls.ITERATIONS] += 1
    remember(w, t, g, s, int(h[HISTORY]))
    move(s[X0], s[X0], t, s[D])
    copy(s[G0], g)
    if ls.stuck(w, f, dot(g, g), PATIENCE[0] if h[LINE_SEARCH] else PATIENCE[1]):
        return False
    direction(w, s, int(h[HISTORY]))
    slope = dot(s[G0], s[D])
    if not -math.inf < slope < 0:
        return w[STORED] > 0 and downhill(w, f, s, h)
    # Without stored curvature, as on an unbounded slope, the previous step length is a better trial than lr.
    ls.begin(w, f, slope, h[LR] if w[STORED] or not h[LINE_SEARCH] else t, rounding(s))
    return True


@jit
def remember(w, t, g, s, history):
    """Store ``s = t * d`` and ``y = g - g0`` in place of the oldest pair, if their curvature is positive."""
    dy, yy = curvature(s[D], g, s[G0])
    if not t * dy > rounding(s) * yy:
        return
    i = (int(w[NEWEST]) + 1) % history if w[STORED] else 0
    w[NEWEST], w[STORED] = i, min(w[STORED] + 1, history)
    w[NUMBERS + i], w[SCALE] = 1 / (t * dy), t * dy / yy
    scale(s[PAIRS + i], t, s[D])
    y = s[PAIRS + history + i]
    move(y, g, -1.0, s[G0])


@jit
def direction(w, s, history):
    """Set ``d = -H g`` by the two-loop recursion of Algorithm 7.4."""
    d, stored, newest = s[D], int(w[STORED]), int(w[NEWEST])
    scale(d, -1.0, s[G0])
    rho, alpha = w[NUMBERS : NUMBERS + history], w[NUMBERS + history : NUMBERS + 2 * history]
    for k in range(stored):  # from the newest pair to the oldest
        i = (newest - k) % history
        alpha[i] = rho[i] * dot(s[PAIRS + i], d)
        add(d, -alpha[i], s[PAIRS + history + i])
    if stored:
        scale(d, w[SCALE], d)
    for k in range(stored - 1, -1, -1):  # from the oldest pair to the newest
        i = (newest - k) % history
        beta = rho[i] * dot(s[PAIRS + history + i], d)
        add(d, alpha[i] - beta, s[PAIRS + i])


def rows(hyper):
    """Return the names of the rows of s."""
    pairs = [f"{letter}{i}" for letter in "sy" for i in range(hyper["history"])]
    return ("x0", "g0", "d", "g_low", *pairs)


lbfgs = Solver(
    "lbfgs",
    step,
    rows=rows,
    numbers=lambda hyper: NUMBERS + 2 * hyper["history"],
    lr=(1.0, "(0, inf)"),
    history=(10, "[1, inf)"),
    c1=(1e-4, "(0, 1)"),
    c2=(0.9, "(0, 1)"),
    line_search=(True, ""),
    max_ls=(25, "[1, inf)"),
)
