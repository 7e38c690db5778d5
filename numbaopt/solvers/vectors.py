"""Vector operations of solvers. Sums are accumulated in float64 for every dtype, and propagate NaN and infinity."""

import numpy as np

from numbaopt.backends.cpu import jit

SUMS = {"reassoc", "contract", "nsz"}  # allows vectorization of sums


@jit(fastmath=SUMS)
def dot(a, b):
    """Return the dot product a'b."""
    total = 0.0
    for i in range(a.size):
        total += np.float64(a[i]) * np.float64(b[i])
    return total


@jit(fastmath=SUMS)
def one_norm(a):
    """Return the sum of absolute values."""
    total = 0.0
    for i in range(a.size):
        total += np.float64(abs(a[i]))
    return total


@jit(fastmath=SUMS)
def curvature(d, g, g0):
    """Return d'y and y'y for ``y = g - g0``."""
    dy = yy = 0.0
    for i in range(d.size):
        y = np.float64(g[i]) - np.float64(g0[i])
        dy += np.float64(d[i]) * y
        yy += y * y
    return dy, yy


@jit
def move(x, x0, t, d):
    """Set ``x = x0 + t * d``."""
    T = x.dtype.type
    c = T(t)
    for i in range(x.size):
        x[i] = x0[i] + c * d[i]


@jit
def scale(a, c, b):
    """Set ``a = c * b``."""
    T = a.dtype.type
    factor = T(c)
    for i in range(a.size):
        a[i] = factor * b[i]


@jit
def add(a, c, b):
    """Set ``a = a + c * b``."""
    T = a.dtype.type
    factor = T(c)
    for i in range(a.size):
        a[i] += factor * b[i]


@jit
def copy(a, b):
    """Set ``a = b``."""
    for i in range(a.size):
        a[i] = b[i]


@jit
def rounding(x):
    """Return the machine epsilon of the dtype of x."""
    return 1.1920928955078125e-07 if x.itemsize == 4 else 2.220446049250313e-16


@jit
def turn(d, beta, g):
    """Set ``d = -g + beta * d``, or ``d = -g`` regardless of d if beta is 0."""
    T = d.dtype.type
    c = T(beta)
    if c == 0:
        for i in range(d.size):
            d[i] = -g[i]
    else:
        for i in range(d.size):
            d[i] = c * d[i] - g[i]
