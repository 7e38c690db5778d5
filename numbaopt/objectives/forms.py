"""The forms in which a gradient may be given."""

import difflib

import numpy as np

from numbaopt.objectives.differences import SCHEMES

ESTIMATED = (None, *SCHEMES, "spsa")


WORDS = ("inplace", *SCHEMES, "spsa", "autograd")


def read_form(fun, jac):
    """Return the function to call and its form: a callable, True, "inplace", a scheme, or None."""
    if isinstance(jac, (bool, np.bool_)):
        return fun, True if jac else None
    owner = getattr(jac, "__self__", None)
    if owner is fun and type(fun).__name__ == "MemoizeJac" and type(fun).__module__.startswith("scipy."):
        return fun.fun, True  # what SciPy makes of jac=True before it calls a custom method
    if jac is None or callable(jac) or (isinstance(jac, str) and jac in WORDS):
        return fun, jac
    near = difflib.get_close_matches(str(jac), WORDS, 1)
    raise ValueError(
        f"jac={jac!r} is not known{f'; did you mean {near[0]!r}?' if near else '.'} It is a function, "
        f"True (fun returns f and gradient), 'inplace' (fun(x, grad) fills grad), "
        f"'2-point', '3-point', 'cs', 'spsa', 'autograd', or None."
    )
