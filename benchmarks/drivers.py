"""Whole runs: what a driver adds to the objective, beside JAX, ensmallen and SciPy."""

import numpy as np

from benchmarks.measure import Contest, Race
from benchmarks.peers import ensmallen_adam, jax_rosenbrock
from numbaopt import minimize, problems

STEPS = 2_000
FOREVER = {"gtol": 0.0, "maxiter": STEPS}


def returns_both(x):
    return float(x @ x), 2 * x


def fills(x, grad):
    np.multiply(x, 2, grad)
    return float(x @ x)


class PlainDriver:
    """Microseconds an iteration beside the objective, which is in Python; n = 10."""

    params = ["True", "inplace"]
    param_names = ["jac"]
    timeout = 300

    def setup(self, jac):
        x, grad = np.ones(10), np.empty(10)
        fun, jac, arguments = (returns_both, True, (x,)) if jac == "True" else (fills, jac, (x, grad))

        def run():
            assert minimize(fun, x, jac=jac, options=FOREVER).nit == STEPS

        def bare():
            for _ in range(STEPS + 1):
                fun(*arguments)

        self._race = Race(run, bare, per=[STEPS, STEPS])

    def track_overhead(self, jac):
        ours, objective = self._race.run()
        return (ours - objective) * 1e6

    track_overhead.unit = "us/iteration"


class CompiledAgainstJax(Contest):
    """An iteration of Adam on Rosenbrock's function, all compiled, float64, beside jax.lax.scan over optax.adam."""

    params = [2, 10, 100]
    param_names = ["n"]

    def race(self, n):
        problem, steps = problems.get("rosenbrock", n=n), 50_000
        theirs = jax_rosenbrock(problem.x0, steps)
        options = {"lr": 1e-3, "gtol": 0.0, "maxiter": steps}

        def ours():
            assert minimize(problem.fun, problem.x0, jac="inplace", options=options).nit == steps

        return Race(ours, theirs, per=[steps, steps])


class PlainAgainstEnsmallen(Contest):
    """Adam on the same Python objective, n = 10: ours beside ensmallen's, which is C++."""

    def race(self):
        x = np.ones(10)
        return Race(lambda: minimize(fills, x, jac="inplace", options=FOREVER), ensmallen_adam(fills, x, STEPS))


class AgainstSciPy(Contest):
    """An evaluation of Rosenbrock's function from Python, n = 10, all that is around it included, beside SciPy's methods."""

    params = ["BFGS", "L-BFGS-B", "CG"]
    param_names = ["method"]

    def race(self, method):
        problem = problems.get("rosenbrock", n=10)

        def fun(x):  # in Python, as SciPy has to call it
            grad = np.empty(10)
            return problem.fun(x, grad), grad

        def theirs():
            return minimize(fun, problem.x0, method=method, jac=True)

        return Race(
            lambda: minimize(fun, problem.x0, jac=True, options=FOREVER), theirs, per=[STEPS + 1, theirs().nfev]
        )
