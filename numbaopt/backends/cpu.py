"""Compiling for the CPU: JIT options, the cache on disk, and texts that become functions."""

import functools
import linecache
import sys
from types import ModuleType

import numba
import numpy as np
from numba import njit, types
from numba.core.caching import FunctionCache

from numbaopt.backends.cache import KernelCache, refresh, text_file
from numbaopt.common.locking import forked, lock, once

# Without fastmath, the vectorized body of a loop, its scalar tail, and the serial and parallel steps agree bit for bit.
OPTIONS = {"nogil": True, "error_model": "numpy"}
PARALLEL_FROM = 50_000  # entries; for fewer, starting a second thread costs more than it saves
# What a compiled step raises for arguments that do not fit it: RuntimeError while it is compiled for another dtype.
MISMATCH_ERRORS = (TypeError, ValueError, AttributeError, RuntimeError, numba.core.errors.NumbaError)


def uncached(function, **options):
    """Return a function that is compiled at its first call with the options of all kernels, anew in each process."""
    return njit(**(OPTIONS | options))(function)


def jit(function=None, *, cached=True, **options):
    """Return a function that is compiled as by `uncached`, and cached on disk if there is a writable place."""
    if function is None:
        return functools.partial(jit, cached=cached, **options)
    dispatcher = uncached(function, **options)
    if dispatcher is function:  # under NUMBA_DISABLE_JIT
        return np.errstate(all="ignore")(function)  # compiled code does not warn either
    if cached:
        try:
            dispatcher._cache = KernelCache(function, OPTIONS | options)
        except (RuntimeError, OSError):  # no writable place, or the source file is gone
            pass
    return dispatcher


def undecorated(function):
    """Return the Python function of a compiled one: in Python it is faster than machine code loaded from the cache."""
    return getattr(function, "py_func", function)


def is_cached(dispatcher):
    """Return whether the code of a compiled function is cached on disk."""
    return isinstance(getattr(dispatcher, "_cache", None), FunctionCache)


@once
def load(text, name, parallel=False, cached=True, **names):
    """Compile a text (lazily: at its first call or `signature`); return its function decorated with ``@step``.

    What is not ``cached`` may use further ``names``.
    """
    filename, key = text_file(text, name)
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    made, module = [], ModuleType(f"numbaopt_{key}")
    sys.modules[module.__name__] = module  # where Numba looks for a function's globals when it comes from the cache
    vars(module).update(
        __file__=filename,
        jit=functools.partial(jit, cached=cached),
        step=lambda function: made.append(jit(function, parallel=parallel, cached=cached)),
        prange=numba.prange,
        **names,
    )
    exec(compile(text, filename, "exec"), vars(module))
    return made[0]


@functools.cache
def signature(dtype, slot_dtype=None):
    """Return the types of ``step(t, x, g, s, h)`` for x and g of one dtype, and slots of the same one or of another."""
    real, slot = numba.from_dtype(dtype), numba.from_dtype(dtype if slot_dtype is None else slot_dtype)
    return (types.int64, real[::1], real[::1], slot[:, ::1], types.float64[::1])


def kernel(step, dtype, slot_dtype=None, kinds=None):
    """Compile ``step`` now for x of ``dtype`` and for no other types later: other arguments raise a TypeError.

    ``kinds`` are the types of its arguments, by default those of `signature`.
    """
    if numba.config.DISABLE_JIT:
        return step
    key = dtype, dtype if slot_dtype is None else slot_dtype
    if key not in step.__dict__.setdefault("ready", set()):  # no wait for the lock if it is compiled
        with lock:
            only(step, kinds or signature(dtype, slot_dtype))
            step.ready.add(key)
    return step


def only(function, kinds):
    """Compile a jitted function for these types now, and for no other types at a later call."""
    with lock:
        refresh()
        function.disable_compile(False)
        try:
            function.compile(kinds)
        finally:
            if function.signatures:
                function.disable_compile()
    return function


def parallel_pays(n):
    """Return whether to step ``n`` entries on several threads.

    That needs enough work, a thread-safe threading layer, and a process that is not a forked child.
    """
    return n >= PARALLEL_FROM and not forked() and numba.get_num_threads() > 1 and threading_layer() in ("omp", "tbb")


@functools.cache
def threading_layer():
    """Return the name of Numba's threading layer, or "none".

    Under "workqueue", two threads that run parallel code at once abort the process.
    """
    try:
        numba.np.ufunc.parallel._launch_threads()
        return numba.threading_layer()
    except (ValueError, ImportError):
        return "none"
