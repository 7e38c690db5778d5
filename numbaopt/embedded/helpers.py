"""The functions that the text of `numbaopt.embedded.codegen.Entry` calls."""

import numpy as np

from numbaopt.backends.cpu import jit
from numbaopt.drivers.beginning import clip, prepare, set_limits
from numbaopt.drivers.termination import finite
from numbaopt.solvers.vectors import copy


@jit
def rows(flat, at, count, n):
    """Return a part of a flat array as an array of rows."""
    return flat[at : at + count * n].reshape((count, n))


@jit
def mark_unevaluated(g, box):
    """Set entries of a gradient by differences to NaN if their bounds are equal, as they were not evaluated."""
    for i in range(g.size):
        if box[0, i] == box[1, i]:
            g[i] = np.nan


@jit
def set_bounds(box, i, low, high):
    """Store a pair of bounds, rounded to the inside. Raise ValueError if no number lies between them."""
    low, high = float(low), float(high)
    if not (low <= high and low < np.inf and high > -np.inf):
        raise ValueError("an upper bound is less than the corresponding lower bound, or no number lies between")
    box[0, i], box[1, i] = low, high
    if box[0, i] < low:
        box[0, i] = np.nextafter(box[0, i], box.dtype.type(np.inf))
    if box[1, i] > high:
        box[1, i] = np.nextafter(box[1, i], box.dtype.type(-np.inf))


@jit
def fill_powers(h, at, b):
    """Write the table of powers of b to h, as `numbaopt.lowering.layout.powers` computes it."""
    place_value = 1.0
    for k in range(4):
        for digit in range(32):
            h[at + 32 * k + digit] = b ** (digit * place_value)
        place_value *= 32.0
    h[at + 128] = 1048576 * np.log(abs(b)) if b != 0.0 else -np.inf


FUNCTIONS = rows, copy, finite, mark_unevaluated, set_bounds, fill_powers, clip, prepare, set_limits
HELPERS = {function.__name__: function for function in FUNCTIONS}
