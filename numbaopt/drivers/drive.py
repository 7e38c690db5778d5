"""The two drivers: plain, for objectives in Python, and compiled, for jitted ones; full-batch and minibatch.

An iteration is a step and an evaluation. The plain driver adds to the objective's own time two calls of
compiled code: the step and `look`. The compiled driver takes step and objective as first-class functions, so
it is compiled once for all objectives, and cached. Some twenty times a second it comes back to Python, for
Ctrl-C and the clock.
"""


import numpy as np

from numbaopt.drivers.compiled_loop import jitted, jitted_batches
from numbaopt.drivers.python_loop import plain, plain_batches
from numbaopt.drivers.recorder import Slices, Steps
from numbaopt.drivers.stopping import (
    BAD_FUN,
    BAD_JAC,
    BAD_X,
    BEST_X,
    NIT,
    G,
    X,
)


def drive(run, callback=None):
    """Minimise with the driver that suits; return the verdict.

    A callback is Python at every step, and so are steps of several leaves.
    """
    compiled, batches = None, run.batches
    alone = len(run.leaves) == 1 and (batches is None or run.gradients_per_step == 1)
    if callback is None and alone and (batches is None or batches.columns is not None):
        compiled = run.objective.compiled(None if batches is None else batches.columns)
    if run.wanted:
        run.recorder = (Steps if compiled is None else Slices)(run)
    try:
        if batches is None:
            verdict = plain(run, callback) if compiled is None else jitted(run, compiled)
        else:
            verdict = plain_batches(run, callback) if compiled is None else jitted_batches(run, compiled)
    finally:
        run.recorder.close()
    if verdict == BAD_JAC and compiled is not None and run.objective.jac == "inplace" and run.record[NIT] == 0:
        run.objective.check_filled(0.0, run.block[G])
    x = run.block[BEST_X if batches is None else X]
    if verdict not in (BAD_FUN, BAD_JAC) and not np.isfinite(x).all():
        return BAD_X  # the objective had nothing against it, or was not asked any more
    return verdict


















