"""Docstrings of rules, solvers and stages, composed when they are first requested.

Summary and notes are written by the author of the method. The signature and the list of hyperparameters follow from the
method, the descriptions of hyperparameters from the glossary, and the numbers of the example from the undecorated
function, which is called with NumPy arrays.
"""

import functools
import inspect
import re
import sys
import textwrap

import numpy as np

from numbaopt.methods.hyperparameters import interval, written
from numbaopt.methods.registry import get

CALL_PARAMETERS = """
fun : callable, optional
    Objective function. If it is given, the method minimizes it from `x0`, which allows passing the method as
    ``method`` to `scipy.optimize.minimize`.
x0 : array_like, optional
    Initial guess, required if `fun` is given.
args : tuple, optional
    Extra arguments passed to `fun`.
**options : optional
    Further arguments and options of `numbaopt.minimize`."""
RAISES = """TypeError
    If a hyperparameter is unknown or has the wrong type.
ValueError
    If a hyperparameter lies outside its interval."""
SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.M)
WIDTH = 110


class HelpText:
    """Descriptor of ``__doc__`` for a class whose instances have composed docstrings.

    Parameters
    ----------
    class_docstring : str
        Docstring of the class itself.
    """

    def __init__(self, class_docstring):
        self.class_docstring = class_docstring

    def __get__(self, method, owner):
        return self.class_docstring if method is None else compose(method)


def sections(text):
    r"""Return the text before the first section of a docstring, and its sections by title.

    Examples
    --------
    >>> sections("What it does.\n\nNotes\n-----\nA note.")
    ('What it does.', {'Notes': 'A note.'})
    """
    head, *parts = SECTION.split(inspect.cleandoc(text or ""))
    return head.strip(), {title: body.strip() for title, body in zip(parts[::2], parts[1::2], strict=True)}


def entries(parameters):
    """Return the descriptions in a Parameters section, by name."""
    descriptions: dict[str, str] = {}
    for block in re.split(r"\n(?=\S)", parameters):
        names, _, body = block.partition("\n")
        for name in names.partition(":")[0].split(","):
            descriptions[name.strip()] = " ".join(body.split())
    return descriptions


@functools.lru_cache(128)
def compose(method):
    """Return the docstring of a rule or solver."""
    stages = _stage_docstrings(method)
    heads, titled = zip(*(sections(text) for _, text in stages), strict=True)
    if len(stages) > 1:
        head = [f"Chain of {_enumerated([name for name, _ in stages])}, applied in this order."]
        head += [f"{name}: {text}" for (name, _), text in zip(stages, heads, strict=True)]
    else:
        head = [_overview(method), heads[0]]
    described = {name: text for each in titled for name, text in entries(each.get("Parameters", "")).items()}
    parameters = "\n".join(_parameter(method, name, value, described) for name, value in method.hyper.items())
    returned = "The method with these hyperparameters or, if `fun` is given, the result of the minimization."
    parts = [
        _filled(f"{method.name}{inspect.signature(method)}"),
        *head,
        _section("Parameters", parameters + CALL_PARAMETERS),
        _section("Returns", f"{type(method).__name__} or Result\n    {returned}"),
        _section("Raises", RAISES),
        _section("Notes", _notes(method)),
        _section("Examples", titled[0].get("Examples") if len(stages) == 1 else None) or _example(method),
    ]
    return "\n\n".join(part for part in parts if part)


def _is_solver(method):
    return method.program is None


def _stage_docstrings(method):
    """Return the name and the docstring of each stage of a method."""
    if _is_solver(method):
        return [(method.name, method.text)]
    return [(math.name, math.function.__doc__) for math, _ in method._stages]


def _overview(method):
    """Return the first line of the file of a method that has a file of its own in the package."""
    module = method.__module__ if _is_solver(method) else method.math.__module__
    if not module.startswith("numbaopt.") or module.rpartition(".")[2] != method.name:
        return ""
    return (sys.modules[module].__doc__ or "").partition("\n")[0]


def _section(title, body):
    return f"{title}\n{'-' * len(title)}\n{body}" if body else ""


def _filled(text, indent=""):
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _enumerated(names):
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _parameter(method, name, value, described):
    """Return the entry of one hyperparameter in the Parameters section."""
    from numbaopt.methods.glossary import meaning

    kind = "bool" if isinstance(value, bool) else "str" if isinstance(value, str) else "float"
    author, author_name, allowed = method.name, name, ""
    if _is_solver(method):
        if kind == "str":
            kind = f"{{{', '.join(map(repr, method.allowed(name)))}}}"
        elif kind == "float":
            kind, allowed = type(value).__name__, f" in {method.allowed(name)}"
    else:
        pairs = ((math.name, pair) for math, pairs in method._stages for pair in pairs)
        author, author_name = next((author, local) for author, (local, chain_name) in pairs if chain_name == name)
        bounds = interval(method, name)
        if kind == "float" and bounds[:2] != (-np.inf, np.inf):
            allowed = f" in {written(bounds)}"
    text = described.get(author_name) or meaning(author, author_name) or "No description by the author of the method."
    return f"{name} : {kind}{allowed}, default {value!r}\n{_filled(text, '    ')}"


