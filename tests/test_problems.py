"""The problems agree with independent oracles: complex steps, SciPy, closed forms and searches."""

import dataclasses
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

from numbaopt import problems

SCALABLE = ["rosenbrock", "styblinski_tang", "quadratic"]
CASES = [(name, {}) for name in problems.names()] + [(name, {"n": 7}) for name in SCALABLE]
PLOTTED = [name for name in problems.names() if problems.get(name).domain]


@pytest.fixture(params=CASES, ids=lambda case: "-".join([case[0], *map(str, case[1].values())]))
def problem(request):
    name, parameters = request.param
    return problems.get(name, **parameters)


def evaluate(p, x, fun=None):
    """Return value and gradient. Entries that the objective does not write are NaN."""
    grad = np.full_like(x, np.nan)
    return (fun or p.fun)(x, grad, *p.args), grad


def points_near_start(p, count=5):
    rng = np.random.default_rng(7)
    return p.x0 + rng.uniform(-1.5, 1.5, (count, p.x0.size))


def test_value_is_the_minimum_and_gradient_vanishes_at_every_minimizer(problem):
    assert problem.minimizers.shape[1:] == problem.x0.shape
    for x in problem.minimizers:
        f, grad = evaluate(problem, x)
        np.testing.assert_allclose(f, problem.minimum, rtol=1e-14, atol=1e-28)
        np.testing.assert_allclose(grad, 0, atol=1e-12)


@pytest.mark.parametrize("name", PLOTTED)
def test_many_searches_find_these_minimizers_and_no_lower_point(name):
    p = problems.get(name)
    low, high = np.array(p.domain).T
    assert np.all((low <= p.x0) & (p.x0 <= high)) and np.all((low <= p.minimizers) & (p.minimizers <= high))
    ends = [
        scipy.optimize.minimize(lambda x: evaluate(p, x), x, jac=True, bounds=p.domain, tol=1e-14)
        for x in np.random.default_rng(0).uniform(low, high, (60, 2))
    ]
    assert min(end.fun for end in ends) >= p.minimum - 1e-12
    best = np.array([end.x for end in ends if end.fun < p.minimum + 1e-10])
    distance = np.linalg.norm(best[:, None] - p.minimizers, axis=2)
    assert distance.min(axis=1).max() < 1e-3, "a search ended in a minimizer that is not listed"
    assert distance.min(axis=0).max() < 1e-3, "no search ended in one of the listed minimizers"


def test_gradient_agrees_with_the_complex_step(problem):
    if problem.name == "logistic_regression":
        pytest.skip("logaddexp is not defined for complex numbers: see the closed form below")
    plain = getattr(problem.fun, "py_func", problem.fun)
    for x in points_near_start(problem):
        f, grad = evaluate(problem, x)
        for i, unit in enumerate(np.eye(x.size)):
            value, _ = evaluate(problem, x + 1e-30j * unit, plain)
            np.testing.assert_allclose(value.real, f, rtol=1e-13)
            np.testing.assert_allclose(grad[i], value.imag / 1e-30, rtol=1e-11, atol=1e-11)


def test_gradient_agrees_with_central_differences(problem):
    for x in points_near_start(problem):
        f, grad = evaluate(problem, x)
        for i, unit in enumerate(np.eye(x.size)):
            h = 1e-5 * max(1, abs(x[i]))
            slope = (evaluate(problem, x + h * unit)[0] - evaluate(problem, x - h * unit)[0]) / (2 * h)
            np.testing.assert_allclose(grad[i], slope, rtol=1e-6, atol=1e-6 + 1e-10 * abs(f))


def test_float32_in_float32_out_and_the_same_numbers(problem):
    for x in points_near_start(problem).astype(np.float32):
        f, grad = evaluate(problem, x)
        exact, slope = evaluate(problem, x.astype(np.float64))
        assert type(f) is float and grad.dtype == np.float32
        np.testing.assert_allclose(f, exact, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(grad, slope, rtol=1e-4, atol=1e-6 * max(1, np.abs(slope).max()))


def test_steepest_descent_from_the_start_ends_at_a_minimizer(problem):
    """Integrating the gradient flow as a differential equation cannot step over a hill."""
    flow = scipy.integrate.solve_ivp(
        lambda _, x: -evaluate(problem, x)[1], (0, 1e7), problem.x0, method="BDF", rtol=1e-6, atol=1e-12
    )
    assert flow.success
    distance = np.abs(flow.y[:, -1] - problem.minimizers).max(axis=1).min()
    assert distance < 1e-3 * max(1, np.abs(problem.minimizers).max())


@pytest.mark.parametrize("n", [2, 3, 10, 101])
def test_rosenbrock_is_scipys(n):
    x = np.random.default_rng(n).uniform(-2, 2, n)
    f, grad = evaluate(problems.rosenbrock(n), x)
    np.testing.assert_allclose(f, scipy.optimize.rosen(x), rtol=1e-13)
    np.testing.assert_allclose(grad, scipy.optimize.rosen_der(x), rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "x", "value"),
    [  # computed by hand; the first five at the starts of Moré, Garbow & Hillstrom
        ("rosenbrock", [-1.2, 1], 24.2),
        ("beale", [1, 1], 14.203125),
        ("brown_badly_scaled", [1, 1], (1 - 1e6) ** 2 + (1 - 2e-6) ** 2 + 1),
        ("powell_singular", [3, -1, 0, 1], 215),
        ("powell_singular", [1, 1, 1, 1], 122),
        ("booth", [0, 0], 74),
        ("himmelblau", [0, 0], 170),
        ("himmelblau", [-0.270845, -0.923039], 181.617),
        ("three_hump_camel", [1, 1], 3.95 - 1.05 + 1 / 6 + 0.05),
        ("ravine", [-5, -2], 10.5),
        ("styblinski_tang", [1, 1], -10),
        ("logistic_regression", [0] * 8, np.log(2)),
    ],
)
def test_known_values(name, x, value):
    p = problems.get(name)
    np.testing.assert_allclose(evaluate(p, np.array(x, float))[0], value, rtol=3e-6 if len(str(x)) > 20 else 1e-14)


