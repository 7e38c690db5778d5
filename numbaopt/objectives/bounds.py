"""Bounds in every form that SciPy accepts, converted to two arrays, lower and upper, in the dtype of x."""

import numpy as np

from numbaopt.common.validation import describe


def read_bounds(bounds, n, dtype):
    """Return ``(lower, upper)``, each of shape (n,), -inf and inf where there is no bound; or None without bounds.

    Parameters
    ----------
    bounds : sequence of (lower, upper), ndarray of shape (n, 2), `scipy.optimize.Bounds`, or None
        None in place of a number means no bound. A single pair applies to every entry.

    Raises
    ------
    ValueError, TypeError
        If the bounds are not numbers, have another length than x0, or exclude every number.
    """
    if bounds is None:
        return None
    pairs = [bounds.lb, bounds.ub] if hasattr(bounds, "lb") else _columns(bounds)
    try:
        with np.errstate(over="ignore"):
            if any(np.asarray(side).dtype.kind == "c" for side in pairs):
                raise TypeError  # NumPy would only warn, and drop the imaginary part
            exact = [np.atleast_1d(np.asarray(side, float)) for side in pairs]
            lower, upper = (side.astype(dtype) for side in exact)
            lower = np.where(lower < exact[0], np.nextafter(lower, dtype.type(np.inf)), lower)  # rounding
            upper = np.where(upper > exact[1], np.nextafter(upper, dtype.type(-np.inf)), upper)  # stays inside
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"bounds are pairs of real numbers or None, not {describe(bounds)}") from None
    try:
        lower, upper = (np.array(np.broadcast_to(side, n)) for side in (lower, upper))
    except ValueError:
        given = f"{len(lower)} lower and {len(upper)} upper bounds for {n} entries"
        raise ValueError(f"The number of bounds is not compatible with the length of `x0`. ({given})") from None
    wrong = ~((lower < np.inf) & (upper > -np.inf))
    if wrong.any():
        i = int(np.argmax(wrong))
        given = f"bounds[{i}] is ({lower[i]}, {upper[i]})"
        raise ValueError(f"{given}: no number lies between these; use None for an open side")
    if (lower > upper).any():
        i = int(np.argmax(lower > upper))
        raise ValueError(
            f"An upper bound is less than the corresponding lower bound. (bounds[{i}] is ({lower[i]}, {upper[i]}))"
        )
    return None if np.isinf(lower).all() and np.isinf(upper).all() else (lower, upper)


def refuse_complex(bounds, structure):
    """Raise ValueError for bounds of complex parameters, because complex numbers have no order."""
    if bounds is not None and not structure.real:
        raise ValueError(
            "bounds need an order, and complex numbers have none: x0 is complex. Let x0 hold real and imaginary parts "
            'apart, {"re": ..., "im": ...}, and bound these.'
        )


def _columns(bounds):
    """Split pairs into lower and upper bounds, infinite for None."""
    try:
        pairs = list(bounds)
        if len(pairs) == 2 and not any(np.ndim(side) for side in pairs if side is not None):
            pairs = [pairs]
        lower, upper = zip(*[(lo, hi) for lo, hi in pairs], strict=True)
    except (TypeError, ValueError):
        raise ValueError(
            "bounds is a sequence of (lower, upper), one for each entry of x0, an (n, 2) array or a Bounds, "
            f"not {describe(bounds)}"
        ) from None
    return [-np.inf if lo is None else lo for lo in lower], [np.inf if hi is None else hi for hi in upper]
