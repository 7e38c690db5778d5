"""The loops for objectives in Python: full-batch and minibatch."""

from itertools import islice
from math import inf, isfinite

from numbaopt.drivers.stopping import (
    BEST,
    BEST_X,
    EPOCH,
    EPOCHS_DONE,
    GTOL_MET,
    NFEV,
    NIT,
    NONFINITE_COUNT,
    PREVIOUS,
    STALLED,
    STOPPED,
    SUM,
    WEIGHT,
    G,
    X,
    begin_trials,
    check_from_python,
    check_iteration,
    skip_nonfinite_from_python,
)


def iterate(run, callback=None):
    """Minimize a full-batch objective in Python; return why it stopped."""
    objective, block, record, step, s, h = run.objective, run.block, run.record, run.step, run.s, run.h
    maxiter, limited, needs_value, iterations = run.maxiter, run.limited, run.rule.needs_value, run.iterations
    x, g, skips = block[X], block[G], run.skips_nonfinite
    recorder = run.recorder
    check = check_from_python if recorder is None else recorder.check
    t, f, stop = int(record[NIT]), float(record[PREVIOUS]), run.opening
    told, due = run.done(t), t
    try:
        if stop is None:
            stop = check(f := objective(x, g), block, record)
            if iterations is not None:
                begin_trials(f, record)
        while not stop:
            if t >= due:
                later = inf if recorder is None else recorder.seen(t)
                due = t if limited else min(maxiter, later)
                if (limited or t >= maxiter) and (stop := run.over(t)):
                    break
            t += 1
            if needs_value:
                h[-1] = f
            step(t, x, g, s, h)
            if needs_value and not isfinite(h[-1]):
                return STALLED
            f = objective(x, g)
            while skips and objective.nfev < run.maxfev and skip_nonfinite_from_python(f, block, record):
                f = objective(x, g)
            stop = check(f, block, record)
            if callback is not None:
                if iterations is not None:  # evaluations are trials: tell of the iterates, of which the last may be two
                    done = iterations(h) + (stop == GTOL_MET)
                    for nit in range(told + 1, done + 1):
                        if callback(block[BEST_X], float(record[BEST]), nit):
                            return STOPPED
                    told = done
                elif callback(x, f, t):
                    return STOPPED
            if iterations is not None and not stop:
                record[NFEV] = objective.nfev
                stop = check_iteration(h, record)
        return stop
    finally:  # also on the way out of an exception
        record[NIT] = t


def iterate_batches(run, callback=None):
    """Minimize a minibatch objective in Python; return why it stopped."""
    objective, block, record, step, s, h = run.objective, run.block, run.record, run.step, run.s, run.h
    x, g, needs_value, skips = block[X], block[G], run.rule.needs_value, run.skips_nonfinite
    recorder = run.recorder
    check = check_from_python if recorder is None else recorder.check
    t, (begun, done) = int(record[NIT]), run.place
    due, lost = t, int(record[NONFINITE_COUNT])
    total, weight = float(record[SUM]), float(record[WEIGHT])
    try:
        if run.opening:
            return run.opening
        for epoch in range(begun, run.batches.epochs):
            batches = run.batches.epoch(epoch, done // run.gradients_per_step)
            taken = (item for item in batches for _ in range(run.gradients_per_step))
            for k, (batch, rows) in enumerate(islice(taken, done % run.gradients_per_step, None), done):
                if t >= due:
                    due = inf if recorder is None else recorder.seen(t)
                if stop := run.over(t):
                    return stop
                if k == 0:
                    total = weight = 0.0
                    record[EPOCH], record[SUM], record[WEIGHT] = epoch, 0.0, 0.0
                f = objective(x, g, *batch)
                skipped = skips and skip_nonfinite_from_python(f, block, record)
                if skipped:
                    if recorder is not None:
                        recorder.pass_over(f)
                    lost += 1
                elif stop := check(f, block, record):
                    return stop
                t += 1
                if not skipped:
                    if needs_value:
                        h[-1] = f
                    step(t - lost, x, g, s, h)
                if isfinite(f) and not skipped:
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
