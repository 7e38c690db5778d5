"""Parsing the function of a rule: its signature, its body as a syntax tree, and errors that point to its lines."""

import ast
import functools
import inspect
import textwrap
from dataclasses import dataclass, field, replace

from numbaopt.lowering.grammar import RESERVED, SHAPES

INPUTS = ("x", "g", "before")  # coordinates that are no slots; `before` is x before this step


class RuleError(SyntaxError):
    """A rule that cannot be lowered; the message says what is not accepted, and the location is a line of the rule.

    Examples
    --------
    >>> from numbaopt import RuleError, rule
    >>> try:
    ...     rule(lambda x, g, t, lr=0.1: x - lr * g)
    ... except RuleError as error:
    ...     error.msg
    '<lambda>: a rule is a function written with `def`'
    """


@dataclass(frozen=True, eq=False)
class Math:
    """One rule, or one stage of a chain, as its author wrote it."""

    name: str
    function: object
    file: str
    line: int
    lines: list
    coordinates: tuple = ()  # x, g, then the slots; a stage may have only one of x and g
    numbers: tuple = ()  # numbers that are carried from step to step, beside the slots
    starts: dict = field(default_factory=dict)  # slot or number -> expression for its start, None for zero
    needs_value: bool = False  # whether it reads f, the objective's value at x
    gradients_per_step: int = 1  # consecutive gradients of one batch that it takes
    report: object = None  # function of x, slots and hyperparameters: the point to report, where that is not x
    hyper: dict = field(default_factory=dict)  # hyperparameter -> default
    body: list = field(default_factory=list)  # statements before the return
    returns: list = field(default_factory=list)  # expressions: the new x (or g, or both), then slots and numbers
    constants: dict = field(default_factory=dict)  # numbers of the author's own module

    @property
    def slots(self):
        """Names of the slots, in order."""
        return [name for name in self.coordinates if name not in INPUTS]

    @property
    def changes(self):
        """What the function returns before its slots: x, g, or g and x."""
        both = self.coordinates[:2] == ("g", "x") and len(self.returns) == 2 + len(self.slots) + len(self.numbers)
        return ["g", "x"] if both else [self.coordinates[0]]

    @property
    def role(self):
        """``"before"`` the rule, ``"after"`` it, or the ``"rule"`` itself."""
        after = "g" not in self.coordinates or "before" in self.coordinates
        return "before" if "g" in self.changes else "after" if after else "rule"

    def calls(self, name):
        """Return whether the function calls ``name``."""
        return name in self.called

    @functools.cached_property
    def called(self):
        """Names of all functions that the function calls."""
        nodes = [node for part in (*self.body, *self.returns) for node in ast.walk(part)]
        return {getattr(node.func, "id", None) for node in nodes if isinstance(node, ast.Call)}

    def error(self, node, message):
        """Return a RuleError that points to ``node`` in the author's file."""
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
        return RuleError(f"{self.name}: {message}", (self.file, self.line + line - 1, column, self.lines[line - 1]))


def read(function, report=None, evaluations=1):
    """Parse the function of a rule and check its form; see `numbaopt.rule.rule` for the arguments."""
    math, tree = _parsed(function)
    names, defaults = _signature(math, tree)
    split, last = names.index("t"), len(names) - len(defaults)  # where t is, where hyperparameters begin
    numbers = [name for name in names[split + 1 : last] if name != "f"]
    remembered = {*names[:split], *numbers}.difference(INPUTS)
    body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    if not body or not isinstance(body[-1], ast.Return) or body[-1].value is None:
        raise math.error(tree, "the last statement must return the new x, then the slots in order")
    value = body[-1].value
    math = replace(
        math,
        coordinates=tuple(names[:split]),
        numbers=tuple(numbers),
        starts={arg.arg: start(math, arg, names[last:]) for arg in tree.args.args if arg.arg in remembered},
        needs_value="f" in names[split + 1 : last],
        report=report,
        gradients_per_step=evaluations,
        hyper=dict(zip(names[last:], defaults, strict=True)),
        body=body[:-1],
        returns=value.elts if isinstance(value, ast.Tuple) else [value],
        constants={k: v for k, v in function.__globals__.items() if type(v) in (int, float) and v == v},
    )
    if len(math.returns) != len(math.changes) + len(math.slots) + len(math.numbers):
        expected = ", ".join([f"the new {names[0]}", *math.slots, *math.numbers])
        hint = f" ({numbers[0]} has no default: a number carried from step to step)" if numbers else ""
        raise math.error(body[-1], f"returns {len(math.returns)} values; it should return {expected}{hint}")
    return math


def _parsed(function):
    """Return a `Math` that knows the source of a function, and the syntax tree of the function."""
    name = getattr(function, "__name__", repr(function))
    try:
        lines, line = inspect.getsourcelines(function)
    except (OSError, TypeError):
        raise RuleError(f"{name}: no source to read; define it with `def`, in a file or a notebook cell") from None
    source = textwrap.dedent("".join(lines))
    try:
        tree = ast.parse(source).body[0]
    except SyntaxError:  # a lambda in the middle of a larger expression
        tree = None
    math = Math(name, function, inspect.getsourcefile(function) or "<unknown>", line, source.splitlines())
    if not isinstance(tree, ast.FunctionDef) or tree.name != function.__name__:  # the source found is another text
        raise math.error(tree, "a rule is a function written with `def`")
    return math, tree


def _signature(math, tree):
    """Check the signature of a rule; return the names of its parameters, and the defaults."""
    a, defaults = tree.args, math.function.__defaults__ or ()
    names = [arg.arg for arg in a.args]
    if a.vararg or a.kwarg or a.kwonlyargs or a.posonlyargs:
        raise math.error(tree, "the signature must be coordinates, t, hyperparameters with defaults; no *, / or **")
    if "t" not in names or names[0] not in ("x", "g"):
        raise math.error(tree, "the signature must start with x, g and have the step number t before hyperparameters")
    for arg in a.args:
        if arg.arg in RESERVED:
            raise math.error(arg, f"{arg.arg!r} has a meaning of its own in compiled steps; choose another name")
    last = len(names) - len(a.defaults)
    if last <= names.index("t"):
        raise math.error(tree, "hyperparameters (after t) must have defaults, coordinates (before t) must not")
    for name, default in zip(names[last:], defaults, strict=True):
        if not (isinstance(default, (bool, int, float)) or hasattr(default, "texts")):
            raise math.error(tree, f"the default of {name} is a number, a flag or a schedule, not {default!r}")
    return names, defaults


def start(math, slot, hyper):
    """Return the text of an annotation, ``z: "x"`` or ``z: x``, which is an initial value; None without one."""
    if slot.annotation is None:
        return None
    text = getattr(slot.annotation, "value", None) if isinstance(slot.annotation, ast.Constant) else None
    text = text if isinstance(text, str) else ast.unparse(slot.annotation)
    try:
        used = {node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name)}
    except SyntaxError:
        used = {text}
    if not used <= {"x", *hyper, *SHAPES}:
        message = f"{slot.arg} starts at {text!r}; an annotation must be an expression of x and hyperparameters"
        raise math.error(slot, message)
    return text
