"""L-BFGS: a quasi-Newton method that remembers a few steps; the first to try on a smooth deterministic objective."""

import math

from numbaopt.backends.cpu import jit
from numbaopt.solvers import line_search as ls
from numbaopt.solvers.solver import Solver
from numbaopt.solvers.vectors import add, copy, curvature, dot, move, one_norm, rounding, scale

LR, HISTORY, C1, C2, LINE_SEARCH, MAX_LS = range(6)
HYPER = 6
KEPT, NEWEST, SCALE = range(ls.CARRIED, ls.CARRIED + 3)  # pairs; the latest of them; y's / y'y of that
OWN = ls.CARRIED + 3  # behind: 1 / y's of each pair, then alpha of each
X0, G0, D, G_LOW, PAIRS = range(5)  # rows of s: G_LOW is the gradient at w[T_LO]; behind: each pair's s, each pair's y
PATIENCE = 50, 200  # with a line search, under which f hardly rises; without


@jit
def step(t, x, g, s, h):
    """L-BFGS (Nocedal & Wright 2006, Algorithms 7.4 and 7.5), with the step lengths of torch.optim.LBFGS.

    The first trial of a search is lr (of the very first, lr min(1, 1 / |g|_1)), and H0 = y's / y'y. With `line_search`
    the points evaluated are those of torch with "strong_wolfe"; without it, of torch with None: every step is lr d.

    Two thresholds differ. torch leaves out a pair with y's <= 1e-10 and gives up a bracket 1e-9 wide, whatever the
    scale of f and x, which keeps it from small gradients (9e-5 on Powell's singular function, after 20 000
    evaluations; 59 suffice for 1e-10 here). Here a pair is left out when y's <= eps y'y, as in L-BFGS-B, and a
    bracket when nothing lies between its ends. `history` is 10, as in SciPy; torch's 100 takes 200 arrays.
    """
    history = int(h[HISTORY])
    if g.size != x.size or s.shape != (PAIRS + 2 * history, x.size) or h.size != HYPER + OWN + 2 * history + 1:
        raise ValueError("lbfgs: x, g and the rows of s have one length, and s and h are made for this solver")
    w, f = h[HYPER:], h[-1]
    trial = w[ls.T]
    if not w[ls.BEGUN]:
        copy(s[X0], x)
        copy(s[G0], g)
        going = math.isfinite(f) and downhill(w, f, s, h)
    elif not h[LINE_SEARCH]:
        going = math.isfinite(f) and math.isfinite(dot(g, g)) and accept(w, trial, f, g, s, h)
    else:
        verdict = ls.advance(w, f, dot(g, s[D]), h[C1], h[C2], h[MAX_LS])
        if verdict != ls.TAKE and w[ls.T_LO] == trial:
            copy(s[G_LOW], g)
        if verdict == ls.GO_ON:
            going = True
        elif verdict == ls.TAKE:
            going = accept(w, trial, f, g, s, h)
        elif verdict == ls.TAKE_LOW:
            going = accept(w, w[ls.T_LO], w[ls.F_LO], s[G_LOW], s, h)
        else:
            going = w[KEPT] > 0 and downhill(w, w[ls.F0], s, h)
    if going:
        move(x, s[X0], w[ls.T], s[D])
    else:
        copy(x, s[X0])
        w[ls.BEGUN] = 0.0
    h[-1] = 0.0 if going else math.nan


@jit
def downhill(w, f, s, h):
    """Search along -g, nothing remembered; tell whether that goes down."""
    w[KEPT] = 0.0
    scale(s[D], -1.0, s[G0])
    slope = dot(s[G0], s[D])
    ls.begin(w, f, slope, min(1.0, 1.0 / one_norm(s[G0])) * h[LR], rounding(s))
    return slope < 0 and w[ls.T] > 0


@jit
def accept(w, t, f, g, s, h):
    """Make x0 + t d, where f and g are, the iterate; tell whether a search from there was begun."""
    w[ls.ITERATIONS] += 1
    remember(w, t, g, s, int(h[HISTORY]))
    move(s[X0], s[X0], t, s[D])
    copy(s[G0], g)
    if ls.stuck(w, f, dot(g, g), PATIENCE[0] if h[LINE_SEARCH] else PATIENCE[1]):
        return False
    direction(w, s, int(h[HISTORY]))
    slope = dot(s[G0], s[D])
    if not -math.inf < slope < 0:
        return w[KEPT] > 0 and downhill(w, f, s, h)
    # Without any curvature, as on a slope without end, the last length says more than lr.
    ls.begin(w, f, slope, h[LR] if w[KEPT] or not h[LINE_SEARCH] else t, rounding(s))
    return True


@jit
def remember(w, t, g, s, history):
    """Keep s = t d and y = g - g0 in place of the oldest pair, if they show curvature."""
    dy, yy = curvature(s[D], g, s[G0])
    if not t * dy > rounding(s) * yy:
        return
    i = (int(w[NEWEST]) + 1) % history if w[KEPT] else 0
    w[NEWEST], w[KEPT] = i, min(w[KEPT] + 1, history)
    w[OWN + i], w[SCALE] = 1 / (t * dy), t * dy / yy
    scale(s[PAIRS + i], t, s[D])
    y = s[PAIRS + history + i]
    move(y, g, -1.0, s[G0])


@jit
def direction(w, s, history):
    """Set d = -H g by the two loops of Algorithm 7.4."""
    d, kept, newest = s[D], int(w[KEPT]), int(w[NEWEST])
    scale(d, -1.0, s[G0])
    rho, alpha = w[OWN : OWN + history], w[OWN + history : OWN + 2 * history]
    for k in range(kept):  # from the newest pair to the oldest
        i = (newest - k) % history
        alpha[i] = rho[i] * dot(s[PAIRS + i], d)
        add(d, -alpha[i], s[PAIRS + history + i])
    if kept:
        scale(d, w[SCALE], d)
    for k in range(kept - 1, -1, -1):
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
    numbers=lambda hyper: OWN + 2 * hyper["history"],
    lr=(1.0, "(0, inf)"),
    history=(10, "[1, inf)"),
    c1=(1e-4, "(0, 1)"),
    c2=(0.9, "(0, 1)"),
    line_search=(True, ""),
    max_ls=(25, "[1, inf)"),
)
