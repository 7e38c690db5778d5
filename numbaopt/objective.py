"""The objective in every accepted form -> one callable `f = objective(x, g)`, flat in, flat out, that fills `g`.

A driver knows nothing of `jac` forms, of structured parameters, or of what can be wrong with what a user returns: all
that ends here. The usual return values, a float and an array of the right dtype and shape, pass by two cheap tests;
anything else is looked at in peace, because it must be converted anyway.
"""

import difflib
import math

import numpy as np

from numbaopt.differences import SCHEMES, gradient
from numbaopt.structure import describe, flatten


class Objective:
    """A user's function, ready for a driver.

    Parameters
    ----------
    fun, x0, args, jac :
        As in `numbaopt.minimize`.
    bounds : (ndarray, ndarray), optional
        Lower and upper bounds, flat, +-inf where open: finite differences keep inside.
    finite_diff_rel_step : float or array_like, optional
        As in `scipy.optimize.minimize`.

    Attributes
    ----------
    x0 : ndarray, shape (n,)
        A private copy of the starting point, flat, float32 or float64.
    structure : numbaopt.structure.Structure
        The shapes of x0.
    segments : list of (int, int)
        Where each array of a structured x0 lies in the flat one.
    nfev, njev : int
        Evaluations so far of the function, those for finite differences included, and of the gradient.

    Raises
    ------
    TypeError, ValueError
        At once for a fun, x0 or jac that cannot be; at a call for a return value that cannot be, before `g` is written.
        NaN and infinity are not errors here: the drivers report them.

    Examples
    --------
    >>> def loss(p, c):
    ...     return float((p["w"] ** 2).sum()) + c, {"w": 2 * p["w"]}
    >>> objective = Objective(loss, {"w": [1.0, 2.0]}, args=3, jac=True)
    >>> g = np.empty(2)
    >>> objective(objective.x0, g), g
    (8.0, array([2., 4.]))
    """

    def __init__(self, fun, x0, args=(), jac=None, bounds=None, finite_diff_rel_step=None):
        if not callable(fun):
            raise TypeError(f"fun must be callable, not {describe(fun)}.")
        self.fun, self.jac = _read_form(fun, jac)
        self._evaluate = _EVALUATE.get(self.jac, Objective._separate)
        self.structure, self.x0 = flatten(x0)
        self.segments = self.structure.segments
        self.args = args if isinstance(args, tuple) else (args,)
        self.bounds = bounds
        self.rel_step = _read_step(finite_diff_rel_step, self.x0.size)
        self.nfev = self.njev = 0
        # One 1-D array is its own view; everything else costs a tree of views at each call.
        self._shape, self._dtype = self.x0.shape, self.x0.dtype
        self._flat = self.structure.shapes == [self.x0.shape] and self.structure.tree == 0
        self._x = self._g = self._x_view = self._g_view = None

    def __call__(self, x, g, *batch):
        """Evaluate at `x`: fill `g`, return f. `fun` is called as ``fun(x, *batch, *args)``."""
        return self._evaluate(self, x, g, batch)

    def restore(self, flat):
        """Return `flat` in the structure of x0, as views."""
        return self.structure.views(flat)

    def compiled(self, columns=None):
        """Compile fun and jac into the one form that the compiled driver takes.

        Parameters
        ----------
        columns : tuple of ndarray, optional
            For minibatches: arrays with the dtype and number of dimensions of those that the driver will slice.

        Returns
        -------
        numbaopt.compiled_objective.Compiled or None
            None where it cannot be compiled: the plain driver then calls the function, and gets Numba's own error if
            there is one to get.
        """
        if not hasattr(self.fun, "py_func"):
            return None  # not jitted: spare plain objectives the import
        from numbaopt.compiled_objective import compile_objective

        return compile_objective(self, columns)

    def _together(self, x, g, batch):  # jac=True
        self.nfev += 1
        self.njev += 1
        x = x.copy()  # fun may keep or overwrite what it is given
        returned = self.fun(x if self._flat else self.structure.views(x), *batch, *self.args)
        try:
            f, grad = returned
        except (TypeError, ValueError):
            raise TypeError(f"jac=True: fun must return (f, gradient), not {describe(returned)}.") from None
        return self._accept(f, grad, g, "the gradient that fun returned")

    def _separate(self, x, g, batch):  # a callable jac
        self.nfev += 1
        a = x.copy()
        f = self.fun(a if self._flat else self.structure.views(a), *batch, *self.args)
        if type(f) is not float:
            f = as_float(f)
        self.njev += 1
        a = x.copy()
        grad = self.jac(a if self._flat else self.structure.views(a), *batch, *self.args)
        return self._accept(f, grad, g, "the gradient that jac returned")

    def _accept(self, f, grad, g, name):
        if type(f) is not float:
            f = as_float(f)
        if self._flat and type(grad) is np.ndarray and grad.dtype is self._dtype and grad.shape == self._shape:
            g[...] = grad
        else:
            self.structure.write(grad, g, name)
        return f

    def _inplace(self, x, g, batch):  # jac="inplace"
        self.nfev += 1
        self.njev += 1
        if g is not self._g:
            self._adopt(g)
        self._x[...] = x
        f = self.fun(self._x_view, self._g_view, *batch, *self.args)
        if type(f) is not float:
            f = as_float(f)
        if self.nfev == 1:
            self._check_filled(f, g)
        return f

    def _adopt(self, g):
        """Make the views that `fun` sees once, not at every call."""
        self._x, self._g = np.empty_like(self.x0), g
        self._x_view = self._x if self._flat else self.structure.views(self._x)
        self._g_view = g if self._flat else self.structure.views(g)
        if not self.nfev > 1:
            _bits(g)[...] = _UNWRITTEN[g.dtype.itemsize]

    def _check_filled(self, f, g):
        """Catch `grad = ...` for `grad[:] = ...`, and `grad += ...` on memory that was never zero."""
        left = np.flatnonzero(_bits(g) == _UNWRITTEN[g.dtype.itemsize])
        if left.size and math.isfinite(f):
            raise ValueError(
                f"jac='inplace': fun left {left.size} of the {g.size} entries of its second argument, grad, unwritten, "
                f"the first at {left[0]}. Fill the array itself (grad[:] = ..., not grad = ...); it does not start at zero."
            )

    def _differences(self, x, g, batch):  # jac=None, "2-point", "3-point", "cs"
        scheme = self.jac or "2-point"

        def evaluate(point):
            self.nfev += 1
            return self.fun(point if self._flat else self.structure.views(point), *batch, *self.args)

        raw = evaluate(x.copy())
        f = as_float(raw)
        self.njev += 1
        if not math.isfinite(f):
            g[...] = np.nan  # the run ends here: spare n evaluations
            return f
        single = getattr(raw, "dtype", None) == np.float32
        read = as_complex if scheme == "cs" else as_float
        g[...] = gradient(lambda point: read(evaluate(point)), x, f, scheme, self.bounds, self.rel_step, single)
        return f


