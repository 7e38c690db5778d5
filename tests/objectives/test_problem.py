"""A problem reads fun, x0, args and bounds once, and many objectives share it."""

import numpy as np
import pytest

from numbaopt import adam, minimize
from numbaopt.api.minimize import solve
from numbaopt.api.settings import Settings
from numbaopt.objectives.bounds import read_bounds
from numbaopt.objectives.problem import Problem, is_spsa, read_jac

X = np.array([3.0, -2.0])


def pair(x, shift=0.0):
    return float(((x - 1) ** 2).sum()) + shift, 2 * (x - 1)


def test_what_is_read():
    problem = Problem(pair, {"a": [[1, 2]], "b": 3.0}, 5.0, True, [(0, None)])
    assert problem.x0.tolist() == [1.0, 2.0, 3.0] and problem.structure.shapes == [(1, 2), ()]
    assert problem.args == (5.0,) and problem.fun is pair and problem.jac is True
    assert [side.tolist() for side in problem.bounds] == [[0.0] * 3, [np.inf] * 3]
    oracle = read_bounds([(0, None)], 3, problem.x0.dtype)
    assert all((one == other).all() for one, other in zip(problem.bounds, oracle, strict=True))


def test_the_start_is_converted_once_and_copied():
    conversions = []

    class Start:
        def __array__(self, dtype=None, copy=None):
            conversions.append(1)
            return X.copy()

    problem = Problem(pair, Start(), (), True)
    count = len(conversions)
    for _ in range(3):
        solve(adam(lr=0.1), problem, Settings({"maxiter": 2}))
    assert len(conversions) == count
    conversions.clear()
    minimize(pair, Start(), jac=True, options={"maxiter": 2})
    assert len(conversions) == count <= 2
    start = X.copy()
    problem = Problem(pair, start, (), True)
    start[:] = 7
    assert problem.x0.tolist() == X.tolist()


def test_objectives_share_a_problem_and_count_alone():
    problem = Problem(pair, X, (), True)
    one, other, g = problem.objective(), problem.objective(), np.empty(2)
    assert one(X, g) == one(X, g) == 13.0 and g.tolist() == [4.0, -6.0]
    assert (one.nfev, one.njev, other.nfev, other.njev) == (2, 2, 0, 0)
    alone = minimize(pair, X, jac=True, method=adam(lr=0.1), options={"maxiter": 30})
    for _ in range(2):  # the first run leaves nothing behind for the second
        result = solve(adam(lr=0.1), problem, Settings({"maxiter": 30}))
        assert repr(result) == repr(alone) and problem.x0.tolist() == X.tolist()


@pytest.mark.parametrize(
    "jac, form",
    [(None, None), (False, None), (np.False_, None), (True, True), (np.True_, True), ("3-point", "3-point")],
)
def test_forms_of_the_gradient(jac, form):
    assert read_jac(jac) is form


def test_a_callable_gradient_is_itself():
    assert read_jac(pair) is pair
    assert [is_spsa(jac) for jac in ("spsa", "3-point", None, pair, np.ones(2))] == [True, False, False, False, False]


@pytest.mark.parametrize(
    "given, error, text",
    [
        ((None, X), TypeError, "fun must be callable, not None"),
        ((pair, []), ValueError, "x0 is empty"),
        ((pair, [1.0, np.nan]), ValueError, r"x0\[1\] is nan"),
        ((pair, X, (), True, [(1, 0)]), ValueError, "upper bound is less"),
        ((pair, X + 1j, (), True, [(0, 1)]), ValueError, "bounds need an order"),
    ],
)
def test_what_cannot_be_read(given, error, text):
    with pytest.raises(error, match=text):
        Problem(*given)


@pytest.mark.parametrize(
    "x0, jac, text", [(X, "inplce", "did you mean 'inplace'"), (X + 1j, "cs", "x0 is complex: use '3-point'")]
)
def test_forms_that_cannot_be(x0, jac, text):
    problem = Problem(pair, x0, (), jac)  # SciPy's methods read jac themselves
    with pytest.raises(ValueError, match=text):
        problem.objective()
