"""Problems that move up into the lanes of others that have ended take all that is their own with them."""

import numba
import numpy as np
import pytest
from numba import njit

import numbaopt
from numbaopt import minimize, minimize_many
from numbaopt.many import workers
from tests.many.test_minimize_many import scalar, swum  # noqa: F401

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


@pytest.mark.parametrize("driver", ["swum", "scalar"])
@pytest.mark.parametrize("reason", ["callback", "maxtime", "Ctrl-C"])
def test_interrupted_problems_have_the_results_so_far(request, driver, reason):
    lanes = request.getfixturevalue(driver)
    count, done = 40, workers.FIRST_BUDGET
    stiffness, target = np.linspace(0.1, 0.4, count), np.linspace(1.0, 2.0, count)
    x0 = np.zeros((count, 2))
    x0[:done] = target[:done, None]  # solved one after another before there are lanes, at their starts
    options = {"maxiter": 10**9, "gtol": 0.0} | ({"maxtime": 0.2} if reason == "maxtime" else {})

    looks = []

    def callback(intermediate_result):
        looks.append(intermediate_result.done)
        if driver == "scalar" and len(looks) > 3 or driver == "swum" and len(lanes) > 2:
            raise {"callback": StopIteration, "Ctrl-C": KeyboardInterrupt}[reason]

    given = {"data": (stiffness, target), "threads": 1, "method": numbaopt.sgd(lr=1e-4), "jac": "inplace"}
    if reason == "Ctrl-C":
        with pytest.raises(numbaopt.OptimizationInterrupted) as interrupted:
            minimize_many(pull, x0, callback=callback, options=options, **given)
        many = interrupted.value.result
    elif reason == "callback":
        many = minimize_many(pull, x0, callback=callback, options=options, **given)
    else:
        for _ in range(2):  # the first call spends its time on compiling
            many = minimize_many(pull, x0, options=options, **given)
    assert driver == "scalar" or (lanes and None not in lanes)
    status = {"callback": 99, "maxtime": 2, "Ctrl-C": 4}[reason]
    assert many.status.tolist() == [0] * done + [status] * (count - done)
    begun = np.flatnonzero(many.nit)
    assert begun.size and begun[0] == done  # the others had not begun
    for b in begun[::2]:
        steps, grad = int(many.nit[b]), np.empty(2)
        x = target[b] * (1 - (1 - 2e-4 * stiffness[b]) ** steps)  # the closed form of the iterates
        np.testing.assert_allclose(many.x[b], x, rtol=1e-9)
        assert many.fun[b] == pull.py_func(many.x[b], grad, stiffness[b], target[b]) and many.nfev[b] == steps + 1
        np.testing.assert_array_equal(many.jac[b], grad)
