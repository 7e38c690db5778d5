"""Minibatch epochs in compiled code: the order of the rows, their copies, the steps, for many epochs a call."""

import numpy as np

from numbaopt.backends.cpu import jit
from numbaopt.backends.pointers import copy, prefetch
from numbaopt.data.shuffle import draw
from numbaopt.drivers.stopping import (
    BEST_X,
    EPOCH,
    GO_ON,
    LESS,
    LOWER,
    MORE,
    NFEV,
    NIT,
    NORM,
    SPOILED,
    SUM,
    WEIGHT,
    G,
    X,
    observe,
    spoiled,
)

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


def run_on_batches(
    fun, step, block, s, h, record, data, args, plan, order, key, end, size, stop, maxfev, trace, points, first
):
    """Take batches of ``size`` rows, of ``end`` an epoch, until there were ``stop`` of them; return the verdict.

    How many there were says where in which epoch to go on.
    """
    x, g, best, box = block[X], block[G], block[BEST_X:LOWER], block[LOWER:]
    t = int(record[NIT])
    batches = (end + size - 1) // size
    while t < stop and record[NFEV] < maxfev:
        epoch, lo = t // batches, t % batches * size
        hi = min(lo + size, end)
        if lo == 0:
            record[EPOCH], record[SUM], record[WEIGHT] = epoch, 0.0, 0.0
        known = min(hi + size, end) if order.size else 0  # one batch more, for the gather to look ahead
        if known:
            draw(order, key, epoch, hi if lo else 0, known)
        gather(plan, order, known, lo, hi)
        record[NFEV] += 1
        f = fun(x, g, 0, hi - lo, data, args)
        record[NFEV] += record[MORE] if abs(f) < np.inf else record[LESS]
        if spoiled(f, x, g, best, record):  # forgiving
            trace[0, t], trace[1, t] = f, np.nan  # history forgiving
            for j in range(2, trace.shape[0]):  # history forgiving
                trace[j, t] = h[first + j - 2]  # history forgiving
            if points.shape[0] > t:  # history forgiving
                points[t, :] = x  # history forgiving
            t += 1  # forgiving
            record[NIT] = t  # forgiving
            continue  # forgiving
        if verdict := observe(f, x, g, best, box, record):
            return verdict
        t += 1
        record[NIT] = t
        t -= int(record[SPOILED])  # forgiving
        h[-1] = f  # valued
        step(t, x, g, s, h)
        t = int(record[NIT])  # forgiving
        trace[0, t - 1], trace[1, t - 1] = f, record[NORM]  # history
        for j in range(2, trace.shape[0]):  # history numbers
            trace[j, t - 1] = h[first + j - 2]  # history numbers
        for i in range(x.size):  # history x rule
            points[t - 1, i] = x[i]  # history x rule
        if abs(f) < np.inf:
            record[SUM] += f * (hi - lo)
            record[WEIGHT] += hi - lo
    return GO_ON
