"""Slopes of a function round a point, by central differences, each with what it may be off by.

A difference is off by what is cut off and by what is rounded off. Neither is guessed here: what is rounded off (or
random) is measured, from values at equally spaced points close to x0, whose higher differences are nothing but that;
what is cut off is seen from a difference of another step. A slope at odds with what is claimed of it is looked at with
many steps, and judged by the one that is off least.

References
----------
Moré & Wild (2011), Estimating computational noise, SIAM J. Sci. Comput. 33(3), 1292-1314. Ridders (1982), Accurate
computation of F'(x) and F'(x)F''(x), Adv. Eng. Softw. 4(2), 75-76: steps that shrink, and the best of them.
"""

import math

import numpy as np

from numbaopt.common.validation import as_float
from numbaopt.objectives.differences import SCHEMES, undecorated
from numbaopt.objectives.objective import blank

CENTRAL = SCHEMES["3-point"]
FARTHEST = 1 / 16  # the power of machine epsilon that is the longest step at 1


class Probe:
    """A function around x0: its gradient there, its noise, and its slopes by differences.

    Attributes
    ----------
    x, g : ndarray, shape (n,)
        x0, flat, between the bounds, and the gradient to compare.
    f, noise : float
        The value at x; the standard deviation of what is rounded off, or random, in a value near it.
    rtol : float
    """

    def __init__(self, objective, batch):
        self.objective, self.batch, self.limits = objective, batch, objective.bounds
        self.x = objective.x0.copy() if self.limits is None else np.clip(objective.x0, *self.limits)
        self.g, self._scratch = np.empty_like(self.x), np.empty_like(self.x)
        blank(self.g)
        self.f = objective(self.x, self.g, *self._fresh())
        if not math.isfinite(self.f):
            raise ValueError(f"check_grad: fun is {self.f} at x0, so there are no differences to compare with")
        if not np.isfinite(self.g).all():
            bad = int(np.argmin(np.isfinite(self.g)))
            raise ValueError(f"check_grad: the gradient at x0 is {self.g[bad]} at x{objective.structure.where(bad)}")
        self.eps = float(np.finfo(self.x.dtype).eps)
        self.rtol = self.eps**0.25
        self.noise = max(self._noise(), np.finfo(float).eps * abs(self.f))

    def entry(self, i):
        """Return what `_judged` does, for one entry."""
        z, here = self.x.copy(), self.x[i : i + 1]
        limits = None if self.limits is None else tuple(side[i : i + 1] for side in self.limits)

        def at(t):
            z[i] = t
            return self._value(z)

        return self._judged(at, here, limits, float(self.g[i]))

    def direction(self, rng):
        """Return the same for a random direction, and what the gradient says of it."""
        d = self._towards(rng.choice([-1.0, 1.0], self.x.size), self.eps**FARTHEST)
        claim = float(self.g.astype(float) @ d)
        along = self._judged(lambda t: self._value((self.x + t * d).astype(self.x.dtype)), np.zeros(1), None, claim)
        return along, claim

    def _judged(self, at, here, limits, claim):
        """Return the slope along a line, how far it may be off, and at a kink the slopes to both sides, or NaN."""
        slope, off, *_ = self._slope(at, here, limits, self.eps ** (1 / 3))
        size = self.rtol * max(abs(claim), abs(slope))
        if abs(claim - slope) <= size and off <= size and size > 0:
            return slope, off, np.nan, np.nan
        before, gap, best = np.nan, np.nan, (np.nan, np.inf, np.nan, np.nan)
        for scale in self._scales(abs(float(here[0]))):
            slope, off, low, high = self._slope(at, here, limits, scale)
            kink = abs(high - low) > 0.5 * gap  # of what is smooth the slopes would be ten times closer
            off += abs(slope - before)
            if off < best[1]:
                best = slope, off, *((low, high) if kink else (np.nan, np.nan))
            if off <= 0.1 * self.rtol * max(abs(claim), abs(slope)) or claim == slope == before:
                break
            before, gap = slope, abs(high - low)
        return best

    def _scales(self, size):
        """Return steps at 1 that shrink by tens, and where x is tiny some that are small beside it."""
        scales, scale = [], self.eps**FARTHEST
        while scale >= self.eps ** (2 / 3):
            scales.append(scale)
            scale /= 10
        if 0 < size < 1e-3:
            scales += [size * s for s in scales[::2]]
        apart = [math.inf]
        for scale in sorted(scales, reverse=True):
            if scale < apart[-1] / 3:  # those of nearly one step would seem to agree
                apart.append(scale)
        return apart[1:]

    def _slope(self, at, here, limits, scale):
        """Return a central difference, what is rounded off in it, and the slopes to both sides, NaN if unknown."""
        seen, slope = {}, np.empty(1)

        def value(z, args):
            seen[float(z[0])] = f = at(z[0])
            return f

        with np.errstate(all="ignore"):  # beyond the function's domain
            undecorated(CENTRAL.gradient)(value, here, self.f, slope, *CENTRAL.arrays(here, limits), scale, ())
        sides = [(t - float(here[0]), f) for t, f in sorted(seen.items())]
        if len(sides) < 2 or not math.isfinite(slope[0]):
            return (np.nan,) * 4
        (left, below), (right, above) = sides
        reach = max(-left, right)
        if left < 0 < right:
            return float(slope[0]), 6 * self.noise / reach, (below - self.f) / left, (above - self.f) / right
        return float(slope[0]), 40 * self.noise / reach, np.nan, np.nan

    def _value(self, x):
        """Return the function's value; NaN where it says that there is none."""
        objective = self.objective
        try:
            if objective.jac in (True, "inplace"):
                return objective(x, self._scratch, *self._fresh())
            objective.nfev += 1
            return as_float(objective.fun(objective.restore(x.copy()), *self._fresh(), *objective.args))
        except (ArithmeticError, ValueError):
            return np.nan

    def _fresh(self):
        """Return the batch anew: fun may overwrite it."""
        return tuple(part.copy() if isinstance(part, np.ndarray) else part for part in self.batch)

    def _towards(self, signs, reach):
        """Return a direction: each entry goes as far as its size, or 1; not at all where bounds are closer."""
        d = signs * np.maximum(1.0, abs(self.x.astype(float)))
        if self.limits is not None:
            d[np.minimum(self.x - self.limits[0], self.limits[1] - self.x) < reach * abs(d)] = 0.0
        return d

    def _noise(self):
        """Measure the standard deviation of what differs between close points though the function does not."""
        points, step = 8, self.eps**0.75
        signs = np.random.default_rng(1).choice([-1.0, 1.0], self.x.size)
        for _ in range(5):  # longer, until they are not the same numbers rounded
            d = step * self._towards(signs, points * step)
            with np.errstate(all="ignore"):
                values = np.array([self._value((self.x + k * d).astype(self.x.dtype)) for k in range(points)])
            if len(np.unique(values)) > points // 2 or not d.any():
                break
            step *= 100
        found, table = 0.0, values
        for k in range(1, 7):
            table = np.diff(table)
            if k > 2:  # what is smooth has gone
                gamma = math.factorial(k) ** 2 / math.factorial(2 * k)
                found = max(found, math.sqrt(gamma * float(np.mean(table**2))))
        return found if math.isfinite(found) else 0.0
