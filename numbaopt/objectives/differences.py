"""Finite differences of a scalar function, by SciPy's rules: relative steps, kept inside the bounds.

Steps and results are those of `scipy.optimize._numdiff.approx_derivative`, bit for bit, which the tests check. That
function is not called because it is private, takes 0.1 ms per gradient and 0.3 s to import, and divides by zero where
bounds fix a variable.

`forward`, `central` and `complex_step` run both in Python and compiled by Numba. Compiled code calls them with a
compiled function, ``forward.py_func`` takes a Python function, and both give the same bits. They share one signature,
and allocate nothing:

    forward(value, x, f, g, z, points, lower, upper, rel_step, scale, args)

value : function
    ``value(z, args) -> float``; for `complex_step` complex. It must leave z as it is.
x : ndarray of float32 or float64, shape (n,)
f : float
    ``value(x, args)``. If it is not finite, nothing is evaluated, and g is filled with NaN.
g : ndarray of float64, shape (n,)
    The result, the gradient. In between it has the distances by which differences are divided.
z : ndarray, shape (n,)
    Work array in the dtype of x; for `complex_step` complex128.
points : ndarray in the dtype of x, shape (1, n), for `central` (2, n)
    Work array for the entries that replace those of x. `complex_step` does not use it.
lower, upper : ndarray, shape (n,), or (0,) without bounds
    Where they are equal, nothing is evaluated, and the derivative is 0. `complex_step` does not use them.
rel_step : ndarray of float64, shape (n,) or (0,)
    Steps are ``rel_step * abs(x)``; if it is empty, ``scale * max(1, abs(x))``.
scale : float
    A power of machine epsilon: see `Scheme.scale`.
args : anything
    The second argument of `value`.

These functions are not cached on disk, because a function among the arguments gives each use a type of its own. What
`first_class` returns is cached.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import types

from numbaopt.backends.cpu import jit, only, uncached, undecorated
from numbaopt.common.locking import once


@jit
def _unbounded(here, i, rel_step, scale):
    """Return the step of an entry, which has its sign."""
    sign, size = 1.0 if here >= 0.0 else -1.0, abs(here)
    if rel_step.size > 0:
        step = rel_step[i] * sign * size
        if (here + step) - here != 0.0:
            return step
    return scale * sign * (1.0 if size < 1.0 else size)


@jit
def _forward_points(x, lower, upper, rel_step, scale, points, g):
    """Choose one point for each entry: on the other side if a bound is in the way, and closer if both are."""
    for i in range(x.size):
        here = np.float64(x[i])
        step = _unbounded(here, i, rel_step, scale)
        if lower.size > 0:
            below, above = here - np.float64(lower[i]), np.float64(upper[i]) - here
            room = above if above >= below else -below  # to the farther bound
            if not abs(step) <= abs(room):
                step = room
            elif here + step < lower[i] or here + step > upper[i]:
                step = -step
        points[0, i] = here + step
        there = np.float64(points[0, i])  # what was stored, which is rounded
        g[i] = there - here if there != here else 0.0


@jit
def _central_points(x, lower, upper, rel_step, scale, points, g):
    """Choose two points for each entry: one on each side, or both on the side with enough room."""
    for i in range(x.size):
        here = np.float64(x[i])
        step = abs(_unbounded(here, i, rel_step, scale))
        first, second = -step, step
        if lower.size > 0:
            below, above = here - np.float64(lower[i]), np.float64(upper[i]) - here
            if not (below >= step and above >= step):
                room, both = max(below, above), min(below, above)
                aside = min(step, 0.5 * abs(room))
                if aside <= both:  # a shorter step to both sides is still longer than two to one side
                    first, second = -both, both
                else:
                    first = aside if above >= below else -aside
                    second = 2.0 * first
        points[0, i], points[1, i] = here + first, here + second
        left, right = np.float64(points[0, i]), np.float64(points[1, i])  # what was stored, which is rounded
        if left == here:
            g[i] = 0.0
        else:
            g[i] = right - (left if left < here <= right else here)


@jit
def _imaginary(x, rel_step, scale, g):
    """Fill g with the imaginary parts of the points."""
    for i in range(x.size):
        g[i] = _unbounded(np.float64(x[i]), i, rel_step, scale)


# Below, float(g[i]) keeps Python from computing with NumPy scalars, which would warn.


@uncached
def forward(value, x, f, g, z, points, lower, upper, rel_step, scale, args):
    """Fill g by differences to one more point for each entry."""
    if not abs(f) < np.inf:
        g[:] = np.nan
        return
    _forward_points(x, lower, upper, rel_step, scale, points, g)
    for i in range(x.size):
        z[i] = x[i]
    for i in range(x.size):
        if g[i] != 0.0:  # equal bounds
            z[i] = points[0, i]
            g[i] = (value(z, args) - f) / float(g[i])
            z[i] = x[i]


@uncached
def central(value, x, f, g, z, points, lower, upper, rel_step, scale, args):
    """Fill g by differences of two more points for each entry; near a bound, by a parabola through all three."""
    if not abs(f) < np.inf:
        g[:] = np.nan
        return
    _central_points(x, lower, upper, rel_step, scale, points, g)
    for i in range(x.size):
        z[i] = x[i]
    for i in range(x.size):
        if g[i] != 0.0:  # equal bounds
            here, left, right = x[i], points[0, i], points[1, i]
            z[i] = left
            one = value(z, args)
            z[i] = right
            two = value(z, args)
            z[i] = here
            g[i] = (two - one if left < here <= right else -3.0 * f + 4.0 * one - two) / float(g[i])


@uncached
def complex_step(value, x, f, g, z, points, lower, upper, rel_step, scale, args):
    """Fill g by one complex step for each entry: nothing is subtracted, and real parts stay inside the bounds."""
    if not abs(f) < np.inf:
        g[:] = np.nan
        return
    _imaginary(x, rel_step, scale, g)
    for i in range(x.size):
        z[i] = x[i]
    for i in range(x.size):
        step = float(g[i])
        z[i] = complex(x[i], step)
        g[i] = value(z, args).imag / step
        z[i] = x[i]


@once
def first_class(function, value, *kinds):
    """Compile one of these functions, once, for any compiled ``value`` of a type; it is cached on disk.

    Parameters
    ----------
    function : numba dispatcher
    value : numba signature
        The signature of the function that will be its first argument.
    *kinds : numba types
        The types of the other arguments.
    """
    return only(jit(undecorated(function)), (types.FunctionType(value), *kinds))


class Scheme(NamedTuple):
    """A scheme of finite differences.

    Attributes
    ----------
    gradient : numba dispatcher
        One of the functions above.
    points : int
        Evaluations for each entry.
    power : float
        The power of machine epsilon for the step that balances truncation and rounding errors.
    """

    gradient: Any
    points: int
    power: float

    @property
    def bounded(self):
        """Whether the points must be kept inside the bounds."""
        return self.gradient is not complex_step

    def scale(self, dtype):
        """Return the step at x = 1, as a float, for a function that computes in `dtype`."""
        return float(np.finfo(dtype).eps ** self.power)

    def arrays(self, x, bounds=None, rel_step=None):
        """Return the arguments between g and scale: z, points, lower, upper and rel_step."""
        z = np.empty(x.size, x.dtype if self.bounded else complex)
        lower, upper = (np.empty(0, x.dtype),) * 2 if bounds is None else bounds
        points = np.empty((self.points, x.size), x.dtype)
        return z, points, lower, upper, np.empty(0) if rel_step is None else rel_step


SCHEMES = {
    "2-point": Scheme(forward, 1, 1 / 2),
    "3-point": Scheme(central, 2, 1 / 3),
    "cs": Scheme(complex_step, 1, 1 / 2),
}
