"""Complete runs: the time that a driver adds to the objective, compared with JAX, ensmallen and SciPy."""

import numpy as np
from numba import njit

from benchmarks.measure import Contest, Race, warmed
from benchmarks.peers import ensmallen_adam, jax_rosenbrock, need
from numbaopt import minimize, problems


def options(steps):
    """Return the options with which a run takes exactly this number of steps."""
    return {"gtol": 0.0, "maxiter": steps}


def run(fun, x0, jac, steps):
    """Minimize, and check that the run took all steps."""
    assert minimize(fun, x0, jac=jac, options=options(steps)).nit == steps


@njit(fastmath={"reassoc", "nsz", "contract"}, error_model="numpy")
def long_rosenbrock(x, grad):
    """Rosenbrock's function for many coordinates, written so that no iteration depends on the one before it."""
    n = x.size
    r, d = x[1] - x[0] ** 2, 1 - x[0]
    f, grad[0] = 100 * r**2 + d**2, -400 * x[0] * r - 2 * d
    for i in range(1, n - 1):
        r, d = x[i + 1] - x[i] ** 2, 1 - x[i]
        f += 100 * r**2 + d**2
        grad[i] = 200 * (x[i] - x[i - 1] ** 2) - 400 * x[i] * r - 2 * d
    grad[n - 1] = 200 * (x[n - 1] - x[n - 2] ** 2)
    return f


def pair(n, dtype="float64"):
    """Return a run of Adam on Rosenbrock's compiled function, a run without steps, and the steps of the first."""
    problem, steps = problems.get("rosenbrock", n=n), int(np.clip(50_000_000 // n, 50, 50_000))
    x0, fun = problem.x0.astype(dtype), problem.fun if n < 100 else long_rosenbrock
    grad, expected = np.empty_like(x0), np.empty_like(x0)
    np.testing.assert_allclose(fun(x0, grad), problem.fun(x0, expected), rtol=1e-5)
    np.testing.assert_allclose(grad, expected, rtol=1e-5, atol=1e-3)
    return warmed(lambda: run(fun, x0, "inplace", steps)), lambda: run(fun, x0, "inplace", 0), steps


def calling(fun, *arguments, times):
    """Return a function that calls an objective a number of times."""

    def bare():
        for _ in range(times):
            fun(*arguments)

    return bare


def returns_both(x):
    return float(x @ x), 2 * x


def fills(x, grad):
    np.multiply(x, 2, grad)
    return float(x @ x)


class PlainDriver:
    """Microseconds that an iteration takes in addition to an objective in Python, n = 10.

    This is the difference between a run of 500 steps and one without steps, minus the time of 500 calls.
    """

    params = ["True", "inplace"]
    param_names = ["jac"]
    timeout = 300

    def setup(self, jac):
        x, grad, steps = np.ones(10), np.empty(10), 500
        fun, jac, arguments = (returns_both, True, (x,)) if jac == "True" else (fills, jac, (x, grad))
        bare = calling(fun, *arguments, times=steps)
        self._race = Race(lambda: run(fun, x, jac, steps), lambda: run(fun, x, jac, 0), bare, per=[steps] * 3)

    def track_overhead(self, jac):
        whole, none, bare = self._race.run()
        return (whole - none - bare) * 1e6

    track_overhead.unit = "us/iteration"


class CompiledDriver:
    """Nanoseconds per iteration of Adam on Rosenbrock's function, with a compiled objective."""

    params = ([2, 10, 100, 1000, 10_000, 100_000, 1_000_000], ["float32", "float64"])
    param_names = ["n", "dtype"]
    timeout = 300

    def setup(self, n, dtype):
        whole, none, steps = pair(n, dtype)
        self._race = Race(whole, none, per=[steps] * 2)

    def track_iteration(self, n, dtype):
        whole, none = self._race.run()
        return (whole - none) * 1e9

    track_iteration.unit = "ns/iteration"


class History(Contest):
    """A run of Adam with a history compared with one without: Rosenbrock's function, or a sum of squares in Python."""

    params = (["compiled", "plain"], [2, 100, 10_000])
    param_names = ["driver", "n"]

    def race(self, driver, n):
        if driver == "plain":
            fun, x0, steps = (lambda x, grad: fills(x, grad)), np.ones(n), 500
        else:
            problem, steps = problems.get("rosenbrock", n=n), int(np.clip(50_000_000 // n, 50, 50_000))
            fun, x0 = problem.fun if n < 100 else long_rosenbrock, problem.x0

        def complete(**extra):
            assert minimize(fun, x0, jac="inplace", options=options(steps) | extra).nit == steps

        return Race(warmed(lambda: complete(history=True)), warmed(complete))


class CompiledAgainstJax(Contest):
    """An iteration of Adam on Rosenbrock's compiled function, float64, compared with jax.lax.scan over optax.adam.

    For numbaopt, it is the difference between a run of many steps and one without steps.
    """

    params = [2, 10, 100, 1000, 100_000]
    param_names = ["n"]

    def race(self, n):
        need("optax")  # before anything is compiled
        whole, none, steps = pair(n)
        return Race(whole, none, jax_rosenbrock(problems.get("rosenbrock", n=n).x0, steps), per=[steps] * 3)

    def track_ratio(self, n):
        whole, none, theirs = self._race.run()
        return (whole - none) / theirs

    track_ratio.unit = "ours/theirs"


class PlainAgainstEnsmallen(Contest):
    """The time that Adam adds to an objective in Python, n = 10, compared with Adam in ensmallen, which is in C++."""

    def race(self):
        x, grad, steps = np.ones(10), np.empty(10), 500
        whole, none = (lambda k=k: run(fills, x, "inplace", k) for k in (steps, 0))
        return Race(whole, none, ensmallen_adam(fills, x, steps), calling(fills, x, grad, times=steps))

    def track_ratio(self):
        whole, none, theirs, bare = self._race.run()
        return (whole - none - bare) / (theirs - bare)

    track_ratio.unit = "ours/theirs"


class AgainstSciPy(Contest):
    """An iteration on Rosenbrock's function, called from Python, n = 10, compared with methods of SciPy."""

    params = ["BFGS", "L-BFGS-B", "CG"]
    param_names = ["method"]

    def race(self, method):
        problem, steps = problems.get("rosenbrock", n=10), 500

        def fun(x):  # in Python, because SciPy must call it from there
            grad = np.empty(10)
            return problem.fun(x, grad), grad

        def theirs():
            return minimize(fun, problem.x0, method=method, jac=True)

        return Race(lambda: run(fun, problem.x0, True, steps), theirs, per=[steps + 1, theirs().nfev])
