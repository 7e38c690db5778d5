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
    99      False    "`callback` raised `StopIteration`."
    ======  =======  ==========================================================================================

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
    if not isinstance(value, dict) or not value:
        with np.printoptions(
            linewidth=76 - indent, edgeitems=2, threshold=12, formatter={"float_kind": _digits}
        ):
            return str(value)
    width = max(len(str(key)) for key in value) + margin
    lines = []
    for key in sorted(value, key=lambda key: _ORDER.index(key) if key in _ORDER else len(_ORDER)):
        text = _lines(value[key], indent + width + 2, 0)
        lines.append(f"{key!s:>{width}}: " + text.replace("\n", "\n" + " " * (width + 2)))
    return "\n".join(lines)


def _digits(number):
    if np.isfinite(number):
        return np.format_float_scientific(number, precision=3, pad_left=2, unique=False)
    return f"{number:10}"
