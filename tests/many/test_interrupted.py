"""Calls of `minimize_many` that end early, and starts and bounds at the edge of what is allowed: as `minimize` has it."""

import threading
from time import perf_counter

import numpy as np
import pytest

import numbaopt
from numbaopt import minimize, minimize_many
from numbaopt.many import workers
from tests.many.test_closing_up import pull

TARGETS = np.arange(1.0, 4.0)


def test_maxtime_ends_the_first_problem_in_python_too():
    given = {"data": (np.ones(3), TARGETS), "method": numbaopt.sgd(lr=1e-9), "jac": "inplace"}
    minimize_many(pull.py_func, np.zeros((3, 2)), options={"maxiter": 1}, **given)  # compiles the step
    began = perf_counter()
    many = minimize_many(pull.py_func, np.zeros((3, 2)), options={"maxiter": 10**8, "maxtime": 0.2}, **given)
    assert perf_counter() - began < 60 and many.status.tolist() == [2, 2, 2]
    assert many[0].message == "Maximum time has been exceeded (maxtime=0.2 s)." and many.nit[0] > 0


def test_ctrl_c_in_python_keeps_the_problem_under_way():
    calls = []

    def fun(x, grad, stiffness, target):
        calls.append(target)
        if len(calls) == 60:
            raise KeyboardInterrupt
        return pull.py_func(x, grad, stiffness, target)

    given = {"method": numbaopt.sgd(lr=1e-3), "jac": "inplace", "options": {"maxiter": 40, "gtol": 0.0}}
    with pytest.raises(numbaopt.OptimizationInterrupted) as interrupted:
        minimize_many(fun, np.zeros((3, 2)), data=(np.ones(3), TARGETS), **given)
    many = interrupted.value.result
    assert many.status.tolist() == [1, 4, 4] and many.nit.tolist() == [40, 18, 0]  # in the evaluation after step 18
    alone = minimize(pull.py_func, np.zeros(2), (1.0, 2.0), **given | {"options": {"maxiter": 17, "gtol": 0.0}})
    np.testing.assert_array_equal(many.x[1], alone.x)
    assert many.fun[1] == alone.fun


def test_a_thread_that_cannot_be_started_is_the_error_that_is_raised(monkeypatch):
    class Unstartable(threading.Thread):
        def start(self):
            raise RuntimeError("no more threads")

    monkeypatch.setattr(workers.threading, "Thread", Unstartable)
    monkeypatch.setattr(workers, "DELAY", 0.0)
    with pytest.raises(RuntimeError, match="no more threads"):
        minimize_many(pull, np.zeros((3, 2)), data=(np.ones(3), TARGETS), jac="inplace", threads=2)


@pytest.mark.parametrize("fun", [pull, pull.py_func], ids=["compiled", "Python"])
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_start_that_is_not_finite_fails_within_bounds_too(fun, bad):
    starts = np.array([[bad, 0.0], [0.0, 0.0]])
    many = minimize_many(
        fun, starts, data=(np.ones(2), TARGETS[:2]), jac="inplace", bounds=[(-5, 5)] * 2, options={"lr": 0.1}
    )
    assert many.status.tolist() == [3, 0]
    np.testing.assert_array_equal(many.x[0], starts[0])
    assert many.nfev[0] == 0


@pytest.mark.parametrize("fun", [pull, pull.py_func], ids=["compiled", "Python"])
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("gtol", [None, -1.0, 1e-3])
def test_problems_whose_variables_are_all_fixed_end_at_the_start_whatever_gtol_is(fun, together, gtol):
    options = {"maxiter": 7, "gtol": gtol}
    fixed, free = [(1.0, 1.0), (2.0, 2.0)], [(-9.0, 9.0)] * 2
    bounds = np.array([fixed, fixed if together else free])
    many = minimize_many(
        fun, np.zeros((2, 2)), data=(np.ones(2), TARGETS[:2]), jac="inplace", bounds=bounds, options=options
    )
    for b in range(2):
        alone = minimize(fun, np.zeros(2), (1.0, TARGETS[b]), jac="inplace", bounds=bounds[b], options=options)
        for name in ("x", "fun", "nit", "nfev", "status", "message"):
            np.testing.assert_array_equal(many[b][name], alone[name], err_msg=f"{name} of problem {b}")
    assert many.nit[0] == 0 and many.success[0]
