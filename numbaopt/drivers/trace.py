"""The functions with which compiled drivers write a history."""

from numbaopt.drivers.flags import HISTORY_NUMBERS, HISTORY_X
from numbaopt.drivers.stopping import DONE, ITERATIONS, VALUE, gradient_norm


def write_entry(k, f, norm, x, h, trace, points, first):
    """Write entry ``k``: a row of ``points``, and a column of ``trace`` with the numbers in h from ``first`` on."""
    trace[0, k], trace[1, k] = f, norm
    if HISTORY_NUMBERS:
        for j in range(2, trace.shape[0]):
            trace[j, k] = h[first + j - 2]
    if HISTORY_X:
        for i in range(x.size):
            points[k, i] = x[i]


def write_iterate(s, h, box, record, trace, points, first):
    """Write the entry of the latest iterate of a solver, unless it has already been written."""
    k, iterate = int(h[int(record[ITERATIONS])]), s[0]
    if k != record[DONE]:
        norm = gradient_norm(iterate, s[1], box)
        write_entry(k, h[int(record[VALUE])], norm, iterate, h, trace, points, first)
