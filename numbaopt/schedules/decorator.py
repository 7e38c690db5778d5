"""@schedule: a hyperparameter's course is one function of the steps done."""

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
    """A function of the number of steps done, with its parameters bound: what goes in the place of a hyperparameter.

    Attributes
    ----------
    kind : callable
        What makes it of its parameters: `numbaopt.schedules.cosine`, say.
    values : tuple of float
        The parameters.

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
            Steps done, from 0.

        Returns
        -------
        float
        """
        return self.kind.math(k, *self.values)

    def texts(self) -> dict[str, str]:
        """Return {name: source} of the functions that `text` calls.

        Returns
        -------
        dict of str
        """
        return {self.kind.label: self.kind.text}

    def text(self, k: str, at: int) -> str:
        """Return an expression for the value, in the words of compiled steps.

        Parameters
        ----------
        k : str
            The count.
        at : int
            Where in h its numbers begin.

        Returns
        -------
        str
        """
        return f"{self.kind.label}({', '.join([k, *(f'h[{at + i}]' for i in range(len(self.values)))])})"

    def __repr__(self):
        given = list(self.values)
        for parameter in reversed(self.kind.__signature__.parameters.values()):
            if parameter.default != given[-1]:
                break
            given.pop()
        return f"{self.kind.__name__}({', '.join(map(shortly, given))})"

    def __eq__(self, other):
        return isinstance(other, Schedule) and self.__reduce__() == other.__reduce__()

    def __hash__(self):
        return hash((self.kind, self.values))

    def __reduce__(self):
        return self.kind, self.values


def shortly(value):
    """Return the shortest text that gives a number, a schedule or a list of them back."""
    if isinstance(value, list):
        return f"[{', '.join(map(shortly, value))}]"
    if isinstance(value, Schedule):
        return repr(value)
    return f"{value:g}" if float(f"{value:g}") == value else repr(float(value))


def checked(label, name, value, bound=None):
    """Return a parameter as a float; TypeError if it is no finite real number, ValueError if out of its bound."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not isfinite(value):
        raise TypeError(f"{label}: {name} is a finite real number, not {value!r}")
    if bound and not BOUNDS[bound](value):
        raise ValueError(f"{label}: {name} is {bound}, not {value!r}")
    return float(value)


@overload
def schedule(function: Callable[Concatenate[float, P], float], /) -> Callable[P, Schedule]: ...
@overload
def schedule(**bounds: str) -> Callable[[Callable[Concatenate[float, P], float]], Callable[P, Schedule]]: ...
def schedule(function: Any = None, /, **bounds: str) -> Any:
    """Make a schedule of a function ``f(k, *parameters)`` of the number k of steps done, from 0.

    Its body may use arithmetic, conditions, pi, and abs, cos, exp, log, max, min, sqrt. Calling it with the
    parameters gives a `Schedule`, to be put in the place of a hyperparameter.

    Parameters
    ----------
    function : function
    **bounds : {"positive", "at least 0", "at least 1"}
        What a parameter must be, by its name, ``@schedule(power="positive")``. Those named steps and rate are positive.

    Returns
    -------
    function
        Of the parameters: it returns a `Schedule`.

    Raises
    ------
    RuleError
        A SyntaxError, for what the body may not say.
    TypeError
        For a bound that is none, or of no parameter.

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
        raise RuleError(f"{function.__name__}: no source to read; define it with `def`, in a file or a cell")
    parameters = list(inspect.signature(function).parameters)
    for name, bound in bounds.items():
        if name not in parameters or bound not in BOUNDS:
            raise TypeError(f"schedule {function.__name__}: {name}={bound!r} does not bound a parameter of it")
    tree.name = label = f"{function.__name__}_at"  # so that lr may follow a schedule of the name lr
    tree.args = ast.arguments([], [ast.arg(name) for name in parameters], None, [], [], None, [])
    tree.decorator_list, tree.returns = [], None
    tree.body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    known = CALLS | {"pi"} | {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in known | set(parameters):
            names = ", ".join(sorted(known))
            raise RuleError(f"schedule {function.__name__}: unknown name {node.id!r}; known are {names}")
    own = list(inspect.signature(function).parameters.values())[1:]
    signature = inspect.Signature([parameter.replace(annotation=parameter.empty) for parameter in own])
    bounds = {"steps": "positive", "rate": "positive"} | bounds

    @functools.wraps(function)
    def kind(*args, **kwargs):
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{function.__name__}{signature}: {error}") from None
        bound.apply_defaults()
        given = bound.arguments.items()
        return Schedule(kind, tuple(checked(function.__name__, name, v, bounds.get(name)) for name, v in given))

    made: Any = kind
    made.math, made.label, made.text, made.__signature__ = function, label, ast.unparse(tree), signature
    return made
