"""Simultaneous perturbation: a random estimate of the gradient from two evaluations, however many entries x has.

All entries are shifted at the same time, each to a random side, and then to the other side. The difference of the two
values is divided by the shift of each entry. The mean of this estimate is nearly the gradient, and its errors average
out over the steps. It is meant for noisy functions whose gradient is not available.

References
----------
Spall (1992), IEEE Trans. Automat. Control 37(3), 332-341, equation 2.2. Spall (1998), IEEE Trans. Aerosp. Electron.
Syst. 34(3), 817-823: the shifts c / k**gamma, and how to choose them. Close to a bound both points are projected, and
the difference is between the projected points.
"""

from typing import NamedTuple

import numpy as np

from numbaopt.backends.cpu import jit, uncached
from numbaopt.backends.runtime import mixed
from numbaopt.common.random import GOLDEN


class Spsa(NamedTuple):
    """The settings of simultaneous perturbation in one run.

    Attributes
    ----------
    seed : numpy.uint64
        Determines the shifts, together with the number of the evaluation and that of the entry.
    c, gamma : float
        The k-th evaluation, from 1, shifts each entry by ``c / k**gamma``.
    """

    seed: np.uint64
    c: float = 0.1
    gamma: float = 0.101

    @classmethod
    def seeded(cls, seed, c, gamma):
        """Return the settings for a seed that is an int of any size."""
        return cls(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0], c, gamma)


@jit
def perturb(x, lower, upper, seed, c, gamma, k, plus, minus, g):
    """Fill plus and minus with the two points of the k-th evaluation, and g with their distances.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (n,)
    lower, upper : ndarray, shape (n,), or (0,) without bounds
    seed : uint64
    c, gamma : float
    k : int
        Counted from 1.
    plus, minus : ndarray, shape (n,)
        In the dtype of x.
    g : ndarray of float64, shape (n,)
    """
    key = mixed(np.uint64(seed) * GOLDEN + np.uint64(k))
    shift = c / float(k) ** gamma
    for i in range(x.size):
        here = float(np.float64(x[i]))
        d = -shift if mixed(key + np.uint64(i + 1) * GOLDEN) >> np.uint64(63) else shift
        a, b = here + d, here - d
        if lower.size > 0:
            low, high = float(np.float64(lower[i])), float(np.float64(upper[i]))
            a, b = max(low, min(a, high)), max(low, min(b, high))
        plus[i], minus[i] = a, b
        g[i] = float(np.float64(plus[i])) - float(np.float64(minus[i]))


@jit
def _divide(above, below, g):
    """Replace the distances in g by the quotients of differences; 0 where the points coincide."""
    if not (abs(above) < np.inf and abs(below) < np.inf):
        g[:] = np.nan
        return
    for i in range(g.size):
        if g[i] != 0.0:
            g[i] = (above - below) / g[i]


@uncached
def estimate(value, plus, minus, g, args):
    """Evaluate at both points of `perturb`; fill g with the estimate, and return the mean of the two values.

    For a compiled `value` it is compiled; ``estimate.py_func`` takes a Python function. Nothing is allocated.

    Parameters
    ----------
    value : function
        ``value(z, args) -> float``.
    plus, minus, g : ndarray
        From `perturb`. If a value is not finite, g is filled with NaN, and the mean is not finite, either.
    args : anything
        The second argument of `value`.
    """
    above = value(plus, args)
    below = value(minus, args)
    _divide(above, below, g)
    return 0.5 * above + 0.5 * below
