"""The loops for compiled objectives: full-batch and minibatch."""

from math import ceil
from time import perf_counter

import numba
import numpy as np
from numba import types

from numbaopt.backends.cpu import load, only, signature
from numbaopt.common.locking import once
from numbaopt.drivers.assemble import assemble
from numbaopt.drivers.beginning import evaluate_start
from numbaopt.drivers.double_buffer import NEXT, POINT, SLOPE, DoubleBuffer, suits, turn
from numbaopt.drivers.flags import DOUBLE_BUFFER, HISTORY, NEEDS_VALUE, SKIPS_NONFINITE, SOLVER
from numbaopt.drivers.minibatch_loop import run_on_batches
from numbaopt.drivers.specialize import driver_of
from numbaopt.drivers.stopping import (
    BAD_FUN,
    BAD_JAC,
    BEST_G,
    BEST_X,
    DONE,
    EPOCHS_DONE,
    GO_ON,
    LESS,
    LOWER,
    MORE,
    MOST_NFEV,
    MOST_NIT,
    NFEV,
    NIT,
    NONFINITE_COUNT,
    NORM,
    PREVIOUS,
    STALLED,
    G,
    X,
    check,
    check_iteration,
    check_limits,
    skip_nonfinite,
)
from numbaopt.drivers.trace import write_entry, write_iterate

TABLE_TYPE = types.int64[::1]  # how a compiled objective gets its args and data
SLICE = 0.05  # seconds of compiled iterations between two looks at the clock


def minimize_full_batch(run, compiled):
    """Minimize a jitted full-batch objective; return why it stopped."""
    block, record, recorder = run.block, run.record, run.recorder
    buffer = DoubleBuffer(run) if run.program is None and suits(run) else None
    if buffer is None:
        flags, step, kinds, kept = run.flags, run.step, signature(block.dtype), types.none
    else:
        flags, step, kinds, kept = run.flags | {"DOUBLE_BUFFER"}, buffer.step, buffer.signature, buffer.type
    rest = *array_types(block.dtype), TABLE_TYPE, types.int64, history_type(run), kept
    functions = evaluate_start, run_full_batch
    iterate = driver_of(functions, run.program, flags, "", compiled.function, step, kinds, rest)
    record[MORE], record[LESS] = compiled.cost - 1, compiled.failed - 1
    arrays = block, run.s, run.h, record, compiled.args
    began, stop, t = perf_counter(), run.opening, int(record[NIT])
    given = None if buffer is None else buffer.given
    try:
        if stop is None:
            stop = iterate(*arrays, t, None if recorder is None else recorder.room(0), given)
            run.objective.nfev = int(record[NFEV])
        if recorder is not None:
            recorder.open()
        chunk = paced(1, perf_counter() - began, run.deadline)
        while not stop and not (stop := run.over(t)):
            began = perf_counter()
            stop = iterate(*arrays, t + chunk, None if recorder is None else recorder.room(chunk), given)
            if buffer is not None:
                buffer.settle()
            if recorder is not None:
                recorder.passed()
            done, seconds = int(record[NIT]) - t, perf_counter() - began
            if iterate.spent(seconds) and run.at_leisure:
                iterate.specialize()
            chunk, t = paced(done, seconds, run.deadline), t + done
            run.objective.nfev = int(record[NFEV])
        return stop
    finally:
        if buffer is not None:
            buffer.settle()
        run.objective.nfev, stalled = int(record[NFEV]), stop == STALLED  # at a step without an evaluation
        run.objective.njev = 1 + int(record[NIT] + record[NONFINITE_COUNT]) - stalled


