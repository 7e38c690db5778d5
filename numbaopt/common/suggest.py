"""Which known name was probably meant by an unknown one."""

import difflib

ALIASES = {  # elsewhere -> here
    **dict.fromkeys(["learning_rate", "step_size", "stepsize", "eta"], "lr"),
    **dict.fromkeys(["beta1", "betas", "beta_1"], "b1"),
    **dict.fromkeys(["beta2", "beta_2"], "b2"),
    **dict.fromkeys(["weight_decay"], "wd"),
    **dict.fromkeys(["decoupled_weight_decay"], "decoupled"),
    **dict.fromkeys(["initial_accumulator_value"], "initial_accumulator"),
    **dict.fromkeys(["epsilon"], "eps"),
    "precondition_frequency": "every",
    "shampoo_beta": "b3",
    "max_learning_rate": "max_lr",
    "trust_coefficient": "trust",
    "clip_threshold": "clip",
    "lb": "lower_bound",
    **dict.fromkeys(["maxfun", "max_iter", "max_iterations"], "maxiter"),
}


def nearest(name, known):
    """Return the hint that names what was probably meant, by spelling or by what others call it; or nothing."""
    near = [ALIASES[name]] if ALIASES.get(name) in known else closest(str(name), known, 0.5)
    return f" Did you mean {near[0]!r}?" if near else ""


def closest(name, known, cutoff=0.6):
    """Return, in a list, the known name that is spelled most like ``name``; one of the same letters before others."""
    swapped = [other for other in known if sorted(other) == sorted(name)]
    return swapped[:1] or difflib.get_close_matches(name, known, 1, cutoff)
