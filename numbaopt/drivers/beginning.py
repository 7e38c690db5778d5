"""The beginning of a run, in compiled code: x between its bounds, the rows of the block, the start's evaluation."""

import numpy as np

from numbaopt.backends.cpu import jit
from numbaopt.drivers.flags import SOLVER
from numbaopt.drivers.stopping import (
    BEST_G,
    BEST_X,
    GO_ON,
    LESS,
    LOWER,
    MORE,
    NFEV,
    G,
    X,
    begin_trials,
    check,
    check_limits,
)
from numbaopt.drivers.termination import check_x


@jit
def clip(x, box):
    """Move x between the bounds, if there are any; NaN stays."""
    if box.shape[0] > 0:
        for i in range(x.size):
            if x[i] < box[0, i]:
                x[i] = box[0, i]
            if x[i] > box[1, i]:
                x[i] = box[1, i]


@jit
def prepare(block):
    """Prepare a block whose x and bounds are set: the rows of the gradient and of the best point."""
    clip(block[X], block[LOWER:])
    for i in range(block.shape[1]):
        block[G, i], block[BEST_X, i], block[BEST_G, i] = np.nan, block[X, i], np.nan


def evaluate_start(fun, block, h, record, args):
    """Evaluate the start; return why to stop there, or `GO_ON`."""
    stop = check_x(GO_ON, block)
    if stop != GO_ON:
        return stop
    x, g, best, box = block[X], block[G], block[BEST_X:LOWER], block[LOWER:]
    record[NFEV] = 1.0
    f = fun(x, g, args)
    record[NFEV] += record[MORE] if abs(f) < np.inf else record[LESS]
    stop = check(f, x, g, best, box, record)
    if SOLVER:
        begin_trials(f, record)
    return check_limits(0, record) if stop == GO_ON else stop
