"""The choice of the driver: the Python driver for Python objectives, and the compiled one for jitted objectives.

An iteration is a step and an evaluation. Besides the time of the objective, an iteration of the Python driver takes two
calls of compiled code: the step and `check_from_python`. The compiled driver returns to Python about twenty times a
second, to handle Ctrl-C and to read the clock.
"""

import numpy as np

from numbaopt.backends.cpu import undecorated
from numbaopt.drivers.compiled_loop import minimize_batches, minimize_full_batch
from numbaopt.drivers.python_loop import iterate, iterate_batches
from numbaopt.drivers.recorder import Slices, Steps
from numbaopt.drivers.stopping import BAD_JAC, BEST_X, NIT, NONFINITE_COUNT, G, X
from numbaopt.drivers.termination import check_x

_check_x = undecorated(check_x)


def drive(run, callback=None):
    """Minimize with the driver that suits the objective; return the reason to stop.

    Callbacks and steps of several leaves are Python code that is executed at every step, so they require the Python
    driver.
    """
    compiled, batches = None, run.batches
    compilable = len(run.leaves) == 1 and (batches is None or run.gradients_per_step == 1)
    if callback is None and compilable and (batches is None or batches.columns is not None):
        compiled = run.objective.compiled(None if batches is None else batches.columns)
    if run.history_option:
        run.recorder = (Steps if compiled is None else Slices)(run)
    try:
        if compiled is None:
            stop = iterate(run, callback) if batches is None else iterate_batches(run, callback)
        else:
            stop = minimize_full_batch(run, compiled) if batches is None else minimize_batches(run, compiled)
    finally:
        if run.recorder is not None:
            run.recorder.close()
    nothing_else = run.record[NIT] == run.record[NONFINITE_COUNT]  # no evaluation was finite
    if stop == BAD_JAC and compiled is not None and run.objective.jac == "inplace" and nothing_else:
        run.objective.check_filled(0.0, run.block[G])
    return _check_x(stop, bool(np.isfinite(run.block[BEST_X if batches is None else X]).all()))
