"""Copying rows in any order, in compiled code."""

from numbaopt.backends.cpu import jit
from numbaopt.backends.pointers import copy, prefetch

AHEAD = 4096  # bytes that are asked for before they are copied: rows in random order are what no processor foresees...


ROWS_AHEAD = 16  # ...but no more rows than these


@jit
def gather(plan, order, known, lo, hi):
    """Copy rows ``order[lo:hi]`` of each column into its buffer, or ``lo:hi`` where order is empty.

    Parameters
    ----------
    plan : ndarray of int64
        For each column its buffer's address, then `Column.layout`.
    order : ndarray of int64
    known : int
        How many places of the order have been drawn.
    lo, hi : int
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
