"""A compiled driver's text: its loop, with the rule's step and `observe` spliced in where they are called.

Between functions an array travels with its reference count, which costs more than a step of two coordinates. The driver
in `loop` is still the one to read, and the one that runs where a rule takes several passes: there the step is a call.
"""

import inspect
import re
import textwrap

from numbaopt.drivers import double_buffer, stopping, termination
from numbaopt.lowering import emit_cpu, runtime_text

# Of lines that are for some methods only, and of those for runs of which a history is kept.
MARKS = {"valued", "rule", "solver", "forgiving", "history forgiving"}
MARKS |= {"history", "history rule", "history solver", "history x rule", "history x solver", "history numbers"}
TRACE = ", trace, points, first"  # the parameters of a driver that are for these
# With the mark "apart" steps go from row to row (see `numbaopt.drivers.double_buffer`): further parameters, what is said at the
# beginning, a step, and what `observe` keeps in the place of a point, which stays where it is.
ROWS = ", spare, place, kept"
ROOM = "xs, gs = (x, block[BEST_X], spare), (g, block[BEST_G])", "flag, one = kept[:1], kept[1]"
STEP = "step(t, x, xs[place[NEXT]], g, s, h)", "turn(place, kept)", "x, g = xs[place[POINT]], gs[place[SLOPE]]"
KEEP = {"x": "one", "best": "flag"}
NAME = r"\b[^\W\d]\w*"


def marks(rule, forgiving=False):
    """Return the marks of the lines that are needed.

    They are those of methods that ask for the objective's value, those of rules or of solvers, and those of runs that
    do not stop at what is not finite.
    """
    kind = "solver" if hasattr(rule, "iterations") else "rule"
    return ("valued",) * rule.needs_value + (kind,) + ("forgiving",) * forgiving


def splice(function, program, marked, more="", last=None):
    """Return the text of a driver with the step of a lowered rule inside, and not among its arguments.

    Parameters
    ----------
    function : function, or sequence of functions
        The last is the driver; those before it are what it calls, and what calls the step.
    program : Lowering or None
        Where it is None the step stays a call.
    marked : tuple of str
        Of the lines that end in a mark, those stay that are marked so; "apart" makes steps go from row to row.
    more : str
        Text of further functions that these call.
    last : str
        Text of the driver, where none of the functions is.
    """
    functions = function if isinstance(function, tuple) else (function,)
    texts = [_spliced(part, program, marked) for part in functions]
    texts += [last] * (last is not None)
    text = "\n\n".join([more, *texts])
    used = set(re.findall(NAME, text)) - {"np", "jit", "step", "observe"}  # these are, or are given
    used -= set(re.findall(r"^def (\w+)", text, re.MULTILINE))
    imports = ["import numpy as np\n"]
    known = set()
    homes = stopping, termination, double_buffer, *map(inspect.getmodule, functions)  # of what a driver calls
    for module in dict.fromkeys(homes):
        names = sorted(name for name in used - known if name in vars(module))
        known.update(names)
        imports += [f"from {module.__name__} import {', '.join(names)}"] * bool(names)
    jitted = [more] * bool(more) + ["@jit\n" + part for part in texts[:-1]]
    return runtime_text.assemble("a driver", program, "numpy", ["\n".join(imports), *jitted, "@step\n" + texts[-1]])


def _spliced(function, program, marked):
    step, rows = None if program is None else emit_cpu.inline(program), "apart" in marked
    out, lines = [], iter(textwrap.dedent(inspect.getsource(function)).splitlines())
    for line in lines:
        indent = line[: len(line) - len(line.lstrip())]
        mark = line.rpartition("  # ")[2]
        if mark in MARKS and mark not in marked:
            continue
        if (rows or step is not None) and line.strip() == "step(t, x, g, s, h)":
            out += [indent + row for row in step or STEP]
        elif line.strip() == "if verdict := observe(f, x, g, best, box, record):":
            next(lines)  # return verdict: the body has returns of its own
            out += [indent + (re.sub(NAME, lambda word: KEEP.get(word[0], word[0]), row) if rows else row) for row in _body(stopping.observe)]
        else:
            out.append(line)
            out += [indent + row for row in ROOM if rows and line.strip().startswith("x, g, best, box = ")]
    text = "\n".join(out).replace(TRACE * ("history" not in marked), "").replace("):", ROWS * rows + "):", 1)
    if "observe(" in text or (step is not None and "step(t" in text):
        raise AssertionError(f"a line of {function.__name__} that is to be spliced does not stand as it is looked for")
    return text.replace("fun, step, ", "fun, ") if step is not None else text


def _body(function):
    """Return the statements of a function, to stand in a loop: what returns GO_ON goes on instead."""
    source = textwrap.dedent(inspect.getsource(getattr(function, "py_func", function)))
    return textwrap.dedent(source.split('"""')[2]).replace("return GO_ON", "pass").strip("\n").splitlines()
