"""Suggestions for misspelled names."""

import difflib

ALIASES = {  # the name in other libraries or in SciPy -> the name in numbaopt
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
    """Return a hint that names the known name closest to ``name``, by spelling or as an alias from other libraries.

    The hint begins with a space, to be appended to an error message. It is empty if no known name is close.
    """
    candidates = [ALIASES[name]] if ALIASES.get(name) in known else closest(str(name), known, 0.5)
    return f" Did you mean {candidates[0]!r}?" if candidates else ""


def closest(name, known, cutoff=0.6):
    """Return a list with the known name that is spelled most like ``name``, or an empty list if none is similar.

    A known name that consists of the same letters in another order takes precedence.
    """
    anagrams = [other for other in known if sorted(other) == sorted(name)]
    return anagrams[:1] or difflib.get_close_matches(name, known, 1, cutoff)
