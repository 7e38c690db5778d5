"""The functions that generated texts call, besides those of NumPy and of the standard library, as plain Python.

Each backend compiles them once, with `rebind`, so that the functions that they call are compiled ones too. Those of the
CPU are in `numbaopt.backends.runtime`, from which the texts import them.
"""

from types import FunctionType

import numpy as np
from numpy import empty, exp

from numbaopt.common.random import key, mixed
from numbaopt.common.random import standard_normal as normal


def edited(b):
    """Raise ValueError, because the table of powers in h was made for another base than b."""
    if b == b:  # an unconditional `raise` would give b**t the type Optional
        raise ValueError("h was edited: its tables of powers b**t belong to another b; get a new h from rule(...).h")
    return b


def power(t, ones, low, middle, high, log):
    """Return b**t for the step number t >= 0 as a product over t's digits in base 32."""
    p = ones * low * middle * high
    return p if t < 1048576 else p * exp((t >> 20) * log)


def noise(like, key):
    """Return noise of a matrix's shape and dtype."""
    out = empty(like.shape, like.dtype)
    for i in range(like.shape[0]):
        for j in range(like.shape[1]):
            out[i, j] = normal(key, i * like.shape[1] + j)
    return out


def isfinite(a):
    """Return whether a number is neither infinite nor NaN."""
    return a - a == 0


def max(a, b):
    """Return the larger number, or NaN if either is NaN."""
    return a if a > b or a != a else b


def min(a, b):
    """Return the smaller number, or NaN if either is NaN."""
    return a if a < b or a != a else b


def sign(a, zero=0.0, one=1.0):
    """Return -one, a or one, as `numpy.sign` does; zero and one are constants of a's dtype."""
    return one if a > zero else -one if a < zero else a


def total(w):
    """Return the sum of one block."""
    z = 0.0
    for i in range(w.size):
        z += w[i]
    return z


def in_order(parts):
    """Return the sum of the blocks' sums, added from the first to the last."""
    z = 0.0
    for b in range(parts.size):
        z += parts[b]
    return z


def simplex_threshold(values):
    """Return the number that, subtracted from all values, leaves positive parts whose sum is 1.

    The values are sorted, as in Held, Wolfe & Crowder 1974, Math. Programming 6.
    """
    descending = np.sort(values.reshape(-1).astype(np.float64))[::-1]
    total, threshold = -1.0, 0.0
    for k in range(descending.size):
        total += descending[k]
        if descending[k] * (k + 1) <= total:
            break
        threshold = total / (k + 1)
    return threshold


FUNCTIONS = {
    "edited": edited,
    "in_order": in_order,
    "isfinite": isfinite,
    "key": key,
    "max": max,
    "min": min,
    "mixed": mixed,
    "noise": noise,
    "normal": normal,
    "power": power,
    "sign": sign,
    "simplex_threshold": simplex_threshold,
    "total": total,
}


def rebind(function, namespace):
    """Return a function with other globals, so that it calls the functions of that namespace."""
    return FunctionType(function.__code__, namespace, function.__name__, function.__defaults__)
