"""Finite differences of a scalar function, by SciPy's rules: relative steps, kept inside the bounds.

The steps and the bits are those of `scipy.optimize._numdiff.approx_derivative`, as the tests say. It is not
called because it is private, takes 0.1 ms a gradient, brings 0.3 s of imports, and divides by zero where a
bound fixes a variable.

`forward`, `central` and `complex_step` are written in what Python and Numba have in common. Compiled code calls them
with a compiled function, ``forward.py_func`` takes a Python one, and both give the same bits. They share one signature
of arrays and numbers, and allocate nothing:

    forward(value, x, f, g, z, h, lower, upper, rel_step, scale, args)

value : function
    ``value(z, args) -> float``; for `complex_step` complex. It must leave z as it is.
x : ndarray of float32 or float64, shape (n,)
f : float
    ``value(x, args)``. Where it is not finite nothing is evaluated, and g is filled with NaN.
g : ndarray of float64, shape (n,)
    What is filled: the gradient.
z : ndarray, shape (n,)
    Scratch, in x's dtype; for `complex_step` complex128.
h : ndarray of float64, shape (1, n), for `central` (2, n)
    Scratch, for the distances of the points from x.
lower, upper : ndarray, shape (n,), or (0,) where nothing is bounded
    Where they are equal nothing is evaluated, and the derivative is 0. `complex_step` needs none.
rel_step : ndarray of float64, shape (n,) or (0,)
    Steps are ``rel_step * abs(x)``; where there are none, ``scale * max(1, abs(x))``.
scale : float
    A power of machine epsilon: see `scale`.
args : anything
    What `value` is called with.

They are not kept on disk: a function among the arguments makes each use of them one of its own. `first_class` is.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from numba import types

from numbaopt.cpu import jit, only, uncached

# float(np.float64(a)): in Python a float, which never warns; in Numba float(a) alone would leave a float32 what it is.


@jit
def _unbounded(here, i, rel_step, scale):
    """Return the step of an entry, which has its sign."""
    sign, size = 1.0 if here >= 0.0 else -1.0, abs(here)
    if rel_step.size > 0:
        step = float(rel_step[i]) * sign * size
        if (here + step) - here != 0.0:
            return step
    return scale * sign * (1.0 if size < 1.0 else size)


@jit
def _forward_steps(x, lower, upper, rel_step, scale, h):
    """Fill h with one distance an entry: to the other side where a bound is in the way, shorter where two are."""
    for i in range(x.size):
        here = float(np.float64(x[i]))
        step = _unbounded(here, i, rel_step, scale)
        if lower.size > 0:
            low, high = float(np.float64(lower[i])), float(np.float64(upper[i]))
            below, above = here - low, high - here
            room = above if above >= below else -below  # to the farther bound
            if not abs(step) <= abs(room):
                step = room
            elif here + step < low or here + step > high:
                step = -step
        h[0, i] = step


@jit
def _central_steps(x, lower, upper, rel_step, scale, h):
    """Fill h with two distances an entry: one to each side, or both to the side where there is room."""
    for i in range(x.size):
        here = float(np.float64(x[i]))
        step = abs(_unbounded(here, i, rel_step, scale))
        h[0, i], h[1, i] = -step, step
        if lower.size > 0:
            below, above = here - float(np.float64(lower[i])), float(np.float64(upper[i])) - here
            if not (below >= step and above >= step):
                room, both = max(below, above), min(below, above)
                aside = min(step, 0.5 * abs(room))
                if aside <= both:  # a shorter step to both sides is still longer than to one
                    h[0, i], h[1, i] = -both, both
                elif above >= below:
                    h[0, i], h[1, i] = aside, 2 * aside
                else:
                    h[0, i], h[1, i] = -aside, -2 * aside


@uncached
def forward(value, x, f, g, z, h, lower, upper, rel_step, scale, args):
    """Fill g by differences to one more point an entry."""
    if not abs(f) < np.inf:
        g[:] = np.nan
        return
    _forward_steps(x, lower, upper, rel_step, scale, h)
    z[:] = x
    for i in range(x.size):
        here = float(np.float64(x[i]))
        z[i] = here + float(h[0, i])
        there = float(np.float64(z[i]))  # what was stored, which is rounded
        if there == here:
            g[i] = 0.0  # equal bounds
        else:
            g[i] = (value(z, args) - f) / (there - here)
        z[i] = here


@uncached
def central(value, x, f, g, z, h, lower, upper, rel_step, scale, args):
    """Fill g by differences between two more points an entry; near a bound, by a parabola through all three."""
    if not abs(f) < np.inf:
        g[:] = np.nan
        return
    _central_steps(x, lower, upper, rel_step, scale, h)
    z[:] = x
    for i in range(x.size):
        here, first, second = float(np.float64(x[i])), float(h[0, i]), float(h[1, i])
        z[i] = here + first
        left = float(np.float64(z[i]))  # what was stored, which is rounded
        if left == here:
            g[i], z[i] = 0.0, here  # equal bounds
            continue
        one = value(z, args)
        z[i] = here + second
        right = float(np.float64(z[i]))
        two = value(z, args)
        z[i] = here
        if (first < 0.0) == (second < 0.0):
            g[i] = (-3.0 * f + 4.0 * one - two) / (right - here)
        else:
            g[i] = (two - one) / (right - left)


@uncached
def complex_step(value, x, f, g, z, h, lower, upper, rel_step, scale, args):
    """Fill g by one complex step an entry, which subtracts nothing and leaves the real parts inside the bounds."""
    if not abs(f) < np.inf:
        g[:] = np.nan
        return
    _forward_steps(x, lower[:0], upper[:0], rel_step, scale, h)
    z[:] = x
    for i in range(x.size):
        here, step = float(np.float64(x[i])), float(h[0, i])
        z[i] = complex(here, step)
        g[i] = value(z, args).imag / step
        z[i] = here


@functools.cache
def first_class(function, value, *kinds):
    """Compile one of these functions, once, for any compiled ``value`` of a type; kept on disk.

    Parameters
    ----------
    function : numba dispatcher
    value : numba signature
        Of the function that will be its first argument.
    *kinds : numba types
        Of the other arguments.
    """
    return only(jit(undecorated(function)), (types.FunctionType(value), *kinds))


def undecorated(function):
    """Return the Python function of a compiled one."""
    return getattr(function, "py_func", function)


class Scheme(NamedTuple):
    """A scheme of finite differences.

    Attributes
    ----------
    gradient : numba dispatcher
        One of the functions above.
    points : int
        Evaluations an entry.
    power : float
        Of machine epsilon: the step that balances what is cut off and what is rounded off.
    """

    gradient: Any
    points: int
    power: float

    @property
    def bounded(self):
        """Whether the points must be kept inside the bounds."""
        return self.gradient is not complex_step

    def scale(self, dtype):
        """Return the step at 1, as a float, for a function that computes in `dtype`."""
        return float(np.finfo(dtype).eps ** self.power)

    def arrays(self, x, bounds=None, rel_step=None):
        """Return what the scheme takes between g and scale: z and h, to be filled, lower, upper and rel_step."""
        z = np.empty(x.size, x.dtype if self.bounded else complex)
        lower, upper = (np.empty(0, x.dtype),) * 2 if bounds is None else bounds
        return z, np.empty((self.points, x.size)), lower, upper, np.empty(0) if rel_step is None else rel_step


SCHEMES = {
    "2-point": Scheme(forward, 1, 1 / 2),
    "3-point": Scheme(central, 2, 1 / 3),
    "cs": Scheme(complex_step, 1, 1 / 2),
}
