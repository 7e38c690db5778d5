"""Slopes of a function around a point by central differences, with estimates of their errors.

A difference has a truncation error and a rounding error, and both are measured. The rounding error (or the noise of a
random function) follows from the values at equally spaced points close to x0: their higher differences contain nothing
else. The truncation error follows from a difference with another step. A slope that contradicts the gradient is
computed with many steps, and the one with the smallest error counts.

References
----------
Moré & Wild (2011), Estimating computational noise, SIAM J. Sci. Comput. 33(3), 1292-1314.
Ridders (1982), Accurate computation of F'(x) and F'(x)F''(x), Adv. Eng. Softw. 4(2), 75-76.
"""

import math

import numpy as np

from numbaopt.backends.cpu import undecorated
from numbaopt.common.validation import as_float
from numbaopt.objectives.differences import SCHEMES
from numbaopt.objectives.objective import blank

CENTRAL = SCHEMES["3-point"]
LONGEST = 1 / 16  # the longest relative step is machine epsilon to this power


class Probe:
    """An objective around x0: its gradient, its noise, and its slopes by differences.

    Parameters
    ----------
    objective : Objective
        The objective with its gradient, its x0 and its bounds.
    batch : tuple
        The arguments between x and args.

    Attributes
    ----------
    x, g : ndarray, shape (n,)
        The flat x0, clipped to the bounds, and the gradient to check.
    f : float
        The value at x.
    noise : float
        The standard deviation of the rounding error, or of the noise, of values near x.
    rtol : float
        The relative error of a gradient that is accepted: the fourth root of machine epsilon.

    Raises
    ------
    ValueError
        If the value or the gradient at x is not finite.
    """

    def __init__(self, objective, batch):
        self.objective, self.batch, self.limits = objective, batch, objective.bounds
        self.x = objective.x0.copy() if self.limits is None else np.clip(objective.x0, *self.limits)
        self.g, self._scratch = np.empty_like(self.x), np.empty_like(self.x)
        blank(self.g)
        self.f = objective(self.x, self.g, *self._batch())
        if not math.isfinite(self.f):
            raise ValueError(f"check_grad cannot compare: fun is {self.f} at x0. Start where fun is finite")
        if not np.isfinite(self.g).all():
            bad = int(np.argmin(np.isfinite(self.g)))
            where = f"x{objective.structure.where(bad)}"
            text = f"check_grad cannot compare: at x0 the gradient is {self.g[bad]} at {where}"
            raise ValueError(f"{text}. Correct jac, or start where the gradient is finite")
        self.eps = float(np.finfo(self.x.dtype).eps)
        self.rtol = self.eps**0.25
        self.noise = max(self._measure_noise(), np.finfo(float).eps * abs(self.f))

    def entry(self, i):
        """Return the slope along entry `i`, as `_checked_slope` does."""
        z, origin = self.x.copy(), self.x[i : i + 1]
        limits = None if self.limits is None else tuple(side[i : i + 1] for side in self.limits)

        def at(t):
            z[i] = t
            return self._value(z)

        return self._checked_slope(at, origin, limits, float(self.g[i]))

    def direction(self, rng):
        """Return the result of `_checked_slope` along a random direction, and the slope according to the gradient."""
        d = self._direction(rng.choice([-1.0, 1.0], self.x.size), self.eps**LONGEST)
        claimed = float(self.g.astype(float) @ d)

        def at(t):
            return self._value((self.x + t * d).astype(self.x.dtype))

        return self._checked_slope(at, np.zeros(1), None, claimed), claimed

    def _checked_slope(self, at, origin, limits, claimed):
        """Return the slope of a function of one variable, with as many steps as its comparison needs.

        Parameters
        ----------
        at : callable
            The value at a place on the line, ``at(t) -> float``.
        origin : ndarray, shape (1,)
            The place where the slope is wanted.
        limits : tuple of ndarray or None
            The lower and upper bound of `t`.
        claimed : float
            The slope according to the gradient.

        Returns
        -------
        slope, error : float
            The slope and the estimate of its error.
        left, right : float
            The one-sided slopes if there is a kink, else NaN.
        """
        slope, error, *_ = self._slope(at, origin, limits, self.eps ** (1 / 3))
        accepted = self.rtol * max(abs(claimed), abs(slope))
        if abs(claimed - slope) <= accepted and error <= accepted and accepted > 0:
            return slope, error, np.nan, np.nan
        previous, gap, best = np.nan, np.nan, (np.nan, np.inf, np.nan, np.nan)
        for scale in self._scales(abs(float(origin[0]))):
            slope, error, left, right = self._slope(at, origin, limits, scale)
            kink = abs(right - left) > 0.5 * gap  # for a smooth function the gap would shrink like the step, by ten
            error += abs(slope - previous)
            if error < best[1]:
                best = slope, error, *((left, right) if kink else (np.nan, np.nan))
            if error <= 0.1 * self.rtol * max(abs(claimed), abs(slope)) or claimed == slope == previous:
                break
            previous, gap = slope, abs(right - left)
        return best

    def _scales(self, size):
        """Return relative steps, each a tenth of the one before; for a tiny entry also some relative to its size."""
        scales, scale = [], self.eps**LONGEST
        while scale >= self.eps ** (2 / 3):
            scales.append(scale)
            scale /= 10
        if 0 < size < 1e-3:
            scales += [size * s for s in scales[::2]]
        distinct = [math.inf]
        for scale in sorted(scales, reverse=True):
            if scale < distinct[-1] / 3:  # slopes of nearly equal steps would agree whatever their error
                distinct.append(scale)
        return distinct[1:]

    def _slope(self, at, origin, limits, scale):
        """Return a central difference, its rounding error, and the left and right slopes, which are NaN at a bound."""
        values, slope = {}, np.empty(1)

        def value(z, args):
            values[float(z[0])] = f = at(z[0])
            return f

        with np.errstate(all="ignore"):  # outside the domain of the function
            undecorated(CENTRAL.gradient)(value, origin, self.f, slope, *CENTRAL.arrays(origin, limits), scale, ())
        sides = [(t - float(origin[0]), f) for t, f in sorted(values.items())]
        if len(sides) < 2 or not math.isfinite(slope[0]):
            return (np.nan,) * 4
        (left, f_left), (right, f_right) = sides
        step = max(-left, right)
        if left < 0 < right:
            return float(slope[0]), 6 * self.noise / step, (f_left - self.f) / left, (f_right - self.f) / right
        return float(slope[0]), 40 * self.noise / step, np.nan, np.nan

    def _value(self, x):
        """Return the value of the objective, or NaN if it raises an arithmetic error or a ValueError."""
        objective = self.objective
        try:
            if objective.jac in (True, "inplace"):
                return objective(x, self._scratch, *self._batch())
            objective.nfev += 1
            return as_float(objective.fun(objective.restore(x.copy()), *self._batch(), *objective.args))
        except (ArithmeticError, ValueError):
            return np.nan

    def _batch(self):
        """Return a copy of the batch, because fun may overwrite it."""
        return tuple(part.copy() if isinstance(part, np.ndarray) else part for part in self.batch)

    def _direction(self, signs, step):
        """Return a direction with entries as large as those of x, at least 1, and 0 where bounds are too close."""
        d = signs * np.maximum(1.0, abs(self.x.astype(float)))
        if self.limits is not None:
            d[np.minimum(self.x - self.limits[0], self.limits[1] - self.x) < step * abs(d)] = 0.0
        return d

    def _measure_noise(self):
        """Return the standard deviation of the noise, from differences of order 3 to 6 of values at close points."""
        points, step = 8, self.eps**0.75
        signs = np.random.default_rng(1).choice([-1.0, 1.0], self.x.size)
        for _ in range(5):  # lengthen the step until most values differ
            d = step * self._direction(signs, points * step)
            with np.errstate(all="ignore"):
                values = np.array([self._value((self.x + k * d).astype(self.x.dtype)) for k in range(points)])
            if len(np.unique(values)) > points // 2 or not d.any():
                break
            step *= 100
        noise, differences = 0.0, values
        for k in range(1, 7):
            differences = np.diff(differences)
            if k > 2:  # the smooth part of the function has vanished
                gamma = math.factorial(k) ** 2 / math.factorial(2 * k)
                noise = max(noise, math.sqrt(gamma * float(np.mean(differences**2))))
        return noise if math.isfinite(noise) else 0.0
