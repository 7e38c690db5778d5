"""The result of a run: the solution, the value, and a message that states why the run stopped."""

import warnings

import numpy as np

from numbaopt.backends.cpu import undecorated
from numbaopt.common.tree import flatten
from numbaopt.drivers import termination
from numbaopt.drivers.stopping import (
    BAD_FUN,
    BAD_JAC,
    BAD_X,
    BEST_X,
    EPOCH,
    EPOCHS_DONE,
    FTOL_MET,
    GTOL,
    GTOL_MET,
    IN_A_ROW,
    MAXFEV,
    MAXITER,
    MAXTIME,
    NONFINITE_COUNT,
    NORM,
    PREVIOUS,
    STALLED,
    STOPPED,
    SUM,
    WEIGHT,
    G,
    X,
)
from numbaopt.results.result import Result

FIXED = "All independent variables were fixed by bounds."
OUTSIDE = 8  # the status of a solution outside the bounds, from a method that does not support them
OVERSHOT = " But this holds at the last iterate, and an earlier iterate, x, is better: the steps may be too long."
BAD = (BAD_FUN, BAD_JAC, BAD_X)
_answer, _iterations, _status = map(undecorated, (termination.answer, termination.iterations_of, termination.status_of))


def outcome(run, stop, message=None):
    """Return the result of a run that stopped for the reason ``stop``, or that was interrupted (GO_ON)."""
    minibatch = run.batches is not None
    fun, row, status, nit = _summary(stop, run.h, run.record)
    x, f, g = _mean(run, stop) if minibatch else (run.block[BEST_X], float(fun), run.block[row])
    g = g.copy()
    if run.limits is not None and run.objective.jac in (None, "2-point", "3-point"):
        g[run.limits[0] == run.limits[1]] = np.nan  # these entries were not evaluated
    restore = run.objective.restore
    result = Result(
        message=(message or _sentence(run, stop, nit)) + OVERSHOT * (status == termination.OVERSHOT),
        success=status == 0,
        status=status,
        fun=f,
        x=restore(x.copy()),
        nit=nit,
        jac=restore(g),
        nfev=run.objective.nfev + run.objective.spent[0],
        njev=run.objective.njev + run.objective.spent[1],
    )
    if run.skips_nonfinite:
        result.nonfinite = int(run.record[NONFINITE_COUNT])
    if run.recorder is not None:
        result.history = run.recorder.history(stop)
    return result


def _mean(run, stop):
    """Return the last iterate, the mean loss of the epoch, and the gradient of the last batch."""
    total, weight = run.record[SUM], run.record[WEIGHT]
    mean = float(total / weight) if weight else float(run.record[PREVIOUS])
    return run.block[BEST_X if stop in BAD else X], mean, run.block[G]


def _summary(stop, h, record):
    """`numbaopt.drivers.termination.summary`, in Python."""
    fun, row = _answer(record)
    return fun, row, _status(stop, fun, record), _iterations(stop, h, record)


def _sentence(run, stop, nit):
    record, g = run.record, run.block[G]
    nonfinite = int(np.argmin(np.isfinite(g)))
    text = sentence(stop, nit, record[PREVIOUS], record[NORM], (nonfinite, g[nonfinite]), run)
    if run.batches is not None:
        last = "point that the method reports" if run.has_reported_point else "last iterate"
        text += f" x is the {'last iterate with a finite loss' if stop in BAD else last}"
        unfinished = f"the completed part of epoch {int(record[EPOCH]) + 1}"
        epoch = "the last epoch" if stop == EPOCHS_DONE else unfinished
        text += f"; fun is the mean of the batch losses over {epoch}, weighted by batch size."
    return text


def sentence(stop, nit, latest, norm, entry, run):
    """Return a sentence that states why a run stopped.

    Parameters
    ----------
    stop : int
        The reason, by the names in `numbaopt.drivers.stopping`.
    nit : int
        The number of steps, or of iterations of a solver.
    latest, norm : float
        The last value of the objective, and the largest absolute entry of the gradient.
    entry : (int, float)
        The index and the value of the first entry of the gradient that is not finite, if there is one.
    run : Run
        The run, of which the limits are used.
    """
    after = f"after {nit} step{'s' * (nit != 1)}"
    if stop == GTOL_MET:
        owner = "The projected gradient's" if run.limits is not None else "The gradient's"
        return f"{owner} largest entry is {norm:.3g}, within gtol={run.record[GTOL]:.3g}."
    if stop == FTOL_MET:
        return f"The last step changed the objective, relative to its size, by less than ftol={run.ftol:.3g}."
    if stop == EPOCHS_DONE:
        epochs = max(run.batches.epochs, int(run.record[EPOCH]) + 1)  # a checkpoint may be of a run with more epochs
        return "The epoch is done." if epochs == 1 else f"All {epochs} epochs are done."
    if stop == MAXITER:
        return f"Maximum number of iterations has been exceeded (maxiter={run.maxiter:g})."
    if stop == MAXFEV:
        return f"Maximum number of function evaluations has been exceeded (maxfev={run.maxfev:g})."
    if stop == MAXTIME:
        return f"Maximum time has been exceeded (maxtime={run.maxtime:g} s)."
    if stop == BAD_FUN:
        return f"The objective is {latest} {after}{_again(run)}; no step was taken from there."
    if stop == BAD_JAC:
        return f"The gradient's entry {entry[0]} is {entry[1]} {after}{_again(run)}; no step was taken from there."
    if stop == BAD_X:
        return f"x is not finite {after}, although the objective and its gradient are."
    if stop == STALLED:
        return f"No lower point was found along the last direction {after}: fun is as low as precision allows."
    return "`callback` raised `StopIteration`." if stop == STOPPED else f"Interrupted {after}."


def unbounded(result, limits):
    """Mark the result of a method that does not support bounds as a failure if x lies outside the bounds."""
    x = flatten(result.x)[1]
    if not ((limits[0] <= x) & (x <= limits[1])).all():
        result.success, result.status = False, OUTSIDE
        result.message += " But x lies outside the bounds, which this method does not support."
    return result


def _again(run):
    """Return a clause that states how many evaluations in a row were skipped because they were not finite."""
    times = int(run.record[IN_A_ROW])
    return f", and {times} evaluations before it were not finite either" if times else ""


def display(result, stacklevel):
    """Print a result as SciPy does for ``disp=True``; if it is not a success, the message is a warning."""
    if result.success:
        print(result.message)
    else:
        from scipy.optimize import OptimizeWarning

        warnings.warn(result.message, OptimizeWarning, stacklevel=stacklevel + 1)
    print(f"         Current function value: {result.fun:f}")
    print(f"         Iterations: {result.nit}")
    print(f"         Function evaluations: {result.nfev}")
    print(f"         Gradient evaluations: {result.njev}")
