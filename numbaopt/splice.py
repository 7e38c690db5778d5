"""A compiled driver's text: its loop, with the rule's step and `observe` spliced in where they are called.

Between functions an array travels with its reference count, which costs more than a step of two coordinates. The driver
in `loop` is still the one to read, and the one that runs where a rule takes several passes: there the step is a call.
"""

import inspect
import re
import textwrap

from numbaopt import cpu, observe, passes


def splice(function, program, valued=True):
    """Return the text of a driver with the step of a lowered rule inside, and not among its arguments.

    Where ``program`` is None the step stays a call. Lines for rules that ask for the objective's value stay for these.
    """
    step = None if program is None else cpu.inline(program)
    out, lines = [], iter(textwrap.dedent(inspect.getsource(function)).splitlines())
    for line in lines:
        indent = line[: len(line) - len(line.lstrip())]
        if line.endswith("# valued"):
            out += [line] * valued
        elif step is not None and line.strip() == "step(t, x, g, s, h)":
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
    words = set(re.findall(passes.NAME, text)) - {"np", function.__name__}
    imports = ["import numpy as np\n"]
    for module in (observe, inspect.getmodule(function)):  # a driver's helpers are what it calls of its own module
        if names := sorted(words & vars(module).keys()):
            imports.append(f"from {module.__name__} import {', '.join(names)}")
            words.difference_update(names)
    return passes.assemble("a driver", program, "numpy", ["\n".join(imports), "@step\n" + text])


def _body(function):
    """Return the statements of a function, to stand in a loop: what returns GO_ON goes on instead."""
    source = textwrap.dedent(inspect.getsource(getattr(function, "py_func", function)))
    return textwrap.dedent(source.split('"""')[2]).replace("return GO_ON", "pass").strip("\n").splitlines()
