"""A gradient against central differences, entry by entry: which ones are off, by how much, and what that looks like.

A difference is off by what is cut off and by what is rounded off. Neither is guessed here: what is rounded off (or
random) is measured, from values at equally spaced points close to x0, whose higher differences are nothing but that;
what is cut off is seen from a difference of another step. An entry at odds with its first difference is looked at
with many steps, and judged by the one that is off least.

References
----------
Moré & Wild (2011), Estimating computational noise, SIAM J. Sci. Comput. 33(3), 1292-1314. Ridders (1982), Accurate
computation of F'(x) and F'(x)F''(x), Adv. Eng. Softw. 4(2), 75-76: steps that shrink, and the best of them.
"""

import math

import numpy as np

from numbaopt.bounds import read_bounds, refuse_complex
from numbaopt.causes import causes
from numbaopt.checks import as_float, whole
from numbaopt.differences import SCHEMES, undecorated
from numbaopt.objective import Objective, blank

ALONG = "random direction "
DIRECTIONS = 10  # that are looked along where not all entries are looked at
SHOWN = 5
_CENTRAL = SCHEMES["3-point"]


class GradientCheck:
    """What a comparison of a gradient with central differences came to. True where they agree.

    Attributes
    ----------
    ok : bool
        Whether they agree in all that was compared.
    names : list of str
        What was compared: entries, ``"x['w'][3, 2]"``, and where not all of them, derivatives along directions.
    gradient, estimate : ndarray of float64
        By the gradient, and by differences.
    error : ndarray of float64
        By what they differ, relative to the larger of the two.
    tolerance : ndarray of float64
        The error that is allowed: `rtol`, and what the differences may be off by.
    rtol : float
        The fourth root of machine epsilon: far above what a difference is usually off by, its power 2/3, and far below
        what an error in a formula does.
    causes : list of str
        What the entries that differ have in common.
    nfev, njev : int
        Evaluations spent.
    size : int
        Entries of x0.
    """

    def __init__(self, names, gradient, estimate, off, between, rtol, size):
        self.names, self.gradient, self.estimate, self.rtol, self.size = names, gradient, estimate, rtol, size
        larger = np.maximum(abs(gradient), abs(estimate))
        scale = np.where(larger > 0, larger, 1.0)
        self.error = abs(gradient - estimate) / scale
        self.tolerance = rtol + off / scale
        self.wrong = ~(self.error <= self.tolerance)
        self.error[self.wrong & between] = 0.0
        self.wrong &= ~between
        self.ok, self.causes, self.nfev, self.njev = not self.wrong.any(), [], 0, 0

    def __bool__(self):
        return self.ok

    @property
    def worst(self):
        """Places of what was compared, the most wrong first."""
        excess = np.where(self.wrong, np.nan_to_num(self.error / self.tolerance, nan=np.inf), 0.0)
        along = [name.startswith(ALONG) for name in self.names]
        return np.lexsort((-excess, along, ~self.wrong))

    def __repr__(self):
        count, compared = int(self.wrong.sum()), len(self.names)
        part = "" if compared == self.size else f" and directions (of {self.size} entries a random sample was taken)"
        if not compared:
            return "There is nothing to compare: bounds fix all of x."
        if self.ok:
            i = int(np.argmax(self.error))
            lines = [f"The gradient agrees with central differences in all {compared} entries{part}."]
            lines.append(f"The largest relative error is {self.error[i]:.2g}, at {self.names[i]}.")
        else:
            lines = [f"The gradient differs from central differences in {count} of {compared} entries{part}:"]
            for i in self.worst[: min(SHOWN, count)]:
                lines.append(
                    f"  {self.names[i]}: gradient {self.gradient[i]:.8g}, differences {self.estimate[i]:.8g}, "
                    f"relative error {self.error[i]:.2g} (tolerance {self.tolerance[i]:.2g})"
                )
            lines += ["  ..."] * (count > SHOWN)
            lines += self.causes
        vague = int((self.tolerance > 0.5).sum())
        if vague:
            lines.append(f"In {vague} of {compared} the noise of fun is as large as the slope: they tell little.")
        return "\n".join(lines)


