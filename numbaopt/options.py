"""The options of a minimisation: hyperparameters of the method, and when to stop."""

import math
import numbers
from collections.abc import Mapping

from numbaopt.checks import describe
from numbaopt.hyper import nearest

DEFAULTS = {
    "maxiter": 20_000,
    "gtol": 1e-5,
    "ftol": None,
    "maxfev": None,
    "maxtime": None,
    "disp": False,
    "return": "best",
    "finite_diff_rel_step": None,
}
DETERMINISTIC = ("gtol", "ftol", "return")  # what means nothing where each gradient is of another batch


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
        (hyper if name in rule.hyper else given if name in DEFAULTS else unknown)[name] = value
    return hyper, given, unknown


def refuse(rule, unknown):
    """Raise for options that nobody knows, naming those that there are and the nearest."""
    if not unknown:
        return
    name = next(iter(unknown))
    known = [*rule.hyper, *DEFAULTS]
    if name in ("data", "batch_size", "epochs", "shuffle", "seed", "drop_last"):
        raise ValueError(f"{name!r} is an argument of minimize, not an option")
    raise ValueError(f"{rule.name} has no option {name!r}; it has {', '.join(known)}.{nearest(name, known)}")


def settle(given, tol, minibatch):
    """Check what was given, fill in the rest, and return all of it.

    Parameters
    ----------
    given : dict
        Options of every run.
    tol : float or None
        Stands for gtol, unless that is given.
    minibatch : bool
        Then epochs are the usual end, not a number of steps.
    """
    if tol is not None:
        given = {"gtol": _number("tol", tol)} | given
    if minibatch:
        for name in DETERMINISTIC:
            if name in given:
                name = "tol" if name == "gtol" and tol is not None else name
                raise ValueError(
                    f"{name} has no meaning with data, where each gradient is of another batch. "
                    "Stop by epochs, maxiter, maxtime, or a callback."
                )
    settled = DEFAULTS | given
    if minibatch and given.get("maxiter") is None:
        settled["maxiter"] = math.inf
    elif settled["maxiter"] is None:
        settled["maxiter"] = DEFAULTS["maxiter"]
    for name in ("maxiter", "maxfev", "maxtime", "gtol", "ftol"):
        if settled[name] is not None:
            settled[name] = _number(name, settled[name])
    if settled["return"] not in ("best", "last"):
        raise ValueError(f"return is 'best' or 'last', not {settled['return']!r}")
    return settled


def _number(name, value):
    """Return a real number that is not NaN as a float."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is a number, not {describe(value)}")
    if math.isnan(value):
        raise ValueError(f"{name} is NaN")
    return float(value)
