"""The options of a minimization: the hyperparameters of the method, and the options of every run."""

import math
from collections.abc import Mapping

import numpy as np

from numbaopt.common.suggest import nearest
from numbaopt.common.validation import describe, is_real, rounded

DEFAULTS = {
    "maxiter": 20_000,
    "gtol": 1e-5,
    "ftol": None,
    "maxfev": None,
    "maxtime": None,
    "disp": False,
    "history": False,
    "progress": False,
    "return": "best",
    "nonfinite": "stop",
    "finite_diff_rel_step": None,
    "spsa_c": 0.1,
    "spsa_gamma": 0.101,
    "check_grad": False,
}
DETERMINISTIC = ("gtol", "ftol", "return")  # meaningless if gradients are random or of different batches
NONFINITE = ("stop", "skip", "shrink")  # in the order of `numbaopt.drivers.stopping`
ARGUMENTS = ("data", "batch_size", "epochs", "shuffle", "seed", "drop_last", "checkpoint", "checkpoint_every", "resume")
RECORDS = ("history", "progress")
SPSA = ("spsa_c", "spsa_gamma")


def split(rule, options):
    """Split options into the hyperparameters of the rule, the options of every run, and unknown ones.

    Returns
    -------
    hyper, given, unknown : dict
    """
    if options is None:
        options = {}
    if not isinstance(options, Mapping):
        raise TypeError(f"options must be a mapping of names to values, not {describe(options)}")
    hyper, given, unknown = {}, {}, {}
    for name, value in options.items():
        is_hyper = name in rule.hyper and not (name in DEFAULTS and isinstance(value, (bool, str)))
        (hyper if is_hyper else given if name in DEFAULTS else unknown)[name] = value
    return hyper, given, unknown


def refuse(rule, unknown):
    """Raise ValueError for unknown options; the message lists the valid options and suggests the most similar one."""
    if not unknown:
        return
    name = next(iter(unknown))
    known = [*rule.hyper, *DEFAULTS]
    if name in ARGUMENTS:
        raise ValueError(f"{name!r} is an argument of minimize, not an option: pass it outside options")
    raise ValueError(f"{rule.name} has no option {name!r}; it has {', '.join(known)}.{nearest(name, known)}")


def complete_options(given, tol, minibatch, spsa=False):
    """Check the given options, fill in the defaults, and return all options.

    Parameters
    ----------
    given : dict
        Options of every run.
    tol : float or None
        The value of gtol, unless that is given.
    minibatch : bool
        Whether the gradients are of minibatches. By default, maxiter then does not limit the number of steps.
    spsa : bool
        Whether values and gradients are random. Then no tolerance can be met, and the result is the last iterate.
    """
    if tol is not None:
        given = {"gtol": _number("tol", tol)} | given
    _check_meaning(given, tol, minibatch, spsa)
    options = DEFAULTS | ({"gtol": None, "return": "last"} if spsa else {}) | given
    if minibatch and given.get("maxiter") is None:
        options["maxiter"] = math.inf
    elif options["maxiter"] is None:
        options["maxiter"] = DEFAULTS["maxiter"]
    for name in ("maxiter", "maxfev", "maxtime", "gtol", "ftol"):
        if options[name] is not None:
            options[name] = _number(name, options[name])
    c, gamma = (_number(name, options[name]) for name in SPSA)
    if not 0 < c < math.inf:
        raise ValueError(f"spsa_c, the distance from x of the first evaluations, must be positive and finite, not {c}")
    if not 0 <= gamma < math.inf:
        text = "spsa_gamma, the power of k by which spsa_c is divided, must be finite and at least 0"
        raise ValueError(f"{text}, not {gamma}")
    options |= {"spsa_c": c, "spsa_gamma": gamma}
    for name, word in (("history", "x"), ("progress", None), ("check_grad", None)):
        options[name] = _flag(name, options[name], word)
    _one_of("return", options["return"], ("best", "last"))
    _one_of("nonfinite", options["nonfinite"], NONFINITE)
    return options


def _check_meaning(given, tol, minibatch, spsa):
    """Raise ValueError for options that have no meaning in this run."""
    for name in DETERMINISTIC if minibatch or spsa else ():
        if name in given:
            name = "tol" if name == "gtol" and tol is not None else name
            reason = "data: each gradient is of another batch" if minibatch else "jac='spsa': gradients are random"
            limits = "epochs, maxiter" if minibatch else "maxiter, maxfev"
            raise ValueError(f"{name} has no meaning with {reason}. Use {limits}, maxtime, or a callback to stop.")
    if spsa and "finite_diff_rel_step" in given:
        text = "finite_diff_rel_step has no meaning with jac='spsa'"
        raise ValueError(f"{text}, whose steps are determined by spsa_c and spsa_gamma")
    for name in () if spsa else SPSA:
        if name in given:
            raise ValueError(f"{name} is for jac='spsa', which estimates the gradient from two evaluations")


def _one_of(name, value, words):
    """Raise ValueError for a value that is none of these words."""
    if not isinstance(value, str) or value not in words:
        suggestion = nearest(value, words) if isinstance(value, str) else ""
        raise ValueError(f"{name} must be one of {', '.join(map(repr, words))}, not {value!r}.{suggestion}")


def _flag(name, value, word=None):
    """Return a truth value as a bool, or the word that is accepted instead."""
    if value is None or isinstance(value, (bool, np.bool_)):
        return bool(value)
    if word is None:
        raise TypeError(f"{name} must be True or False, not {describe(value)}")
    if not isinstance(value, str) or value != word:
        text = f"{name} must be True, False, or {word!r} to include the points"
        raise ValueError(f"{text}, not {describe(value)}")
    return value


def _number(name, value):
    """Return a real number that is not NaN as a float."""
    if not is_real(value):
        raise TypeError(f"{name} must be a number, not {describe(value)}")
    value = rounded(value)
    if math.isnan(value):
        raise ValueError(f"{name} must be a number, not NaN")
    return value
