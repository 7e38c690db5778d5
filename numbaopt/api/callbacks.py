"""Callbacks in both of SciPy's forms -> one function that drivers call, and that says whether to stop."""

import inspect
import sys

from numbaopt.common.validation import describe
from numbaopt.results.result import Result


def wants_result(callback):
    """Tell whether a callback takes ``intermediate_result`` rather than the current x, by SciPy's rule."""
    lazy = {}
    if sys.version_info >= (3, 14):  # annotations may name what does not exist at run time (PEP 649)
        import annotationlib

        lazy = {"annotation_format": annotationlib.Format.FORWARDREF}
    try:
        return set(inspect.signature(callback, **lazy).parameters) == {"intermediate_result"}
    except (TypeError, ValueError):  # a builtin that tells no signature
        return False


def read_callback(callback, restore):
    """Return ``notify(x, f, nit, **where) -> bool``, true when the callback raised StopIteration; or None.

    Each call sees a copy of x, in the structure of x0, which ``restore`` gives it.
    """
    if callback is None:
        return None
    if not callable(callback):
        raise TypeError(f"callback is a function of intermediate_result, or of x, not {describe(callback)}")
    whole = wants_result(callback)

    def notify(x, f, nit, **where):
        x = restore(x.copy())
        try:
            if whole:
                callback(intermediate_result=Result(x=x, fun=f, nit=nit, **where))
            else:
                callback(x)
        except StopIteration:
            return True
        return False

    return notify