def check_grad(fun, x0, args=(), jac=True, *, bounds=None, batch=(), entries=100, seed=0):
    """Compare a gradient with central differences of the function, entry by entry.

    Parameters
    ----------
    fun, x0, args, jac :
        As in `numbaopt.minimize`; jac is a function, True, "inplace" or "autograd".
    bounds : as in `numbaopt.minimize`
        What fun is evaluated between; x0 is moved there.
    batch : tuple
        What fun takes between x and args, as with ``data`` in `numbaopt.minimize`: a batch.
    entries : int
        How many entries to compare, at most. Of a larger x0 a random sample of so many is taken, and beside that the
        derivatives along ten random directions, to which all entries contribute.
    seed : int
        What the sample follows from.

    Returns
    -------
    GradientCheck
        True where they agree; printed, it says what differs. It costs two evaluations an entry, some twenty for
        one that seems off, and about ten more.

    Raises
    ------
    TypeError, ValueError
        For what cannot be, and for a value or gradient at x0 that is not finite.

    See Also
    --------
    numbaopt.minimize : with ``options={"check_grad": True}`` this comes before the run.

    Examples
    --------
    >>> import numpy as np
    >>> from numbaopt import check_grad
    >>> def loss(p):
    ...     return (p["w"] ** 2).sum() + p["b"], {"w": p["w"], "b": 1.0}
    >>> print(check_grad(loss, {"w": np.ones((2, 2)), "b": 0.0}))
    The gradient differs from central differences in 4 of 5 entries:
      x['w'][0, 0]: gradient 1, differences 2, relative error 0.5 (tolerance 0.00012)
      x['w'][0, 1]: gradient 1, differences 2, relative error 0.5 (tolerance 0.00012)
      x['w'][1, 0]: gradient 1, differences 2, relative error 0.5 (tolerance 0.00012)
      x['w'][1, 1]: gradient 1, differences 2, relative error 0.5 (tolerance 0.00012)
    In x['w'] it is half of what it should be: is a factor 2 missing?
    """
    objective = Objective(fun, x0, args, jac)
    _bound(objective, bounds)
    return compare(objective, batch if isinstance(batch, tuple) else (batch,), whole(entries, "entries", 1), seed)


def compare(objective, batch=(), entries=100, seed=0):
    """Compare the gradient of an `Objective` at its x0, moved between its bounds; return a `GradientCheck`."""
    if not objective.analytic:
        raise ValueError(f"check_grad compares a gradient of yours with differences; jac={objective.jac!r} gives none")
    probe = _Probe(objective, batch)
    limits = objective.bounds
    free = np.arange(probe.x.size) if limits is None else np.flatnonzero(limits[0] < limits[1])
    rng = np.random.default_rng(seed)
    sample = free if free.size <= entries else np.sort(rng.choice(free, entries, replace=False))
    found = [probe.entry(i) for i in sample]
    names = [f"x{objective.structure.where(i)}" for i in sample]
    claimed = probe.g[sample].astype(float)
    if sample.size < free.size:
        along = [probe.direction(rng) for _ in range(DIRECTIONS)]
        names += [f"{ALONG}{k + 1}" for k in range(DIRECTIONS)]
        found += [slope for slope, _ in along]
        claimed = np.append(claimed, [claim for _, claim in along])
    estimate, off, low, high = np.array(found).reshape(-1, 4).T
    between = (np.minimum(low, high) - off <= claimed) & (claimed <= np.maximum(low, high) + off)
    check = GradientCheck(names, claimed, estimate, off, between, probe.rtol, free.size)
    if not check.ok:
        k, things = sample.size, [*batch, *objective.args]
        check.causes = causes(objective.structure, sample, claimed[:k], estimate[:k], check.wrong[:k], things)
    check.nfev, check.njev = objective.nfev, objective.njev
    return check


def check_first(objective, batches, bounds=None):
    """Compare before a run, of minibatches on the first one; note what it took in `Objective.spent`.

    Raises
    ------
    ValueError
        Where gradient and differences differ: the text says in which entries.
    """
    if bounds is not None:
        _bound(objective, bounds)
    check = compare(objective, () if batches is None else batches.first())
    objective.nfev = objective.njev = 0
    objective.spent = check.nfev, check.njev
    if not check:
        raise ValueError(str(check))


def _bound(objective, bounds):
    refuse_complex(bounds, objective.structure)
    objective.bounds = read_bounds(bounds, objective.x0.size, objective.x0.dtype)


class _Probe:
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
        d = self._towards(rng.choice([-1.0, 1.0], self.x.size), self.eps ** (1 / 8))
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
        scales, scale = [], self.eps ** (1 / 16)
        while scale >= self.eps ** (2 / 3):
            scales.append(scale)
            scale /= 10
        if 0 < size < 1e-3:
            scales += [size * s for s in scales[::2]]
        apart: list[float] = []
        for scale in sorted(scales, reverse=True):
            if not apart or scale < apart[-1] / 3:  # those of nearly one step would seem to agree
                apart.append(scale)
        return apart

    def _slope(self, at, here, limits, scale):
        """Return a central difference, what is rounded off in it, and the slopes to both sides, NaN if unknown."""
        seen, slope = {}, np.empty(1)

        def value(z, args):
            seen[float(z[0])] = f = at(z[0])
            return f

        with np.errstate(all="ignore"):  # beyond the function's domain
            undecorated(_CENTRAL.gradient)(value, here, self.f, slope, *_CENTRAL.arrays(here, limits), scale, ())
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
