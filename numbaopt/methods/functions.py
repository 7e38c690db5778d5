"""The functions that a rule may call, for its undecorated function and NumPy arrays."""

import functools

import numpy as np

from numbaopt.common.random import normal
from numbaopt.lowering import runtime

__all__ = ["abs", "exp", "isfinite", "log", "max", "mean", "min", "norm", "normal", "sign", "sqrt", "sum", "where"]
__all__ += ["columns", "matrix", "rows", "simplex_threshold", "skip"]


def _plain(function):
    """Return a NumPy function whose scalar results are Python floats, which do not change the dtype of arrays."""

    @functools.wraps(function)
    def plain(*args):
        value = function(*args)
        return value if np.ndim(value) else float(value)

    return plain


abs, exp, log, sign, sqrt = (_plain(f) for f in (np.abs, np.exp, np.log, np.sign, np.sqrt))
max, min, sum, where = (_plain(f) for f in (np.maximum, np.minimum, np.sum, np.where))
simplex_threshold = _plain(runtime.simplex_threshold)
norm, mean = _plain(lambda a: np.sqrt(np.sum(a**2))), _plain(np.mean)
isfinite, skip = np.isfinite, None


def matrix(x):
    """Return whether x is a matrix."""
    return np.ndim(x) == 2


def rows(x):
    """Return the number of rows of a matrix."""
    return x.shape[0]


def columns(x):
    """Return the number of columns of a matrix."""
    return x.shape[1]
