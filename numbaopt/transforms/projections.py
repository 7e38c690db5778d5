"""Projections of x onto a set after each step."""

from numbaopt.rule import abs, max, min, rule, sign, simplex_threshold, sqrt, sum, where


@rule
def box(x, lower, upper, t):
    """Projection onto the box ``lower <= x <= upper``.

    The slots ``lower`` and ``upper`` hold the bounds. Set them to infinite values where x is not bounded.

    Examples
    --------
    >>> import numpy as np
    >>> from numbaopt import chain, sgd
    >>> from numbaopt.transforms import box
    >>> rule, x = chain(sgd(lr=1.0), box), np.array([1.0, 2.0])
    >>> state = rule.init(x)
    >>> state["lower"][:], state["upper"][:] = 0.0, np.inf
    >>> rule.step(x, np.array([3.0, 0.5]), state)
    >>> x
    array([0. , 1.5])
    """
    return min(max(x, lower), upper), lower, upper


@rule
def non_negative(x, t):
    """Projection onto ``x >= 0``, projection_non_negative in optax."""
    return max(x, 0.0)


@rule
def simplex(x, t, radius=1.0):
    """Projection onto ``x >= 0`` with sum `radius` (Duchi et al. 2008, ICML, Figure 1), projection_simplex in optax."""
    return max(x - radius * simplex_threshold(x / radius), 0.0)


@rule
def l1_ball(x, t, radius=1.0):
    """Projection onto ``sum(abs(x)) <= radius`` (Duchi et al. 2008, ICML, Section 4), projection_l1_ball in optax."""
    return sign(x) * max(abs(x) - max(radius * simplex_threshold(abs(x) / radius), 0.0), 0.0)


@rule
def l2_ball(x, t, radius=1.0):
    """Projection onto ``sqrt(sum(x**2)) <= radius``, projection_l2_ball in optax."""
    size = sqrt(sum(x**2))
    return x * min(radius / where(size == 0, 1.0, size), 1.0)
