"""What a run came to, as a result: x, fun, and why it ended, in a sentence."""

import warnings

import numpy as np

from numbaopt.observe import (
    BAD_FUN,
    BAD_JAC,
    BAD_X,
    BEST,
    BEST_G,
    BEST_X,
    EPOCH,
    EPOCHS_DONE,
    FTOL_MET,
    GTOL,
    GTOL_MET,
    MAXFEV,
    MAXITER,
    MAXTIME,
    NIT,
    NORM,
    PREVIOUS,
    STALLED,
    STOPPED,
    SUM,
    WEIGHT,
    G,
    X,
)
from numbaopt.result import Result

STATUS = {
    GTOL_MET: 0,
    FTOL_MET: 0,
    EPOCHS_DONE: 0,
    MAXITER: 1,
    MAXFEV: 1,
    MAXTIME: 2,
    BAD_FUN: 3,
    BAD_JAC: 3,
    BAD_X: 3,
    STALLED: 6,
    STOPPED: 99,
}
INTERRUPTED = 4
OVERSHOT = " But that is at the last iterate, and a better point, x, was met on the way: the steps may be too long."
BAD = (BAD_FUN, BAD_JAC, BAD_X)


def outcome(run, verdict, message=None):
    """Return the result of a run that ended with ``verdict``, or that was broken off (None)."""
    minibatch = run.batches is not None
    x, f, g = _mean(run, verdict) if minibatch else _best(run)
    g = g.copy()
    if run.limits is not None and run.objective.jac in (None, "2-point", "3-point"):
        g[run.limits[0] == run.limits[1]] = np.nan  # not evaluated there
    status = STATUS.get(verdict, INTERRUPTED)
    if not minibatch and run.iterations is None and status == 0 and run.record[PREVIOUS] - f > 1e-6 * max(1.0, abs(f)):
        status = 5
    restore = run.objective.restore
    return Result(
        message=(message or _sentence(run, verdict)) + OVERSHOT * (status == 5),
        success=status == 0,
        status=status,
        fun=f,
        x=restore(x.copy()),
        nit=_iterations(run, verdict),
        jac=restore(g),
        nfev=run.objective.nfev,
        njev=run.objective.njev,
    )


def _iterations(run, verdict):
    """Return the steps done; of a solver its iterations, the last of which a tolerance may have cut short."""
    nit = int(run.record[NIT])
    return nit if run.iterations is None else run.done(nit) + (verdict == GTOL_MET and nit > 0)


def _best(run):
    """Return the best point evaluated (or the latest, if that was asked for), its value and its gradient."""
    if run.record[BEST] < np.inf:
        return run.block[BEST_X], float(run.record[BEST]), run.block[BEST_G]
    return run.block[BEST_X], float(run.record[PREVIOUS]), run.block[G]  # the start was not finite


def _mean(run, verdict):
    """Return the last iterate, the mean loss of the epoch, and the last batch's gradient."""
    total, weight = run.record[SUM], run.record[WEIGHT]
    mean = float(total / weight) if weight else float(run.record[PREVIOUS])
    return run.block[BEST_X if verdict in BAD else X], mean, run.block[G]


def _sentence(run, verdict):
    record, nit = run.record, _iterations(run, verdict)
    after = f"after {nit} step{'s' * (nit != 1)}"
    if verdict == GTOL_MET:
        entry = "The projected gradient's" if run.limits is not None else "The gradient's"
        text = f"{entry} largest entry is {record[NORM]:.3g}, within gtol={record[GTOL]:.3g}."
    elif verdict == FTOL_MET:
        text = f"The last step changed the objective, relative to its size, by less than ftol={run.ftol:.3g}."
    elif verdict == EPOCHS_DONE:
        epochs = run.batches.epochs
        text = "The epoch is done." if epochs == 1 else f"All {epochs} epochs are done."
    elif verdict == MAXITER:
        text = f"Maximum number of iterations has been exceeded (maxiter={run.maxiter:g})."
    elif verdict == MAXFEV:
        text = f"Maximum number of function evaluations has been exceeded (maxfev={run.maxfev:g})."
    elif verdict == MAXTIME:
        text = f"The time is over (maxtime={run.maxtime:g} s)."
    elif verdict == BAD_FUN:
        text = f"The objective is {record[PREVIOUS]} {after}; no step was taken from there."
    elif verdict == BAD_JAC:
        g = run.block[G]
        i = int(np.argmin(np.isfinite(g)))
        text = f"The gradient's entry {i} is {g[i]} {after}; no step was taken from there."
    elif verdict == BAD_X:
        text = f"x is not finite {after}, though objective and gradient were."
    elif verdict == STALLED:
        text = f"No lower point was found along the last direction, {after}: as low as working precision allows."
    elif verdict == STOPPED:
        text = "`callback` raised `StopIteration`."
    else:
        text = f"Broken off {after}."
    if run.batches is not None:
        text += f" x is the {'point that the method reports' if run.reports else 'last iterate'}"
        text += " with a finite loss" if verdict in BAD else ""
        partly = f"epoch {int(record[EPOCH]) + 1}, as far as it went"
        epoch = "the last epoch" if verdict == EPOCHS_DONE else partly
        text += f"; fun is the mean of the batch losses over {epoch}, weighted by batch size."
    return text


def display(result, stacklevel):
    """Print a result as SciPy does for disp=True; what is no success is a warning."""
    if result.success:
        print(result.message)
    else:
        from scipy.optimize import OptimizeWarning

        warnings.warn(result.message, OptimizeWarning, stacklevel=stacklevel + 1)
    print(f"         Current function value: {result.fun:f}")
    print(f"         Iterations: {result.nit}")
    print(f"         Function evaluations: {result.nfev}")
    print(f"         Gradient evaluations: {result.njev}")
