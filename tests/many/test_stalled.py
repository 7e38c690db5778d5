"""Problems whose line search finds no lower point: status 6, and counts of evaluations that are the calls."""

import numpy as np
import pytest
from numba import njit

from numbaopt import minimize, minimize_many


@njit
def misled(x, grad, sign, calls):
    """Return a sum of squares, whose gradient has the wrong sign where ``sign`` is -1; count the calls."""
    calls[int(sign < 0)] += 1
    f = 0.0
    for i in range(x.size):
        grad[i] = sign * 2 * x[i]
        f += x[i] ** 2
    return f


@pytest.mark.slow
@pytest.mark.parametrize("fun", [misled, misled.py_func], ids=["compiled", "Python"])
def test_counts_of_a_problem_that_stalls(fun):
    calls = np.zeros(2, np.int64)
    x0, signs = np.array([[1.0, 2.0], [1.0, 2.0]]), np.array([1.0, -1.0])
    many = minimize_many(fun, x0, (calls,), signs, method="lbfgs", jac="inplace", threads=1)
    assert many.status.tolist() == [0, 6]
    assert many.nfev.tolist() == many.njev.tolist() == calls.tolist()
    np.testing.assert_allclose(many.x, [[0.0, 0.0], [1.0, 2.0]], rtol=0, atol=1e-14)
    for b in range(2):
        calls[:] = 0
        alone = minimize(fun, x0[b], (signs[b], calls), method="lbfgs", jac="inplace")
        assert (alone.status, alone.nfev, alone.njev) == (many.status[b], many.nfev[b], many.njev[b])
        assert calls.sum() == alone.nfev == alone.njev
