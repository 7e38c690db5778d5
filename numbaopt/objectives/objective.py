"""The user's function in one form for every driver: ``f = objective(x, g)`` takes a flat x and fills a flat g.

A driver knows nothing about the forms of `jac`, about structured parameters, or about invalid return values. The usual
return values, a float and an array of the right dtype and shape, pass a few cheap tests; all others are converted.
"""

import numpy as np

from numbaopt.common.validation import describe, is_real


class Objective:
    """A user's function, ready for a driver. `numbaopt.objectives.problem.Problem.objective` chooses the subclass.

    Parameters
    ----------
    problem : numbaopt.objectives.problem.Problem
        The function, its starting point, arguments and bounds. Finite differences stay inside the bounds.
    jac : callable, True, str or None
        The form of the gradient, from `numbaopt.objectives.problem.read_jac`.
    rel_step : float or array_like, optional
        The option ``finite_diff_rel_step`` of `numbaopt.minimize`.
    spsa : numbaopt.objectives.spsa.Spsa, optional
        For ``jac="spsa"``: the seed and the shifts.

    Attributes
    ----------
    fun, args, x0, structure, bounds
        Those of the problem. x0 is shared with it and must not be written.
    segments : list of (int, int)
        Where each array of a structured x0 lies in the flat one.
    nfev, njev : int
        The number of evaluations so far of the function, including those for finite differences, and of the gradient.
    spent : (int, int)
        Evaluations of function and gradient for a check of the gradient before the run; not part of nfev and njev.
    cost : int
        Evaluations of the function in one call that gives a finite value.
    noisy : bool
        Whether values and gradients are random, so that no tolerance can be met and no point is the best.
    analytic : bool
        Whether the gradient is exact, and not estimated from values of the function.

    Raises
    ------
    TypeError, ValueError
        When called: if a return value is invalid; nothing has been written to `g` then. NaN and infinity are no errors
        here: the drivers report them.

    Examples
    --------
    >>> from numbaopt.objectives.problem import Problem
    >>> def loss(p, c):
    ...     return float((p["w"] ** 2).sum()) + c, {"w": 2 * p["w"]}
    >>> objective = Problem(loss, {"w": [1.0, 2.0]}, args=3, jac=True).objective()
    >>> g = np.empty(2)
    >>> objective(objective.x0, g), g
    (8.0, array([2., 4.]))
    """

    noisy = False
    analytic = True
    cost = 1

    def __init__(self, problem, jac, rel_step=None, spsa=None):
        self.fun, self.args, self.jac = problem.fun, problem.args, jac
        self.x0, self.structure, self.bounds = problem.x0, problem.structure, problem.bounds
        self.segments = self.structure.segments
        self.rel_step = None if rel_step is None else _read_step(rel_step, self.x0.size)
        self.spsa = spsa
        self.nfev = self.njev = 0
        self.spent = 0, 0
        # A real 1-D x needs no views, and its gradient passes by cheap tests; in all other cases _shape is None.
        self._flat = self.structure.tree == 0 and self.structure.shapes == [self.x0.shape]
        self._shape, self._dtype = self.x0.shape if self._flat else None, self.x0.dtype

    def __call__(self, x, g, *batch):
        """Evaluate ``fun(x, *batch, *args)``: fill `g`, return f as a float."""
        raise NotImplementedError

    def restore(self, flat):
        """Return `flat` in the structure of x0, as views."""
        return self.structure.views(flat)

    def compiled(self, columns=None, each=None):
        """Compile fun and jac into the one form that the compiled drivers call.

        Parameters
        ----------
        columns : tuple of ndarray, optional
            For minibatches: arrays like those of which the driver will take rows, see `Batches.columns`.
        each : tuple of ndarray, optional
            For many problems: arrays with one row for each problem; ``args[2]`` is the number of the problem.

        Returns
        -------
        numbaopt.objectives.compiled.Compiled or None
            None if it cannot be compiled. The Python driver then calls the function, which raises Numba's own error if
            there is one.
        """
        if not hasattr(self.fun, "py_func"):
            return None  # not jitted
        from numbaopt.objectives.compiled import compile_objective

        return compile_objective(self, columns, each)


# A NaN that no arithmetic makes, by the size of the dtype.
_UNWRITTEN = {4: np.uint32(0x7FC0BEEF), 8: np.uint64(0x7FF80000DEADBEEF)}


def blank(g):
    """Fill a gradient with a special NaN, by which `unwritten` recognizes the entries that were never written."""
    _bits(g)[...] = _UNWRITTEN[g.itemsize]


def unwritten(g):
    """Return the indices of the entries that have not been written since `blank`."""
    return np.flatnonzero(_bits(g) == _UNWRITTEN[g.itemsize])


def _bits(g):
    return g.view(f"u{g.itemsize}")


def _read_step(step, n):
    """Return the option ``finite_diff_rel_step`` as an array of n steps."""
    try:
        array = np.asarray(step)
        if array.dtype.kind == "c" or not all(map(is_real, array.flat if array.dtype.kind == "O" else ())):
            raise TypeError  # NumPy would only warn, and drop an imaginary part
        with np.errstate(over="ignore"):  # a number beyond all floats becomes infinite
            return np.array(np.broadcast_to(np.asarray(step, float), (n,)))
    except (TypeError, ValueError, OverflowError):
        message = f"finite_diff_rel_step must be a number or {n} numbers, not {describe(step)}."
        raise ValueError(message) from None
