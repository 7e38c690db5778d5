"""Many problems at once: Adam on Rosenbrock's function from random starts, float64, compared with jax.vmap."""

import numpy as np

from benchmarks.measure import Contest, Race, warmed
from benchmarks.peers import jax_rosenbrock, jax_until
from numbaopt import adam, minimize_many, problems


def starts(B, n):
    """Return B starting points, the same at every call."""
    return np.random.default_rng(0).uniform(-2, 2, (B, n))


def run(X0, lr, **options):
    """Minimize from each row of X0."""
    fun = problems.get("rosenbrock", n=X0.shape[1]).fun
    return minimize_many(fun, X0, jac="inplace", method=adam(lr=lr), options=options)


def fixed(X0, lr, steps):
    """Do exactly this number of steps from each row; return the final points."""
    result = run(X0, lr, maxiter=steps, gtol=0.0, **{"return": "last"})
    assert np.all(result.nit == steps)
    return result.x


class FixedAgainstJax(Contest):
    """200 or 1000 iterations of 10 000 problems, compared with jax.vmap of lax.scan over optax.adam in two forms."""

    params = ([2, 5, 10, 50], ["scan", "tuned"])
    param_names = ["n", "theirs"]

    def race(self, n, form):
        X0, lr, steps = starts(10_000, n), 1e-3, 1000 if n < 10 else 200
        theirs, ours = jax_rosenbrock(X0, steps, lr, form), warmed(lambda: fixed(X0, lr, steps))
        np.testing.assert_allclose(ours(), theirs(), rtol=1e-9, atol=1e-12)
        return Race(ours, theirs)


class RaggedAgainstJax(Contest):
    """20 000 / n problems until no entry of the gradient exceeds 0.01, compared with jax.vmap of lax.while_loop.

    A problem takes about 3000 iterations, and the longest one twice as many. Adam oscillates in the valley, so rounding
    errors change the number of iterations; therefore only the means are compared.
    """

    params = [2, 10]
    param_names = ["n"]
    timeout = 900

    def race(self, n):
        X0, lr, gtol, most = starts(20_000 // n, n), 0.05, 1e-2, 20_000
        theirs = jax_until(X0, gtol, most, lr)
        ours = warmed(lambda: run(X0, lr, maxiter=most, gtol=gtol, **{"return": "last"}))
        result, (x, nit) = ours(), theirs()
        assert np.all(result.success) and np.max(nit) < most
        np.testing.assert_allclose(np.mean(result.nit), np.mean(nit), rtol=0.01)
        np.testing.assert_allclose(result.x, x, atol=0.1)
        return Race(ours, theirs)


class Size:
    """Nanoseconds per iteration and problem for B problems, and microseconds per call."""

    params = ([1, 10, 100, 1000, 10_000, 100_000], [2, 10])
    param_names = ["B", "n"]
    timeout = 300

    def setup(self, B, n):
        X0, steps = starts(B, n), max(100, 100_000 // B)
        whole, none = warmed(lambda: fixed(X0, 1e-3, steps)), warmed(lambda: fixed(X0, 1e-3, 0))
        self._race, self._iterations = Race(whole, none), B * steps

    def track_iteration(self, B, n):
        whole, none = self._race.run()
        return (whole - none) / self._iterations * 1e9

    track_iteration.unit = "ns/iteration/problem"

    def track_call(self, B, n):
        return self._race.run()[1] * 1e6

    track_call.unit = "us"
