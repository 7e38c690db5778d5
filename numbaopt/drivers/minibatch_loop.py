"""Minibatch epochs in compiled code: the order of the rows, their copies, the steps, for many epochs a call."""

import numpy as np

from numbaopt.data.gather import gather
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
