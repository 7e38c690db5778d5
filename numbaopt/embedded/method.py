"""The method and the options of a call of `minimize` in compiled code."""

import numpy as np
from numba import types
from numba.core.errors import TypingError

from numbaopt.api.minimize import find
from numbaopt.common.suggest import nearest
from numbaopt.drivers.options import DEFAULTS

OFF = {"ftol": -1.0, "maxfev": np.inf}  # the values for which None stands
OPTIONS = {name: OFF.get(name) if DEFAULTS[name] is None else DEFAULTS[name] for name in ("maxiter", "gtol", *OFF)}
GENERAL = (*OPTIONS, "tol", "best", "bounds", "workspace")
UNSUPPORTED = {
    **dict.fromkeys(["hess", "hessp", "constraints", "callback", "maxtime", "disp", "nonfinite"], ""),
    **dict.fromkeys(["finite_diff_rel_step", "history", "progress", "check_grad"], ""),
    **dict.fromkeys(["checkpoint", "checkpoint_every", "resume"], ""),
    **dict.fromkeys(["data", "batch_size", "epochs", "shuffle", "drop_last", "seed", "spsa_c", "spsa_gamma"], ""),
    "options": ": pass each option as a keyword",
    "return": ": best=False returns the last iterate",
}


def method_of(kind, types_of):
    """Return the method of a call, and the names of its hyperparameters that are known only at run time.

    Parameters
    ----------
    kind : numba type or None
        The type of the argument ``method``.
    types_of : dict
        Numba types of the hyperparameters, by name.

    Raises
    ------
    TypingError
        For an unknown method or option, or one that must be a literal.
    """
    if kind is None:
        rule = find("adam")
    elif isinstance(kind, types.StringLiteral):
        rule = typing_errors(find, kind.literal_value)
    elif hasattr(kind, "rule"):
        rule = kind.rule
    else:
        raise TypingError(f"method must be a literal name of a method, or a rule in a global variable, not {kind}")
    literals, variables = {}, []
    for name, value in types_of.items():
        if name in UNSUPPORTED:
            raise TypingError(f"minimize in compiled code has no {name}{UNSUPPORTED[name]}")
        if name not in rule.hyper:
            known = [*rule.hyper, *GENERAL]
            raise TypingError(f"{rule.name} has no option {name!r}; it has {', '.join(known)}.{nearest(name, known)}")
        if isinstance(value, types.Literal):
            literals[name] = value.literal_value
        elif isinstance(value, (types.Number, types.Boolean)) and not isinstance(rule.hyper[name], (bool, str)):
            variables.append(name)
        else:
            raise TypingError(f"{rule.name}: {name} must be a literal where minimize is called")
    rule = typing_errors(lambda **hyper: rule(**hyper), **literals)
    for name in variables:  # a value that is not zero, as the compiled step depends on whether it is
        rule = rule(**{name: _nonzero(rule, name)})
    return rule, variables


def typing_errors(function, *args, **options):
    """Call a function; raise its TypeError or ValueError as a TypingError."""
    try:
        return function(*args, **options)
    except (TypeError, ValueError) as error:
        raise TypingError(str(error)) from None


def _nonzero(rule, name):
    """Return a valid value of a hyperparameter, other than zero if there is one."""
    for value in (rule.hyper[name], 0.5, 1, 2.0, -0.5, 1e-3):
        try:
            if value and not isinstance(value, bool) and np.isscalar(value):
                rule(**{name: value})
                return value
        except (TypeError, ValueError):
            continue
    return rule.hyper[name]
