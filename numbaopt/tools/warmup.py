"""Compiling ahead of time what the first runs of a method would compile, so that they find it on disk.

It is compiled by runs of the method on problems of a few coordinates, so that nothing can be forgotten.
"""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import numba
import numpy as np
from numba.core import event

from numbaopt.api.minimize import minimize
from numbaopt.api.settings import find, is_scipys
from numbaopt.backends import cache, cpu
from numbaopt.common.validation import whole
from numbaopt.many.minimize_many import minimize_many
from numbaopt.methods.registry import names
from numbaopt.methods.rule import Rule

COMMON = "adam", "adamw", "sgd", "rmsprop", "lbfgs"
DTYPES = "float64", "float32"


def warmup(methods=COMMON, dtypes=("float64",), *, large=False, jobs=1, progress=None):
    """Compile and cache on disk what `minimize`, `minimize_many`, `Optimizer` and ``rule.step`` need.

    The first run of a new process then compiles nothing but its objective. Call it once after an installation, for
    example while a container image is built, or before many processes start. Code that is cached already is not
    compiled again. Several processes may call it at once.

    Parameters
    ----------
    methods : sequence of str or Rule, or "all"
        Names, or rules with the switches that you use: ``adam(amsgrad=True)`` has other code than ``adam``.
    dtypes : sequence of "float64" or "float32"
    large : bool
        Whether to compile the code for large arrays, stepped on several threads, too.
    jobs : int
        The number of processes that compile at once. With more than one, methods must be names.
    progress : callable, optional
        Called as ``progress(done, total, what, seconds)`` after each method and dtype.

    Returns
    -------
    int
        The number of functions that were compiled; 0 if all were cached.

    Raises
    ------
    TypeError, ValueError
        For unknown methods and dtypes; under NUMBA_DISABLE_JIT.
    OSError
        If nothing can be cached on disk.

    Examples
    --------
    >>> import numbaopt
    >>> numbaopt.warmup(["sgd"])  # doctest: +SKIP
    21
    """
    tasks = _tasks(methods, dtypes)
    jobs = min(whole(jobs, "jobs", 1), len(tasks))
    if numba.config.DISABLE_JIT:
        raise ValueError("NUMBA_DISABLE_JIT is set, so nothing is ever compiled: unset it")
    if cache.directory() is None or not cpu.is_cached(find("adam").jit):
        raise OSError("compiled code cannot be kept: set NUMBA_CACHE_DIR to a directory that you may write to")
    if jobs > 1 and (rules := [method for method, _ in tasks if not isinstance(method, str)]):
        raise TypeError(f"with jobs={jobs} methods are names, not {rules[0]!r}, which other processes do not know")
    count = 0
    first, rest = (tasks[:1], tasks[1:]) if jobs > 1 else (tasks, [])  # so that shared code is compiled once
    done = itertools.count(1)

    def tell(what, seconds):
        if progress is not None:
            progress(next(done), len(tasks), what, seconds)

    for method, dtype in first:
        began = perf_counter()
        count += _compile(method, dtype, large)
        tell(_what(method, dtype), perf_counter() - began)
    return count + _in_processes(rest, large, jobs, tell) if rest else count


def _tasks(methods, dtypes):
    """Return pairs of a method and a dtype."""
    if isinstance(methods, str):
        methods = [*names(), *names("solvers")] if methods == "all" else [methods]
    if isinstance(dtypes, str):
        dtypes = [dtypes]
    for dtype in (dtypes := [np.dtype(dtype).name for dtype in dtypes]):
        if dtype not in DTYPES:
            raise ValueError(f"dtypes are {' and '.join(DTYPES)}, not {dtype!r}")
    methods = list(methods)
    for method in methods:
        if is_scipys(method):
            raise ValueError(f"{method} is a method of SciPy, which is not compiled")
        find(method)
    if not methods or not dtypes:
        raise ValueError("there is nothing to compile: name at least one method and one dtype")
    return list(itertools.product(methods, dtypes))


def _what(method, dtype):
    return f"{getattr(method, 'name', method)} {dtype}"


class _Count(event.Listener):
    """Count the functions that are compiled and cached."""

    def __init__(self):
        self.count = 0

    def on_start(self, what):
        """Count one function."""
        self.count += cpu.is_cached(what.data["dispatcher"])

    def on_end(self, what):
        """Do nothing."""


def _bowl(x, grad):
    f = 0.0
    for i in range(x.size):
        grad[i] = 2 * x[i]
        f += x[i] * x[i]
    return f


def _bowls(x, grad, row):
    return _bowl_(x, grad)


_bowl_ = cpu.uncached(_bowl)
_bowls_ = cpu.uncached(_bowls)


def _plain(x, *row):
    return float((x * x).sum()), 2 * x


def _compile(method, dtype, large):
    """Run a method in all ways for a few steps; return the number of functions that were compiled and cached."""
    rule, few, listener = find(method), {"maxiter": 2, "gtol": 0.0}, _Count()
    shapes = [(2,)] + [(3, 2)] * (rule.shaped((3, 2)) is not rule)  # vectors; matrices, if it steps them differently
    shapes += [(cpu.PARALLEL_FROM,)] * bool(large and cpu.parallel_pays(cpu.PARALLEL_FROM))
    with event.install_listener("numba:compile", listener):
        for shape in shapes:
            x0 = np.ones(shape, dtype)
            minimize(_plain, x0, method=rule, jac=True, options=few)
            if len(shape) == 1:
                minimize(_bowl_, x0, method=rule, jac="inplace", options=few)
            if isinstance(rule, Rule):
                batches = {"data": np.ones((2, 1), dtype), "batch_size": 1, "epochs": 1, "seed": 0}
                minimize(_plain, x0, method=rule, jac=True, options={"maxiter": 2}, **batches)
                if len(shape) == 1:
                    minimize(_bowls_, x0, method=rule, jac="inplace", options={"maxiter": 2}, **batches)
        minimize_many(_bowl_, np.ones((2, 2), dtype), method=rule, jac="inplace", options=few, threads=1)
    return listener.count


def _in_processes(tasks, large, jobs, tell):
    """Distribute the tasks among processes; return the number of functions that these compiled."""
    code = "from numbaopt.tools.warmup import serve; serve()"
    path = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))}
    parts = [json.dumps([tasks[k::jobs], large]) for k in range(jobs) if tasks[k::jobs]]
    workers = [
        subprocess.Popen([sys.executable, "-c", code, part], env=env, stdout=subprocess.PIPE, text=True)
        for part in parts
    ]
    count = 0
    try:
        for worker in workers:
            assert worker.stdout is not None
            for line in worker.stdout:
                what, seconds, compiled = json.loads(line)
                count += compiled
                tell(what, seconds)
        if any(worker.wait() for worker in workers):
            raise OSError("a process that compiled was killed; what it had compiled is cached: call warmup again")
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    return count


def serve():
    """Do the tasks on the command line of this process, and print one line about each."""
    tasks, large = json.loads(sys.argv[1])
    for method, dtype in tasks:
        began = perf_counter()
        compiled = _compile(method, dtype, large)
        print(json.dumps([_what(method, dtype), perf_counter() - began, compiled]), flush=True)
