"""Test problems by name: where to start, what to find, and the objective with its gradient.

An objective fills `grad` and returns the value; it is compiled when first called, for float64 or for float32.
Where the literature gives no start, ours lies so that the way downhill ends at a minimiser.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np

from numbaopt.backends.cpu import jit
from numbaopt.common.suggest import closest

__all__ = ["Problem", "beale", "booth", "brown_badly_scaled", "get", "himmelblau", "logistic_regression", "names"]
__all__ += ["powell_singular", "quadratic", "ravine", "rosenbrock", "styblinski_tang", "three_hump_camel"]

_SUMS = {"reassoc", "contract", "nsz"}  # lets a long sum vectorise, and keeps NaN and infinity
_constructors: dict[str, Callable[..., "Problem"]] = {}


@dataclass(frozen=True, eq=False)
class Problem:
    """One test problem, ready for ``minimize(p.fun, p.x0, args=p.args, jac="inplace")``.

    Attributes
    ----------
    name, source : str
        Its name in this module; the paper or collection that it comes from.
    fun : callable
        The compiled objective, ``fun(x, grad, *args) -> float``.
    x0 : ndarray, shape (n,)
        The start.
    optimum : tuple or callable
        The minimisers and the minimum, or a function that works them out when they are first asked for.
    args : tuple
        What `fun` takes after `x` and `grad`.
    domain : tuple of (float, float), optional
        The box worth drawing, one pair a variable, in the form that `bounds` takes.

    Examples
    --------
    >>> import numpy as np
    >>> from numbaopt import problems
    >>> p, grad = problems.booth(), np.empty(2)
    >>> p.fun(p.x0, grad), grad, p.minimizers, p.minimum
    (74.0, array([-34., -38.]), array([[1., 3.]]), 0.0)
    """

    name: str
    fun: Callable[..., float]
    x0: np.ndarray
    optimum: Any
    args: tuple = ()
    domain: tuple[tuple[float, float], ...] | None = None
    source: str = ""

    @cached_property
    def _found(self) -> tuple[np.ndarray, float]:
        return self.optimum() if callable(self.optimum) else self.optimum

    @property
    def minimizers(self) -> np.ndarray:
        """Every global minimiser, one a row: a float64 array of shape (k, n)."""
        return self._found[0]

    @property
    def minimum(self) -> float:
        """The value at the minimisers."""
        return self._found[1]


class Constructor(Protocol):
    """What makes a problem of a number of variables."""

    def __call__(self, n: int = ...) -> Problem:
        """Return the problem with n variables."""


def names() -> tuple[str, ...]:
    """Return the names of all problems.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from numbaopt import problems
    >>> problems.names()[:3]
    ('ravine', 'booth', 'beale')
    """
    return tuple(_constructors)


def get(name: str, **parameters: Any) -> Problem:
    """Return the problem of that name.

    Parameters
    ----------
    name : str
        One of `names`.
    **parameters
        What its constructor takes: ``n``, the number of variables, for most.

    Returns
    -------
    Problem

    Raises
    ------
    TypeError, ValueError
        If there is no such problem, or not of this size.

    Examples
    --------
    >>> from numbaopt import problems
    >>> problems.get("rosenbrock", n=4).x0
    array([-1.2,  1. , -1.2,  1. ])
    """
    if name not in _constructors:
        near = closest(str(name), _constructors)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"There is no problem {name!r}; there are {', '.join(_constructors)}.{hint}")
    return _constructors[name](**parameters)


_HELP = """{source}

Parameters
----------
n : int, default {least}
    Variables: {least}{more}.

Returns
-------
Problem
    Its objective fills the gradient: ``minimize(p.fun, p.x0, jac="inplace")``.

Raises
------
ValueError
    For another n.

