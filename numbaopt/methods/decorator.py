"""The decorator that turns a function into a rule."""

import functools
from collections.abc import Callable
from typing import Any, overload

from numbaopt.lowering.frontend import read
from numbaopt.methods.rule import Rule, of_one


@overload
def rule(function: Callable[..., Any], *, report: Callable[..., Any] | None = None, evaluations: int = 1) -> Rule: ...
@overload
def rule(
    function: None = None, *, report: Callable[..., Any] | None = None, evaluations: int = 1
) -> Callable[[Callable[..., Any]], Rule]: ...
def rule(function: Any = None, *, report: Any = None, evaluations: int = 1) -> Any:
    """Turn a function, which states one step as in the paper, into an optimization method.

    Parameters
    ----------
    function : function
        ``function(x, g, *slots, t, *numbers, **hyperparameters)``, which returns the new x, slots and numbers.
        Parameters before ``t`` are coordinates. A slot starts at zero unless it is annotated with an expression of x
        and hyperparameters (``z: "x"``). Parameters after ``t`` without a default are numbers carried from step to
        step, which start at zero unless annotated (``product: 1``); one of them may be ``f``, the objective's value
        at x, which is not returned. The rest are hyperparameters with their defaults; one that stands alone as the
        test of an ``if`` (``if nesterov:``) is decided before compiling.
        The body consists of assignments, ``if`` on scalars, arithmetic, and the functions of this module: sqrt, abs,
        sign, exp, log, min, max, where, isfinite, ``normal(x, seed, t)`` (noise), sum (over all coordinates), norm
        and mean (over those of one array). Under ``if matrix(x):``, x is a matrix: ``@`` and the functions of
        `numbaopt.backends.linalg` take it as a whole, and a slot may start from ``zeros(rows, 1)`` or
        ``identity(rows)``.
    report : function, optional
        Returns the answer of the method, if that is not x. Its parameters are any of x, t, and the names of slots,
        numbers and hyperparameters.
    evaluations : int
        The number of successive steps that take gradients of the same batch. It is 2 for a method in which every other
        step only moves x to the point of the next gradient.

    Returns
    -------
    Rule

    Raises
    ------
    RuleError
        A SyntaxError at the line that cannot be lowered.

    Examples
    --------
    >>> from numbaopt.rule import rule
    >>> @rule
    ... def gd(x, g, t, lr=0.1):
    ...     return x - lr * g
    >>> dict(gd.hyper)
    {'lr': 0.1}
    """
    if function is None:
        return functools.partial(rule, report=report, evaluations=evaluations)
    return of_one(read(function, report, evaluations))
