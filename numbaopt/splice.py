"""A compiled driver's text: its loop, with the rule's step and `observe` spliced in where they are called.

Between functions an array travels with its reference count, which costs more than a step of two coordinates. The driver
in `loop` is still the one to read, and the one that runs where a rule takes several passes: there the step is a call.
"""

import inspect
import re
import textwrap

from numbaopt import cpu, observe, passes

MARKS = "valued", "rule", "solver"  # of lines that are for some methods only


def marks(rule):
    """Return the marks of the lines that a method needs: what asks for the objective's value, what is no rule."""
    return ("valued",) * rule.valued + ("solver" if hasattr(rule, "iterations") else "rule",)


def splice(function, program, marked):
    """Return the text of a driver with the step of a lowered rule inside, and not among its arguments.

    Where ``program`` is None the step stays a call. Of the lines that end in a mark, those stay that are ``marked``.
    """
    step = None if program is None else cpu.inline(program)
    out, lines = [], iter(textwrap.dedent(inspect.getsource(function)).splitlines())
    for line in lines:
        indent = line[: len(line) - len(line.lstrip())]
        mark = line.rpartition("  # ")[2]
        if mark in MARKS and mark not in marked:
            continue
        if step is not None and line.strip() == "step(t, x, g, s, h)":
            out += [indent + row for row in step]
        elif line.strip() == "if verdict := observe(f, x, g, best, box, record):":
            next(lines)  # return verdict: the body has returns of its own
            out += [indent + row for row in _body(observe.observe)]
        else:
            out.append(line)
    text = "\n".join(out)
    if "observe(" in text or (step is not None and "step(t" in text):
        raise AssertionError(f"a line of {function.__name__} that is to be spliced does not stand as it is looked for")
    if step is not None:
        text = text.replace("fun, step, ", "fun, ", 1)
    names = sorted(name for name in set(re.findall(passes.NAME, text)) if name in vars(observe) and name != "np")
    imports = f"import numpy as np\n\nfrom numbaopt.observe import {', '.join(names)}"
    return passes.assemble("a driver", program, "numpy", [imports, "@step\n" + text])


def _body(function):
    """Return the statements of a function, to stand in a loop: what returns GO_ON goes on instead."""
    source = textwrap.dedent(inspect.getsource(getattr(function, "py_func", function)))
    return textwrap.dedent(source.split('"""')[2]).replace("return GO_ON", "pass").strip("\n").splitlines()
