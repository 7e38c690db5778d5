"""Objectives whose gradient the user computes, in three forms."""

import math

import numpy as np
from numpy import ndarray

from numbaopt.common.validation import as_float, describe
from numbaopt.objectives.objective import Objective, blank, unwritten


class Together(Objective):
    """``jac=True``: fun returns (f, gradient)."""

    def __call__(self, x, g, *batch):
        """Evaluate: fill `g`, return f."""
        self.nfev += 1
        self.njev += 1
        x = x.copy()  # fun may keep or overwrite its argument
        returned = self.fun(x if self._flat else self.structure.views(x), *(batch + self.args))
        try:
            f, grad = returned
        except (TypeError, ValueError):
            raise TypeError(f"jac=True: fun must return (f, gradient), not {describe(returned)}.") from None
        if type(f) is not float:
            f = as_float(f)
        if type(grad) is ndarray and grad.dtype is self._dtype and grad.shape == self._shape:
            g[...] = grad
        else:
            self.structure.write(grad, g, "the gradient")
        return f


class Separate(Objective):
    """A callable jac."""

    def __call__(self, x, g, *batch):
        """Evaluate: fill `g`, return f."""
        self.nfev += 1
        point = x.copy()
        f = self.fun(point if self._flat else self.structure.views(point), *(batch + self.args))
        if type(f) is not float:
            f = as_float(f)
        self.njev += 1
        point = x.copy()
        grad = self.jac(point if self._flat else self.structure.views(point), *(batch + self.args))
        if type(grad) is ndarray and grad.dtype is self._dtype and grad.shape == self._shape:
            g[...] = grad
        else:
            self.structure.write(grad, g, "the gradient")
        return f


class Inplace(Objective):
    """``jac="inplace"``: fun(x, grad) fills grad. Nothing is allocated: fun gets the same two arrays each time."""

    _g: ndarray | None = None

    def __call__(self, x, g, *batch):
        """Evaluate: fill `g`, return f."""
        self.nfev += 1
        self.njev += 1
        if g is not self._g:
            self._use(g)
        self._x[...] = x
        f = self.fun(self._x_view, self._g_view, *(batch + self.args))
        if type(f) is not float:
            f = as_float(f)
        if self.nfev == 1:
            self.check_filled(f, g)
        return f

    def _use(self, g):
        """Make the arrays that fun gets for this g."""
        self._x, self._g = np.empty_like(self.x0), g
        self._x_view, self._g_view = (a if self._flat else self.structure.views(a) for a in (self._x, g))
        if self.nfev == 1:
            blank(g)

    def check_filled(self, f, g):
        """Raise if fun did not fill g, as with ``grad = ...`` or ``grad += ...`` instead of ``grad[:] = ...``."""
        left = unwritten(g)
        if left.size and math.isfinite(f):
            raise ValueError(
                f"jac='inplace': fun must fill grad, its second argument, but left {left.size} of {g.size} "
                f"entries, the first at {left[0]}. Say grad[:] = ..., not grad = ...; it does not start at 0."
            )
