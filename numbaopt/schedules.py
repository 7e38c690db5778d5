"""Schedules: a hyperparameter as a function of the steps done, computed inside the compiled step.

``adam(lr=cosine(1e-2, 1000))``. A schedule counts from k = 0 at the first step, as torch's and optax's do, and can be
called to look at it: ``cosine(1e-2, 1000)(500)``.
"""

import ast
import functools
import inspect
import numbers
import textwrap
from itertools import pairwise
from math import cos, inf, isfinite, pi

from numbaopt.parse import RuleError

CALLS = {"abs", "cos", "exp", "log", "max", "min", "sqrt"}


class Schedule:
    """A function of the number of steps done, with its parameters bound.

    Attributes
    ----------
    values : tuple of float
        The parameters.
    """

    def __init__(self, kind, values):
        self.kind, self.values = kind, values

    def __call__(self, k):
        """Return the value after ``k`` steps."""
        return self.kind.math(k, *self.values)

    def texts(self):
        """Return {name: source} of the functions that `text` calls."""
        return {self.kind.label: self.kind.text}

    def text(self, k, at):
        """Return an expression for the value at the count ``k``, its parameters lying in h from place ``at``."""
        return f"{self.kind.label}({', '.join([k, *(f'h[{at + i}]' for i in range(len(self.values)))])})"

    def __repr__(self):
        return f"{self.kind.__name__}({', '.join(map(_shortly, self.values))})"

    def __eq__(self, other):
        return isinstance(other, Schedule) and self.__reduce__() == other.__reduce__()

    def __hash__(self):
        return hash((self.kind, self.values))

    def __reduce__(self):
        return self.kind, self.values


def _shortly(value):
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


class Joined(Schedule):
    """Schedules one after another, each counting from 0 at its own start."""

    def __init__(self, parts, boundaries):
        self.parts, self.boundaries = parts, boundaries
        self.values = tuple(float(b) for b in boundaries) + tuple(v for part in parts for v in part.values)

    def __call__(self, k):
        """Return the value after ``k`` steps."""
        index = sum(k >= b for b in self.boundaries)
        return self.parts[index](k - (0, *self.boundaries)[index])

    def texts(self):
        """Return {name: source} of the functions that `text` calls."""
        texts = {}
        for name, text in [pair for part in self.parts for pair in part.texts().items()]:
            if texts.setdefault(name, text) != text:
                raise ValueError(f"two schedules are named {name.removesuffix('_at')!r}: give one another name")
        return texts

    def text(self, k, at):
        """Return an expression for the value at the count ``k``, its parameters lying in h from place ``at``."""
        place, texts = at + len(self.boundaries), []
        for i, part in enumerate(self.parts):
            texts.append(part.text(f"({k} - h[{at + i - 1}])" if i else k, place))
            place += len(part.values)
        for i in reversed(range(len(self.boundaries))):
            texts[i] = f"({texts[i]} if {k} < h[{at + i}] else {texts[i + 1]})"
        return texts[0]

    def __repr__(self):
        return f"joined({list(self.parts)!r}, {list(self.boundaries)!r})"

    def __hash__(self):
        return hash((self.parts, self.boundaries))

    def __reduce__(self):
        return joined, (list(self.parts), list(self.boundaries))


def schedule(function):
    """Make a schedule of a function ``f(k, *parameters)`` of the number k of steps done, from 0.

    Its body may use arithmetic, conditions, pi, and abs, cos, exp, log, max, min, sqrt. Calling it with the
    parameters gives a `Schedule`, to be put in the place of a hyperparameter.

    Examples
    --------
    >>> @schedule
    ... def inverse_sqrt(k, init, steps):
    ...     return init / (1 + k / steps) ** 0.5
    >>> inverse_sqrt(0.1, 10)(30)
    0.05
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, SyntaxError):
        tree = None
    if not isinstance(tree, ast.FunctionDef):
        raise RuleError(f"{function.__name__}: no source to read; define it with `def`, in a file or a cell")
    parameters = list(inspect.signature(function).parameters)
    tree.name = label = f"{function.__name__}_at"  # so that lr may follow a schedule of the name lr
    tree.args = ast.arguments([], [ast.arg(name) for name in parameters], None, [], [], None, [])
    tree.decorator_list, tree.returns = [], None
    tree.body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    known = CALLS | {"pi"} | {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in known | set(parameters):
            names = ', '.join(sorted(known))
            raise RuleError(f"schedule {function.__name__}: unknown name {node.id!r}; known are {names}")
    signature = inspect.Signature(list(inspect.signature(function).parameters.values())[1:])

    @functools.wraps(function)
    def kind(*args, **kwargs):
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{function.__name__}{signature}: {error}") from None
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            if isinstance(value, bool) or not isinstance(value, numbers.Real) or not isfinite(value):
                raise TypeError(f"{function.__name__}: {name} is a finite real number, not {value!r}")
            if name in ("steps", "rate") and value <= 0:
                raise ValueError(f"{function.__name__}: {name} is positive, not {value!r}")
        return Schedule(kind, tuple(float(v) for v in bound.arguments.values()))

    kind.math, kind.label, kind.text, kind.__signature__ = function, label, ast.unparse(tree), signature
    return kind


@schedule
def constant(k, value):
    """Return ``value`` at every step."""
    return value


@schedule
def linear(k, init, final, steps):
    """Return a line from ``init`` to ``final`` over ``steps`` steps, then ``final``; from 0 upwards it is a warm-up."""
    return final + (init - final) * (1 - min(k / steps, 1.0))


@schedule
def exponential(k, init, rate, steps=1.0):
    """Return ``init * rate**(k / steps)``: a factor ``rate`` every ``steps`` steps, smoothly."""
    return init * rate ** (k / steps)


@schedule
def cosine(k, init, steps, final=0.0):
    """Return half a cosine from ``init`` to ``final`` over ``steps`` steps, then ``final`` (arXiv:1608.03983)."""
    return final + (init - final) * (1 + cos(pi * min(k / steps, 1.0))) / 2


def joined(schedules, boundaries):
    """Return schedules one after another, as optax's ``join_schedules``.

    Parameters
    ----------
    schedules : list of Schedule
        Each counts from 0 at its own start.
    boundaries : list of int, one fewer than schedules, increasing
        The steps at which the next schedule takes over.

    Examples
    --------
    >>> lr = joined([linear(0, 0.1, 100), cosine(0.1, 900)], [100])
    >>> lr(0), lr(50), lr(100), lr(1000)
    (0.0, 0.05, 0.1, 0.0)
    """
    parts, boundaries = tuple(schedules), tuple(boundaries)
    if not parts or not all(isinstance(part, Schedule) for part in parts):
        raise TypeError(f"joined takes a list of schedules, not {schedules!r}")
    if len(boundaries) != len(parts) - 1 or not all(a < b for a, b in pairwise((0, *boundaries, inf))):
        raise ValueError(f"{len(parts)} schedules need {len(parts) - 1} increasing boundaries, not {list(boundaries)}")
    whole = Joined(parts, boundaries)
    whole.texts()
    return whole
