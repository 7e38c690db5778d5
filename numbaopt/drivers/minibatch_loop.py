"""The compiled loop for minibatches: each call shuffles and gathers the rows and makes the steps of many epochs."""

import numpy as np

from numbaopt.data.gather import gather
from numbaopt.data.shuffle import draw
from numbaopt.drivers.flags import HISTORY, NEEDS_VALUE, SKIPS_NONFINITE
from numbaopt.drivers.stopping import (
    BEST_X,
    EPOCH,
    GO_ON,
    LESS,
    LOWER,
    MORE,
    NFEV,
    NIT,
    NONFINITE_COUNT,
    NORM,
    SUM,
    WEIGHT,
    G,
    X,
    check,
    skip_nonfinite,
)
from numbaopt.drivers.trace import write_entry


def run_on_batches(fun, step, block, s, h, record, data, args, plan, order, seed_key, end, size, last, maxfev, history):
    """Step on batches of ``size`` rows until batch ``last``; return the reason to stop, or `GO_ON`.

    An epoch has ``end`` rows. The number of batches so far determines the epoch and the position in it.
    """
    x, g, best, box = block[X], block[G], block[BEST_X:LOWER], block[LOWER:]
    if HISTORY:
        trace, points, first = history
    t = int(record[NIT])
    batches = (end + size - 1) // size
    while t < last and record[NFEV] < maxfev:
        epoch, lo = t // batches, t % batches * size
        hi = min(lo + size, end)
        if lo == 0:
            record[EPOCH], record[SUM], record[WEIGHT] = epoch, 0.0, 0.0
        drawn = min(hi + size, end) if order.size else 0  # including the next batch, which `gather` prefetches
        if drawn:
            draw(order, seed_key, epoch, hi if lo else 0, drawn)
        gather(plan, order, drawn, lo, hi)
        record[NFEV] += 1
        f = fun(x, g, 0, hi - lo, data, args)
        record[NFEV] += record[MORE] if abs(f) < np.inf else record[LESS]
        if SKIPS_NONFINITE:
            if skip_nonfinite(f, x, g, best, record):
                if HISTORY:
                    write_entry(t, f, np.nan, x, h, trace, points, first)
                t += 1
                record[NIT] = t
                continue
        stop = check(f, x, g, best, box, record)
        if stop != GO_ON:
            return stop
        record[NIT] = t + 1
        if NEEDS_VALUE:
            h[-1] = f
        k = t + 1  # the number of the step, without those of skipped batches
        if SKIPS_NONFINITE:
            k -= int(record[NONFINITE_COUNT])
        step(k, x, g, s, h)
        if HISTORY:
            write_entry(t, f, record[NORM], x, h, trace, points, first)
        t += 1
        if abs(f) < np.inf:
            record[SUM] += f * (hi - lo)
            record[WEIGHT] += hi - lo
    return GO_ON
