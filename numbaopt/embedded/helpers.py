"""Compiled functions that the text of a call of `minimize` in compiled code calls."""

import numpy as np

from numbaopt.backends.cpu import jit
from numbaopt.drivers.beginning import clip, prepare, set_limits
from numbaopt.drivers.termination import finite
from numbaopt.solvers.vectors import copy


@jit
def rows(flat, at, count, n):
    """Return a part of a flat array as rows."""
    return flat[at : at + count * n].reshape((count, n))


@jit
def unseen(g, box):
    """Say NaN in a gradient from differences where bounds are equal: nothing was evaluated there."""
    for i in range(g.size):
        if box[0, i] == box[1, i]:
            g[i] = np.nan


@jit
def inward(box, i, low, high):
    """Store a pair of bounds: rounding stays inside. Raise ValueError where no number lies between."""
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
    """Write the table of powers of b into h: see `numbaopt.lowering.passes.powers`."""
    place = 1.0
    for k in range(4):
        for digit in range(32):
            h[at + 32 * k + digit] = b ** (digit * place)
        place *= 32.0
    h[at + 128] = 1048576 * np.log(abs(b)) if b != 0.0 else -np.inf


FUNCTIONS = rows, copy, finite, unseen, inward, fill_powers, clip, prepare, set_limits
HELPERS = {function.__name__: function for function in FUNCTIONS}
