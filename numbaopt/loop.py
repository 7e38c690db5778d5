"""The two drivers: plain, for objectives in Python, and compiled, for jitted ones; full-batch and minibatch.

An iteration is a step and an evaluation. The plain driver adds to the objective's own time two calls of
compiled code: the step and `look`. The compiled driver takes step and objective as first-class functions, so
it is compiled once for all objectives, and cached. Some twenty times a second it comes back to Python, for
Ctrl-C and the clock.
"""

import functools
from math import ceil, isfinite
from time import perf_counter

import numba
import numpy as np
from numba import types

from numbaopt.cpu import load, only, signature
from numbaopt.epochs import run_on_batches
from numbaopt.observe import (
    BAD_FUN,
    BAD_JAC,
    BAD_X,
    BEST,
    BEST_X,
    DONE,
    EPOCH,
    EPOCHS_DONE,
    GO_ON,
    LESS,
    LOWER,
    MORE,
    MOST_NFEV,
    MOST_NIT,
    NFEV,
    NIT,
    PREVIOUS,
    STALLED,
    STOPPED,
    SUM,
    WEIGHT,
    G,
    X,
    iterated,
    look,
    observe,
    over,
)
from numbaopt.splice import marks, splice
from numbaopt.threads import once
from numbaopt.tiers import tier

_TABLE = types.int64[::1]  # how a compiled objective gets its args and data
SLICE = 0.05  # seconds of compiled iterations between two looks at the clock


def drive(run, callback=None):
    """Minimise with the driver that suits; return the verdict.

    A callback is Python at every step, and so are steps of several leaves.
    """
    compiled, batches = None, run.batches
    alone = len(run.leaves) == 1 and (batches is None or run.evaluations == 1)
    if callback is None and alone and (batches is None or batches.columns is not None):
        compiled = run.objective.compiled(None if batches is None else batches.columns)
    if batches is None:
        verdict = plain(run, callback) if compiled is None else jitted(run, compiled)
    else:
        verdict = plain_batches(run, callback) if compiled is None else jitted_batches(run, compiled)
    if verdict == BAD_JAC and compiled is not None and run.objective.jac == "inplace" and run.record[NIT] == 0:
        run.objective.check_filled(0.0, run.block[G])
    x = run.block[BEST_X if batches is None else X]
    if verdict not in (BAD_FUN, BAD_JAC) and not np.isfinite(x).all():
        return BAD_X  # the objective had nothing against it, or was not asked any more
    return verdict


def plain(run, callback=None):
    """Minimise a full-batch objective in Python; return the verdict."""
    objective, block, record, step, s, h = run.objective, run.block, run.record, run.step, run.s, run.h
    maxiter, limited, valued, iterations = run.maxiter, run.limited, run.rule.valued, run.iterations
    x, g = block[X], block[G]
    t = told = 0
    try:
        verdict = look(f := objective(x, g), block, record)
        run.begin()
        while not verdict:
            if t >= maxiter or limited:
                if verdict := run.over(t):
                    break
            t += 1
            if valued:
                h[-1] = f
            step(t, x, g, s, h)
            if valued and not isfinite(h[-1]):
                return STALLED
            f = objective(x, g)
            verdict = look(f, block, record)
            if callback is not None:
                if iterations is not None:  # evaluations are trials: tell of the iterates
                    if (verdict or iterations(h) > told) and callback(block[BEST_X], float(record[BEST]), run.done(t)):
                        return STOPPED
                    told = iterations(h)
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
    x, g, valued = block[X], block[G], run.rule.valued
    t = 0
    total = weight = 0.0
    try:
        for epoch in range(run.batches.epochs):
            taken = (item for item in run.batches.epoch(epoch) for _ in range(run.evaluations))
            for k, (batch, rows) in enumerate(taken):
                if verdict := run.over(t):
                    return verdict
                if k == 0:
                    record[EPOCH] = epoch
                    total = weight = 0.0
                f = objective(x, g, *batch)
                if verdict := look(f, block, record):
                    return verdict
                t += 1
                if valued:
                    h[-1] = f
                step(t, x, g, s, h)
                if isfinite(f):
                    total += f * rows
                    weight += rows
                if callback is not None and callback(x, f, t, epoch=epoch, step=k):
                    return STOPPED
        return EPOCHS_DONE
    finally:
        record[NIT], record[SUM], record[WEIGHT] = t, total, weight


