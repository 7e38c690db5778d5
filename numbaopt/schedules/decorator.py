"""The decorator that turns a function of the step number into a schedule."""

import ast
import functools
import inspect
import numbers
import textwrap
from collections.abc import Callable
from math import isfinite
from typing import Any, Concatenate, ParamSpec, overload

from numbaopt.lowering.frontend import RuleError

P = ParamSpec("P")

CALLS = {"abs", "cos", "exp", "log", "max", "min", "sqrt"}
BOUNDS = {"positive": lambda v: v > 0, "at least 0": lambda v: v >= 0, "at least 1": lambda v: v >= 1}


class Schedule:
    """A function of the number of steps done, with bound parameters, that takes the place of a hyperparameter.

    Attributes
    ----------
    kind : callable
        Function that creates the schedule from its parameters, such as `numbaopt.schedules.cosine`.
    values : tuple of float
        Values of the parameters.

    Examples
    --------
    >>> from numbaopt import adam, schedules
    >>> rule = adam(lr=schedules.cosine(0.1, 1000))
    >>> rule.hyper["lr"](500)
    0.05
    """

    def __init__(self, kind, values):
        self.kind, self.values = kind, values

    def __call__(self, k: float) -> float:
        """Return the value after ``k`` steps.

        Parameters
        ----------
        k : int
            Number of steps done, starting at 0.

        Returns
        -------
        float
        """
        return self.kind.math(k, *self.values)

    def texts(self) -> dict[str, str]:
        """Return the source of the functions that `text` calls.

        Returns
        -------
        dict of str
            Source code by name of the function.
        """
        return {self.kind.label: self.kind.text}

    def text(self, k: str, at: int) -> str:
        """Return an expression for the value, in the language of compiled steps.

        Parameters
        ----------
        k : str
            Expression for the number of steps done.
        at : int
            Index of the schedule's first number in the array h of hyperparameters.

        Returns
        -------
        str
        """
        return f"{self.kind.label}({', '.join([k, *(f'h[{at + i}]' for i in range(len(self.values)))])})"

    def __repr__(self):
        values = list(self.values)
        for parameter in reversed(self.kind.__signature__.parameters.values()):
            if parameter.default != values[-1]:
                break
            values.pop()
        return f"{self.kind.__name__}({', '.join(map(short_repr, values))})"

    def __eq__(self, other):
        return isinstance(other, Schedule) and self.__reduce__() == other.__reduce__()

    def __hash__(self):
        return hash((self.kind, self.values))

    def __reduce__(self):
        return self.kind, self.values


def short_repr(value):
    """Return the shortest expression that evaluates to a number, a schedule or a list of them."""
    if isinstance(value, list):
        return f"[{', '.join(map(short_repr, value))}]"
    if isinstance(value, Schedule):
        return repr(value)
    return f"{value:g}" if float(f"{value:g}") == value else repr(float(value))


def check_parameter(label, name, value, bound=None):
    """Return a parameter as a float; raise TypeError or ValueError unless it is finite, real and within its bound."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not isfinite(value):
        raise TypeError(f"{label}: {name} must be a finite real number, not {value!r}")
    if bound and not BOUNDS[bound](value):
        raise ValueError(f"{label}: {name} must be {bound}, not {value!r}")
    return float(value)


@overload
def schedule(function: Callable[Concatenate[float, P], float], /) -> Callable[P, Schedule]: ...
@overload
def schedule(**bounds: str) -> Callable[[Callable[Concatenate[float, P], float]], Callable[P, Schedule]]: ...
def schedule(function: Any = None, /, **bounds: str) -> Any:
    """Turn a function into a schedule.

    Parameters
    ----------
    function : function
        ``f(k, *parameters)`` returns the value after k steps, where k starts at 0. Its body may use arithmetic,
        conditions, pi, abs, cos, exp, log, max, min and sqrt.
    **bounds : {"positive", "at least 0", "at least 1"}
        Bounds of parameters by name, as in ``@schedule(power="positive")``. Parameters named steps or rate must be
        positive by default.

    Returns
    -------
    function
        Function of the parameters that returns a `Schedule`, which can take the place of a hyperparameter.

    Raises
    ------
    RuleError
        If the body uses unknown names, or the source of the function is not available. It is a SyntaxError.
    TypeError
        If a bound is unknown or does not name a parameter.

    Examples
    --------
    >>> from numbaopt.schedules import schedule
    >>> @schedule
    ... def inverse_sqrt(k, init, steps):
    ...     return init / (1 + k / steps) ** 0.5
    >>> inverse_sqrt(0.1, 10)(30)
    0.05
    """
    if function is None:
        return functools.partial(schedule, **bounds)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, SyntaxError):
        tree = None
    if not isinstance(tree, ast.FunctionDef):
        raise RuleError(f"{function.__name__}: no source to read; define it with `def`, in a file or a notebook cell")
    parameters = list(inspect.signature(function).parameters)
    for name, bound in bounds.items():
        if name not in parameters or bound not in BOUNDS:
            allowed = ", ".join(map(repr, BOUNDS))
            raise TypeError(
                f"schedule {function.__name__}: {name}={bound!r} must name one of its parameters and one of the bounds "
                f"{allowed}"
            )
    tree.name = label = f"{function.__name__}_at"  # a hyperparameter lr may follow a schedule named lr
    tree.args = ast.arguments([], [ast.arg(name) for name in parameters], None, [], [], None, [])
    tree.decorator_list, tree.returns = [], None
    tree.body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    known = CALLS | {"pi"} | {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in known | set(parameters):
            names = ", ".join(sorted(known))
            raise RuleError(f"schedule {function.__name__}: unknown name {node.id!r}; available names are {names}")
    after_k = list(inspect.signature(function).parameters.values())[1:]
    signature = inspect.Signature([parameter.replace(annotation=parameter.empty) for parameter in after_k])
    bounds = {"steps": "positive", "rate": "positive"} | bounds

    @functools.wraps(function)
    def kind(*args, **kwargs):
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{function.__name__}{signature}: {error}") from None
        bound.apply_defaults()
        values = bound.arguments.items()
        checked = (check_parameter(function.__name__, name, value, bounds.get(name)) for name, value in values)
        return Schedule(kind, tuple(checked))

    factory: Any = kind
    factory.math, factory.label, factory.text, factory.__signature__ = function, label, ast.unparse(tree), signature
    return factory
