"""Validation: convert an argument to the type that is needed, or raise an error that describes both."""

import math
import numbers
import operator

import numpy as np

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))  # by itemsize // 8
COMPLEXES = (np.dtype(np.complex64), np.dtype(np.complex128))


def describe(value):
    """Describe a value in a few words, for an error message."""
    if value is None:
        return "None"
    shape = getattr(value, "shape", ())
    if shape != ():
        return f"an array of shape {shape} and dtype {getattr(value, 'dtype', '?')}"
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"


def whole(number, name, least, otherwise=""):
    """Return an int that is at least `least`."""
    try:
        if isinstance(number, (bool, np.bool_)):
            raise TypeError
        number = operator.index(number)
    except TypeError:
        raise TypeError(f"{name} must be a whole number{otherwise}, not {describe(number)}.") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, not {number}.")
    return number


def is_real(value):
    """Return whether a value is one real number. A timedelta64, which is an integer to NumPy, is not."""
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_, np.timedelta64))


def rounded(number):
    """Return a real number as a float; a number too large for a float becomes infinite."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def real_array(value, name, complexes=False):
    """Return a value as an array of real (or also complex) numbers, without a copy if it is such an array."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:  # a ragged list, or one of dates and numbers
        raise ValueError(f"{name} is not an array: {error}") from None
    kind = array.dtype.kind
    if kind == "c":
        if not complexes:
            raise TypeError(f"{name} must be real, not {array.dtype}; use .real if the imaginary part is zero.")
        if array.dtype.newbyteorder("=") not in COMPLEXES:
            raise TypeError(f"{name} must be complex64 or complex128, not {array.dtype}; see .astype(complex).")
    elif kind not in "fiub":
        raise TypeError(f"{name} must be an array of real numbers, not {describe(value)}.")
    if kind == "f" and array.dtype.newbyteorder("=") not in FLOATS:
        raise TypeError(f"{name} must be float32 or float64, not {array.dtype}; see .astype(float).")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} has masked entries; fill them (.filled(...)) or leave them out.")
    return array


def as_float(f):
    """Return the value of an objective as a float."""
    if isinstance(f, float):  # np.float64, which most objectives return, is a float
        return float(f)
    if isinstance(f, tuple):
        raise TypeError(f"fun must return a number, not {len(f)} things; to return (f, gradient), pass jac=True.")
    if f is None:
        raise TypeError("fun must return a number, not None; does it end without a return statement?")
    number = _scalar(f, "fiub", "a real number")
    try:
        return rounded(number)
    except (TypeError, ValueError) as error:  # raised by an object that only claims to be a number
        raise TypeError(f"fun must return a real number, not {describe(f)}: {error}") from None


def as_complex(f):
    """Return the value of an objective at a complex point."""
    return complex(_scalar(f, "c", "a complex number where x is complex, as jac='cs' makes it"))


def _scalar(f, kinds, wanted):
    try:
        array = np.asarray(f)
    except (TypeError, ValueError):  # a ragged list, or one of dates and numbers
        array = np.empty(0)
    if array.size != 1:
        raise ValueError(f"fun must return {wanted}, not {describe(f)}.")
    number = array.item()
    fraction = array.dtype.kind == "O" and "f" in kinds and hasattr(number, "__float__")
    fraction = fraction and not isinstance(number, np.complexfloating)  # NumPy would drop the imaginary part
    if array.dtype.kind not in kinds and not fraction:
        hint = "; use .real if the imaginary part is zero" if array.dtype.kind == "c" else ""
        raise TypeError(f"fun must return {wanted}, not {describe(f)}{hint}.")
    return number
