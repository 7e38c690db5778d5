"""The objective in every accepted form -> one `f = objective(x, g)`, flat in, flat out, that fills g.

A driver knows nothing of `jac` forms, of structured parameters, or of what can be wrong with what a user
returns: all that ends here. The usual return values, a float and an array of the right dtype and shape, pass
by cheap tests; anything else is looked at in peace, because it must be converted anyway.
"""


import numpy as np

from numbaopt.common.tree import flatten
from numbaopt.common.validation import describe, is_real
from numbaopt.objectives.forms import ESTIMATED, read_form


class Objective:
    """A user's function, ready for a driver. `numbaopt.objectives.factory.make` chooses the subclass, by `jac`.

    Parameters
    ----------
    fun, x0, args, jac :
        As in `numbaopt.minimize`.
    bounds : (ndarray, ndarray), optional
        Lower and upper bounds, flat, -inf and inf where open: finite differences keep inside.
    finite_diff_rel_step : float or array_like, optional
        As in `scipy.optimize.minimize`.
    spsa : numbaopt.objectives.spsa.Spsa, optional
        For ``jac="spsa"``: the seed and the shifts.

    Attributes
    ----------
    x0 : ndarray, shape (n,)
        A private copy of the starting point, flat, float32 or float64; of complex arrays real and imaginary parts.
    structure : numbaopt.common.tree.Structure
        The shapes of x0.
    segments : list of (int, int)
        Where each array of a structured x0 lies in the flat one.
    nfev, njev : int
        Evaluations so far of the function, those for finite differences included, and of the gradient.
    spent : (int, int)
        Evaluations of function and gradient before the run, to check the gradient: not in nfev and njev.
    cost : int
        Evaluations of the function that one call takes where it gives a finite value.
    noisy : bool
        Whether values and gradients are random, so that no tolerance can be met and no point is the best.

    Raises
    ------
    TypeError, ValueError
        At once for a fun, x0 or jac that cannot be; when called, for a return value that cannot be, before
        `g` is written. NaN and infinity are not errors here: the drivers report them.

    Examples
    --------
    >>> def loss(p, c):
    ...     return float((p["w"] ** 2).sum()) + c, {"w": 2 * p["w"]}
    >>> from numbaopt.objectives import factory
    >>> objective = factory.make(loss, {"w": [1.0, 2.0]}, args=3, jac=True)
    >>> g = np.empty(2)
    >>> objective(objective.x0, g), g
    (8.0, array([2., 4.]))
    """

    noisy = False

    def __init__(self, fun, x0, args=(), jac=None, bounds=None, finite_diff_rel_step=None, spsa=None):
        if not callable(fun):
            raise TypeError(f"fun must be callable, not {describe(fun)}.")
        self.fun, self.jac = read_form(fun, jac)
        self.structure, self.x0 = flatten(x0)
        self.segments = self.structure.segments
        if self.jac == "cs" and not self.structure.real:
            raise ValueError("jac='cs' shifts real numbers along the imaginary axis, but x0 is complex: see '3-point'.")
        self.args = args if isinstance(args, tuple) else (args,)
        self.bounds = bounds
        self.rel_step = _read_step(finite_diff_rel_step, self.x0.size)
        self.spsa = spsa
        self.nfev = self.njev = 0
        self.spent = 0, 0
        # A real 1-D x is its own view, and a gradient like it needs no looking into; for all else _shape is None.
        self._flat = self.structure.tree == 0 and self.structure.shapes == [self.x0.shape]
        self._shape, self._dtype = self.x0.shape if self._flat else None, self.x0.dtype

    def __call__(self, x, g, *batch):
        """Evaluate ``fun(x, *batch, *args)``: fill `g`, return f as a float."""
        raise NotImplementedError

    @property
    def analytic(self):
        """Whether the gradient is the user's, not estimated."""
        return self.jac not in ESTIMATED

    @property
    def cost(self):
        """Evaluations of the function that one call takes."""
        return 1

    def restore(self, flat):
        """Return `flat` in the structure of x0, as views."""
        return self.structure.views(flat)

    def compiled(self, columns=None, each=None):
        """Compile fun and jac into the one form that the compiled driver takes.

        Parameters
        ----------
        columns : tuple of ndarray, optional
            For minibatches: arrays like those that the driver will take rows of, see `Batches.columns`.
        each : tuple of ndarray, optional
            For many problems: arrays of which each problem is given one row; ``args[2]`` says which.

        Returns
        -------
        numbaopt.objectives.compiled.Compiled or None
            None where it cannot be compiled. The plain driver then calls the function, and so raises Numba's
            own error where there is one to raise.
        """
        if not hasattr(self.fun, "py_func"):
            return None  # not jitted
        from numbaopt.objectives.compiled import compile_objective

        return compile_objective(self, columns, each)








# A NaN that no arithmetic makes, by the size of the dtype.
_UNWRITTEN = {4: np.uint32(0x7FC0BEEF), 8: np.uint64(0x7FF80000DEADBEEF)}


def blank(g):
    """Fill a gradient with what tells, afterwards, which entries nobody wrote."""
    _bits(g)[...] = _UNWRITTEN[g.itemsize]


def _bits(g):
    return g.view(f"u{g.itemsize}")




def _read_step(step, n):
    if step is None:
        return None
    try:
        given = np.asarray(step)
        if given.dtype.kind == "c" or not all(map(is_real, given.flat if given.dtype.kind == "O" else ())):
            raise TypeError  # NumPy would only warn, and drop an imaginary part
        with np.errstate(over="ignore"):  # of what is beyond all floats
            return np.array(np.broadcast_to(np.asarray(step, float), (n,)))
    except (TypeError, ValueError, OverflowError):
        message = f"finite_diff_rel_step must be a number or {n} numbers, not {describe(step)}."
        raise ValueError(message) from None
