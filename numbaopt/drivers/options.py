"""The options of a minimization: hyperparameters of the method, and when to stop."""

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
DETERMINISTIC = ("gtol", "ftol", "return")  # what means nothing where each gradient is another
NONFINITE = ("stop", "skip", "shrink")  # in the order of `numbaopt.drivers.stopping`
ARGUMENTS = ("data", "batch_size", "epochs", "shuffle", "seed", "drop_last", "checkpoint", "checkpoint_every", "resume")
RECORDS = ("history", "progress")
SPSA = ("spsa_c", "spsa_gamma")


def split(rule, options):
    """Part options into those of the rule, those of every run, and the unknown.

    Returns
    -------
    hyper, given, unknown : dict
    """
    if options is None:
        options = {}
    if not isinstance(options, Mapping):
        raise TypeError(f"options is a mapping of names to values, not {describe(options)}")
    hyper, given, unknown = {}, {}, {}
    for name, value in options.items():
        own = name in rule.hyper and not (name in DEFAULTS and isinstance(value, (bool, str)))
        (hyper if own else given if name in DEFAULTS else unknown)[name] = value
    return hyper, given, unknown


def refuse(rule, unknown):
    """Raise for options that nobody knows, naming those that there are and the nearest."""
    if not unknown:
        return
    name = next(iter(unknown))
    known = [*rule.hyper, *DEFAULTS]
    if name in ARGUMENTS:
        raise ValueError(f"{name!r} is an argument of minimize, not an option: give it beside options")
    raise ValueError(f"{rule.name} has no option {name!r}; it has {', '.join(known)}.{nearest(name, known)}")


def settle(given, tol, minibatch, spsa=False):
    """Check what was given, fill in the rest, and return all of it.

    Parameters
    ----------
    given : dict
        Options of every run.
    tol : float or None
        Stands for gtol, unless that is given.
    minibatch : bool
        Then epochs are the usual end, not a number of steps.
    spsa : bool
        Then values and gradients are random: no tolerance can be met, and the answer is the last iterate.
    """
    if tol is not None:
        given = {"gtol": _number("tol", tol)} | given
    _meaningful(given, tol, minibatch, spsa)
    settled = DEFAULTS | ({"gtol": None, "return": "last"} if spsa else {}) | given
    if minibatch and given.get("maxiter") is None:
        settled["maxiter"] = math.inf
    elif settled["maxiter"] is None:
        settled["maxiter"] = DEFAULTS["maxiter"]
    for name in ("maxiter", "maxfev", "maxtime", "gtol", "ftol"):
        if settled[name] is not None:
            settled[name] = _number(name, settled[name])
    c, gamma = (_number(name, settled[name]) for name in SPSA)
    if not 0 < c < math.inf:
        raise ValueError(f"spsa_c, how far from x the first evaluation looks, is positive and finite, not {c}")
    if not 0 <= gamma < math.inf:
        raise ValueError(f"spsa_gamma, the power of k that spsa_c is divided by, is finite and at least 0, not {gamma}")
    settled |= {"spsa_c": c, "spsa_gamma": gamma}
    for name, also in (("history", "x"), ("progress", None), ("check_grad", None)):
        settled[name] = _flag(name, settled[name], also)
    _one_of("return", settled["return"], ("best", "last"))
    _one_of("nonfinite", settled["nonfinite"], NONFINITE)
    return settled


def _meaningful(given, tol, minibatch, spsa):
    """Raise for options that mean nothing in this run."""
    for name in DETERMINISTIC if minibatch or spsa else ():
        if name in given:
            name = "tol" if name == "gtol" and tol is not None else name
            why = "data, where each gradient is of another batch" if minibatch else "jac='spsa', where each is random"
            ends = "epochs, maxiter" if minibatch else "maxiter, maxfev"
            raise ValueError(f"{name} has no meaning with {why}. Stop by {ends}, maxtime, or a callback.")
    if spsa and "finite_diff_rel_step" in given:
        raise ValueError("finite_diff_rel_step has no meaning with jac='spsa', whose steps are spsa_c and spsa_gamma")
    for name in () if spsa else SPSA:
        if name in given:
            raise ValueError(f"{name} is for jac='spsa', an estimate of the gradient from two evaluations")


def _one_of(name, value, words):
    """Raise ValueError for what is none of these words."""
    if not isinstance(value, str) or value not in words:
        near = nearest(value, words) if isinstance(value, str) else ""
        raise ValueError(f"{name} is {', '.join(map(repr, words))}, not {value!r}.{near}")


def _flag(name, value, also=None):
    """Return a truth value as a bool, or the text that is accepted beside."""
    if value is None or isinstance(value, (bool, np.bool_)):
        return bool(value)
    if also is None:
        raise TypeError(f"{name} is True or False, not {describe(value)}")
    if not isinstance(value, str) or value != also:
        raise ValueError(f"{name} is True, False, or {also!r} for the points too; not {describe(value)}")
    return value


def _number(name, value):
    """Return a real number that is not NaN as a float."""
    if not is_real(value):
        raise TypeError(f"{name} is a number, not {describe(value)}")
    value = rounded(value)
    if math.isnan(value):
        raise ValueError(f"{name} is NaN: give a number, or leave it out")
    return value
