"""Text to compiled CPU steps, serial and parallel; the only module that names JIT options and the cache."""

import functools
import linecache
import sys
from types import ModuleType

import numba
import numpy as np
from numba import njit, types
from numba.core.caching import FunctionCache
from numba.core.registry import cpu_target

from numbaopt.backends.cache import KernelCache, text_file
from numbaopt.common.locking import forked, lock, once
from numbaopt.common.signals import held

OPTIONS = {"nogil": True, "error_model": "numpy"}  # no fastmath: vector body, scalar tail, serial, parallel: same bits
PARALLEL_FROM = 50_000  # entries; below, waking a second thread costs more than it brings
# What a compiled step raises for arguments that are not its own: RuntimeError while it is compiled for another dtype.
REFUSED = (TypeError, ValueError, AttributeError, RuntimeError, numba.core.errors.NumbaError)










def uncached(function, **options):
    """Compile with the options shared by every kernel here, at the first call; for each process anew."""
    return njit(**(OPTIONS | options))(function)


def jit(function=None, *, cached=True, **options):
    """Compile as `uncached` does; kept on disk where that can be."""
    if function is None:
        return functools.partial(jit, cached=cached, **options)
    dispatcher = uncached(function, **options)
    if dispatcher is function:  # under NUMBA_DISABLE_JIT
        return np.errstate(all="ignore")(function)  # what is compiled does not warn
    if cached:
        try:
            dispatcher._cache = KernelCache(function, OPTIONS | options)
        except (RuntimeError, OSError):  # no writable place, or a file that is gone
            pass
    return dispatcher


def kept(dispatcher):
    """Tell whether what a dispatcher compiles is kept on disk."""
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
def signature(dtype):
    """Return the types of ``step(t, x, g, s, h)``."""
    real = numba.from_dtype(dtype)
    return (types.int64, real[::1], real[::1], real[:, ::1], types.float64[::1])


def kernel(step, dtype, kinds=None):
    """Compile ``step`` for ``dtype`` now and for nothing else: what does not fit is a TypeError, not a compilation."""
    if not hasattr(step, "compile"):  # under NUMBA_DISABLE_JIT
        return step
    if dtype not in step.__dict__.setdefault("ready", set()):  # else there is nothing to wait for
        with lock:
            only(step, kinds or signature(dtype))
            step.ready.add(dtype)
    return step


def only(function, kinds):
    """Compile a jitted function for these types, and for no others at a later call."""
    with lock:
        with held():  # what is registered by halves stays so: after that nothing compiles any more
            cpu_target.typing_context.refresh()
            cpu_target.target_context.refresh()
        function.disable_compile(False)
        try:
            function.compile(kinds)
        finally:
            if function.signatures:
                function.disable_compile()
    return function


def parallel_pays(n):
    """Tell whether to step ``n`` entries on several threads: enough work, a thread-safe layer, not a forked child."""
    return n >= PARALLEL_FROM and not forked() and numba.get_num_threads() > 1 and threading_layer() in ("omp", "tbb")


@functools.cache
def threading_layer():
    """Return Numba's threading layer; under workqueue two threads entering at once would abort the process."""
    try:
        numba.np.ufunc.parallel._launch_threads()
        return numba.threading_layer()
    except (ValueError, ImportError):
        return "none"
