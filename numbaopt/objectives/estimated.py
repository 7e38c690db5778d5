"""Objectives whose gradient is estimated, by finite differences or by simultaneous perturbation."""

import numpy as np

from numbaopt.backends.cpu import undecorated
from numbaopt.common.validation import as_complex, as_float
from numbaopt.objectives.differences import SCHEMES
from numbaopt.objectives.objective import Objective
from numbaopt.objectives.spsa import Spsa, estimate, perturb


class Differences(Objective):
    """``jac=None`` or the name of a scheme of finite differences."""

    analytic = False
    _single: bool | None = None

    @property
    def scheme(self):
        """The scheme, `numbaopt.objectives.differences.Scheme`."""
        return SCHEMES[self.jac or "2-point"]

    @property
    def cost(self):
        """One evaluation at x, and one or two for each entry that is not fixed by its bounds."""
        free = self.x0.size
        if self.bounds is not None and self.scheme.bounded:
            free = int(np.count_nonzero(self.bounds[0] < self.bounds[1]))
        return 1 + self.scheme.points * free

    def __call__(self, x, g, *batch):
        """Evaluate: fill `g`, return f."""
        more = batch + self.args
        returned = _evaluate(self, x, more)
        f = as_float(returned)
        self.njev += 1
        scheme, slopes = self.scheme, np.empty(x.size)
        read = as_float if scheme.bounded else as_complex
        arrays = scheme.arrays(x, self.bounds, self.rel_step)
        scale = scheme.scale(np.float32 if self._computes_in_float32(returned, x, more) else x.dtype)
        undecorated(scheme.gradient)(lambda z, args: read(_evaluate(self, z, args)), x, f, slopes, *arrays, scale, more)
        self.structure.write(self.structure.views(slopes), g, "the gradient")
        return f

    def _computes_in_float32(self, returned, x, more):
        """Return whether fun computes in float32, which needs longer steps."""
        if not hasattr(self.fun, "py_func"):
            return getattr(returned, "dtype", None) == np.float32
        if self._single is None:  # jitted, it returns a Python float whatever it computes in
            from numbaopt.objectives.compiled_estimates import returns_float32

            self._single = returns_float32(self.fun, (x if self._flat else self.structure.views(x), *more))
        return self._single


class Simultaneous(Objective):
    """``jac="spsa"``: a random estimate of the gradient from two evaluations; f is the mean of the two."""

    noisy = True
    analytic = False
    cost = 2  # also if a value is not finite

    def __init__(self, problem, jac, rel_step=None, spsa=None):
        super().__init__(problem, jac, rel_step, spsa or Spsa(np.uint64(0)))

    def __call__(self, x, g, *batch):
        """Evaluate: fill `g`, return f."""
        self.njev += 1
        plus, minus, slopes = np.empty_like(x), np.empty_like(x), np.empty(x.size)
        lower, upper = (np.empty(0, x.dtype),) * 2 if self.bounds is None else self.bounds
        perturb(x, lower, upper, *self.spsa, self.njev, plus, minus, slopes)
        more = batch + self.args
        f = undecorated(estimate)(lambda z, args: as_float(_evaluate(self, z, args)), plus, minus, slopes, more)
        self.structure.write(self.structure.views(slopes), g, "the gradient")
        return f


def _evaluate(objective, x, more):
    """Call the function at a copy of x, and count the evaluation."""
    objective.nfev += 1
    x = x.copy()
    return objective.fun(x if objective._flat else objective.structure.views(x), *more)
