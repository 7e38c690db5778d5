"""Problems that move up into the lanes of others that have ended take all that is their own with them."""

import numba
import numpy as np
import pytest
from numba import njit

import numbaopt
from numbaopt import minimize, minimize_many
from tests.many.test_minimize_many import swum  # noqa: F401

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")


@njit
def pull(x, grad, stiffness, target):
    f = 0.0
    for i in range(x.size):
        d = x[i] - target
        f += stiffness * d * d
        grad[i] = 2 * stiffness * d
    return f


@pytest.mark.slow
def test_bounds_move_up_with_their_problem(swum):  # noqa: F811
    # Most problems end early, inside of wide bounds. The others move into their lanes, and end at narrow upper bounds,
    # where only the projected gradient is small.
    count = 320
    slow = np.random.default_rng(0).random(count) < 0.3
    stiffness = np.where(slow, 0.02, 0.9) + np.arange(count) / 1e5
    target, upper = np.where(slow, 3.0, 1.0), np.where(slow, 0.5 + np.arange(count) / 1e3, 9.0)
    bounds = np.stack([np.full((count, 2), -9.0), np.broadcast_to(upper[:, None], (count, 2))], -1)
    given = {"method": numbaopt.sgd(lr=0.5), "jac": "inplace", "options": {"maxiter": 500, "gtol": 1e-6}}
    many = minimize_many(pull, np.zeros((count, 2)), data=(stiffness, target), bounds=bounds, threads=1, **given)
    assert swum and None not in swum
    assert many.success.all() and many.nit[~slow].max() < many.nit[slow].min()
    np.testing.assert_array_equal(many.x[slow], np.stack([upper[slow]] * 2, -1))
    np.testing.assert_allclose(many.x[~slow], 1.0, atol=1e-5)
    for b in range(0, count, 7):
        alone = minimize(pull.py_func, np.zeros(2), (stiffness[b], target[b]), bounds=bounds[b], **given)
        for name in ("x", "fun", "jac", "nit", "nfev", "status", "message"):
            np.testing.assert_array_equal(many[b][name], alone[name], err_msg=f"{name} of problem {b}")
