"""Statuses and counts of evaluations, against objectives that are scripted or count their calls."""

import numpy as np
import pytest
from numba import njit

import numbaopt
from numbaopt import chain, minimize
from numbaopt.transforms import ema


def scripted(*evaluations):
    """Return an objective that gives these (value, slope) in turn, wherever it is evaluated."""
    left = list(evaluations)
    return lambda x: (left[0][0], np.full_like(x, left.pop(0)[1]))


@pytest.mark.parametrize("scale", [1.0, 1e9, -1e9])
@pytest.mark.parametrize(("excess", "status"), [(0.5e-6, 0), (2e-6, 5)])
def test_a_worse_last_point_is_judged_relative_to_the_value(scale, excess, status):
    # The gradient vanishes at the last point, which is worse than the first by a part of the value's size.
    fun = scripted((scale, 1.0), (scale + excess * abs(scale), 0.0))
    result = minimize(fun, np.zeros(2), jac=True, method=numbaopt.sgd(lr=0.1))
    assert (result.status, result.success, result.nit, result.fun) == (status, status == 0, 1, scale)
    np.testing.assert_array_equal(result.x, np.zeros(2))


class Counted:
    """A quadratic function and its gradient, apart, which count their calls."""

    def __init__(self):
        self.values = self.gradients = 0

    def fun(self, x):
        self.values += 1
        return float(np.sum((x - 1) ** 2))

    def jac(self, x):
        self.gradients += 1
        return 2 * (x - 1)


@pytest.mark.parametrize("method", [numbaopt.sgd(lr=0.1), "lbfgs"], ids=str)
@pytest.mark.parametrize("check", [False, True])
def test_nfev_and_njev_are_the_calls(method, check):
    counted = Counted()
    options = {"maxiter": 5, "check_grad": check}
    result = minimize(counted.fun, np.zeros(3), jac=counted.jac, method=method, options=options)
    assert (result.nfev, result.njev) == (counted.values, counted.gradients)
    assert (counted.values > counted.gradients) == check  # the check evaluates the function alone


@pytest.mark.parametrize(
    "method",
    [numbaopt.schedule_free_sgd(lr=0.1), chain(numbaopt.sgd(lr=0.1), ema(decay=0.5))],
    ids=["schedule_free_sgd", "average"],
)
def test_maxfev_counts_the_evaluation_of_the_reported_point(method):
    def run(**options):
        counted = Counted()
        fun = lambda x: (counted.fun(x), counted.jac(x))  # noqa: E731
        result = minimize(fun, np.zeros(3), jac=True, method=method, options={"gtol": None, "ftol": None} | options)
        assert result.nfev == counted.values
        return result

    free = run(maxiter=4)
    assert (free.nit, free.nfev) == (4, 6)  # the start, four steps, and the reported point
    assert (run(maxiter=4, maxfev=6).nfev, run(maxiter=4, maxfev=5).nfev) == (6, 5)
    limited = run(maxfev=5)
    assert (limited.nit, limited.nfev, limited.status) == (4, 5, 1)
    np.testing.assert_array_equal(limited.x, run(maxiter=4, maxfev=5).x)


@njit
def bowl(x, grad):
    f = 0.0
    for i in range(x.size):
        grad[i] = 2 * (x[i] - 1)
        f += (x[i] - 1) ** 2
    return f


@pytest.mark.parametrize("fun", [bowl, bowl.py_func], ids=["compiled", "Python"])
@pytest.mark.parametrize("bounds", [None, [(0.0, 3.0), (0.0, 3.0)]], ids=["free", "bounded"])
def test_a_gradient_of_zero_is_within_a_gtol_of_zero(fun, bounds):
    given = {"jac": "inplace", "bounds": bounds, "options": {"gtol": 0.0, "maxiter": 50}}
    at_once = minimize(fun, np.ones(2), method=numbaopt.sgd(lr=0.5), **given)
    assert (at_once.status, at_once.nit, at_once.nfev) == (0, 0, 1) and "within gtol=0" in at_once.message
    one_step = minimize(fun, np.zeros(2), method=numbaopt.sgd(lr=0.5), **given)
    assert (one_step.status, one_step.nit, one_step.fun) == (0, 1, 0.0)
    np.testing.assert_array_equal(one_step.x, [1.0, 1.0])


@pytest.mark.parametrize("fun", [True, False], ids=["compiled", "Python"])
def test_an_unfilled_gradient_is_noticed_though_batches_are_skipped(fun):
    def unfilled(w, grad, rows):
        return float(rows.sum() * 0.0 + w[0])

    fun = njit(lambda w, grad, rows: rows.sum() * 0.0 + w[0]) if fun else unfilled
    with pytest.raises(ValueError, match="grad"):
        minimize(
            fun, np.ones(2), jac="inplace", data=np.ones((300, 1)), batch_size=2, options={"nonfinite": "skip"}, seed=0
        )


def test_the_message_names_the_last_finite_iterate_where_a_loss_is_not_finite():
    def fun(w, rows):
        return (np.nan if calls.append(0) or len(calls) > 3 else float(w @ w)), 2 * w

    calls = []
    result = minimize(
        fun, np.ones(2), jac=True, method="schedule_free_sgd", data=np.ones((40, 1)), batch_size=2, seed=0
    )
    assert result.status == 3
    assert "x is the last iterate with a finite loss" in result.message and "reports" not in result.message
