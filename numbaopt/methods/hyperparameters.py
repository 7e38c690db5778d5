"""Allowed values of hyperparameters, and the conversion of values to them."""

import numpy as np
from numpy import inf

from numbaopt.common.per_coordinate import PerCoordinate
from numbaopt.common.suggest import nearest
from numbaopt.common.validation import is_real, rounded

# Intervals of hyperparameters: lower end, upper end, and the brackets that say whether the ends are included. A name
# with different meanings in different rules is listed as ``rule.name``.
RANGES = {
    **dict.fromkeys(["lr", "eps", "eps_root", "wd", "lr_decay", "lambd", "l1", "l2"], (0, inf, "[)")),
    **dict.fromkeys(["momentum", "final_lr", "gamma", "t0"], (0, inf, "[)")),
    **dict.fromkeys(["initial_accumulator", "initial_scale", "min_step_size", "max_step_size"], (0, inf, "[)")),
    **dict.fromkeys(["b1", "b2", "b3", "rho", "signum.beta", "madgrad.momentum"], (0, 1, "[)")),
    **dict.fromkeys(["rmsprop.alpha", "nu"], (0, 1, "[]")),
    "eta_minus": (0, 1, "()"),
    "eta_plus": (1, inf, "()"),
    "cocob.alpha": (0, inf, "()"),
    "lr_power": (-inf, 0, "(]"),
    "partial": (0, 0.5, "[]"),
    "kappa": (1, inf, "[)"),
    "xi": (0, inf, "()"),
    "small_const": (0, 1, "(]"),
    **dict.fromkeys(["clip.max_delta", "max_norm", "clipping", "strength", "add_noise.eta", "sam.rho"], (0, inf, "[)")),
    **dict.fromkeys(["accumulate.k", "swa.k", "sync_period", "plateau.every"], (1, inf, "[)")),
    **dict.fromkeys(["swa.start", "patience", "cooldown", "atol", "max_consecutive_errors"], (0, inf, "[)")),
    **dict.fromkeys(["freeze.mask", "slow_step_size", "min_scale"], (0, 1, "[]")),
    **dict.fromkeys(["ema.decay", "plateau.threshold"], (0, 1, "[)")),
    "add_noise.seed": (0, 2**53, "[]"),
    "plateau.factor": (0, 1, "()"),
    "cautious.floor": (0, 1, "(]"),
    "radius": (0, inf, "()"),
    **dict.fromkeys(["noisy_sgd.seed", "sophia.seed"], (0, 2**53, "[]")),
    **dict.fromkeys(["schedule_free_sgd.momentum", "schedule_free_adamw.b1"], (0, 1, "()")),
    **dict.fromkeys(["d0", "delta", "eve.clip", "max_lr", "adafactor.d"], (0, inf, "()")),
    **dict.fromkeys(["eta", "trust", "warmup_steps", "tol", "min_norm", "reps_rel"], (0, inf, "[)")),
    **dict.fromkeys(["init_estim_sq_dist", "eps1", "eps2"], (0, inf, "[)")),
    "every": (1, inf, "[)"),
    "ns_steps": (0, 100, "[)"),
    "beta2_decay": (-inf, 0, "(]"),
}


def checked(rule, name, value):
    """Return a value for the hyperparameter ``name`` of a rule; raise TypeError or ValueError if it is not allowed."""
    check_name(rule, name)
    flag = isinstance(rule.hyper[name], bool)
    if is_schedule(value) and not flag:
        return value
    if isinstance(value, (bool, np.bool_)) and flag:
        return bool(value)
    if hasattr(value, "text") and not is_schedule(value):
        raise TypeError(f"{rule.name}: {name} is a schedule without its parameters: call it, {value.__name__}(...)")
    if isinstance(value, PerCoordinate) or (isinstance(value, np.ndarray) and value.ndim and not flag):
        return per_coordinate(rule, name, value)
    if flag or not is_real(value):
        raise wrong_type(rule, name, "True or False" if flag else "a real number or a schedule", value)
    return inside(rule, name, rounded(value), interval(rule, name))


def check_name(method, name):
    """Raise TypeError if a method has no hyperparameter of this name."""
    if name not in method.hyper:
        names, hint = ", ".join(method.hyper) or "none", nearest(name, method.hyper)
        raise TypeError(f"{method.name} has no hyperparameter {name!r}; it has {names}.{hint}")


def wrong_type(method, name, wanted, value):
    """Return the TypeError for a hyperparameter of the wrong type."""
    return TypeError(f"{method.name}: {name} must be {wanted}, not {value!r} of type {type(value).__name__}")


def inside(method, name, value, interval):
    """Return the number ``value``; raise ValueError if it is outside the interval of a hyperparameter."""
    low, high, ends = interval
    above = value > low or (value == low and ends[0] == "[")
    if not (above and (value < high or (value == high and ends[1] == "]"))):
        raise ValueError(f"{method.name}: {name} must be finite and lie in {written(interval)}, not {value!r}")
    return value


def interval(rule, name):
    """Return the interval of a hyperparameter of a rule: lower end, upper end, and the brackets."""
    stages = ((math.name, pair) for math, pairs in rule._stages for pair in pairs)
    stage, author_name = next((stage, local) for stage, (local, chain_name) in stages if chain_name == name)
    return RANGES.get(f"{stage}.{author_name}") or RANGES.get(author_name, (-inf, inf, "()"))


def written(interval):
    """Return an interval as text, such as "[0, inf)"."""
    low, high, ends = interval
    return f"{ends[0]}{low:.16g}, {high:.16g}{ends[1]}"


def per_coordinate(rule, name, values):
    """Return a hyperparameter with one value per coordinate; raise TypeError or ValueError if a value is invalid."""
    values = values.values if isinstance(values, PerCoordinate) else values
    if values.dtype.kind not in "fiub":
        raise TypeError(f"{rule.name}: {name} must be an array of real numbers, not of {values.dtype}")
    for extreme in (values.min(), values.max()) if values.size else ():  # both are NaN if a value is
        inside(rule, name, float(extreme), interval(rule, name))
    return PerCoordinate(values)


def is_schedule(value):
    """Return whether a value of a hyperparameter is a schedule."""
    return hasattr(value, "texts")
