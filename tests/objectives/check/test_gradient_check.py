"""check_grad accepts correct gradients at any scale and noise and at kinks, and reports wrong ones with the cause."""

import numpy as np
import pytest
from numba import njit
from scipy import optimize

import numbaopt
from numbaopt import check_grad, minimize, minimize_many, problems

rng = np.random.default_rng(7)
M, Y = rng.normal(size=(30, 4)), rng.normal(size=30)
X = np.array([0.5, -2.0, 1e-3, 30.0])


def squares(x, M=M, Y=Y, factor=1.0):
    r = M @ x - Y
    return float(r @ r) / len(Y), factor * 2 * M.T @ r / len(Y)


def noisy(size):
    draws = np.random.default_rng(1)
    return lambda x, factor=1.0: ((x**2).sum() + size * draws.normal(), factor * 2 * x)


def float32_inside(x, factor=1.0):
    return float((x.astype("f4") ** 2).sum()), factor * 2 * x


def oscillating(x, factor=1.0):
    return np.sin(x / 1e-6).sum(), factor * np.cos(x / 1e-6) / 1e-6


def badly_scaled(x, factor=1.0):
    return 1e12 * x[0] ** 2 + x[1] ** 2, 2 * np.array([1e12 * x[0], factor * x[1]])


SMOOTH = {
    "squares": (squares, X),
    "offset": (lambda x, factor=1.0: (1e10 + x.sum(), factor * np.ones(3)), np.ones(3)),
    "tiny x": (oscillating, np.array([1e-6, 2e-6, -3e-7])),
    "fast at zero": (oscillating, np.zeros(2)),
    "slow": (
        lambda x, factor=1.0: (((x - 1e6) ** 2 / 1e12).sum(), factor * 2 * (x - 1e6) / 1e12),
        np.array([0.0, 5e5]),
    ),
    "entries of different size": (badly_scaled, np.ones(2)),
    "noise": (noisy(1e-8), np.ones(4)),
    "more noise": (noisy(1e-4), np.ones(4)),
    "float32 inside": (float32_inside, X),
    "float32": (lambda x, factor=1.0: ((x**2).sum(), np.float32(factor) * 2 * x), X.astype("f4")),
    "close to a pole": (lambda x, factor=1.0: (np.log(x).sum(), factor / x), np.array([1e-3, 1e-8, 2.0])),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_right_and_wrong_are_distinguished_at_any_scale(name):
    fun, x = SMOOTH[name]
    right = check_grad(fun, x)
    assert right and right.ok and not right.wrong.any(), right
    assert str(right).startswith(f"The gradient agrees with central differences in all {x.size} entries.")
    for factor in (1.1, 0.5, 2.0, -1.0):
        wrong = check_grad(lambda x, factor=factor: fun(x, factor=factor), x)
        assert not wrong, (factor, wrong)
        # The error of a difference is at most its tolerance.
        true = fun(x.astype(float))[1]
        error = np.abs(wrong.estimate - true) / np.maximum(abs(true), abs(wrong.gradient))
        assert (error <= wrong.tolerance).all()


@pytest.mark.parametrize("size", [1e-2, 1e-3])
def test_one_entry_that_is_slightly_off(size):
    def fun(x):
        f, g = squares(x)
        g[2] *= 1 + size
        return f, g

    wrong = check_grad(fun, X)
    assert np.flatnonzero(wrong.wrong).tolist() == [2] and wrong.worst[0] == 2
    assert wrong.error[2] == pytest.approx(size, rel=0.02)
    text = str(wrong)
    assert (
        "in 1 of 4 entries" in text
        and "x[2]: gradient " in text
        and "(tolerance 0.00012)" in text
        and "It is" not in text
    )


@pytest.mark.parametrize("x", [np.zeros(3), np.ones(3)])
@pytest.mark.parametrize("fun", [lambda x: ((x**2).sum(), 2 * x), lambda x: (3.0, 0 * x), lambda x: (0.0, 0 * x)])
def test_a_gradient_of_zeros_may_be_right(fun, x):
    assert check_grad(fun, x)


def test_zeros_may_be_wrong():
    assert "zero everywhere: does fun fill it?" in str(check_grad(lambda x: (squares(x)[0], 0 * x), X))


def test_any_slope_between_those_of_a_kink_is_accepted():
    at = np.array([0.0, 1.0, -2.0, 1e-7])
    for slope in (0.0, 0.3, 1.0):
        g = np.array([slope, 1, 0, 1.0])
        assert check_grad(lambda x, g=g: (np.maximum(x, 0).sum(), g), at)
    wrong = check_grad(lambda x: (np.maximum(x, 0).sum(), np.array([1.2, 1, 0, 1])), at)
    assert np.flatnonzero(wrong.wrong).tolist() == [0]
    assert not check_grad(lambda x: (np.maximum(x, 0).sum(), np.array([1, 1.2, 0, 1])), at)


def test_noise_larger_than_the_slope_is_reported():
    assert "For 4 of 4, the noise of fun is as large as the slope" in str(check_grad(noisy(10.0), np.ones(4)))


@pytest.mark.parametrize("name", ["rosenbrock", "beale"])
def test_problems_whose_gradient_is_known(name):
    problem = getattr(problems, name)
    problem = problem() if not isinstance(problem, problems.Problem) else problem
    check = check_grad(problem.fun, problem.x0, args=problem.args, jac="inplace")
    assert check, check
    assert check.error.max() < 1e-7 and check.nfev < 60


# Causes.


def mean_squares(p, M, Y, change=lambda g: g):
    r = M @ p["w"] + p["b"] - Y
    return (r**2).mean(), change({"w": 2 * M.T @ r / len(Y), "b": 2 * r.mean()})


CAUSES = {
    "it is half of what it should be: is a factor of 2 missing?": lambda g: {"w": g["w"] / 2, "b": g["b"]},
    "it is twice what it should be": lambda g: {"w": 2 * g["w"], "b": g["b"]},
    "it is the negative of what it should be: is it the gradient of -fun?": lambda g: {"w": -g["w"], "b": g["b"]},
    "it is 30 times what it should be: is it a sum over 30 rows, although fun is their mean?": lambda g: (
        g | {"w": 30 * g["w"]}
    ),
    "it is 1/30 of what it should be: is it a mean over 30 rows, although fun is their sum?": lambda g: (
        g | {"w": g["w"] / 30}
    ),
    "it is 1.7 times what it should be.": lambda g: g | {"w": 1.7 * g["w"]},
    "it is the negative of twice what it should be": lambda g: g | {"w": -2 * g["w"]},
}


@pytest.mark.parametrize("text", CAUSES)
def test_causes_are_guessed(text):
    start = {"w": np.ones(4), "b": 0.5}
    check = check_grad(lambda p, M, Y: mean_squares(p, M, Y, CAUSES[text]), start, (M, Y))
    assert f"In x['w'] {text}" in str(check) and "x['b']" not in str(check)


@pytest.mark.parametrize("shape", [(3, 4), (3, 3)])
def test_a_transposed_gradient_is_recognized(shape):
    B = rng.normal(size=shape)
    wrong = B.T.reshape(shape)
    check = check_grad(lambda p: ((p[0] * B).sum(), [wrong]), [np.ones(shape)])
    assert f"In x[0] it is transposed, as if of shape {shape[::-1]}" in str(check)
    assert "x[0][2, 1]" in str(check)


def test_conjugates_and_wirtinger_derivatives_are_recognized():
    z = rng.normal(size=3) + 1j

    def quartic(z, change):
        return (abs(z) ** 4).sum(), change(4 * abs(z) ** 2 * z)

    assert check_grad(quartic, z, (lambda g: g,))
    check = check_grad(quartic, z, (np.conj,))
    assert "the conjugate of the expected" in str(check) and "x[1].imag" in str(check) and ".real" not in str(check)
    assert "Wirtinger" in str(check_grad(quartic, z, (lambda g: g / 2,)))


# Many entries.


def cubes(x, at=None):
    g = 3 * x**2
    if at is not None:
        g[at] += 50
    return (x**3).sum(), g


def test_a_sample_of_many_entries_and_directions():
    x = rng.normal(size=1000)
    check = check_grad(cubes, x)
    assert check and len(check.names) == 110 and check.nfev < 300
    assert "all 110 entries and directions (a random sample of the 1000 entries)" in str(check)
    sample = {int(name[2:-1]) for name in check.names[:100]}
    for at in (min(sample), min(set(range(1000)) - sample)):
        wrong = check_grad(cubes, x, (at,))
        assert not wrong and (f"x[{at}]: gradient" in str(wrong)) == (at in sample)
        assert "random direction" in str(wrong)
    assert len(check_grad(cubes, x[:50], entries=20).names) == 30
    assert check_grad(cubes, x, seed=1).names != check.names


@pytest.mark.parametrize("wrong", [False, True])
def test_directions_stay_within_the_bounds(wrong):
    x0, points = np.where(np.arange(150) % 2, 1.0, 3.0), []

    def fun(x):
        points.append(x)
        return np.log(x).sum(), (2 if wrong else 1) / x

    assert bool(check_grad(fun, x0, bounds=[(1.0, 3.02)] * 150, entries=5)) is not wrong
    assert np.min(points) >= 1 and np.max(points) <= 3.02


@pytest.mark.parametrize("error", [ValueError, ZeroDivisionError, np.linalg.LinAlgError])
def test_exceptions_away_from_x0_count_as_nan(error):
    def fun(x):
        if x[0] > 1.0 + 1e-4:
            raise error
        return (x**2).sum(), factor * x

    for factor in (2, 3):
        assert bool(check_grad(fun, np.ones(2))) is (factor == 2)


# Before a run.


def wrong_batch(x, M, Y):
    f, g = squares(x, M, Y)
    return f, g * len(Y)


@njit
def filled(x, grad):
    f = 0.0
    for i in range(x.size):
        f += x[i] ** 2
        grad[i] = 2 * x[i]
    return f


@njit
def misfilled(x, grad):
    f = 0.0
    for i in range(x.size):
        f += x[i] ** 2
        grad[i] = x[i]
    return f


@pytest.mark.parametrize(
    ("right", "wrong", "arguments"),
    [
        (squares, lambda x: squares(x, factor=2), {"jac": True}),
        (lambda x: squares(x)[0], lambda x: squares(x, factor=2)[0] + x[0], {"jac": lambda x: squares(x)[1]}),
        (filled, misfilled, {"jac": "inplace"}),
        (squares, wrong_batch, {"jac": True, "data": (M, Y), "batch_size": 10, "seed": 0}),
        (squares, wrong_batch, {"jac": True, "data": iter([(M, Y)])}),
        (squares, lambda x: squares(x, factor=2), {"jac": True, "method": "BFGS"}),
        (squares, lambda x: squares(x, factor=2), {"jac": True, "bounds": [(0, 40)] * 4}),
        (squares, lambda x: squares(x, factor=2), {"jac": True, "bounds": [(0, 40)] * 4, "method": "L-BFGS-B"}),
    ],
    ids=["True", "callable", "jitted", "batch", "stream", "SciPy", "bounds", "SciPy, bounds"],
)
def test_option_of_minimize(right, wrong, arguments):
    stream = hasattr(arguments.get("data"), "__next__")

    def call(fun, **options):
        keywords = arguments | ({"data": iter([(M, Y)])} if stream else {})
        return minimize(fun, X, options={"maxiter": 3} | options, **keywords)

    plain, checked = call(right), call(right, check_grad=True)
    np.testing.assert_array_equal(plain.x, checked.x)
    extra = checked.nfev - plain.nfev
    assert 8 <= extra < 70 and checked.njev - plain.njev in (1, extra)
    with pytest.raises(ValueError, match="The gradient differs from central differences in") as error:
        call(wrong, check_grad=True)
    assert "times" in str(error.value) or "should be" in str(error.value) or "x[0]: gradient" in str(error.value)


def test_evaluations_stay_within_the_bounds():
    points = []

    def root(x):
        points.append(x)
        return np.sqrt(x - 1).sum(), 0.5 / np.sqrt(x - 1)

    bounds = [(1.01, 2), (1.5, 1.5), (1.01, 2)]
    x0 = [0.0, 3.0, 2.0]
    assert check_grad(root, x0, bounds=bounds).names == ["x[0]", "x[2]"]
    minimize(root, x0, jac=True, bounds=bounds, options={"check_grad": True, "maxiter": 1})
    assert (
        len(points) > 20
        and np.min(points, 0).tolist() >= [1.01, 1.5, 1.01]
        and np.max(points, 0).tolist() <= [2, 1.5, 2]
    )
    assert "nothing to compare" in str(check_grad(root, [1.5], bounds=[(1.5, 1.5)]))


def test_a_custom_method_of_scipy_accepts_the_option():
    def run(factor):
        options = {"check_grad": True, "maxiter": 2}
        return optimize.minimize(squares, X, (M, Y, factor), jac=True, method=numbaopt.adam, options=options)

    assert run(1.0).nit == 2
    with pytest.raises(ValueError, match="half"):
        run(0.5)


def test_of_many_problems_the_first_is_sample():
    starts = np.ones((3, 2))
    plain, checked = (
        minimize_many(filled.py_func, starts, jac="inplace", options={"check_grad": c, "maxiter": 5})
        for c in (False, True)
    )
    np.testing.assert_array_equal(plain.x, checked.x)
    assert (checked.nfev - plain.nfev)[1:].tolist() == [0, 0] and checked.nfev[0] > plain.nfev[0]
    with pytest.raises(ValueError, match="half of what it should be"):
        minimize_many(misfilled.py_func, starts, jac="inplace", options={"check_grad": True})


def test_a_batch_may_be_overwritten():
    def overwriting(x, M, Y):
        f, g = squares(x, M, Y)
        M[:] = 0.0
        return f, g

    assert check_grad(overwriting, X, batch=(M.copy(), Y))
    assert minimize(overwriting, X, jac=True, data=(M, Y), options={"check_grad": True}).nit == 1


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"jac": None}, ValueError, "needs a gradient to compare with differences, but jac=None provides none"),
        ({"jac": "3-point"}, ValueError, "jac='3-point' provides none"),
        ({"fun": lambda x: (np.nan, x)}, ValueError, "fun is nan at x0"),
        ({"fun": lambda x: (1.0, x * np.nan)}, ValueError, r"at x0 the gradient is nan at x\[0\]"),
        ({"entries": 0}, ValueError, "entries must be at least 1"),
        ({"x0": 1j, "bounds": [(0, 1)]}, ValueError, "bounds need an order"),
        ({"fun": lambda x: (1.0, np.ones(3))}, ValueError, r"the gradient has shape \(3,\)"),
    ],
)
def test_invalid_arguments(arguments, error, text):
    with pytest.raises(error, match=text):
        check_grad(**({"fun": squares, "x0": X} | arguments))


def test_the_option_is_true_or_false():
    with pytest.raises(TypeError, match="check_grad must be True or False, not 'yes'"):
        minimize(squares, X, jac=True, options={"check_grad": "yes"})
