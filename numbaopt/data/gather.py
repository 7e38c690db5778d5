"""Copying rows in any order, in compiled code."""

from numbaopt.backends.cpu import jit
from numbaopt.backends.pointers import copy, prefetch

# Rows in random order defeat the hardware prefetcher, so they are prefetched before they are copied.
AHEAD = 4096  # bytes to prefetch ahead of the row being copied...
ROWS_AHEAD = 16  # ...but at most this many rows


@jit
def gather(plan, order, known, lo, hi):
    """Copy rows ``order[lo:hi]`` of each column into its buffer, or rows ``lo:hi`` if `order` is empty.

    Parameters
    ----------
    plan : ndarray of int64
        For each column the address of its buffer, followed by the numbers that `Column.layout` returns.
    order : ndarray of int64, shape (rows,) or (0,)
        The order of the rows in this epoch.
    known : int
        The number of entries of `order` that have been drawn so far.
    lo, hi : int
        The first entry of `order` to copy, and the one after the last.
    """
    at = 0
    while at < plan.size:
        to, address, stride, run, count = plan[at], plan[at + 1], plan[at + 2], plan[at + 3], plan[at + 4]
        ahead = min(ROWS_AHEAD, 1 + AHEAD // max(1, run * count))
        at += 5
        for i in range(lo, hi):
            row = order[i] if order.size else i
            if count == 1 and i + ahead < known:
                later = address + order[i + ahead] * stride
                for byte in range(0, run, 64):
                    prefetch(later + byte)
            for k in range(count):
                copy(to, address + row * stride + plan[at + k], run)
                to += run
        at += count
