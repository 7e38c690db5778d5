"""What the hyperparameters of a rule may be."""

import numpy as np
from numpy import inf

from numbaopt.common.per_coordinate import PerCoordinate
from numbaopt.common.suggest import nearest
from numbaopt.common.validation import is_real, rounded

# What a hyperparameter of this name may be: lowest, highest, and whether these are allowed themselves. What means
# different things in different rules is listed by rule.
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
    """Return ``value`` as the hyperparameter ``name`` takes it; TypeError or ValueError if it does not."""
    if name not in rule.hyper:
        hint = nearest(name, rule.hyper)
        raise TypeError(f"{rule.name} has no hyperparameter {name!r}; it has {', '.join(rule.hyper) or 'none'}.{hint}")
    flag = isinstance(rule.hyper[name], bool)
    if is_schedule(value) and not flag:
        return value
    if isinstance(value, (bool, np.bool_)) and flag:
        return bool(value)
    if hasattr(value, "text") and not is_schedule(value):
        raise TypeError(f"{rule.name}: {name} is a schedule without its parameters: call it, {value.__name__}(...)")
    if isinstance(value, PerCoordinate) or (isinstance(value, np.ndarray) and value.ndim and not flag):
        return coordinates(rule, name, value)
    if flag or not is_real(value):
        wanted = "True or False" if flag else "a real number or a schedule"
        raise TypeError(f"{rule.name}: {name} is {wanted}, not {value!r} of type {type(value).__name__}")
    return inside(rule, name, rounded(value))


def inside(rule, name, value):
    """Return a number, or raise ValueError if it is not in the range of the hyperparameter."""
    low, high, ends = interval(rule, name)
    above = value > low or (value == low and ends[0] == "[")
    if not (above and (value < high or (value == high and ends[1] == "]"))):
        allowed = f"{ends[0]}{low}, {high}{ends[1]}"
        raise ValueError(f"{rule.name}: {name} lies in {allowed} and is finite; {value!r} does not")
    return value


def interval(rule, name):
    """Return what a hyperparameter may be: lowest, highest, and the brackets that say whether these may be."""
    math, author = next((math.name, own) for math, pairs in rule._stages for own, whole in pairs if whole == name)
    return RANGES.get(f"{math}.{author}") or RANGES.get(author, (-inf, inf, "()"))


def coordinates(rule, name, values):
    """Return one value for each coordinate; TypeError or ValueError where that cannot be."""
    values = values.values if isinstance(values, PerCoordinate) else values
    if values.dtype.kind not in "fiub":
        raise TypeError(f"{rule.name}: {name} for each coordinate is an array of real numbers, not of {values.dtype}")
    for extreme in (values.min(), values.max()) if values.size else ():  # NaN is both
        inside(rule, name, float(extreme))
    return PerCoordinate(values)


def is_schedule(value):
    """Tell whether a hyperparameter follows a schedule."""
    return hasattr(value, "texts")