_EVALUATE = {
    True: Objective._together,
    "inplace": Objective._inplace,
    None: Objective._differences,
    **dict.fromkeys(SCHEMES, Objective._differences),
}
# A NaN like no other, by the size of the dtype.
_UNWRITTEN = {4: np.uint32(0x7FC0BEEF), 8: np.uint64(0x7FF80000DEADBEEF)}


def _bits(g):
    return g.view(f"u{g.dtype.itemsize}")


def _read_form(fun, jac):
    """Return the function to call and its form: a callable, True, "inplace", a scheme, or None."""
    if isinstance(jac, (bool, np.bool_)):
        return fun, True if jac else None
    owner = getattr(jac, "__self__", None)
    if owner is fun and type(fun).__name__ == "MemoizeJac" and type(fun).__module__.startswith("scipy.optimize"):
        return fun.fun, True  # what SciPy makes of jac=True before it calls a custom method
    if jac is None or callable(jac) or (isinstance(jac, str) and jac in _EVALUATE):
        return fun, jac
    known = [repr(form) for form in ("inplace", *SCHEMES)]
    near = difflib.get_close_matches(repr(jac), known, 1)
    raise ValueError(
        f"jac={jac!r} is not known{f'; did you mean {near[0]}?' if near else '.'} It is a function, True (fun returns "
        f"f and gradient), 'inplace' (fun(x, grad) fills grad and returns f), '2-point', '3-point', 'cs', or None."
    )


def _read_step(step, n):
    if step is None:
        return None
    try:
        return np.broadcast_to(np.asarray(step, float), (n,))
    except (TypeError, ValueError):
        raise ValueError(f"finite_diff_rel_step must be a number or {n} numbers, not {describe(step)}.") from None


def as_float(f):
    """Return what an objective returned as a float, or raise saying what it is instead."""
    if isinstance(f, (float, int, np.floating, np.integer)):
        return float(f)
    if isinstance(f, tuple):
        raise TypeError(f"fun must return a number, not a tuple of {len(f)}; use jac=True if it returns (f, gradient).")
    if f is None:
        raise TypeError("fun returned None, not a number; does it end without a return statement?")
    return float(_scalar(f, "fiub"))


def as_complex(f):
    """Return what an objective returned at a complex point, for jac="cs"."""
    return complex(_scalar(f, "c", " at a complex x, as jac='cs' needs"))


def _scalar(f, kinds, where=""):
    try:
        array = np.asarray(f)
    except ValueError:  # ragged
        array = np.asarray([None, f], object)
    if array.size != 1:
        raise ValueError(f"fun must return a scalar{where}, not {describe(f)}.")
    if array.dtype.kind not in kinds and not (array.dtype.kind == "O" and hasattr(f, "__float__") and "f" in kinds):
        hint = " Return .real if the imaginary part is none." if array.dtype.kind == "c" else ""
        raise TypeError(f"fun must return a {'real' if 'f' in kinds else 'complex'} number{where}, not {describe(f)}.{hint}")
    return array.item()
