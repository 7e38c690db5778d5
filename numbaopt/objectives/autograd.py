"""``jac="autograd"``: the exact gradient of NumPy code, by the autograd package.

autograd calls the function with boxes that record what ``autograd.numpy`` does to them, and differentiates the record
backwards. Its error messages are about these boxes; here they are replaced by advice to the user.
"""

import importlib

import numpy as np

from numbaopt.common.validation import as_float
from numbaopt.objectives.objective import Objective

ADVICE = (
    "jac='autograd' sees only what autograd.numpy does: `import autograd.numpy as np` (and autograd.scipy) beside fun; "
    "no x[i] = ..., out=, float(), int(), math.*. Otherwise there is '3-point'."
)


class Autograd(Objective):
    """``jac="autograd"``: fun is written with ``autograd.numpy``; value and gradient come from one call."""

    def __init__(self, problem, jac, rel_step=None, spsa=None):
        super().__init__(problem, jac, rel_step, spsa)
        if hasattr(self.fun, "py_func"):
            raise ValueError(
                "jac='autograd' follows Python code, and fun is compiled by Numba. Give the function without @njit, "
                "written with autograd.numpy, or another jac: True, 'inplace', '3-point'."
            )
        try:
            autograd, extend = (importlib.import_module(name) for name in ("autograd", "autograd.extend"))
        except ImportError as error:
            text = "jac='autograd' needs the autograd package: pip install \"numbaopt[autograd]\""
            raise ImportError(text) from error
        self._make_vjp, self._box, self._vspace = autograd.make_vjp, extend.Box, extend.vspace
        self._sum = autograd.numpy.sum

    def __call__(self, x, g, *batch):
        """Evaluate: fill `g`, return f."""
        self.nfev += 1
        self.njev += 1
        more, structure, returned = batch + self.args, self.structure, None

        def followed(leaves):
            nonlocal returned
            returned = self.fun(structure.grow(list(leaves)), *more)
            # autograd warns of a value that does not depend on x, such as a penalty, so it gets one that does.
            return returned if isinstance(returned, self._box) else self._sum(leaves[0])

        try:
            back, value = self._make_vjp(followed)(structure.parts(x.copy()))
            if not isinstance(returned, self._box):
                return self._constant(returned, g)
            f = as_float(value)
            grads = back(self._vspace(value).ones())
        except Exception as error:
            if _of_autograd(error):
                raise TypeError(f"autograd cannot follow fun: {type(error).__name__}: {error}\n{ADVICE}") from error
            raise
        # autograd's gradient is dL/dRe - 1j dL/dIm.
        grads = [np.conj(grad) if double else grad for grad, double in zip(grads, structure.complexes, strict=True)]
        structure.write(structure.grow(grads), g, "the gradient")
        return f

    def _constant(self, returned, g):
        """Return a value that does not depend on x; fill g with zeros."""
        f = as_float(returned)
        if self.nfev == 1 and np.isfinite(f):
            raise ValueError(f"autograd finds that fun's value at x0, {f}, does not depend on x.\n{ADVICE}")
        g[...] = 0.0
        return f


def _of_autograd(error):
    """Return whether an exception comes from autograd, and not from the user's function."""
    if "Box" in str(error) or (error.__cause__ is not None and "Box" in str(error.__cause__)):
        return True
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_globals.get("__name__") == "autograd.core"