@pytest.mark.parametrize("cond", [1.0, 1e4])
def test_quadratic_has_the_requested_condition_number_and_oblique_axes(cond):
    p = problems.quadratic(n=30, cond=cond, seed=3)
    A, center = p.args
    np.testing.assert_allclose(np.linalg.eigvalsh(A), np.geomspace(1, cond, 30), rtol=1e-9)
    x = np.linspace(-1, 1, 30)
    f, grad = evaluate(p, x)
    np.testing.assert_allclose(f, (x - center) @ A @ (x - center) / 2, rtol=1e-12)
    np.testing.assert_allclose(grad, A @ (x - center), rtol=1e-9)
    if cond > 1:
        off_diagonal = A - np.diag(np.diag(A))
        assert np.linalg.norm(off_diagonal) > 0.5 * np.linalg.norm(A)


@pytest.mark.parametrize("l2", [1.0, 0.1, 1e-6])
def test_logistic_regression_and_its_minimum_agree_with_the_closed_form(l2):
    p = problems.logistic_regression(n_samples=150, n_features=6, l2=l2, seed=1)
    X, y, _ = p.args
    assert set(y) == {-1.0, 1.0}
    for w in [*points_near_start(p), *p.minimizers]:
        margin = y * (X @ w)
        f, grad = evaluate(p, w)
        np.testing.assert_allclose(f, np.log1p(np.exp(-margin)).mean() + l2 / 2 * (w @ w), rtol=1e-13)
        np.testing.assert_allclose(grad, l2 * w - X.T @ (y / (1 + np.exp(margin))) / 150, rtol=1e-12, atol=1e-15)
    margin = y * (X @ p.minimizers[0])
    hessian = (X.T / (2 * np.cosh(margin / 2)) ** 2) @ X / 150 + l2 * np.eye(6)
    assert np.linalg.norm(evaluate(p, p.minimizers[0])[1]) / np.linalg.eigvalsh(hessian)[0] < 1e-12


def test_newton_converges_for_almost_separable_data():
    p = problems.logistic_regression(n_samples=10, n_features=20, l2=1e-4)
    assert np.abs(evaluate(p, p.minimizers[0])[1]).max() < 1e-14


def test_logistic_regression_neither_overflows_nor_loses_far_points():
    p = problems.logistic_regression(n_samples=50, n_features=3)
    w = np.array([1e5, -1e5, 1e5])
    f, grad = evaluate(p, w)
    X, y, l2 = p.args
    np.testing.assert_allclose(f, np.maximum(-y * (X @ w), 0).mean() + l2 / 2 * (w @ w), rtol=1e-12)
    assert np.isfinite(grad).all()


def test_logistic_regression_is_the_mean_of_its_minibatches():
    p = problems.logistic_regression(n_samples=60)
    X, y, l2 = p.args
    w, grad = points_near_start(p)[0], np.empty(8)
    parts = [(p.fun(w, grad, X[i : i + 20], y[i : i + 20], l2), grad.copy()) for i in (0, 20, 40)]
    f, full = evaluate(p, w)
    np.testing.assert_allclose(np.mean([part[0] for part in parts]), f, rtol=1e-13)
    np.testing.assert_allclose(np.mean([part[1] for part in parts], axis=0), full, rtol=1e-12)


@pytest.mark.parametrize("make", [problems.quadratic, problems.logistic_regression])
def test_same_seed_same_data(make):
    first, again, other = make(seed=1), make(seed=1), make(seed=2)
    assert all(np.array_equal(a, b) for a, b in zip(first.args, again.args, strict=True))
    assert not np.array_equal(first.args[0], other.args[0])


def test_problems_are_frozen_independent_and_can_be_pickled(problem):
    with pytest.raises(dataclasses.FrozenInstanceError):
        problem.x0 = None
    copy = pickle.loads(pickle.dumps(problem))
    np.testing.assert_array_equal(copy.minimizers, problem.minimizers)
    start = problems.get(problem.name).x0
    start += 1
    assert not np.array_equal(problems.get(problem.name).x0, start)
    assert problem.source and getattr(problems, problem.name).__name__ == problem.name


@pytest.mark.parametrize("name", [*problems.__all__, "_newton"])
def test_pickles_of_earlier_versions_find_their_names(name):
    # Earlier versions had one module `numbaopt.problems`, and pickles refer to its names. Protocol 0: GLOBAL, STOP.
    assert pickle.loads(f"cnumbaopt.problems\n{name}\n.".encode()) is getattr(problems, name)


def test_unknown_names_and_sizes_are_rejected():
    with pytest.raises(ValueError, match=r"no problem 'beal'; there are .*beale"):
        problems.get("beal")
    with pytest.raises(ValueError, match="beale is defined for 2 variables, not for n=3"):
        problems.beale(3)
    with pytest.raises(ValueError, match="rosenbrock is defined for 2 or more variables, not for n=1"):
        problems.rosenbrock(1)


def test_import_compiles_nothing_and_does_not_import_scipy_optimize():
    code = (
        "import sys; from numbaopt import problems\n"
        "assert 'scipy.optimize' not in sys.modules\n"
        "assert not any(problems.get(name).fun.signatures for name in problems.names())"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
