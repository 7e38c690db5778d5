"""Comparing a gradient with central differences, entry by entry."""

import numpy as np

from numbaopt.common.validation import whole
from numbaopt.objectives.check.diagnosis import diagnose
from numbaopt.objectives.check.probe import Probe
from numbaopt.objectives.problem import Problem

DIRECTION = "random direction "
DIRECTIONS = 10  # directional derivatives that are compared if only a sample of the entries is
SHOWN = 5  # wrong entries that are printed, at most


class GradientCheck:
    """The comparison of a gradient with central differences. Its truth value is whether they agree.

    Attributes
    ----------
    ok : bool
        Whether all compared derivatives agree.
    names : list of str, length k
        The compared derivatives: entries, such as ``"x['w'][3, 2]"``, and directional derivatives if x0 is large.
    gradient, estimate : ndarray of float64, shape (k,)
        The derivatives according to the gradient, and according to central differences.
    error : ndarray of float64, shape (k,)
        Their difference, relative to the larger of the two.
    tolerance : ndarray of float64, shape (k,)
        The largest error that is accepted: `rtol` plus the estimated error of the central difference.
    wrong : ndarray of bool, shape (k,)
        Which derivatives do not agree.
    rtol : float
        The fourth root of machine epsilon. It is much larger than the usual error of a central difference, which is the
        power 2/3 of machine epsilon, and much smaller than the effect of an error in a formula.
    causes : list of str
        Guesses at the mistake, from what the wrong entries have in common.
    nfev, njev : int
        The number of evaluations of the objective and of its gradient that the comparison took.
    size : int
        The number of entries of x0 that bounds do not fix.

    Examples
    --------
    >>> from numbaopt import check_grad
    >>> check = check_grad(lambda x: (x @ x, x), [1.0, 2.0])
    >>> check.ok, check.names, check.gradient, check.estimate.round(6)
    (False, ['x[0]', 'x[1]'], array([1., 2.]), array([2., 4.]))
    """

    def __init__(self, names, gradient, estimate, uncertainty, at_kink, rtol, size):
        self.names, self.gradient, self.estimate, self.rtol, self.size = names, gradient, estimate, rtol, size
        larger = np.maximum(abs(gradient), abs(estimate))
        scale = np.where(larger > 0, larger, 1.0)
        self.error = abs(gradient - estimate) / scale
        self.tolerance = rtol + uncertainty / scale
        self.wrong = ~(self.error <= self.tolerance)
        self.error[self.wrong & at_kink] = 0.0
        self.wrong &= ~at_kink
        self.ok, self.causes, self.nfev, self.njev = not self.wrong.any(), [], 0, 0

    def __bool__(self):
        return self.ok

    @property
    def worst(self):
        """The indices of the derivatives, those with the largest errors relative to their tolerances first."""
        excess = np.where(self.wrong, np.nan_to_num(self.error / self.tolerance, nan=np.inf), 0.0)
        directional = [name.startswith(DIRECTION) for name in self.names]
        return np.lexsort((-excess, directional, ~self.wrong))

    def __repr__(self):
        count, compared = int(self.wrong.sum()), len(self.names)
        part = "" if compared == self.size else f" and directions (a random sample of the {self.size} entries)"
        if not compared:
            return "There is nothing to compare: the bounds fix all entries of x."
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
        noisy = int((self.tolerance > 0.5).sum())
        if noisy:
            lines.append(
                f"For {noisy} of {compared}, the noise of fun is as large as the slope, so the comparison says little."
            )
        return "\n".join(lines)


def check_grad(fun, x0, args=(), jac=True, *, bounds=None, batch=(), entries=100, seed=0):
    """Compare a gradient with central differences of the function, entry by entry.

    Parameters
    ----------
    fun, x0, args, jac :
        As in `numbaopt.minimize`. `jac` is a function, True, "inplace" or "autograd".
    bounds : optional
        As in `numbaopt.minimize`. The objective is evaluated only within the bounds, to which x0 is clipped.
    batch : tuple
        The arguments that fun takes between x and args: a batch, as with ``data`` in `numbaopt.minimize`.
    entries : int
        The largest number of entries to compare. Of a larger x0, a random sample of this size is compared, and in
        addition the derivatives along ten random directions, to which all entries contribute.
    seed : int
        The seed of the random sample and of the directions.

    Returns
    -------
    GradientCheck
        Its truth value is whether the gradient agrees with the differences; its text lists the entries that differ.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, or the objective or its gradient is not finite at x0.

    See Also
    --------
    numbaopt.minimize : ``options={"check_grad": True}`` makes this comparison before the run.

    Notes
    -----
    The comparison takes two evaluations for each entry, about twenty for each entry that seems wrong, and about ten
    more.

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
    In x['w'] it is half of what it should be: is a factor of 2 missing?
    """
    objective = Problem(fun, x0, args, jac, bounds).objective()
    return compare(objective, batch if isinstance(batch, tuple) else (batch,), whole(entries, "entries", 1), seed)


def compare(objective, batch=(), entries=100, seed=0):
    """Return the `GradientCheck` of an `Objective` at its x0, clipped to its bounds."""
    if not objective.analytic:
        raise ValueError(
            f"check_grad needs a gradient to compare with differences, but jac={objective.jac!r} provides none"
        )
    probe = Probe(objective, batch)
    limits = objective.bounds
    free = np.arange(probe.x.size) if limits is None else np.flatnonzero(limits[0] < limits[1])
    rng = np.random.default_rng(seed)
    sample = free if free.size <= entries else np.sort(rng.choice(free, entries, replace=False))
    slopes = [probe.entry(i) for i in sample]
    names = [f"x{objective.structure.where(i)}" for i in sample]
    claimed = probe.g[sample].astype(float)
    if sample.size < free.size:
        directions = [probe.direction(rng) for _ in range(DIRECTIONS)]
        names += [f"{DIRECTION}{k + 1}" for k in range(DIRECTIONS)]
        slopes += [slope for slope, _ in directions]
        claimed = np.append(claimed, [claim for _, claim in directions])
    estimate, uncertainty, low, high = np.array(slopes).reshape(-1, 4).T
    at_kink = (np.minimum(low, high) - uncertainty <= claimed) & (claimed <= np.maximum(low, high) + uncertainty)
    check = GradientCheck(names, claimed, estimate, uncertainty, at_kink, probe.rtol, free.size)
    if not check.ok:
        k, arguments = sample.size, [*batch, *objective.args]
        check.causes = diagnose(objective.structure, sample, claimed[:k], estimate[:k], check.wrong[:k], arguments)
    check.nfev, check.njev = objective.nfev, objective.njev
    return check


def check_first(objective, batches):
    """Check the gradient before a run, on the first minibatch if there is data.

    The evaluations are counted in `Objective.spent`, not in `Objective.nfev` and `Objective.njev`.

    Raises
    ------
    ValueError
        If the gradient differs from the differences. The message lists the entries.
    """
    before = objective.nfev, objective.njev
    check = compare(objective, () if batches is None else batches.first())
    objective.nfev, objective.njev = before
    objective.spent = check.nfev, check.njev
    if not check:
        raise ValueError(str(check))
