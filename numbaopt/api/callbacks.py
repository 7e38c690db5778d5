"""Both of SciPy's forms of callbacks, converted to one function for the drivers, which returns whether to stop."""

import inspect
import sys

from numbaopt.common.validation import describe
from numbaopt.results.result import Result


def wants_result(callback):
    """Return whether a callback takes ``intermediate_result`` rather than the current x, by SciPy's rule."""
    lazy = {}
    if sys.version_info >= (3, 14):  # annotations may refer to names that do not exist at run time (PEP 649)
        import annotationlib

        lazy = {"annotation_format": annotationlib.Format.FORWARDREF}
    try:
        return set(inspect.signature(callback, **lazy).parameters) == {"intermediate_result"}
    except (TypeError, ValueError):  # a builtin without a signature
        return False


def read_callback(callback, restore):
    """Return ``notify(x, f, nit, **where) -> bool``, which is true if the callback raised StopIteration.

    Each call gets a copy of x in the structure of x0, which ``restore`` makes.
    """
    if not callable(callback):
        raise TypeError(f"callback is a function of intermediate_result, or of x, not {describe(callback)}")
    with_result = wants_result(callback)

    def notify(x, f, nit, **where):
        x = restore(x.copy())
        try:
            if with_result:
                callback(intermediate_result=Result(x=x, fun=f, nit=nit, **where))
            else:
                callback(x)
        except StopIteration:
            return True
        return False

    return notify