def _notes(method):
    """Return the Notes section: the state, what a step needs, and the step as written by its author."""
    slots, matrix_slots = method.slots_of, method.shaped((2, 2)).slots_of
    held = [_counted(slots, "array", "of the shape of x")] if slots else []
    held += [_counted(method.numbers_of, "number")] if method.numbers_of else []
    text = [f"The state holds {' and '.join(held)}." if held else "The method has no state."]
    if matrix_slots != slots:
        text.append(f"For a matrix it holds {_enumerated(list(matrix_slots))}.")
    if held and not _is_solver(method):
        text.append("Values start at zero unless they are annotated in the signature below.")
    if method.needs_value:
        text.append("A step needs the value of the objective at x: ``step(x, g, state, f)``.")
    if method.gradients_per_step > 1:
        count = method.gradients_per_step
        text.append(f"{count} steps, with gradients of the same batch, correspond to one step of the paper.")
    if _is_solver(method):
        return _filled(" ".join(text))
    if any(not isinstance(value, bool) for value in method.hyper.values()):
        text.append(
            "A numeric hyperparameter may be a schedule (see `numbaopt.schedules`) or, where it acts on each "
            "coordinate separately, an array with one value per coordinate."
        )
    code = "\n\n".join(textwrap.indent(_source(math), "    ") for math, _ in method._stages)
    intro = "A step is defined as follows, where x are the parameters, g is their gradient, and t counts steps from 1::"
    return "\n\n".join([_filled(" ".join(text)), intro, code])


def _counted(names, kind, shape=""):
    """Return a phrase such as "2 arrays of the shape of x (m, v)"."""
    listed = ", ".join(names if len(names) < 8 else [*names[:6], "..."])
    return " ".join(filter(None, [str(len(names)), kind + "s" * (len(names) > 1), shape, f"({listed})"]))


def _source(math):
    """Return the function of a rule as its author wrote it, without decorator, docstring and marks for linters."""
    source = re.sub(r"  # (fmt|noqa|type): .*", "", textwrap.dedent("\n".join(math.lines)))
    source = source[source.index("def ") :]
    return re.sub(r'\n\s*("""|\'\'\').*?\1', "", source, count=1, flags=re.S).rstrip()


def _example(method):
    """Return the Examples section: a few lines, with the numbers that the undecorated functions return."""
    if _is_solver(method):
        return _section("Examples", _solver_example(method))
    imports = _imports(method)
    if imports is None:
        return ""
    roles = {math.role for math, _ in method._stages}
    expression, rule = f"{method.name}()", method
    if "rule" not in roles:  # a stage, which is shown before or after the simplest rule
        before, rule = "before" in roles, method.in_chain(get("sgd")(lr=1.0))
        imports += ["from numbaopt import chain, sgd"]
        expression = f"chain({expression}, sgd(lr=1.0))" if before else f"chain(sgd(lr=1.0), {expression})"
    flat = not any(math.calls("matrix") for math, _ in method._stages)
    x = [1.0, -2.0] if flat else [[1.0, -2.0], [0.5, 4.0]]
    g = [0.5, -2.0] if flat else [[0.5, -2.0], [-1.0, 0.25]]
    step = "rule.step(x, g, state, f=2.0)" if rule.needs_value else "rule.step(x, g, state)"
    lines = [
        "Two steps with the same gradient:",
        "",
        ">>> import numpy as np",
        *(f">>> {line}" for line in imports),
        f">>> x, g = np.array({x}), np.array({g})",
        f">>> rule = {expression}",
        ">>> state = rule.init(x)",
        ">>> for _ in range(2):",
        f"...     {step}",
        ">>> x",
        repr(_after_two_steps(rule, np.array(x), np.array(g), 2.0)),
    ]
    return _section("Examples", "\n".join(lines))


def _solver_example(solver):
    lines = [
        ">>> import numpy as np",
        f">>> from numbaopt import minimize, {solver.name}",
        ">>> def fun(x):",
        "...     return ((x - 1) ** 2).sum(), 2 * (x - 1)",
        f">>> result = minimize(fun, np.zeros(2), method={solver.name}(), jac=True)",
        ">>> result.success, result.x.round(6)",
        "(True, array([1., 1.]))",
    ]
    return "\n".join(lines)


def _imports(method):
    """Return the lines that import a method of the package, or None for a method of the user."""
    math = method._stages[0][0]
    module = math.function.__module__
    if len(method._stages) > 1 or not module.startswith(("numbaopt.rules.", "numbaopt.transforms.")):
        return None
    package = "numbaopt" if module.startswith("numbaopt.rules.") else "numbaopt.transforms"
    return [f"from {package} import {math.name}"]


def _after_two_steps(rule, x, g, f):
    """Return x after two steps with the same gradient, computed by the undecorated functions of the stages."""
    rule = rule.shaped(x.shape)
    s, h = rule.slots(x.reshape(-1)), rule.h
    memory = {name: rule.slot(s, name) for name in rule.slots_of}
    if rule.shape is None:
        memory = {name: row.reshape(x.shape) for name, row in memory.items()}
    memory |= {name: rule.number(h, name) for name in rule.numbers_of}
    for t in (1, 2):
        inputs = {"x": x, "g": g, "before": x, "t": t, "f": f}
        for math, pairs in rule._stages:
            named = {local: memory.get(name, rule.hyper.get(name, 0.0 * x)) for local, name in pairs}
            values = math.function(*((inputs | named)[name] for name in inspect.signature(math.function).parameters))
            values = values if isinstance(values, tuple) else (values,)
            chain_names = dict(pairs)
            results = dict(zip([*math.changes, *math.slots, *math.numbers], values, strict=True))
            memory |= {chain_names[local]: value for local, value in results.items() if local in chain_names}
            inputs |= {local: value for local, value in results.items() if local in math.changes}
            if inputs["g"] is None:  # a gate skips the stages after it
                break
        x = inputs["x"]
    return x
