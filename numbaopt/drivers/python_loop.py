"""The loops for objectives in Python: full-batch and minibatch."""

from itertools import islice
from math import isfinite

from numbaopt.drivers.stopping import (
    BEST,
    BEST_X,
    EPOCH,
    EPOCHS_DONE,
    GTOL_MET,
    NFEV,
    NIT,
    PREVIOUS,
    SPOILED,
    STALLED,
    STOPPED,
    SUM,
    WEIGHT,
    G,
    X,
    forgive,
    iterated,
)


def plain(run, callback=None):
    """Minimise a full-batch objective in Python; return the verdict."""
    objective, block, record, step, s, h = run.objective, run.block, run.record, run.step, run.s, run.h
    maxiter, limited, valued, iterations = run.maxiter, run.limited, run.rule.needs_value, run.iterations
    x, g, forgiving = block[X], block[G], run.skips_nonfinite
    look, seen = run.recorder.look, run.recorder.seen
    t, f, verdict = int(record[NIT]), float(record[PREVIOUS]), run.opening
    told, due = run.done(t), t
    try:
        if verdict is None:
            verdict = look(f := objective(x, g), block, record)
            run.begin()
        while not verdict:
            if t >= due:
                later = seen(t)
                due = t if limited else min(maxiter, later)
                if (limited or t >= maxiter) and (verdict := run.over(t)):
                    break
            t += 1
            if valued:
                h[-1] = f
            step(t, x, g, s, h)
            if valued and not isfinite(h[-1]):
                return STALLED
            f = objective(x, g)
            while forgiving and objective.nfev < run.maxfev and forgive(f, block, record):
                f = objective(x, g)
            verdict = look(f, block, record)
            if callback is not None:
                if iterations is not None:  # evaluations are trials: tell of the iterates, of which the last may be two
                    done = iterations(h) + (verdict == GTOL_MET)
                    for nit in range(told + 1, done + 1):
                        if callback(block[BEST_X], float(record[BEST]), nit):
                            return STOPPED
                    told = done
                elif callback(x, f, t):
                    return STOPPED
            if iterations is not None and not verdict:
                record[NFEV] = objective.nfev
                verdict = iterated(h, record)
        return verdict
    finally:  # also on the way out of an exception
        record[NIT] = t


def plain_batches(run, callback=None):
    """Minimise a minibatch objective in Python; return the verdict."""
    objective, block, record, step, s, h = run.objective, run.block, run.record, run.step, run.s, run.h
    x, g, valued, forgiving = block[X], block[G], run.rule.needs_value, run.skips_nonfinite
    look, seen = run.recorder.look, run.recorder.seen
    t, (begun, done) = int(record[NIT]), run.place
    due, lost = t, int(record[SPOILED])
    total, weight = float(record[SUM]), float(record[WEIGHT])
    try:
        if run.opening:
            return run.opening
        for epoch in range(begun, run.batches.epochs):
            batches = run.batches.epoch(epoch, done // run.gradients_per_step)
            taken = (item for item in batches for _ in range(run.gradients_per_step))
            for k, (batch, rows) in enumerate(islice(taken, done % run.gradients_per_step, None), done):
                if t >= due:
                    due = seen(t)
                if verdict := run.over(t):
                    return verdict
                if k == 0:
                    total = weight = 0.0
                    record[EPOCH], record[SUM], record[WEIGHT] = epoch, 0.0, 0.0
                f = objective(x, g, *batch)
                passed = forgiving and forgive(f, block, record)
                if passed:
                    run.recorder.pass_over(f)
                    lost += 1
                elif verdict := look(f, block, record):
                    return verdict
                t += 1
                if not passed:
                    if valued:
                        h[-1] = f
                    step(t - lost, x, g, s, h)
                if isfinite(f) and not passed:
                    total += f * rows
                    weight += rows
                    record[SUM], record[WEIGHT] = total, weight
                run.place = epoch, k + 1
                if callback is not None and callback(x, f, t, epoch=epoch, step=k):
                    return STOPPED
            done, run.place = 0, (epoch + 1, 0)
        return EPOCHS_DONE
    finally:
        record[NIT] = t