def jitted(run, compiled):
    """Minimise a jitted full-batch objective; return the verdict."""
    block, record, fun, args = run.block, run.record, compiled.function, compiled.args
    step = run.step if run.program is None else None
    run_on = tier(text(_run_on, run.program, marks(run.rule)), fun, step, (*memory(block.dtype), _TABLE, types.int64))
    record[MORE], record[LESS], record[NFEV] = compiled.cost - 1, compiled.failed - 1, 1.0
    try:
        began = perf_counter()
        f = fun(block[X], block[G], args)
        run.objective.nfev = record[NFEV] = compiled.cost if isfinite(f) else compiled.failed
        verdict = look(f, block, record)
        run.begin()
        chunk, t = paced(1, perf_counter() - began, run.deadline), 0
        while not verdict and not (verdict := run.over(t)):
            began = perf_counter()
            verdict = run_on(block, run.s, run.h, record, args, t + chunk)
            done, seconds = int(record[NIT]) - t, perf_counter() - began
            if run_on.spent(seconds) and run.at_leisure:
                run_on.specialise()
            chunk, t = paced(done, seconds, run.deadline), t + done
            run.objective.nfev = int(record[NFEV])
        return verdict
    finally:
        run.objective.nfev, run.objective.njev = int(record[NFEV]), 1 + int(record[NIT])


def _run_on(fun, step, block, s, h, record, args, stop):
    x, g, best, box = block[X], block[G], block[BEST_X:LOWER], block[LOWER:]
    t = int(record[NIT])
    stop = int(-(-min(stop, record[MOST_NIT]) // 1))  # rule
    while t < stop and record[NFEV] < record[MOST_NFEV]:
        t += 1
        record[NIT] = t
        h[-1] = record[PREVIOUS]  # valued
        step(t, x, g, s, h)
        if not abs(h[-1]) < np.inf:  # valued
            return STALLED  # valued
        record[NFEV] += 1.0
        f = fun(x, g, args)
        record[NFEV] += record[MORE] if abs(f) < np.inf else record[LESS]
        if verdict := observe(f, x, g, best, box, record):
            return verdict
        verdict = iterated(h, record)  # solver
        if verdict != GO_ON:  # solver
            return verdict  # solver
    return over(t, record)  # rule
    return over(record[DONE], record)  # solver


def jitted_batches(run, compiled):
    """Minimise a jitted minibatch objective; return the verdict."""
    block, record, fun, args, batches = run.block, run.record, compiled.function, compiled.args, run.batches
    feed = batches.feed()
    step = [run.step] if run.program is None else []
    row, takes = types.int64, (types.int64, types.int64, _TABLE, _TABLE)
    rest = (_TABLE, _TABLE, _TABLE, _TABLE, types.uint64, row, row, row, types.float64)
    run_on = driver(run_on_batches, run.program, marks(run.rule), block.dtype, takes, rest)
    record[MORE], record[LESS] = compiled.cost - 1, compiled.failed - 1
    table, chunk, t, last = compiled.pack(feed.buffers), 1, 0, batches.epochs * batches.steps
    try:
        while t < last:
            if verdict := run.over(t):
                return verdict
            began = perf_counter()
            stop = ceil(min(t + chunk, last, run.maxiter))
            where = feed.plan, feed.order, feed.key, feed.end, batches.batch_size, stop, float(run.maxfev)
            if verdict := run_on(fun, *step, block, run.s, run.h, record, table, args, *where):
                return verdict
            done = int(record[NIT]) - t
            chunk, t = paced(done, perf_counter() - began, run.deadline), t + done
            run.objective.nfev = int(record[NFEV])
        return EPOCHS_DONE
    finally:
        nfev, steps = int(record[NFEV]), int(record[NIT])
        # The last evaluation may have had no step: it raised, or was not finite.
        run.objective.nfev, run.objective.njev = nfev, steps + (nfev > steps * compiled.cost)


@once
def driver(function, program, marks, dtype, objective, rest):
    """Compile a driver for this dtype and rule, once; kept on disk. It takes any objective."""
    real = numba.from_dtype(dtype)
    step = [types.FunctionType(types.void(*signature(dtype)))] if program is None else []
    objective = types.FunctionType(types.float64(real[::1], real[::1], *objective))
    return only(load(text(function, program, marks), "driver"), (objective, *step, *memory(dtype), *rest))


@functools.cache
def text(functions, program, marks, more=""):
    """Return the text of a driver for a rule: see `splice`."""
    return splice(functions, program, marks, more)


def memory(dtype):
    """Return the types of a run's block, slots, numbers and record."""
    block, numbers = numba.from_dtype(dtype)[:, ::1], types.float64[::1]
    return block, block, numbers, numbers


def paced(chunk, seconds, deadline):
    """Return how many iterations to do next, after ``chunk`` of them took ``seconds``."""
    aim = SLICE if deadline is None else min(SLICE, deadline - perf_counter())
    return max(1, int(chunk * min(1000.0, aim / max(seconds, 1e-9))))
