"""Whole runs: what a driver adds to the objective, beside JAX, ensmallen and SciPy."""

import numpy as np

from benchmarks.measure import Contest, Race
from benchmarks.peers import ensmallen_adam, jax_rosenbrock
from numbaopt import minimize, problems


def options(steps):
    """Return what makes a run do that many steps, no fewer."""
    return {"gtol": 0.0, "maxiter": steps}


def run(fun, x0, jac, steps):
    """Minimise; check that the run did not end before its time."""
    assert minimize(fun, x0, jac=jac, options=options(steps)).nit == steps


def returns_both(x):
    return float(x @ x), 2 * x


def fills(x, grad):
    np.multiply(x, 2, grad)
    return float(x @ x)


class PlainDriver:
    """Microseconds an iteration beside the objective, which is in Python; n = 10.

    The difference between a run of 500 steps and one of none, less the time of 500 calls.
    """

    params = ["True", "inplace"]
    param_names = ["jac"]
    timeout = 300

    def setup(self, jac):
        x, grad, steps = np.ones(10), np.empty(10), 500
        fun, jac, arguments = (returns_both, True, (x,)) if jac == "True" else (fills, jac, (x, grad))

        def bare():
            for _ in range(steps):
                fun(*arguments)

        self._race = Race(lambda: run(fun, x, jac, steps), lambda: run(fun, x, jac, 0), bare, per=[steps] * 3)

    def track_overhead(self, jac):
        whole, none, bare = self._race.run()
        return (whole - none - bare) * 1e6

    track_overhead.unit = "us/iteration"


class CompiledAgainstJax(Contest):
    """An iteration of Adam on Rosenbrock's function, all compiled, float64, beside jax.lax.scan over optax.adam.

    Of ours, the difference between a run of 50 000 steps and one of none.
    """

    params = [2, 10, 100]
    param_names = ["n"]

    def race(self, n):
        problem, steps = problems.get("rosenbrock", n=n), 50_000
        candidates = [lambda k=k: run(problem.fun, problem.x0, "inplace", k) for k in (steps, 0)]
        return Race(*candidates, jax_rosenbrock(problem.x0, steps), per=[steps] * 3)

    def track_ratio(self, n):
        whole, none, theirs = self._race.run()
        return (whole - none) / theirs

    track_ratio.unit = "ours/theirs"


class PlainAgainstEnsmallen(Contest):
    """Adam on the same Python objective, n = 10: ours beside ensmallen's, which is C++."""

    def race(self):
        x, steps = np.ones(10), 500
        return Race(lambda: run(fills, x, "inplace", steps), ensmallen_adam(fills, x, steps))


class AgainstSciPy(Contest):
    """An evaluation of Rosenbrock's function from Python, n = 10, and all around it, beside SciPy's methods."""

    params = ["BFGS", "L-BFGS-B", "CG"]
    param_names = ["method"]

    def race(self, method):
        problem, steps = problems.get("rosenbrock", n=10), 500

        def fun(x):  # in Python, as SciPy has to call it
            grad = np.empty(10)
            return problem.fun(x, grad), grad

        def theirs():
            return minimize(fun, problem.x0, method=method, jac=True)

        return Race(lambda: run(fun, problem.x0, True, steps), theirs, per=[steps + 1, theirs().nfev])
