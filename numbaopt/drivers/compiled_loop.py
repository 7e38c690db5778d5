"""The loops for compiled objectives: full-batch and minibatch."""

import functools
from math import ceil, isfinite
from time import perf_counter

import numba
import numpy as np
from numba import types

from numbaopt.backends.cpu import load, only, signature
from numbaopt.common.locking import once
from numbaopt.drivers.assemble import splice
from numbaopt.drivers.double_buffer import Rows, Still, suits
from numbaopt.drivers.minibatch_loop import run_on_batches
from numbaopt.drivers.recorder import largest
from numbaopt.drivers.specialize import tier
from numbaopt.drivers.stopping import (
    BAD_FUN,
    BAD_JAC,
    BEST_X,
    DONE,
    DONE_VALUE,
    EPOCHS_DONE,
    GO_ON,
    ITERATIONS,
    LESS,
    LOWER,
    MORE,
    MOST_NFEV,
    MOST_NIT,
    NFEV,
    NIT,
    NORM,
    PREVIOUS,
    SPOILED,
    STALLED,
    TOLERANT,
    VALUE,
    G,
    X,
    iterated,
    look,
    observe,
    over,
    spoiled,
)
from numbaopt.drivers.termination import judged

TABLE_TYPE = types.int64[::1]  # how a compiled objective gets its args and data


SLICE = 0.05  # seconds of compiled iterations between two looks at the clock


def jitted(run, compiled):
    """Minimise a jitted full-batch objective; return the verdict."""
    block, record, fun, args = run.block, run.record, compiled.function, compiled.args
    rows = Rows(run) if suits(run) else Still(run)
    rest = *memory(block.dtype), TABLE_TYPE, types.int64, *run.recorder.kinds, *rows.kinds
    run_on = tier(text(run_full_batch, run.program, run.marks + rows.marks), fun, rows.step, rows.signature, rest)
    record[MORE], record[LESS] = compiled.cost - 1, compiled.failed - 1
    began, verdict = perf_counter(), run.opening
    try:
        if verdict is None:
            record[NFEV] = 1.0
            f = fun(block[X], block[G], args)
            run.objective.nfev = record[NFEV] = compiled.cost if isfinite(f) else compiled.failed
            verdict = look(f, block, record)
            run.begin()
        run.recorder.open()
        chunk, t = paced(1, perf_counter() - began, run.deadline), int(record[NIT])
        while not verdict and not (verdict := run.over(t)):
            began = perf_counter()
            verdict = run_on(block, run.s, run.h, record, args, t + chunk, *run.recorder.room(chunk), *rows.given)
            rows.settle()
            run.recorder.passed()
            done, seconds = int(record[NIT]) - t, perf_counter() - began
            if run_on.spent(seconds) and run.at_leisure:
                run_on.specialise()
            chunk, t = paced(done, seconds, run.deadline), t + done
            run.objective.nfev = int(record[NFEV])
        return verdict
    finally:
        rows.settle()
        run.objective.nfev, stalled = int(record[NFEV]), verdict == STALLED  # at a step without an evaluation
        run.objective.njev = 1 + int(record[NIT] + record[SPOILED]) - stalled


def run_full_batch(fun, step, block, s, h, record, args, stop, trace, points, first):
    x, g, best, box = block[X], block[G], block[BEST_X:LOWER], block[LOWER:]
    t = int(record[NIT])
    stop = int(-(-min(stop, record[MOST_NIT]) // 1))  # rule
    while t < stop and record[NFEV] < record[MOST_NFEV]:
        trace[0, t], trace[1, t] = record[PREVIOUS], record[NORM]  # history rule
        for j in range(2, trace.shape[0]):  # history numbers
            trace[j, t] = h[first + j - 2]  # history numbers
        for i in range(x.size):  # history x rule
            points[t, i] = x[i]  # history x rule
        t += 1
        record[NIT] = t
        h[-1] = record[PREVIOUS]  # valued
        step(t, x, g, s, h)
        k = int(h[int(record[ITERATIONS])])  # history solver
        if k != record[DONE]:  # history solver
            trace[0, k], trace[1, k] = h[int(record[VALUE])], largest(s, block, record)  # history solver
            for i in range(x.size):  # history x solver
                points[k, i] = s[0, i]  # history x solver
        if not abs(h[-1]) < np.inf:  # valued
            return STALLED  # valued
        record[NFEV] += 1.0
        f = fun(x, g, args)
        record[NFEV] += record[MORE] if abs(f) < np.inf else record[LESS]
        while record[NFEV] < record[MOST_NFEV] and spoiled(f, x, g, best, record):  # forgiving
            record[NFEV] += 1.0  # forgiving
            f = fun(x, g, args)  # forgiving
            record[NFEV] += record[MORE] if abs(f) < np.inf else record[LESS]  # forgiving
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
    row, takes = types.int64, (types.int64, types.int64, TABLE_TYPE, TABLE_TYPE)
    rest = (TABLE_TYPE, TABLE_TYPE, TABLE_TYPE, TABLE_TYPE, types.uint64, row, row, row, types.float64)
    rest += run.recorder.kinds
    run_on = driver(run_on_batches, run.program, run.marks, block.dtype, takes, rest)
    record[MORE], record[LESS] = compiled.cost - 1, compiled.failed - 1
    table, chunk, t, last = compiled.pack(feed.buffers), 1, int(record[NIT]), batches.epochs * batches.steps
    run.place = epoch, done = divmod(t, batches.steps)
    feed.resume(epoch, min((done + 1) * batches.batch_size, batches.end) if done else 0)
    verdict = run.opening
    run.recorder.open()
    try:
        if verdict:
            return verdict
        while t < last:
            if verdict := run.over(t):
                return verdict
            began = perf_counter()
            stop = ceil(min(t + chunk, last, run.maxiter))
            where = feed.plan, feed.order, feed.key, feed.end, batches.batch_size, stop, float(run.maxfev)
            where += run.recorder.room(stop - t)
            verdict = run_on(fun, *step, block, run.s, run.h, record, table, args, *where)
            run.recorder.passed()
            if verdict:
                return verdict
            done = int(record[NIT]) - t
            chunk, t = paced(done, perf_counter() - began, run.deadline), t + done
            run.objective.nfev, run.place = int(record[NFEV]), divmod(t, batches.steps)
        return EPOCHS_DONE
    finally:
        nfev, steps = int(record[NFEV]), int(record[NIT])
        alone = verdict in (BAD_FUN, BAD_JAC) or nfev > steps * compiled.cost  # the last evaluation: or it raised
        run.objective.nfev, run.objective.njev = nfev, steps + alone


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


def open_problem(fun, block, h, record, args):
    """Evaluate the start; return a verdict on it."""
    verdict = judged(GO_ON, block)
    if verdict != GO_ON:
        return verdict
    record[NFEV] = 1.0
    f = fun(block[X], block[G], args)
    record[NFEV] += record[MORE] if abs(f) < np.inf else record[LESS]
    verdict = look(f, block, record)
    record[TOLERANT], record[DONE], record[DONE_VALUE] = 1.0, 0.0, f  # solver
    return over(0, record) if verdict == GO_ON else verdict
