"""The loops for Python objectives: full-batch and minibatch."""

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
    """Minimize a full-batch Python objective; return the reason to stop."""
    objective, block, record, step, s, h = run.objective, run.block, run.record, run.step, run.s, run.h
    maxiter, check_every_step, iterations = run.maxiter, run.check_every_step, run.iterations
    x, g, needs_value, skips = block[X], block[G], run.rule.needs_value, run.skips_nonfinite
    recorder = run.recorder
    check = check_from_python if recorder is None else recorder.check
    t, f, stop = int(record[NIT]), float(record[PREVIOUS]), run.initial_stop
    last_reported, next_check = run.iterations_done(t), t
    try:
        if stop is None:
            stop = check(f := objective(x, g), block, record)
            if iterations is not None:
                begin_trials(f, record)
        while not stop:
            if t >= next_check:
                next_update = inf if recorder is None else recorder.update(t)
                next_check = t if check_every_step else min(maxiter, next_update)
                if (check_every_step or t >= maxiter) and (stop := run.check_run_limits(t)):
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
                if iterations is not None:  # report iterates, not trials; the last evaluation may complete two
                    done = iterations(h) + (stop == GTOL_MET)
                    for nit in range(last_reported + 1, done + 1):
                        if callback(block[BEST_X], float(record[BEST]), nit):
                            return STOPPED
                    last_reported = done
                elif callback(x, f, t):
                    return STOPPED
            if iterations is not None and not stop:
                record[NFEV] = objective.nfev
                stop = check_iteration(h, record)
        return stop
    finally:  # also if the objective raises an exception
        record[NIT] = t


def iterate_batches(run, callback=None):
    """Minimize a minibatch Python objective; return the reason to stop."""
    objective, block, record, step, s, h = run.objective, run.block, run.record, run.step, run.s, run.h
    x, g, needs_value, skips = block[X], block[G], run.rule.needs_value, run.skips_nonfinite
    recorder = run.recorder
    check = check_from_python if recorder is None else recorder.check
    t, (first_epoch, done) = int(record[NIT]), run.position
    next_update, skipped_count = t, int(record[NONFINITE_COUNT])
    total, weight = float(record[SUM]), float(record[WEIGHT])
    try:
        if run.initial_stop:
            return run.initial_stop
        for epoch in range(first_epoch, run.batches.epochs):
            batches = run.batches.epoch(epoch, done // run.gradients_per_step)
            repeated = (item for item in batches for _ in range(run.gradients_per_step))
            for k, (batch, rows) in enumerate(islice(repeated, done % run.gradients_per_step, None), done):
                if t >= next_update:
                    next_update = inf if recorder is None else recorder.update(t)
                if stop := run.check_run_limits(t):
                    return stop
                if k == 0:
                    total = weight = 0.0
                    record[EPOCH], record[SUM], record[WEIGHT] = epoch, 0.0, 0.0
                f = objective(x, g, *batch)
                skipped = skips and skip_nonfinite_from_python(f, block, record)
                if skipped:
                    if recorder is not None:
                        recorder.record_skipped(f)
                    skipped_count += 1
                elif stop := check(f, block, record):
                    return stop
                t += 1
                if not skipped:
                    if needs_value:
                        h[-1] = f
                    step(t - skipped_count, x, g, s, h)
                if isfinite(f) and not skipped:
                    total += f * rows
                    weight += rows
                    record[SUM], record[WEIGHT] = total, weight
                run.position = epoch, k + 1
                if callback is not None and callback(x, f, t, epoch=epoch, step=k):
                    return STOPPED
            done, run.position = 0, (epoch + 1, 0)
        return EPOCHS_DONE
    finally:
        record[NIT] = t
