"""The order of the rows in an epoch: a function of seed and epoch alone, drawn as far as it is asked for."""

import numpy as np

from numbaopt.backends.cpu import jit
from numbaopt.backends.runtime import mixed
from numbaopt.common.random import GOLDEN


@jit
def draw(order, key, epoch, lo, hi):
    """Draw which rows come at places ``lo:hi`` of an epoch, those before them being drawn.

    Fisher and Yates's shuffle from the front, so that of an epoch no more is drawn than is taken.

    Parameters
    ----------
    order : ndarray of int64, shape (rows,)
        The places; what lies behind `hi` are the rows that are left.
    key : uint64
        From `seed_key`.
    epoch : int
    lo, hi : int
        At ``lo = 0`` an epoch begins.
    """
    if lo == 0:
        for i in range(order.size):
            order[i] = i
    start = mixed(key + np.uint64(epoch) * GOLDEN)
    for i in range(lo, hi):
        j = i + np.int64(below(np.uint64(order.size - i), mixed(start + np.uint64(i + 1) * GOLDEN)))
        order[i], order[j] = order[j], order[i]


@jit
def below(end, bits):
    """Make of 64 bits a number from 0 below `end`, all alike likely: beyond its last multiple bits are mixed anew."""
    while bits - bits % end > np.uint64(0) - end:
        bits = mixed(bits + GOLDEN)
    return bits % end


def seed_key(seed):
    """Return 64 bits that follow from a seed, a whole number from 0 of any size."""
    return np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
