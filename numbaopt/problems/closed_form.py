"""Test functions from the literature, given by formulas."""

from collections.abc import Callable
from typing import Any

import numpy as np

from numbaopt.backends.cpu import jit
from numbaopt.problems.problem import Constructor, Problem

CONSTRUCTORS: dict[str, Callable[..., Problem]] = {}

_HELP = """{source}

Parameters
----------
n : int, default {least}
    The number of variables: {least}{or_more}.

Returns
-------
Problem
    The problem, to be passed to ``minimize(p.fun, p.x0, jac="inplace")``.

Raises
------
ValueError
    If the problem is not defined for n variables.

Examples
--------
>>> import numpy as np
>>> from numbaopt import problems
>>> p = problems.{name}()
>>> round(p.fun(p.x0, np.empty({least})), 6)
{start}
"""


def _problem(x0, minimizers, minimum=0.0, domain=None, scalable=False, *, start) -> Callable[[Any], Constructor]:
    """Return a decorator that turns an objective into the constructor of its problem.

    Parameters
    ----------
    x0 : sequence of float
        The starting point, which also determines the smallest number of variables. Problems with more variables repeat
        its coordinates.
    minimizers : sequence of sequence of float
        The global minimizers, extended in the same way.
    minimum : float
        The minimum for the smallest number of variables; it is proportional to their number.
    domain : sequence, optional
        The region to draw: a pair of numbers, or one pair for each variable.
    scalable : bool
        Whether the problem is defined for more variables.
    start : float
        The value of the objective at x0, for the docstring.
    """

    def decorate(objective) -> Constructor:
        fun, name, least = jit(objective), objective.__name__, len(x0)
        or_more = " or more" * scalable

        def constructor(n: int = least) -> Problem:
            if n < least or (n > least and not scalable):
                raise ValueError(f"{name} is defined for {least}{or_more} variables, not for n={n}.")
            optimum = np.array([np.resize(point, n) for point in minimizers], float), minimum * (n / least)
            box = domain and tuple((float(low), float(high)) for low, high in np.resize(domain, (n, 2)))
            return Problem(name, fun, np.resize(x0, n).astype(float), optimum, (), box, objective.__doc__)

        constructor.__name__ = constructor.__qualname__ = name
        constructor.__doc__ = _HELP.format(
            source=objective.__doc__, least=least, or_more=or_more, name=name, start=start
        )
        return CONSTRUCTORS.setdefault(name, constructor)

    return decorate


@_problem([-5, -2], [[0, 0]], domain=((-6, 3), (-3, 3)), start=10.5)
def ravine(x, grad):
    """Zhang et al. 2023, Dive into Deep Learning, sec. 12.6: twenty times steeper across the ravine than along it."""
    grad[0], grad[1] = 0.2 * x[0], 4.0 * x[1]
    return 0.1 * x[0] ** 2 + 2.0 * x[1] ** 2


@_problem([0, 0], [[1, 3]], domain=(-10, 10), start=74.0)
def booth(x, grad):
    """Jamil & Yang 2013, arXiv:1308.4008."""
    p, q = x[0] + 2.0 * x[1] - 7.0, 2.0 * x[0] + x[1] - 5.0
    grad[0], grad[1] = 2 * p + 4 * q, 4 * p + 2 * q
    return p**2 + q**2


@_problem([1, 1], [[3, 0.5]], domain=(-4.5, 4.5), start=14.203125)
def beale(x, grad):
    """Beale 1958; Moré, Garbow & Hillstrom 1981, problem 5."""
    a, b = x[0], x[1]
    p, q, r = 1.5 - a * (1 - b), 2.25 - a * (1 - b**2), 2.625 - a * (1 - b**3)
    grad[0] = -2 * (p * (1 - b) + q * (1 - b**2) + r * (1 - b**3))
    grad[1] = 2 * a * (p + 2 * q * b + 3 * r * b**2)
    return p**2 + q**2 + r**2


_FIRST = 3, -2.8051180869527449, -3.7793102533777469, 3.5844283403304917
_SECOND = 2, 3.1313125182505730, -3.2831859912861694, -1.8481265269644036


@_problem([0, 0], np.c_[_FIRST, _SECOND], domain=(-5, 5), start=170.0)
def himmelblau(x, grad):
    """Himmelblau 1972, Applied Nonlinear Programming: four global minima."""
    a, b = x[0], x[1]
    p, q = a**2 + b - 11.0, a + b**2 - 7.0
    grad[0], grad[1] = 4 * a * p + 2 * q, 2 * p + 4 * b * q
    return p**2 + q**2


@_problem([1, 1], [[0, 0]], domain=(-2.5, 2.5), start=3.116667)
def three_hump_camel(x, grad):
    """Jamil & Yang 2013, arXiv:1308.4008: one global minimum between two higher local minima."""
    a, b = x[0], x[1]
    grad[0], grad[1] = 4.0 * a - 4.2 * a**3 + a**5 + b, a + 2.0 * b
    return 2.0 * a**2 - 1.05 * a**4 + a**6 / 6 + a * b + b**2


@_problem([1, 1], [[1e6, 2e-6]], start=999998000003.0)
def brown_badly_scaled(x, grad):
    """Moré, Garbow & Hillstrom 1981, problem 4: the minimizer is (1e6, 2e-6)."""
    a, b = x[0], x[1]
    p, q, r = a - 1e6, b - 2e-6, a * b - 2.0
    grad[0], grad[1] = 2 * (p + b * r), 2 * (q + a * r)
    return p**2 + q**2 + r**2


@_problem([3, -1, 0, 1], [[0, 0, 0, 0]], start=215.0)
def powell_singular(x, grad):
    """Powell 1962; Moré, Garbow & Hillstrom 1981, problem 13: the Hessian is singular at the minimizer."""
    p, q, r, s = x[0] + 10.0 * x[1], x[2] - x[3], x[1] - 2.0 * x[2], x[0] - x[3]
    grad[0], grad[1] = 2 * p + 40 * s**3, 20 * p + 4 * r**3
    grad[2], grad[3] = 10 * q - 8 * r**3, -10 * q - 40 * s**3
    return p**2 + 5.0 * q**2 + r**4 + 10.0 * s**4


@_problem([-1.2, 1], [[1, 1]], domain=((-2, 2), (-1, 3)), scalable=True, start=24.2)
def rosenbrock(x, grad):
    """Rosenbrock 1960; for n > 2 the chained form, as in `scipy.optimize.rosen`."""
    f = grad[0] = 0.0
    for i in range(x.size - 1):
        r, d = x[i + 1] - x[i] ** 2, 1 - x[i]
        f += 100 * r**2 + d**2
        grad[i] -= 400 * x[i] * r + 2 * d
        grad[i + 1] = 200 * r
    return f


@_problem([0, 0], [[-2.9035340277711771] * 2], -78.332331407542831, domain=(-5, 5), scalable=True, start=0.0)
def styblinski_tang(x, grad):
    """Styblinski & Tang 1990: 2**n minima, one of which is global."""
    f = 0.0
    for i in range(x.size):
        f += x[i] ** 4 / 2 - 8 * x[i] ** 2 + 2.5 * x[i]
        grad[i] = 2 * x[i] ** 3 - 16 * x[i] + 2.5
    return f