def run_full_batch(fun, step, block, s, h, record, args, last, history, buffer):
    """Iterate until step ``last``, or until there is a reason to stop; return that reason, or `GO_ON`.

    A run that has not begun begins with the evaluation of its start.

    Parameters
    ----------
    fun, step : compiled functions
        ``step`` is None where the text of the driver has the step inside.
    block, s, h, record : ndarray
        The arrays of a `Run`.
    args
        What ``fun`` takes beside x and g.
    last : int
    history : (trace, points, first) or None
        See `write_entry`.
    buffer : tuple or None
        See `numbaopt.drivers.double_buffer`.
    """
    x, g, best, box = block[X], block[G], block[BEST_X:LOWER], block[LOWER:]
    if HISTORY:
        trace, points, first = history
    if DOUBLE_BUFFER:
        spare, place, is_best = buffer
        xs, gs, best, one = (x, block[BEST_X], spare), (g, block[BEST_G]), is_best[:1], is_best[1]
    if record[NFEV] == 0.0:
        stop = evaluate_start(fun, block, h, record, args)
        if stop != GO_ON:
            return stop
    t = int(record[NIT])
    if not SOLVER:
        last = int(-(-min(last, record[MOST_NIT]) // 1))
    while t < last and record[NFEV] < record[MOST_NFEV]:
        if HISTORY and not SOLVER:
            write_entry(t, record[PREVIOUS], record[NORM], x, h, trace, points, first)
        t += 1
        record[NIT] = t
        if NEEDS_VALUE:
            h[-1] = record[PREVIOUS]
        if DOUBLE_BUFFER:
            step(t, x, xs[place[NEXT]], g, s, h)
            turn(place, is_best)
            x, g = xs[place[POINT]], gs[place[SLOPE]]
        else:
            step(t, x, g, s, h)
        if HISTORY and SOLVER:
            write_iterate(s, h, box, record, trace, points, first)
        if NEEDS_VALUE:
            if not abs(h[-1]) < np.inf:
                return STALLED
        record[NFEV] += 1.0
        f = fun(x, g, args)
        record[NFEV] += record[MORE] if abs(f) < np.inf else record[LESS]
        if SKIPS_NONFINITE:
            while record[NFEV] < record[MOST_NFEV] and skip_nonfinite(f, x, g, best, record):
                record[NFEV] += 1.0
                f = fun(x, g, args)
                record[NFEV] += record[MORE] if abs(f) < np.inf else record[LESS]
        stop = check(f, one if DOUBLE_BUFFER else x, g, best, box, record)
        if SOLVER:
            stop = check_iteration(h, record) if stop == GO_ON else stop
        if stop != GO_ON:
            return stop
    return check_limits(record[DONE] if SOLVER else t, record)


def minimize_batches(run, compiled):
    """Minimize a jitted minibatch objective; return why it stopped."""
    block, record, recorder, batches = run.block, run.record, run.recorder, run.batches
    feed, step = batches.feed(), run.step if run.program is None else None
    takes = types.int64, types.int64, TABLE_TYPE, TABLE_TYPE
    order = (*[TABLE_TYPE] * 4, types.uint64, *[types.int64] * 3, types.float64)
    driver = _batch_driver(run.program, run.flags, block.dtype, takes, (*order, history_type(run)))
    record[MORE], record[LESS] = compiled.cost - 1, compiled.failed - 1
    table, chunk, t, last = compiled.pack(feed.buffers), 1, int(record[NIT]), batches.epochs * batches.steps
    run.place = epoch, done = divmod(t, batches.steps)
    feed.resume(epoch, min((done + 1) * batches.batch_size, batches.end) if done else 0)
    arrays = block, run.s, run.h, record, table, compiled.args
    stop = run.opening
    if recorder is not None:
        recorder.open()
    try:
        if stop:
            return stop
        while t < last:
            if stop := run.over(t):
                return stop
            began = perf_counter()
            until = ceil(min(t + chunk, last, run.maxiter))
            where = feed.plan, feed.order, feed.key, feed.end, batches.batch_size, until, float(run.maxfev)
            stop = driver(
                compiled.function, step, *arrays, *where, None if recorder is None else recorder.room(until - t)
            )
            if recorder is not None:
                recorder.passed()
            if stop:
                return stop
            done = int(record[NIT]) - t
            chunk, t = paced(done, perf_counter() - began, run.deadline), t + done
            run.objective.nfev, run.place = int(record[NFEV]), divmod(t, batches.steps)
        return EPOCHS_DONE
    finally:
        nfev, steps = int(record[NFEV]), int(record[NIT])
        alone = stop in (BAD_FUN, BAD_JAC) or nfev > steps * compiled.cost  # the last evaluation: or it raised
        run.objective.nfev, run.objective.njev = nfev, steps + alone


@once
def _batch_driver(program, flags, dtype, objective, rest):
    """Compile a minibatch driver for this dtype and rule, once; it is kept on disk, and takes any objective."""
    real = numba.from_dtype(dtype)
    step = types.none if program is not None else types.FunctionType(types.void(*signature(dtype)))
    objective = types.FunctionType(types.float64(real[::1], real[::1], *objective))
    driver = load(assemble((run_on_batches,), program, flags), "driver")
    return only(driver, (objective, step, *array_types(dtype), *rest))


def array_types(dtype):
    """Return the types of a run's block, slots, numbers and record."""
    block, numbers = numba.from_dtype(dtype)[:, ::1], types.float64[::1]
    return block, block, numbers, numbers


def history_type(run):
    """Return the type of what a driver takes to write a history."""
    if run.recorder is None:
        return types.none
    return types.Tuple((types.float64[:, ::1], numba.from_dtype(run.block.dtype)[:, ::1], types.int64))


def paced(chunk, seconds, deadline):
    """Return how many iterations to do next, after ``chunk`` of them took ``seconds``."""
    aim = SLICE if deadline is None else min(SLICE, deadline - perf_counter())
    return max(1, int(chunk * min(1000.0, aim / max(seconds, 1e-9))))
