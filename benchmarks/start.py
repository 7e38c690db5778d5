"""Start-up: imports, and the first result of a new process."""

import itertools
import os
from pathlib import Path

from benchmarks.measure import Contest, Fresh, printed
from benchmarks.peers import need

CLOCK = "from time import perf_counter; began = perf_counter()\n"
STOP = "print(perf_counter() - began)\n"
COLD = "import os, tempfile; cache = tempfile.TemporaryDirectory(); os.environ['NUMBA_CACHE_DIR'] = cache.name"
WATCH = """
from numba.core.event import install_recorder
with install_recorder("numba:compile") as recorder:
    exec({program!r})
print(*[event.data["dispatcher"].py_func.__name__ for _, event in recorder.buffer if event.is_start])
"""
CALL = "bowl(np.zeros(5), np.zeros(5))\n"
MINIMIZE = """\
from numbaopt import minimize
minimize(bowl, np.zeros(5), jac="inplace", options={"maxiter": 1000})
"""
OBJECTIVE = {"bowl", "objective"}  # what must be compiled: the function of the user, and its wrapper for the driver
_number = itertools.count()


def compiling():
    """Return a program that compiles and calls an objective, a different one each time."""
    return f"""
import numpy as np
from numba import njit

@njit
def bowl(x, grad):
    f = 0.0
    for i in range(x.size):
        grad[i] = 2 * (x[i] - {next(_number)}.5)
        f += grad[i] ** 2 / 4
    return f

{CALL}"""


def minimizing():
    """Return the same program, except that it minimizes the objective."""
    return compiling().removesuffix(CALL) + MINIMIZE


def scanning():
    """Return a program that does the same in JAX: as many steps of optax's Adam on a new objective."""
    return f"""
import jax, optax
jax.config.update("jax_enable_x64", True)
adam = optax.adam(1e-3)

def bowl(x):
    return jax.numpy.sum((x - {next(_number)}.5) ** 2)

def iteration(carry, _):
    x, state = carry
    change, state = adam.update(jax.grad(bowl)(x), state)
    return (optax.apply_updates(x, change), state), None

@jax.jit
def run(x):
    return jax.lax.scan(iteration, (x, adam.init(x)), length=1000)[0][0]

run(jax.numpy.zeros(5)).block_until_ready()
"""


def timed(program):
    """Return a program that prints the seconds that a program takes."""
    return CLOCK + program + STOP


class Import:
    """Milliseconds that ``import numbaopt`` takes if Numba has already been imported."""

    timeout = 300

    def setup(self):
        self._fresh = Fresh(lambda: "import numba\n" + timed("import numbaopt\n"))

    def track_beside_numba(self):
        return self._fresh.run(4)[0] * 1e3

    track_beside_numba.unit = "ms"


class FirstResultAgainstTorch(Contest):
    """A process that minimizes a new jitted objective with cached kernels, compared with importing torch."""

    def race(self):
        need("torch")
        return Fresh(lambda: timed(minimizing()), lambda: timed("import torch\n"))


class FirstResultAgainstNumba(Contest):
    """The same compared with a process that only compiles and calls its objective: the ratio cannot be below 1."""

    def race(self):
        return Fresh(lambda: timed(minimizing()), lambda: timed(compiling()))


class FirstResultAgainstJax(Contest):
    """The same compared with a process that imports JAX and compiles a scan over optax.adam, also of 1000 steps."""

    def race(self):
        need("optax")  # requires JAX
        return Fresh(lambda: timed(minimizing()), lambda: timed(scanning()))


class FirstResult:
    """The first result of a new process, for a new jitted objective."""

    timeout = 300

    def setup(self):
        printed(minimizing())  # fills the cache

    def track_recompiled(self):
        """Count what a second process compiles besides the objective, and the files that it adds to the cache."""
        cache = Path(os.environ["NUMBA_CACHE_DIR"])
        before = set(cache.rglob("*"))
        compiled = printed(WATCH.format(program=minimizing())).split()
        added = set(cache.rglob("*")) - before
        return len([name for name in compiled if name not in OBJECTIVE]) + len(added)

    track_recompiled.unit = "kernels and files"

    def timeraw_warm(self):
        return minimizing()

    def timeraw_cold(self):
        return minimizing(), COLD


def timeraw_import_numbaopt():
    return "import numbaopt"


def timeraw_import_numba():
    return "import numba"


def timeraw_import_torch():
    return "import torch"


timeraw_import_torch.setup = lambda: need("torch")
