"""A checkpoint is a copy of the run at one step, whatever the run does before the copy is written."""

import numpy as np
import pytest

import numbaopt
from numbaopt import minimize

START = np.array([-1.2, 1.0, 0.5])


class Interrupted(Exception):
    """What the objective raises instead of its last evaluation."""


def valley(last):
    """Return Rosenbrock's function, which raises instead of evaluation ``last``, and the list of its evaluations."""
    points = []

    def fun(x, grad):
        if len(points) == last:
            raise Interrupted
        points.append(x.copy())
        a, b = x[1:] - x[:-1] ** 2, 1 - x[:-1]
        grad[:-1] = -400 * x[:-1] * a - 2 * b
        grad[-1] = 0.0
        grad[1:] += 200 * a
        return float(np.sum(100 * a**2 + b**2))

    return fun, points


@pytest.mark.parametrize("method", ["adam", "lbfgs", numbaopt.nadam(lr=0.1)], ids=str)
def test_an_exception_between_two_checkpoints_loses_no_bit(tmp_path, method):
    # The run is copied at its first step and broken off some steps later, before it is due to be copied again.
    fun, _ = valley(last=-1)
    given = {"jac": "inplace", "method": method, "options": {"maxiter": 15}}
    whole = minimize(fun, START, **given)
    given |= {"checkpoint": tmp_path / "run", "checkpoint_every": 1e6}
    broken, points = valley(last=9)
    with pytest.raises(Interrupted):
        minimize(broken, START, **given)
    assert len(points) == 9
    again, evaluated = valley(last=-1)
    resumed = minimize(again, START, resume=True, **given)
    for name in ("x", "fun", "jac", "nit", "nfev", "njev", "status", "message"):
        np.testing.assert_array_equal(resumed[name], whole[name], err_msg=name)
    assert 0 < len(evaluated) < whole.nfev  # it was resumed, and did not begin anew


def test_a_run_that_met_its_ftol_is_finished_for_the_same_ftol(tmp_path):
    fun, points = valley(last=-1)
    given = {"jac": "inplace", "method": numbaopt.sgd(lr=1e-3), "checkpoint": tmp_path / "run"}
    first = minimize(fun, START, options={"ftol": 1e-4, "gtol": None}, **given)
    assert first.status == 0 and "less than ftol=0.0001" in first.message
    evaluations = len(points)
    again = minimize(fun, START, resume=True, options={"ftol": 1e-4, "gtol": None}, **given)
    assert len(points) == evaluations and (again.nit, again.nfev) == (first.nit, first.nfev)
    np.testing.assert_array_equal(again.x, first.x)
    longer = minimize(fun, START, resume=True, options={"ftol": 1e-5, "gtol": None}, **given)
    assert len(points) > evaluations and longer.nit > first.nit and longer.fun < first.fun
