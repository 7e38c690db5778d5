"""The order of the rows in an epoch, which depends only on the seed and the number of the epoch."""

import numpy as np

from numbaopt.backends.cpu import jit
from numbaopt.backends.runtime import mixed
from numbaopt.common.random import GOLDEN


@jit
def draw(order, key, epoch, lo, hi):
    """Draw entries ``lo:hi`` of the order of an epoch, given that the entries before `lo` have been drawn.

    This is the Fisher-Yates shuffle from the front. It can be interrupted after any entry, so no more random numbers
    are drawn than rows are used.

    Parameters
    ----------
    order : ndarray of int64, shape (rows,)
        Filled in place. The entries from `hi` on are the rows that have not been drawn.
    key : uint64
        The return value of `seed_key`.
    epoch : int
        The number of the epoch, counted from 0.
    lo, hi : int
        The first entry to draw, and the one after the last. ``lo = 0`` starts the epoch.
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
    """Return a uniformly distributed integer from 0 to ``end - 1``, given 64 random bits.

    Bits beyond the last multiple of `end` would make small numbers more likely, so they are replaced by new ones.
    """
    while bits - bits % end > np.uint64(0) - end:
        bits = mixed(bits + GOLDEN)
    return bits % end


def seed_key(seed):
    """Return the 64 bits that key the shuffles of a seed, which is a nonnegative int of any size."""
    return np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
