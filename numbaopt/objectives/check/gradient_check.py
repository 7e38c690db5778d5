"""A gradient against central differences, entry by entry: which ones are off, by how much, and what that looks like."""

import numpy as np

from numbaopt.common.validation import whole
from numbaopt.objectives.check.diagnosis import causes
from numbaopt.objectives.check.probe import Probe
from numbaopt.objectives.problem import Problem

ALONG = "random direction "
DIRECTIONS = 10  # that are looked along where not all entries are looked at
SHOWN = 5


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
    objective = Problem(fun, x0, args, jac, bounds).objective()
    return compare(objective, batch if isinstance(batch, tuple) else (batch,), whole(entries, "entries", 1), seed)


def compare(objective, batch=(), entries=100, seed=0):
    """Compare the gradient of an `Objective` at its x0, moved between its bounds; return a `GradientCheck`."""
    if not objective.analytic:
        raise ValueError(f"check_grad compares a gradient of yours with differences; jac={objective.jac!r} gives none")
    probe = Probe(objective, batch)
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


def check_first(objective, batches):
    """Compare before a run, of minibatches on the first one; note what it took in `Objective.spent`.

    Raises
    ------
    ValueError
        Where gradient and differences differ: the text says in which entries.
    """
    before = objective.nfev, objective.njev
    check = compare(objective, () if batches is None else batches.first())
    objective.nfev, objective.njev = before
    objective.spent = check.nfev, check.njev
    if not check:
        raise ValueError(str(check))
