"""The objective in every accepted form -> one `f = objective(x, g)`, flat in, flat out, that fills g.

A driver knows nothing of `jac` forms, of structured parameters, or of what can be wrong with what a user
returns: all that ends here. The usual return values, a float and an array of the right dtype and shape, pass
by cheap tests; anything else is looked at in peace, because it must be converted anyway.
"""

import difflib
import math

import numpy as np
from numpy import ndarray

from numbaopt.common.tree import flatten
from numbaopt.common.validation import as_float, describe, is_real
from numbaopt.objectives.differences import SCHEMES


class Objective:
    """A user's function, ready for a driver: by the form of `jac` a subclass, here or in `estimates`, `autodiff`.

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
    >>> objective = Objective(loss, {"w": [1.0, 2.0]}, args=3, jac=True)
    >>> g = np.empty(2)
    >>> objective(objective.x0, g), g
    (8.0, array([2., 4.]))
    """

    noisy = False

    def __new__(cls, fun, x0, args=(), jac=None, bounds=None, finite_diff_rel_step=None, spsa=None):
        """Choose the subclass."""
        _, form = _read_form(fun, jac)
        if form in _ESTIMATED:
            from numbaopt.objectives import estimated

            return super().__new__(estimated.Simultaneous if form == "spsa" else estimated.Differences)
        if form == "autograd":
            from numbaopt.objectives.autograd import Autograd

            return super().__new__(Autograd)
        return super().__new__(Separate if callable(form) else _FORMS[form])

    def __init__(self, fun, x0, args=(), jac=None, bounds=None, finite_diff_rel_step=None, spsa=None):
        if not callable(fun):
            raise TypeError(f"fun must be callable, not {describe(fun)}.")
        self.fun, self.jac = _read_form(fun, jac)
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
        return self.jac not in _ESTIMATED

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


class Together(Objective):
    """``jac=True``: fun returns (f, gradient)."""

    def __call__(self, x, g, *batch):
        """Evaluate: fill `g`, return f."""
        self.nfev += 1
        self.njev += 1
        x = x.copy()  # fun may keep or overwrite what it is given
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
        own = x.copy()
        f = self.fun(own if self._flat else self.structure.views(own), *(batch + self.args))
        if type(f) is not float:
            f = as_float(f)
        self.njev += 1
        own = x.copy()
        grad = self.jac(own if self._flat else self.structure.views(own), *(batch + self.args))
        if type(grad) is ndarray and grad.dtype is self._dtype and grad.shape == self._shape:
            g[...] = grad
        else:
            self.structure.write(grad, g, "the gradient")
        return f


class Inplace(Objective):
    """``jac="inplace"``: fun(x, grad) fills grad. Nothing is allocated: x is the same array each time."""

    _g: ndarray | None = None

    def __call__(self, x, g, *batch):
        """Evaluate: fill `g`, return f."""
        self.nfev += 1
        self.njev += 1
        if g is not self._g:
            self._adopt(g)
        self._x[...] = x
        f = self.fun(self._x_view, self._g_view, *(batch + self.args))
        if type(f) is not float:
            f = as_float(f)
        if self.nfev == 1:
            self.check_filled(f, g)
        return f

    def _adopt(self, g):
        self._x, self._g = np.empty_like(self.x0), g
        self._x_view, self._g_view = (a if self._flat else self.structure.views(a) for a in (self._x, g))
        if self.nfev == 1:
            blank(g)

    def check_filled(self, f, g):
        """Catch ``grad = ...`` for ``grad[:] = ...``, and ``grad += ...`` on what was never zero."""
        left = np.flatnonzero(_bits(g) == _UNWRITTEN[g.itemsize])
        if left.size and math.isfinite(f):
            raise ValueError(
                f"jac='inplace': fun must fill grad, its second argument, but left {left.size} of {g.size} "
                f"entries, the first at {left[0]}. Say grad[:] = ..., not grad = ...; it does not start at 0."
            )


_FORMS: dict[object, type[Objective]] = {True: Together, "inplace": Inplace}
_ESTIMATED = (None, *SCHEMES, "spsa")
_WORDS = ("inplace", *SCHEMES, "spsa", "autograd")
# A NaN that no arithmetic makes, by the size of the dtype.
_UNWRITTEN = {4: np.uint32(0x7FC0BEEF), 8: np.uint64(0x7FF80000DEADBEEF)}


def blank(g):
    """Fill a gradient with what tells, afterwards, which entries nobody wrote."""
    _bits(g)[...] = _UNWRITTEN[g.itemsize]


def _bits(g):
    return g.view(f"u{g.itemsize}")


def _read_form(fun, jac):
    """Return the function to call and its form: a callable, True, "inplace", a scheme, or None."""
    if isinstance(jac, (bool, np.bool_)):
        return fun, True if jac else None
    owner = getattr(jac, "__self__", None)
    if owner is fun and type(fun).__name__ == "MemoizeJac" and type(fun).__module__.startswith("scipy."):
        return fun.fun, True  # what SciPy makes of jac=True before it calls a custom method
    if jac is None or callable(jac) or (isinstance(jac, str) and jac in _WORDS):
        return fun, jac
    near = difflib.get_close_matches(str(jac), _WORDS, 1)
    raise ValueError(
        f"jac={jac!r} is not known{f'; did you mean {near[0]!r}?' if near else '.'} It is a function, "
        f"True (fun returns f and gradient), 'inplace' (fun(x, grad) fills grad), "
        f"'2-point', '3-point', 'cs', 'spsa', 'autograd', or None."
    )


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
