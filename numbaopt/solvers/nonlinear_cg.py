"""Nonlinear conjugate gradients: four arrays of memory, for smooth objectives of very many variables."""

import math

from numbaopt.backends.cpu import jit
from numbaopt.solvers import line_search as ls
from numbaopt.solvers.solver import Solver
from numbaopt.solvers.vectors import copy, curvature, dot, move, one_norm, rounding, turn

LR, BETA, C1, C2, MAX_LS = range(5)
HYPER = 5
GG = ls.NUMBERS  # g0'g0
NUMBERS = ls.NUMBERS + 1
X0, G0, D, G_LOW = range(4)  # rows of s: G_LOW is the gradient at w[T_LO]
PR, FR, HS, DY, HZ = range(5)
PATIENCE = 100


@jit
def step(t, x, g, s, h):
    """Nonlinear conjugate gradients (Nocedal & Wright 2006, Algorithm 5.4), with a strong Wolfe line search.

    `beta` is "PR+" (Polak & Ribiere, bounded below by 0), "FR" (Fletcher & Reeves, which may stagnate), "HS" (Hestenes
    & Stiefel), "DY" (Dai & Yuan 1999) or "HZ" (Hager & Zhang 2005, with their lower bound). The first trial step of a
    search gives the same first-order change as the previous step (Section 3.5); that of the first search is
    ``lr * min(1, 1 / |g|_1)``. If d is hardly a descent direction, ``d'g > -g'g / 100``, the method restarts with
    ``d = -g``, as in SciPy.
    """
    if g.size != x.size or s.shape != (4, x.size) or h.size != HYPER + NUMBERS + 1:
        raise ValueError("nonlinear_cg: x, g and rows of s must have the same length; s and h must come from it")
    w, f = h[HYPER:], h[-1]
    trial = w[ls.T]
    if not w[ls.BEGUN]:
        copy(s[X0], x)
        copy(s[G0], g)
        proceed = math.isfinite(f) and downhill(w, f, min(1.0, 1.0 / one_norm(g)) * h[LR], s)
    else:
        status = ls.search(w, f, g, s[D], s[G_LOW], h[C1], h[C2], h[MAX_LS])
        if status == ls.CONTINUE:
            proceed = True
        elif status == ls.ACCEPT:
            proceed = accept(w, trial, f, g, s, h)
        elif status == ls.ACCEPT_LOW:
            proceed = accept(w, w[ls.T_LO], w[ls.F_LO], s[G_LOW], s, h)
        else:  # restart along -g, unless that failed already
            proceed = w[ls.SLOPE0] != -w[GG] and downhill(w, w[ls.F0], min(1.0, 1.0 / one_norm(s[G0])) * h[LR], s)
    ls.finish(proceed, w, x, s[X0], s[D], h)


@jit
def downhill(w, f, t, s):
    """Begin a search along -g with the trial step t; return whether it descends."""
    turn(s[D], 0.0, s[G0])
    w[GG] = dot(s[G0], s[G0])
    ls.begin(w, f, -w[GG], t, rounding(s))
    return w[GG] > 0 and t > 0


@jit
def accept(w, t, f, g, s, h):
    """Accept x0 + t d, with value f and gradient g, as the iterate; return whether a new search was begun."""
    w[ls.ITERATIONS] += 1
    change = t * w[ls.SLOPE0]
    gg = dot(g, g)
    beta = weight(w, gg, g, s, h)
    move(s[X0], s[X0], t, s[D])
    copy(s[G0], g)
    if ls.stuck(w, f, gg, PATIENCE):
        return False
    turn(s[D], beta, g)
    slope = dot(g, s[D])
    if not -math.inf < slope <= -0.01 * gg:
        return downhill(w, f, -change / gg, s)
    w[GG] = gg
    ls.begin(w, f, slope, change / slope, rounding(s))
    return True


@jit
def weight(w, gg, g, s, h):
    """Return beta of ``d = -g + beta * d``, from the previous d and g0 and the new g."""
    dy, yy = curvature(s[D], g, s[G0])
    gy = gg - dot(g, s[G0])
    kind = h[BETA]
    if kind == PR:
        return max(gy / w[GG], 0.0)
    if kind == FR:
        return gg / w[GG]
    if kind == HS:
        return gy / dy
    if kind == DY:
        return gg / dy
    least = -1 / math.sqrt(dot(s[D], s[D]) * min(0.01**2, w[GG]))
    return max((gy - 2 * yy * dot(s[D], g) / dy) / dy, least)


nonlinear_cg = Solver(
    "nonlinear_cg",
    step,
    rows=lambda hyper: ("x0", "g0", "d", "g_low"),
    numbers=lambda hyper: NUMBERS,
    lr=(1.0, "(0, inf)"),
    beta=("PR+", ("PR+", "FR", "HS", "DY", "HZ")),
    c1=(1e-4, "(0, 1)"),
    c2=(0.1, "(0, 1)"),
    max_ls=(25, "[1, inf)"),
)