Examples
--------
>>> import numpy as np
>>> from numbaopt import problems
>>> p = problems.{name}()
>>> round(p.fun(p.x0, np.empty({least})), 6)
{start}
"""


def _problem(x0, minimizers, minimum=0.0, domain=None, scalable=False, *, start) -> Callable[[Any], Constructor]:
    """Turn an objective, which is ``start`` at x0, into the constructor of its problem.

    A larger problem repeats the coordinates given.
    """

    def declare(objective) -> Constructor:
        fun, name, least = jit(objective), objective.__name__, len(x0)

        def constructor(n: int = least) -> Problem:
            if n < least or (n > least and not scalable):
                raise ValueError(f"{name} has {least} variables{' or more' * scalable}, not {n}.")
            optimum = np.array([np.resize(point, n) for point in minimizers], float), minimum * (n / least)
            box = domain and tuple((float(low), float(high)) for low, high in np.resize(domain, (n, 2)))
            return Problem(name, fun, np.resize(x0, n).astype(float), optimum, (), box, objective.__doc__)

        constructor.__name__ = constructor.__qualname__ = name
        more = " or more" * scalable
        constructor.__doc__ = _HELP.format(source=objective.__doc__, least=least, more=more, name=name, start=start)
        return _constructors.setdefault(name, constructor)

    return declare


@_problem([-5, -2], [[0, 0]], domain=((-6, 3), (-3, 3)), start=10.5)
def ravine(x, grad):
    """Zhang et al. 2023, Dive into Deep Learning, section 12.6: twenty times steeper across than along."""
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
    """Himmelblau 1972, Applied Nonlinear Programming: four minima of equal depth."""
    a, b = x[0], x[1]
    p, q = a**2 + b - 11.0, a + b**2 - 7.0
    grad[0], grad[1] = 4 * a * p + 2 * q, 2 * p + 4 * b * q
    return p**2 + q**2


@_problem([1, 1], [[0, 0]], domain=(-2.5, 2.5), start=3.116667)
def three_hump_camel(x, grad):
    """Jamil & Yang 2013, arXiv:1308.4008: a higher minimum on either side of the lowest."""
    a, b = x[0], x[1]
    grad[0], grad[1] = 4.0 * a - 4.2 * a**3 + a**5 + b, a + 2.0 * b
    return 2.0 * a**2 - 1.05 * a**4 + a**6 / 6 + a * b + b**2


@_problem([1, 1], [[1e6, 2e-6]], start=999998000003.0)
def brown_badly_scaled(x, grad):
    """Moré, Garbow & Hillstrom 1981, problem 4: the answer is (1e6, 2e-6)."""
    a, b = x[0], x[1]
    p, q, r = a - 1e6, b - 2e-6, a * b - 2.0
    grad[0], grad[1] = 2 * (p + b * r), 2 * (q + a * r)
    return p**2 + q**2 + r**2


@_problem([3, -1, 0, 1], [[0, 0, 0, 0]], start=215.0)
def powell_singular(x, grad):
    """Powell 1962; Moré, Garbow & Hillstrom 1981, problem 13: a singular Hessian at the minimiser."""
    p, q, r, s = x[0] + 10.0 * x[1], x[2] - x[3], x[1] - 2.0 * x[2], x[0] - x[3]
    grad[0], grad[1] = 2 * p + 40 * s**3, 20 * p + 4 * r**3
    grad[2], grad[3] = 10 * q - 8 * r**3, -10 * q - 40 * s**3
    return p**2 + 5.0 * q**2 + r**4 + 10.0 * s**4


@_problem([-1.2, 1], [[1, 1]], domain=((-2, 2), (-1, 3)), scalable=True, start=24.2)
def rosenbrock(x, grad):
    """Rosenbrock 1960; the chained form for n > 2, as `scipy.optimize.rosen` has it."""
    f = grad[0] = 0.0
    for i in range(x.size - 1):
        r, d = x[i + 1] - x[i] ** 2, 1 - x[i]
        f += 100 * r**2 + d**2
        grad[i] -= 400 * x[i] * r + 2 * d
        grad[i + 1] = 200 * r
    return f


@_problem([0, 0], [[-2.9035340277711771] * 2], -78.332331407542831, domain=(-5, 5), scalable=True, start=0.0)
def styblinski_tang(x, grad):
    """Styblinski & Tang 1990: of 2**n minima one is lowest."""
    f = 0.0
    for i in range(x.size):
        f += x[i] ** 4 / 2 - 8 * x[i] ** 2 + 2.5 * x[i]
        grad[i] = 2 * x[i] ** 3 - 16 * x[i] + 2.5
    return f


@jit(fastmath=_SUMS)
def _quadratic(x, grad, A, center):
    """Half of (x - center)' A (x - center), A symmetric."""
    f = 0.0
    for i in range(x.size):
        slope = 0.0
        for j in range(x.size):
            slope += A[i, j] * (x[j] - center[j])
        f += slope * (x[i] - center[i]) / 2
        grad[i] = slope
    return f


