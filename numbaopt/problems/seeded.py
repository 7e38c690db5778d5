"""Problems with random data, which follow from a seed: a quadratic function and logistic regression."""

from collections.abc import Callable
from functools import partial

import numpy as np

from numbaopt.backends.cpu import jit
from numbaopt.problems.problem import Problem

_SUMS = {"reassoc", "contract", "nsz"}  # allow vectorized sums; NaN and infinity keep their meaning


@jit(fastmath=_SUMS)
def _quadratic(x, grad, A, center):
    """Return (x - center)' A (x - center) / 2 for a symmetric A; write the gradient into grad."""
    f = 0.0
    for i in range(x.size):
        slope = 0.0
        for j in range(x.size):
            slope += A[i, j] * (x[j] - center[j])
        f += slope * (x[i] - center[i]) / 2
        grad[i] = slope
    return f


def quadratic(n: int = 10, cond: float = 100.0, seed: int = 0) -> Problem:
    """Return a convex quadratic problem with a chosen condition number.

    The eigenvalues of the Hessian are a geometric progression from 1 to `cond`. The principal axes and the minimizer
    are random, so that no method benefits from axes parallel to the coordinates or from a minimum at 0.

    Parameters
    ----------
    n : int
        The number of variables.
    cond : float
        The condition number of the Hessian.
    seed : int
        The seed of the axes and the minimizer.

    Returns
    -------
    Problem
        Its `args` are the Hessian, shape (n, n), and the minimizer, shape (n,). The starting point is 0.

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
    """Return the mean of log(1 + exp(-y X w)) over the rows of X, plus l2/2 |w|^2; write the gradient into grad."""
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


def newton(X, y, l2):
    """Minimize the logistic loss to an accuracy of 1e-12 by Newton's method, damped so that it converges (Bach 2010).

    Returns
    -------
    minimizers : ndarray, shape (1, n)
    minimum : float
    """
    w, grad = np.zeros((2, X.shape[1]))
    for _ in range(100):
        f = _logistic_regression(w, grad, X, y, l2)
        curvature = (1 - np.tanh(X @ w / 2) ** 2) / (4 * len(y))
        step = np.linalg.solve((X.T * curvature) @ X + l2 * np.eye(len(w)), grad)
        size = np.abs(X @ step).max()
        if size < 1e-12:
            break
        w -= np.log1p(size) / size * step
    return w[None], f


def logistic_regression(n_samples: int = 200, n_features: int = 8, l2: float = 0.1, seed: int = 0) -> Problem:
    """Return logistic regression with synthetic data: the mean loss plus the penalty ``l2 / 2 |w|^2``.

    The penalty makes the minimizer unique. It is computed by Newton's method when it is first used.

    Parameters
    ----------
    n_samples, n_features : int
        The number of rows and columns of X.
    l2 : float
        The weight of the penalty.
    seed : int
        The seed of X, of the weights of the model, and of the labels y, which are drawn from that model.

    Returns
    -------
    Problem
        Its `args` are X, shape (n_samples, n_features), y, shape (n_samples,), with entries 1 and -1, and l2. For
        minibatches pass ``data=p.args[:2], args=p.args[2:]`` to `minimize`. The starting point is 0.

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
    x0, optimum = np.zeros(n_features), partial(newton, *args)
    return Problem("logistic_regression", _logistic_regression, x0, optimum, args, source="synthetic")


CONSTRUCTORS: dict[str, Callable[..., Problem]] = {"quadratic": quadratic, "logistic_regression": logistic_regression}
