"""The docstring of a rule or solver, composed when it is first asked for.

Summary and notes are the author's. Signature and hyperparameters follow from the method, their meaning from the
glossary, and the example's numbers from one step of the undecorated function on NumPy arrays.
"""

import functools
import inspect
import re
import textwrap

import numpy as np

from numbaopt.methods.hyperparameters import interval
from numbaopt.methods.registry import get

ARGUMENTS = """
fun, x0, args, **options : optional
    An objective and a start, by place: then the method minimises at once, with the arguments and options of
    `numbaopt.minimize`. So it can stand as ``method`` in `scipy.optimize.minimize`."""
SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.M)


class HelpText:
    """The ``__doc__`` of a class whose instances compose one of their own.

    Parameters
    ----------
    own : str
        The docstring of the class itself.
    """

    def __init__(self, own):
        self.own = own

    def __get__(self, method, owner):
        return self.own if method is None else compose(method)


def sections(text):
    r"""Return a docstring's head and its sections by title.

    Examples
    --------
    >>> sections("What it does.\n\nNotes\n-----\nA note.")
    ('What it does.', {'Notes': 'A note.'})
    """
    head, *rest = SECTION.split(inspect.cleandoc(text or ""))
    return head.strip(), {title: body.strip() for title, body in zip(rest[::2], rest[1::2], strict=True)}


def entries(parameters):
    """Return {name: meaning} of a Parameters section."""
    found: dict[str, str] = {}
    for block in re.split(r"\n(?=\S)", parameters):
        head, _, body = block.partition("\n")
        for name in head.partition(":")[0].split(","):
            found[name.strip()] = " ".join(body.split())
    return found


@functools.lru_cache(128)
def compose(method):
    """Return the docstring of a rule or solver."""
    stages = authors(method)
    heads, given = zip(*(sections(text) for _, text in stages), strict=True)
    summary, _, more = heads[0].partition("\n\n")
    if len(stages) > 1:
        summary = f"A chain of {', '.join(name for name, _ in stages)}."
        more = "\n\n".join(f"{name}: {head}" for (name, _), head in zip(stages, heads, strict=True))
    known = {name: text for own in given for name, text in entries(own.get("Parameters", "")).items()}
    parameters = [_parameter(method, name, value, known) for name, value in method.hyper.items()]
    parts = [
        "\n".join(textwrap.wrap(f"{method.name}{inspect.signature(method)}", 110)),
        summary,
        more,
        _section("Parameters", "\n".join(parameters) + ARGUMENTS),
        _section(
            "Returns",
            f"{type(method).__name__}\n    The method with these hyperparameters; with an objective, a `Result`.",
        ),
        _section(
            "Raises",
            "TypeError, ValueError\n    For a hyperparameter that it does not have, or that cannot have this value.",
        ),
        _section("Notes", notes(method)),
        _section("Examples", given[0].get("Examples") if len(stages) == 1 else None) or example(method),
    ]
    return "\n\n".join(part for part in parts if part)


def authors(method):
    """Return the name and the author's docstring of each stage of a method."""
    if hasattr(method, "math"):
        return [(math.name, math.function.__doc__) for math, _ in method._stages]
    return [(method.name, method.text)]


def _section(title, body):
    return f"{title}\n{'-' * len(title)}\n{body}" if body else ""


def _parameter(method, name, value, known):
    """Return the entry of one hyperparameter."""
    from numbaopt.methods.glossary import meaning

    kind = "bool" if isinstance(value, bool) else "str" if isinstance(value, str) else "float"
    author, word, allowed = method.name, name, ""
    if hasattr(method, "math"):
        author, word = next((math.name, own) for math, pairs in method._stages for own, whole in pairs if whole == name)
        low, high, ends = interval(method, name)
        if kind == "float" and (low, high) != (-np.inf, np.inf):
            allowed = f" in {ends[0]}{low}, {high}{ends[1]}"
    elif kind == "str":
        kind = f"{{{', '.join(map(repr, method.allowed(name)))}}}"
    elif kind == "float":
        kind, allowed = type(value).__name__, f" in {method.allowed(name)}"
    text = known.get(word) or meaning(author, word) or "Not explained by its author."
    lines = textwrap.wrap(text, 110, initial_indent="    ", subsequent_indent="    ")
    return "\n".join([f"{name} : {kind}{allowed}, default {value!r}", *lines])


