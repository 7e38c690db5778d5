"""The learning rate of each step, for histories and progress bars."""

import numpy as np

from numbaopt.backends import cpu
from numbaopt.lowering import runtime_text
from numbaopt.methods.hyperparameters import is_schedule

FACTORS = {"plateau": "scale", "prodigy": "d", "dadapt_adamw": "d"}  # the number by which a method multiplies its lr


def constant_or_schedule(rule):
    """Return the learning rate of a rule, a number or a schedule; None if the rule has none."""
    names = {author: whole for math, pairs in rule._stages if math.role == "rule" for author, whole in pairs}
    return rule.hyper.get(names.get("lr"))


def factors_of(rule):
    """Return the positions in h of the numbers by which the learning rate is multiplied."""
    named = [whole for math, pairs in rule._stages for name, whole in pairs if FACTORS.get(math.name) == name]
    return [rule.place(name) for name in named if name in rule.numbers_of]


def rate(run, t):
    """Return the learning rate after t steps; None if the method has none, or one for each coordinate."""
    value = None if run.iterations is not None else constant_or_schedule(run.rule)
    if is_schedule(value):
        value = value(run.method_steps(t))
    if not isinstance(value, float):
        return None
    return value * float(np.prod(run.h[factors_of(run.rule)]))


def filler(schedule):
    """Return a compiled function ``fill(lr, h, start)``.

    It stores the values of the schedule at the steps ``start``, ``start + 1``, ... in lr.
    """
    functions = [f"@jit\n{text}" for text in schedule.texts().values()]
    lines = ["@step", "def fill(lr, h, start):", "    for i in range(lr.size):", "        k = start + i"]
    lines.append(f"        lr[i] = {schedule.text('k', 0)}")
    return cpu.load(runtime_text.assemble("a schedule", None, "numpy", [*functions, "\n".join(lines)]), "schedule")
