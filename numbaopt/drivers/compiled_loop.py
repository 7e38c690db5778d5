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
from numbaopt.drivers.double_buffer import NEXT, POINT, SLOPE, DoubleBuffer, change_roles, suits
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

TABLE_TYPE = types.int64[::1]  # the type of the array through which a compiled objective receives its args and data
SLICE = 0.05  # seconds of compiled iterations between two readings of the clock


def minimize_full_batch(run, compiled):
    """Minimize a jitted full-batch objective; return the reason to stop."""
    block, record, recorder = run.block, run.record, run.recorder
    buffer = DoubleBuffer(run) if run.program is None and suits(run) else None
    if buffer is None:
        flags, step, step_types, buffer_type = run.flags, run.step, signature(block.dtype), types.none
    else:
        flags, step = run.flags | {"DOUBLE_BUFFER"}, buffer.step
        step_types, buffer_type = buffer.signature, buffer.type
    other_types = *array_types(block.dtype), TABLE_TYPE, types.int64, history_type(run), buffer_type
    functions = evaluate_start, run_full_batch
    driver = driver_of(functions, run.program, flags, "", compiled.function, step, step_types, other_types)
    record[MORE], record[LESS] = compiled.cost - 1, compiled.failed - 1
    arrays = block, run.s, run.h, record, compiled.args
    start, stop, t = perf_counter(), run.initial_stop, int(record[NIT])
    buffer_arrays = None if buffer is None else buffer.arrays
    try:
        if stop is None:
            stop = driver(*arrays, t, None if recorder is None else recorder.allocate(0), buffer_arrays)
            run.objective.nfev = int(record[NFEV])
        if recorder is not None:
            recorder.open()
        chunk = next_chunk(1, perf_counter() - start, run.deadline)
        while not stop and not (stop := run.check_run_limits(t)):
            start = perf_counter()
            stop = driver(*arrays, t + chunk, None if recorder is None else recorder.allocate(chunk), buffer_arrays)
            if buffer is not None:
                buffer.restore_rows()
            if recorder is not None:
                recorder.end_slice()
            done, seconds = int(record[NIT]) - t, perf_counter() - start
            if driver.add_time(seconds) and run.has_time_to_compile:
                driver.specialize()
            chunk, t = next_chunk(done, seconds, run.deadline), t + done
            run.objective.nfev = int(record[NFEV])
        return stop
    finally:
        if buffer is not None:
            buffer.restore_rows()
        run.objective.nfev, stalled = int(record[NFEV]), stop == STALLED  # then the last step had no evaluation
        run.objective.njev = 1 + int(record[NIT] + record[NONFINITE_COUNT]) - stalled


def run_full_batch(fun, step, block, s, h, record, args, last, history, buffer):
    """Iterate until step ``last``, or until there is a reason to stop; return that reason, or `GO_ON`.

    If the run is new, the objective is first evaluated at the start.

    Parameters
    ----------
    fun, step : compiled functions
        ``step`` is None if the step is inlined in the text of the driver.
    block, s, h, record : ndarray
        The arrays of a `Run`.
    args
        The third argument of ``fun``, after x and g.
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
        spare, row_of, is_best = buffer
        xs, gs, best, ones = (x, block[BEST_X], spare), (g, block[BEST_G]), is_best[:1], is_best[1]
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
            step(t, x, xs[row_of[NEXT]], g, s, h)
            change_roles(row_of, is_best)
            x, g = xs[row_of[POINT]], gs[row_of[SLOPE]]
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
        stop = check(f, ones if DOUBLE_BUFFER else x, g, best, box, record)
        if SOLVER:
            stop = check_iteration(h, record) if stop == GO_ON else stop
        if stop != GO_ON:
            return stop
    return check_limits(record[DONE] if SOLVER else t, record)


def minimize_batches(run, compiled):
    """Minimize a jitted minibatch objective; return the reason to stop."""
    block, record, recorder, batches = run.block, run.record, run.recorder, run.batches
    feed, step = batches.feed(), run.step if run.program is None else None
    objective_types = types.int64, types.int64, TABLE_TYPE, TABLE_TYPE
    other_types = (*[TABLE_TYPE] * 4, types.uint64, *[types.int64] * 3, types.float64, history_type(run))
    driver = _batch_driver(run.program, run.flags, block.dtype, objective_types, other_types)
    record[MORE], record[LESS] = compiled.cost - 1, compiled.failed - 1
    table, chunk, t, last = compiled.pack(feed.buffers), 1, int(record[NIT]), batches.epochs * batches.steps
    run.position = epoch, done = divmod(t, batches.steps)
    feed.resume(epoch, min((done + 1) * batches.batch_size, batches.end) if done else 0)
    arrays = block, run.s, run.h, record, table, compiled.args
    stop = run.initial_stop
    if recorder is not None:
        recorder.open()
    try:
        if stop:
            return stop
        while t < last:
            if stop := run.check_run_limits(t):
                return stop
            start = perf_counter()
            end = ceil(min(t + chunk, last, run.maxiter))
            order = feed.plan, feed.order, feed.key, feed.end, batches.batch_size, end, float(run.maxfev)
            history = None if recorder is None else recorder.allocate(end - t)
            stop = driver(compiled.function, step, *arrays, *order, history)
            if recorder is not None:
                recorder.end_slice()
            if stop:
                return stop
            done = int(record[NIT]) - t
            chunk, t = next_chunk(done, perf_counter() - start, run.deadline), t + done
            run.objective.nfev, run.position = int(record[NFEV]), divmod(t, batches.steps)
        return EPOCHS_DONE
    finally:
        nfev, steps = int(record[NFEV]), int(record[NIT])
        # The last evaluation has no step if it was not finite, or if the objective raised an exception.
        no_step = stop in (BAD_FUN, BAD_JAC) or nfev > steps * compiled.cost
        run.objective.nfev, run.objective.njev = nfev, steps + no_step


@once
def _batch_driver(program, flags, dtype, objective_types, other_types):
    """Compile a minibatch driver for a dtype and a rule, once; it is cached on disk, and serves every objective."""
    real = numba.from_dtype(dtype)
    step = types.none if program is not None else types.FunctionType(types.void(*signature(dtype)))
    objective = types.FunctionType(types.float64(real[::1], real[::1], *objective_types))
    driver = load(assemble((run_on_batches,), program, flags), "driver")
    return only(driver, (objective, step, *array_types(dtype), *other_types))


def array_types(dtype):
    """Return the types of the block, the slots, the numbers and the record of a run."""
    block, numbers = numba.from_dtype(dtype)[:, ::1], types.float64[::1]
    return block, block, numbers, numbers


def history_type(run):
    """Return the type of the argument ``history`` of a driver."""
    if run.recorder is None:
        return types.none
    return types.Tuple((types.float64[:, ::1], numba.from_dtype(run.block.dtype)[:, ::1], types.int64))


def next_chunk(chunk, seconds, deadline):
    """Return the number of iterations of the next call, after ``chunk`` of them took ``seconds``."""
    target = SLICE if deadline is None else min(SLICE, deadline - perf_counter())
    return max(1, int(chunk * min(1000.0, target / max(seconds, 1e-9))))
