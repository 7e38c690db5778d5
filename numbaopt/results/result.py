"""The result of a minimization, and the exception that carries it after an interruption.

`Result` behaves like `scipy.optimize.OptimizeResult` but does not import it. Importing `scipy.optimize` takes as long
as importing Numba, and a run that needs nothing else of SciPy should not have to wait for it.
"""

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from scipy.optimize._minimize import OptimizeResult as Base  # the type that scipy-stubs requires of a custom method
else:
    Base = dict

_FIRST_KEYS = ("message", "success", "status", "fun", "x", "nit")
MOST_LINES = 12  # a value that would take more lines is summarized
WIDTH = 76  # characters


class Result(Base):
    """The result of a minimization: a dict whose keys are also available as attributes.

    ``isinstance(result, scipy.optimize.OptimizeResult)`` is true.

    Attributes
    ----------
    x : ndarray, or the structure of x0
        The solution.
    fun : float
        The value of the objective at `x`; for minibatches, the mean that the message describes.
    jac : ndarray, or the structure of x0
        The gradient at `x`.
    success : bool
        Whether a tolerance was met, or all epochs were completed.
    status : int
        Why the run ended, as a number. See the table below.
    message : str
        Why the run ended, as a sentence.
    nit, nfev, njev : int
        The number of steps, of evaluations of the objective and of evaluations of its gradient.
    nonfinite : int
        The number of evaluations that were not finite; only if the option ``nonfinite`` is not "stop".

    Notes
    -----
    ======  =======  ==========================================================================================
    status  success  why the run ended
    ======  =======  ==========================================================================================
    0       True     The largest entry of the gradient, or with bounds of the projected gradient, is within gtol.
    0       True     The last step changed the objective, relative to its size, by less than ftol.
    0       True     All epochs of minibatches were completed.
    0       True     The bounds fix all variables.
    1       False    The number of iterations reached the option maxiter.
    1       False    The number of evaluations reached the option maxfev.
    2       False    The run took longer than the option maxtime.
    3       False    The objective, an entry of its gradient or x is not finite.
    4       False    The run was interrupted by Ctrl-C or by an exception; or it was never started.
    5       False    The last iterate met a tolerance, but an earlier iterate, which is returned as x, is better.
    6       False    A solver found no lower point along its last direction, as happens at working precision.
    7       False    The objective of this problem raised an exception (`minimize_many`).
    8       False    x lies outside bounds that were passed to a method that does not support bounds.
    99      False    ``callback`` raised ``StopIteration``.
    ======  =======  ==========================================================================================

    A result prints like those of SciPy. Of values that would take more than twelve lines, for example a dict of many
    arrays, only the shapes and ranges of the arrays are printed.

    Examples
    --------
    >>> from numbaopt import Result
    >>> result = Result(x=[1.0], fun=0.5, nit=3)
    >>> result.fun, result["nit"]
    (0.5, 3)
    """

    x: Any
    fun: float
    jac: Any
    success: bool
    status: int
    message: str
    nit: int
    nfev: int
    njev: int

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name, value):
        self[name] = value

    def __delattr__(self, name):
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None

    @property  # type: ignore[misc]
    def __class__(self):  # isinstance consults this if type() is not a subclass
        optimize = sys.modules.get("scipy.optimize")
        return getattr(optimize, "OptimizeResult", Result)

    def __dir__(self):
        return list(self)

    def __reduce__(self):
        return Result, (dict(self),)

    def __repr__(self):
        return _lines(self) if self else "Result()"


class OptimizationInterrupted(KeyboardInterrupt):
    """Raised when a minimization is interrupted by Ctrl-C, with the result so far.

    It is a subclass of `KeyboardInterrupt`.

    Attributes
    ----------
    result : Result
        The result at the time of the interruption.

    Examples
    --------
    >>> from numbaopt import OptimizationInterrupted, minimize
    >>> def fun(x):
    ...     if x < 0.5:
    ...         raise KeyboardInterrupt  # the effect of Ctrl-C
    ...     return x**2
    >>> try:
    ...     minimize(fun, 1.0, method="sgd", options={"lr": 0.1})
    ... except OptimizationInterrupted as interrupt:
    ...     bool(interrupt.result.x < 1.0)
    True
    """

    result: Result

    def __init__(self, result: Result):
        super().__init__(result)
        self.result = result

    def __str__(self):
        return f"{self.result.message} The result so far is the attribute `.result` of this exception."


def _lines(value, indent=0, margin=1):
    """Return the text of a dict in the layout of SciPy's results."""
    if type(value).__repr__ not in (dict.__repr__, Result.__repr__) or not value:
        with np.printoptions(linewidth=WIDTH - indent, edgeitems=2, threshold=12, formatter={"float_kind": _digits}):
            return str(value)
    width = max(len(str(key)) for key in value) + margin
    lines = []
    for key in sorted(value, key=lambda key: _FIRST_KEYS.index(key) if key in _FIRST_KEYS else len(_FIRST_KEYS)):
        text = _lines(value[key], indent + width + 2, 0)
        if not indent and _is_too_long(value[key], text):
            text = _ranges(value[key])
        lines.append(f"{key!s:>{width}}: " + text.replace("\n", "\n" + " " * (width + 2)))
    return "\n".join(lines)


def _is_too_long(value, text):
    """Return whether the full text of a value is too long to be printed."""
    long_list = isinstance(value, (list, tuple)) and len(text) > WIDTH  # NumPy abbreviates only arrays
    return long_list or not isinstance(value, str) and text.count("\n") >= MOST_LINES


def _ranges(tree):
    """Return the shape and range of each array in a tree, one on a line; of many arrays only the first and last."""
    leaves = list(_leaves(tree, ""))
    width = max(len(path) for path, _ in leaves)
    lines = [f"{path:>{width}}: {_range(leaf)}" if path else _range(leaf) for path, leaf in leaves]
    if len(lines) > MOST_LINES:
        lines[6:-2] = [f"{'...':>{width}}  {len(lines) - 8} more"]
    return "\n".join(lines)


def _leaves(tree, path):
    """Yield (path, leaf) for each leaf of a tree. Keys of the outermost dict have no quotes and brackets."""
    if isinstance(tree, dict) and tree:
        for key, child in tree.items():
            yield from _leaves(child, f"{path}[{key!r}]" if path else str(key))
    elif isinstance(tree, (list, tuple)) and not all(np.ndim(child) == 0 for child in tree):
        for i, child in enumerate(tree):
            yield from _leaves(child, f"{path}[{i}]")
    else:
        yield path, tree


def _range(leaf):
    array = np.asarray(leaf)
    if array.dtype.kind not in "fiub" or not array.size:
        text = " ".join(repr(leaf).split())
        return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."
    finite = array[np.isfinite(array)]
    nonfinite = f", {array.size - finite.size} not finite" * (finite.size < array.size)
    ends = f", {_digits(finite.min()).strip()} to {_digits(finite.max()).strip()}" if finite.size else ""
    return f"shape {array.shape}{ends}{nonfinite}"


def _digits(number):
    if np.isfinite(number):
        return np.format_float_scientific(number, precision=3, pad_left=2, unique=False)
    return f"{number:10}"
