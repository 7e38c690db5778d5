"""The result of a minimisation, and the interrupt that carries one.

`Result` is `scipy.optimize.OptimizeResult` in all but its cost: importing that takes as long as importing
Numba, and a run that needs nothing else of SciPy should not pay for it.
"""

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from scipy.optimize._minimize import OptimizeResult as Base  # what scipy-stubs asks of a custom method
else:
    Base = dict

_ORDER = ("message", "success", "status", "fun", "x", "nit")
MOST_LINES = 12  # that an entry of a result is printed on
WIDTH = 76


class Result(Base):
    """What a minimisation came to: a dict whose keys are attributes too.

    ``isinstance(result, scipy.optimize.OptimizeResult)`` holds.

    Attributes
    ----------
    x : ndarray, or the structure of x0
        The solution.
    fun : float
        The objective there; for minibatches, the mean that the message names.
    jac : ndarray, or the structure of x0
        The gradient.
    success : bool
        Whether a tolerance was met, or the epochs asked for are done.
    status : int
        Why it ended, as a number: see the table.
    message : str
        Why it ended, in a sentence.
    nit, nfev, njev : int
        Steps, evaluations of the objective and of its gradient.
    nonfinite : int
        Evaluations that were not finite, where the option of that name is not "stop".

    Notes
    -----
    ======  =======  ==========================================================================================
    status  success  message, and what it means
    ======  =======  ==========================================================================================
    0       True     "The gradient's largest entry is ..., within gtol=...": or that of the projected gradient
    0       True     "The last step changed the objective, relative to its size, by less than ftol=..."
    0       True     "The epoch is done", "All ... epochs are done": of minibatches
    0       True     "All independent variables were fixed by bounds."
    1       False    "Maximum number of iterations has been exceeded": options maxiter
    1       False    "Maximum number of function evaluations has been exceeded": options maxfev
    2       False    "The time is over": options maxtime
    3       False    "The objective is nan after ...", "The gradient's entry ... is ...", "x is not finite ..."
    4       False    "Broken off after ...", "Not begun, or broken off": by Ctrl-C, or what a function raised
    5       False    As of 0, "But that is at the last iterate, and a better point, x, was met on the way"
    6       False    "No lower point was found along the last direction": a solver at working precision
    7       False    "The objective raised ...": of one of many problems
    8       False    "... But x lies outside the bounds, of which this method takes none": given by a caller
    99      False    "`callback` raised `StopIteration`."
    ======  =======  ==========================================================================================

    It prints as SciPy's do. Of what would take more than twelve lines, arrays in a dict for one, only shapes and
    ranges are printed.

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
    def __class__(self):  # what isinstance asks when type() does not settle it
        optimize = sys.modules.get("scipy.optimize")
        return getattr(optimize, "OptimizeResult", Result)

    def __dir__(self):
        return list(self)

    def __reduce__(self):
        return Result, (dict(self),)

    def __repr__(self):
        return _lines(self) if self else "Result()"


class OptimizationInterrupted(KeyboardInterrupt):
    """Ctrl-C during a minimisation: what was found so far is not lost.

    Attributes
    ----------
    result : Result
        The run as it stood.

    Examples
    --------
    >>> from numbaopt import OptimizationInterrupted, minimize
    >>> def fun(x):
    ...     if x < 0.5:
    ...         raise KeyboardInterrupt  # as Ctrl-C does
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
        return f"{self.result.message} The result so far is this exception's `.result`."


def _lines(value, indent=0, margin=1):
    """Lay a dict out as SciPy lays out its results."""
    if type(value).__repr__ not in (dict.__repr__, Result.__repr__) or not value:
        with np.printoptions(
            linewidth=WIDTH - indent, edgeitems=2, threshold=12, formatter={"float_kind": _digits}
        ):
            return str(value)
    width = max(len(str(key)) for key in value) + margin
    lines = []
    for key in sorted(value, key=lambda key: _ORDER.index(key) if key in _ORDER else len(_ORDER)):
        text = _lines(value[key], indent + width + 2, 0)
        if not indent and _is_wall(value[key], text):
            text = _ranges(value[key])
        lines.append(f"{key!s:>{width}}: " + text.replace("\n", "\n" + " " * (width + 2)))
    return "\n".join(lines)


def _is_wall(value, text):
    """Tell whether a value, laid out in full, is more than one reads."""
    listed = isinstance(value, (list, tuple)) and len(text) > WIDTH  # NumPy does not abbreviate those
    return listed or not isinstance(value, str) and text.count("\n") >= MOST_LINES


def _ranges(tree):
    """Say of each array in a tree which shape it has, and between which values it lies; of many, the ends."""
    leaves = list(_leaves(tree, ""))
    width = max(len(path) for path, _ in leaves)
    lines = [f"{path:>{width}}: {_range(leaf)}" if path else _range(leaf) for path, leaf in leaves]
    if len(lines) > MOST_LINES:
        lines[6:-2] = [f"{'...':>{width}}  {len(lines) - 8} more"]
    return "\n".join(lines)


def _leaves(tree, path):
    """Yield what is in a tree with its path, at the top of a dict without quotes and brackets."""
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
    lost = f", {array.size - finite.size} not finite" * (finite.size < array.size)
    ends = f", {_digits(finite.min()).strip()} to {_digits(finite.max()).strip()}" if finite.size else ""
    return f"shape {array.shape}{ends}{lost}"


def _digits(number):
    if np.isfinite(number):
        return np.format_float_scientific(number, precision=3, pad_left=2, unique=False)
    return f"{number:10}"
