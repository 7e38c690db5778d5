"""Starting: imports, and the first result of a new process."""

import itertools
import tempfile
from pathlib import Path

from benchmarks.measure import Contest, Fresh, printed
from benchmarks.peers import need

CLOCK = "from time import perf_counter; began = perf_counter()\n"
STOP = "print(perf_counter() - began)\n"
COLD = "import os, tempfile; cache = tempfile.TemporaryDirectory(); os.environ['NUMBA_CACHE_DIR'] = cache.name\n"
COUNT = """
import os
from numba.core.event import install_recorder
with install_recorder("numba:compile") as recorder:
    exec({program!r})
compiled = [event.data["dispatcher"].py_func.__name__ for _, event in recorder.buffer if event.is_start]
print(*compiled)
"""
_seed = itertools.count()


def minimising():
    """Return a program that minimises a jitted objective unlike those before it."""
    return f"""
import numpy as np
from numba import njit
from numbaopt import minimize

@njit
def objective(x, grad):
    f = 0.0
    for i in range(x.size):
        grad[i] = 2 * (x[i] - {next(_seed)}.5)
        f += (x[i] - {next(_seed)}.5) ** 2
    return f

minimize(objective, np.zeros(5), jac="inplace", options={{"maxiter": 1000}})
"""


def timed(program):
    """Return a program that prints how long a program takes."""
    return lambda: CLOCK + (program() if callable(program) else program) + STOP


class Import:
    """Milliseconds that ``import numbaopt`` takes where Numba is imported already."""

    timeout = 300

    def setup(self):
        self._fresh = Fresh(lambda: "import numba\n" + timed("import numbaopt\n")())

    def track_beside_numba(self):
        return self._fresh.run()[0] * 1e3

    track_beside_numba.unit = "ms"

    def timeraw_numbaopt(self):
        return "import numbaopt"

    def timeraw_numba(self):
        return "import numba"


class FirstResultAgainstTorch(Contest):
    """A process that minimises a new jitted objective, kernels cached, beside one that only imports torch."""

    def race(self):
        need("torch")
        return Fresh(timed(minimising), timed("import torch\n"))


class FirstResult:
    """The first result of a new process, a jitted objective's; interpreter and imports included."""

    timeout = 300

    def setup(self):
        printed(minimising())

    def timeraw_warm(self):
        return minimising()

    def timeraw_cold(self):
        return COLD + minimising()

    def track_recompiled(self):
        """Count what a second process compiles beside the objective, and the files that it adds to the cache."""
        import os

        cache = Path(os.environ["NUMBA_CACHE_DIR"])
        before = set(cache.rglob("*"))
        compiled = printed(COUNT.format(program=minimising())).split()
        added = set(cache.rglob("*")) - before
        return len(compiled) - 1 + len(added)

    track_recompiled.unit = "kernels and files"
