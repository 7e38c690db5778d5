"""What the hyperparameters of a rule may be."""

import difflib
import numbers

import numpy as np
from numpy import inf

# What a hyperparameter of this name may be: lowest, highest, and whether these are allowed themselves.
RANGES = {
    "lr": (0, inf, "[)"),
    "eps": (0, inf, "[)"),
    "wd": (0, inf, "[)"),
    "momentum": (0, inf, "[)"),
    "lr_decay": (0, inf, "[)"),
    "initial_accumulator": (0, inf, "[)"),
    "alpha": (0, 1, "[]"),
    "dampening": (-inf, inf, "()"),
    **dict.fromkeys(["b1", "b2", "b3", "rho"], (0, 1, "[)")),
}


def checked(rule, name, value):
    """Return ``value`` as the hyperparameter ``name`` takes it; TypeError or ValueError if it does not."""
    if name not in rule.hyper:
        near = difflib.get_close_matches(name, rule.hyper, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise TypeError(f"{rule.name} has no hyperparameter {name!r}; it has {', '.join(rule.hyper) or 'none'}.{hint}")
    flag = isinstance(rule.hyper[name], bool)
    if is_schedule(value) and not flag:
        return value
    if isinstance(value, (bool, np.bool_)) and flag:
        return bool(value)
    if flag or isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        wanted = "True or False" if flag else "a real number or a schedule"
        raise TypeError(f"{rule.name}: {name} is {wanted}, not {value!r} of type {type(value).__name__}")
    value = float(value)
    author = next(own for _, pairs in rule._stages for own, whole in pairs if whole == name)
    low, high, ends = RANGES.get(author, (-inf, inf, "()"))
    above = value > low or (value == low and ends[0] == "[")
    if not (above and (value < high or (value == high and ends[1] == "]"))):
        interval = f"{ends[0]}{low}, {high}{ends[1]}"
        raise ValueError(f"{rule.name}: {name} lies in {interval} and is finite; {value!r} does not")
    return value


def is_schedule(value):
    """Tell whether a hyperparameter follows a schedule."""
    return hasattr(value, "texts")