def notes(method):
    """Return what a step remembers, what it asks for, and the step as its author wrote it."""
    slots, large = method.slots_of, method.shaped((2, 2)).slots_of
    kept = [_listed(slots, "array", "like x")] if slots else []
    kept += [_listed(method.numbers_of, "number", "")] if method.numbers_of else []
    text = [f"Memory between steps: {' and '.join(kept) or 'none'}."]
    if large != slots:
        text.append(f"Of a matrix it remembers {', '.join(large)}, as the signature below starts them.")
    if method.needs_value:
        text.append("A step asks for the objective's value at x, too: ``step(x, g, state, f)``.")
    if method.gradients_per_step > 1:
        text.append(f"{method.gradients_per_step} steps, with gradients of the same batch, make one of the paper's.")
    if not hasattr(method, "math"):
        return "\n".join(textwrap.wrap(" ".join(text), 110))
    if any(not isinstance(value, bool) for value in method.hyper.values()):
        text.append(
            "A number may be a schedule of `numbaopt.schedules`, or an array with one value for each coordinate."
        )
    code = "\n\n".join(textwrap.indent(written(math), "    ") for math, _ in method._stages)
    intro = "The step, as it is written; x are the parameters, g is their gradient, t the number of the step::"
    return "\n\n".join(["\n".join(textwrap.wrap(" ".join(text), 110)), intro, code])


def _listed(names, what, like):
    """Say how many there are of what, and their names."""
    shown = ", ".join(names if len(names) < 8 else [*names[:6], "..."])
    return " ".join([str(len(names)), what + "s" * (len(names) > 1), *[like] * bool(like), f"({shown})"])


def written(math):
    """Return a rule's function as its author wrote it, without decorator and docstring."""
    source = textwrap.dedent("\n".join(math.lines))
    source = source[source.index("def ") :]
    return re.sub(r'\n\s*("""|\'\'\').*?\1', "", source, count=1, flags=re.S).rstrip()


def example(method):
    """Return an Examples section: a few lines, and the numbers that the plain functions give."""
    if not hasattr(method, "math"):
        lines = [
            ">>> import numpy as np",
            f">>> from numbaopt import minimize, {method.name}",
            ">>> def fun(x):",
            "...     return ((x - 1) ** 2).sum(), 2 * (x - 1)",
            f">>> result = minimize(fun, np.zeros(2), method={method.name}(), jac=True)",
            ">>> result.success, result.x.round(6)",
            "(True, array([1., 1.]))",
        ]
        return _section("Examples", "\n".join(lines))
    home = _imported(method)
    if home is None:
        return ""
    roles = {math.role for math, _ in method._stages}
    name, rule = method.name, method
    if "rule" not in roles:  # a stage, before or after a rule that is as plain as can be
        before, rule = "before" in roles, method.in_chain(get("sgd")(lr=1.0))
        home += ["from numbaopt import chain, sgd"]
        name = f"chain({method.name}, sgd(lr=1.0))" if before else f"chain(sgd(lr=1.0), {method.name})"
    flat = not any(math.calls("matrix") for math, _ in method._stages)
    x = [1.0, -2.0] if flat else [[1.0, -2.0], [0.5, 4.0]]
    g = [0.5, -2.0] if flat else [[0.5, -2.0], [-1.0, 0.25]]
    step = "rule.step(x, g, state, f=2.0)" if rule.needs_value else "rule.step(x, g, state)"
    lines = [
        ">>> import numpy as np",
        *(f">>> {line}" for line in home),
        f">>> x, g = np.array({x}), np.array({g})",
        f">>> rule = {name}",
        ">>> state = rule.init(x)",
        ">>> for _ in range(2):",
        f"...     {step}",
        ">>> x",
        repr(plain(rule, np.array(x), np.array(g), 2.0)),
    ]
    return _section("Examples", "\n".join(lines))


def _imported(method):
    """Return the lines that import a method that comes with the package; None for one of the user's own."""
    math = method._stages[0][0]
    home = math.function.__module__
    if len(method._stages) > 1 or not home.startswith(("numbaopt.rules.", "numbaopt.transforms.")):
        return None
    place = "numbaopt" if home.startswith("numbaopt.rules.") else "numbaopt.transforms"
    return [f"from {place} import {math.name}"]


def plain(rule, x, g, f):
    """Return x after two steps with a gradient, by the undecorated functions of the stages."""
    rule = rule.shaped(x.shape)
    s, h = rule.slots(x.reshape(-1)), rule.h
    kept = {name: rule.slot(s, name) for name in rule.slots_of}
    if rule.shape is None:
        kept = {name: row.reshape(x.shape) for name, row in kept.items()}
    kept |= {name: rule.number(h, name) for name in rule.numbers_of}
    for t in (1, 2):
        now = {"x": x, "g": g, "before": x, "t": t, "f": f}
        for math, pairs in rule._stages:
            own = {author: kept.get(whole, rule.hyper.get(whole, 0.0 * x)) for author, whole in pairs}
            out = math.function(*((now | own)[name] for name in inspect.signature(math.function).parameters))
            out = out if isinstance(out, tuple) else (out,)
            whole = dict(pairs)
            changed = dict(zip([*math.changes, *math.slots, *math.numbers], out, strict=True))
            kept |= {whole[name]: value for name, value in changed.items() if name in whole}
            now |= {name: value for name, value in changed.items() if name in math.changes}
            if now["g"] is None:  # a gate: what stands behind does nothing
                break
        x = now["x"]
    return x
