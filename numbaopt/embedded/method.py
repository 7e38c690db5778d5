"""The method of a call of `minimize` in compiled code, and the options that it may be called with."""

import numpy as np
from numba import types
from numba.core.errors import TypingError

from numbaopt.api.minimize import find
from numbaopt.common.suggest import nearest
from numbaopt.drivers.options import DEFAULTS

OFF = {"ftol": -1.0, "maxfev": np.inf}  # what None stands for
OPTIONS = {name: OFF.get(name) if DEFAULTS[name] is None else DEFAULTS[name] for name in ("maxiter", "gtol", *OFF)}
GENERAL = (*OPTIONS, "tol", "best", "bounds", "workspace")
NOT_HERE = {
    **dict.fromkeys(["hess", "hessp", "constraints", "callback", "maxtime", "disp", "nonfinite"], ""),
    **dict.fromkeys(["finite_diff_rel_step", "history", "progress", "check_grad"], ""),
    **dict.fromkeys(["checkpoint", "checkpoint_every", "resume"], ""),
    **dict.fromkeys(["data", "batch_size", "epochs", "shuffle", "drop_last", "seed", "spsa_c", "spsa_gamma"], ""),
    "options": ": each option is a keyword",
    "return": ": best=False returns the last iterate",
}


def method_of(kind, own):
    """Return the method with what is known of its hyperparameters, and the names of those that are not."""
    if kind is None:
        rule = find("adam")
    elif isinstance(kind, types.StringLiteral):
        rule = refusing(find, kind.literal_value)
    elif hasattr(kind, "rule"):
        rule = kind.rule
    else:
        raise TypingError(f"method is a method's name, written out, or a rule that is a global variable; not {kind}")
    known, open_ = {}, []
    for name, value in own.items():
        if name in NOT_HERE:
            raise TypingError(f"minimize in compiled code has no {name}{NOT_HERE[name]}")
        if name not in rule.hyper:
            there = [*rule.hyper, *GENERAL]
            raise TypingError(f"{rule.name} has no option {name!r}; it has {', '.join(there)}.{nearest(name, there)}")
        if isinstance(value, types.Literal):
            known[name] = value.literal_value
        elif isinstance(value, (types.Number, types.Boolean)) and not isinstance(rule.hyper[name], (bool, str)):
            open_.append(name)
        else:
            raise TypingError(f"{rule.name}: {name} must be written out where minimize is called, as a constant")
    rule = refusing(lambda **hyper: rule(**hyper), **known)
    for name in open_:  # decided before compiling: is it on?
        rule = rule(**{name: _stand_in(rule, name)})
    return rule, open_


def refusing(function, *args, **options):
    """Call a function; what it refuses is an error of typing."""
    try:
        return function(*args, **options)
    except (TypeError, ValueError) as error:
        raise TypingError(str(error)) from None


def _stand_in(rule, name):
    for value in (rule.hyper[name], 0.5, 1, 2.0, -0.5, 1e-3):
        try:
            if value and not isinstance(value, bool) and np.isscalar(value):
                rule(**{name: value})
                return value
        except (TypeError, ValueError):
            continue
    return rule.hyper[name]
