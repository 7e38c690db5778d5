"""The learning rate of each step, for histories and progress bars."""

import numpy as np

from numbaopt.backends import cpu
from numbaopt.lowering import runtime_text
from numbaopt.methods.hyperparameters import is_schedule

REACTIVE = {"plateau": "scale", "prodigy": "d", "dadapt_adamw": "d"}  # by what a method multiplies its lr


def constant_or_schedule(rule):
    """Return the learning rate among a rule's hyperparameters, a number or a schedule; None if it has none."""
    names = {author: whole for math, pairs in rule._stages if math.role == "rule" for author, whole in pairs}
    return rule.hyper.get(names.get("lr"))


def factors_of(rule):
    """Return where in h the numbers lie that the learning rate is multiplied by."""
    named = [whole for math, pairs in rule._stages for name, whole in pairs if REACTIVE.get(math.name) == name]
    return [rule.place(name) for name in named if name in rule.numbers_of]


def rate(run, t):
    """Return the learning rate of the step after t steps; None if a method has none, or one for each coordinate."""
    value = None if run.iterations is not None else constant_or_schedule(run.rule)
    if is_schedule(value):
        value = value(run.steps(t))
    if not isinstance(value, float):
        return None
    return value * float(np.prod(run.h[factors_of(run.rule)]))


def filler(value):
    """Return a compiled function ``fill(lr, values, at)`` that puts a schedule's values at ``at``, ... into lr."""
    functions = [f"@jit\n{text}" for text in value.texts().values()]
    lines = ["@step", "def fill(lr, h, at):", "    for i in range(lr.size):", "        k = at + i"]
    lines.append(f"        lr[i] = {value.text('k', 0)}")
    return cpu.load(runtime_text.assemble("a schedule", None, "numpy", [*functions, "\n".join(lines)]), "schedule")