def quadratic(n: int = 10, cond: float = 100.0, seed: int = 0) -> Problem:
    """Return a convex quadratic whose Hessian has eigenvalues from 1 to `cond`, in geometric progression.

    Its axes and its minimiser are random: no method gains from axes along the coordinates or a minimum at 0.

    Parameters
    ----------
    n : int
        Variables.
    cond : float
        The Hessian's condition number.
    seed : int
        What axes and minimiser follow from.

    Returns
    -------
    Problem
        Its `args` are the Hessian, shape (n, n), and the minimiser, shape (n,).

    Examples
    --------
    >>> import numpy as np
    >>> from numbaopt.problems import quadratic
    >>> p = quadratic(n=3, cond=10.0)
    >>> np.linalg.eigvalsh(p.args[0]).round(6)
    array([ 1.      ,  3.162278, 10.      ])
    """
    rng = np.random.default_rng(seed)
    Q, center = np.linalg.qr(rng.standard_normal((n, n)))[0], rng.standard_normal(n)
    args = (Q * np.geomspace(1, cond, n)) @ Q.T, center
    return Problem("quadratic", _quadratic, np.zeros(n), (center[None], 0.0), args, source="synthetic")


@jit(fastmath=_SUMS)
def _logistic_regression(w, grad, X, y, l2):
    """Mean of log(1 + exp(-y X w)) over the rows, which may be any batch, plus l2/2 |w|^2."""
    f = 0.0
    for j in range(w.size):
        f += l2 / 2 * w[j] ** 2
        grad[j] = l2 * w[j]
    for i in range(y.size):
        margin = 0.0
        for j in range(w.size):
            margin += y[i] * X[i, j] * w[j]
        f += np.logaddexp(0.0, -margin) / y.size
        pull = y[i] / (1 + np.exp(margin)) / y.size
        for j in range(w.size):
            grad[j] -= pull * X[i, j]
    return f


def _newton(X, y, l2):
    """Minimise the logistic loss to 1e-12 by Newton's method, damped so that it descends (Bach 2010)."""
    w, grad = np.zeros((2, X.shape[1]))
    for _ in range(100):
        f = _logistic_regression(w, grad, X, y, l2)
        curvature = (1 - np.tanh(X @ w / 2) ** 2) / (4 * len(y))
        step = np.linalg.solve((X.T * curvature) @ X + l2 * np.eye(len(w)), grad)
        reach = np.abs(X @ step).max()
        if reach < 1e-12:
            break
        w -= np.log1p(reach) / reach * step
    return w[None], f


def logistic_regression(n_samples: int = 200, n_features: int = 8, l2: float = 0.1, seed: int = 0) -> Problem:
    """Return the mean logistic loss of synthetic data plus ``l2 / 2 |w|^2``: its minimiser is unique.

    `args` are X (n_samples, n_features), y (+-1, drawn from the model itself) and l2; for minibatches pass
    ``data=args[:2], args=args[2:]``. Newton's method finds the minimiser when it is first asked for.

    Parameters
    ----------
    n_samples, n_features : int
        Rows and columns of X.
    l2 : float
        Weight of the penalty.
    seed : int
        What X, y and the model that y is drawn from follow from.

    Returns
    -------
    Problem

    Examples
    --------
    >>> import numpy as np
    >>> from numbaopt.problems import logistic_regression
    >>> p = logistic_regression(n_samples=50, n_features=3)
    >>> round(p.fun(p.x0, np.empty(3), *p.args), 6), round(np.log(2).item(), 6)
    (0.693147, 0.693147)
    """
    rng = np.random.default_rng(seed)
    X, w = rng.standard_normal((n_samples, n_features)), rng.standard_normal(n_features)
    args = X, np.sign(X @ w + rng.logistic(size=n_samples)), float(l2)
    x0, optimum = np.zeros(n_features), partial(_newton, *args)
    return Problem("logistic_regression", _logistic_regression, x0, optimum, args, source="synthetic")


_constructors |= {"quadratic": quadratic, "logistic_regression": logistic_regression}
