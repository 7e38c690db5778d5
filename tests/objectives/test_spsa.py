"""Simultaneous perturbation against the paper's formulas in plain loops, closed forms, and known neighborhoods."""

import numba
import numpy as np
import pytest
from numba import njit

from numbaopt import minimize, names
from numbaopt.objectives.differences import undecorated
from numbaopt.objectives.spsa import Spsa, estimate, perturb
from tests.objectives.making import make_objective

# Without the compiler the shifts are counted in NumPy's 64 bits, which warns of each overflow.
pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
N = 7
X = np.linspace(-2, 3, N)
A = np.array([3.0, -1.0, 0.5, 2.0, 1.0, -4.0, 0.25])


def mixed(z):
    """SplitMix64's finaliser, in Python's integers."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def signs(seed, k, n):
    key = mixed(int(seed) * GOLDEN + k & MASK)
    return np.array([-1.0 if mixed(key + i * GOLDEN & MASK) >> 63 else 1.0 for i in range(1, n + 1)])


def paper(f, x, seed, c, gamma, k, lower=-np.inf, upper=np.inf):
    """Equation 2.2 of Spall (1992), between projected points."""
    d = signs(seed, k, x.size) * (c / k**gamma)
    plus, minus = (np.clip(x.astype(float) + s, lower, upper).astype(x.dtype) for s in (d, -d))
    above, below = f(plus), f(minus)
    width = plus.astype(float) - minus
    g = np.zeros(x.size)
    np.divide(float(above) - float(below), width, out=g, where=width != 0)
    return (above + below) / 2, g.astype(x.dtype)


def linear(x):
    s = 0.0
    for i in range(x.size):
        s += A[i] * x[i]
    return s


def quartic(x):
    s = 0.0
    for i in range(x.size):
        s += np.float64(x[i]) ** 2 * (1.0 + i + x[i] * x[0])
    return s


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("limits", [None, (X - [0, 0, 1, 1, 0.05, 0, np.inf], X + [0, 1, 0, 1, 0.05, 0.01, np.inf])])
def test_the_papers_formula(dtype, limits):
    x, settings = X.astype(dtype), Spsa(np.uint64(2**64 - 5), 0.3, 0.25)
    limits = limits and tuple(side.astype(dtype) for side in limits)
    objective, g = make_objective(quartic, x, jac="spsa", bounds=limits, spsa=settings), np.empty(N, dtype)
    for k in range(1, 6):
        f = objective(x, g)
        want, slopes = paper(quartic, x, *settings, k, *(limits or ()))
        np.testing.assert_allclose(f, want, rtol=1e-15)
        np.testing.assert_allclose(g, slopes, rtol=1e-13 if dtype == np.float64 else 1e-6)
        assert (objective.nfev, objective.njev) == (2 * k, k)
        assert limits is None or (g[0] == 0 and (g[1:] != 0).all())


def test_both_points_are_inside_the_bounds():
    seen, upper = [], X + 0.01
    objective = make_objective(lambda x: (seen.append(x), linear(x))[1], X, jac="spsa", bounds=(X, upper))
    g = np.empty(N)
    for _ in range(3):
        objective(X, g)
        np.testing.assert_allclose(g * (seen[-2] - seen[-1]), linear(seen[-2]) - linear(seen[-1]))
    assert len(seen) == 6 and all(((x == X) | (x == upper)).all() for x in seen)


def test_a_linear_function():
    """In one dimension the slope; else g_i d_i is the same for all, and the mean over k is the gradient."""
    one, g = make_objective(lambda x: 3 * x[0] + 1, [2.0], jac="spsa"), np.empty(1)
    assert one([2.0] * np.ones(1), g) == pytest.approx(7, rel=1e-15) and g[0] == pytest.approx(3, rel=1e-13)
    objective, g, total, count = make_objective(linear, X, jac="spsa"), np.empty(N), np.zeros(N), 4000
    for k in range(1, count + 1):
        assert objective(X, g) == pytest.approx(linear(X), rel=1e-12)
        if k < 20:
            d = signs(0, k, N)
            np.testing.assert_allclose(g * d, A @ d, rtol=1e-10, atol=1e-12)
        total += g
    deviation = np.sqrt(((A @ A) - A**2) / count)
    assert (abs(total / count - A) < 4 * deviation).all()
    assert (abs(total / count - A) > 0).all()


@njit
def noisy(x, sigma, count):
    """A bowl with its minimum at 1, 2, 3..., and noise that is counted, so that each run has the same."""
    count[0] += 1
    s = sigma * np.sin(1e4 * count[0] ** 2)
    for i in range(x.size):
        s += (x[i] - 1 - i) ** 2
    return s


bowl = undecorated(noisy)


def run(fun, x0=(0.0, 0.0, 0.0), sigma=0.1, **given):
    given = {"method": "sgd", "jac": "spsa", "seed": 5} | given
    options = {"lr": 0.02, "maxiter": 1000, "spsa_c": 0.5} if given["jac"] == "spsa" else {}
    options |= given.pop("options", {})
    return minimize(fun, x0, (sigma, np.zeros(1, int)), options=options, **given)


def test_a_noisy_bowl_in_both_drivers():
    plain, compiled = run(bowl), run(noisy)
    # The noise of an estimate is sigma / (2 c_k), 0.2 at the end; of x, sqrt(lr / 4) times that: 0.014.
    np.testing.assert_allclose(plain.x, [1, 2, 3], atol=0.05)
    np.testing.assert_array_equal(plain.x, compiled.x)
    np.testing.assert_array_equal(plain.jac, compiled.jac)
    assert plain.fun == compiled.fun and plain.seed == compiled.seed == 5
    for result in (plain, compiled):
        assert (result.nit, result.status, result.success) == (1000, 1, False) and "maxiter" in result.message
    assert (plain.nfev, plain.njev) == (2002, 1001)


def test_x_is_the_last_iterate_even_where_a_better_one_was_seen():
    seen = []
    result = run(bowl, options={"maxiter": 50}, callback=lambda intermediate_result: seen.append(intermediate_result))
    np.testing.assert_array_equal(result.x, seen[-1].x)
    assert result.fun == seen[-1].fun > min(one.fun for one in seen)


def test_bounds_structures_and_rules():
    def fun(p, sigma, count):
        assert 0 <= p["a"].min() and p["a"].max() <= 2 and p["b"].shape == ()
        return bowl(np.append(p["a"], p["b"]), sigma, count)

    result = run(fun, {"a": [0.0, 1.0], "b": 0.0}, method="adam", bounds=[(0, 2), (0, 2), (None, None)])
    np.testing.assert_allclose(result.x["a"], [1, 2], atol=0.05)
    np.testing.assert_allclose(result.x["b"], 3, atol=0.05)


@pytest.mark.parametrize("fun", [noisy, bowl])
def test_seeds(fun):
    one, same, other, drawn = (run(fun, seed=seed, options={"maxiter": 5}) for seed in (5, 5, 2**70, None))
    np.testing.assert_array_equal(one.x, same.x)
    assert (one.x != other.x).any() and (one.x != drawn.x).any() and other.seed == 2**70
    np.testing.assert_array_equal(run(fun, seed=drawn.seed, options={"maxiter": 5}).x, drawn.x)
    generated = run(fun, seed=np.random.default_rng(3), options={"maxiter": 5})
    np.testing.assert_array_equal(run(fun, seed=generated.seed, options={"maxiter": 5}).x, generated.x)
    with pytest.raises(TypeError, match="seed must be a whole number"):
        run(fun, seed=1.5)


@njit
def batch_loss(w, rows, y, calls):
    calls[0] += 1
    calls[int(calls[0]) % 2 + 1] = y[0]
    if calls[0] % 2 == 0 and calls[1] != calls[2]:
        raise AssertionError("the two evaluations of a step see two batches")
    return ((rows @ w - y) ** 2).mean()


def test_minibatches():
    rng = np.random.default_rng(0)
    rows, w = rng.standard_normal((60, 2)), np.array([1.0, -2.0])
    results = []
    for fun in (batch_loss, undecorated(batch_loss)):
        calls = np.zeros(3)
        given = {"data": (rows, rows @ w), "batch_size": 7, "epochs": 60, "seed": 3}
        results.append(minimize(fun, [0.0, 0.0], (calls,), "adam", "spsa", options={"lr": 0.03}, **given))
        assert results[-1].status == 0 and calls[0] == 2 * results[-1].njev == 2 * 9 * 60
        np.testing.assert_allclose(results[-1].x, w, atol=0.05)
    np.testing.assert_array_equal(results[0].x, results[1].x)
    assert results[0].seed == results[1].seed == 3
    fixed = [minimize(undecorated(batch_loss), [0.0, 0.0], (np.zeros(3),), "sgd", "spsa", options={"lr": 0.01},
                      data=(rows, rows @ w), epochs=9, shuffle=False, seed=seed) for seed in (1, 1, 2)]  # fmt: skip
    np.testing.assert_array_equal(fixed[0].x, fixed[1].x)
    assert (fixed[0].x != fixed[2].x).any() and fixed[2].seed == 2


def test_a_stream_of_batches_has_no_seed_but_the_estimates_have():
    stream = [(np.array([1.0]),), (np.array([2.0]),)]
    one, same = (
        minimize(lambda w, a: ((w - a) ** 2).sum(), np.zeros(3), method="sgd", jac="spsa", data=stream, seed=9)
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.x, same.x)
    assert one.seed == 9


@pytest.mark.parametrize("wall", [-5.0, 0.5])
def test_a_value_that_is_not_finite_ends_the_run(wall):
    def fun(x):
        return np.inf if x[0] > wall else ((x - 1) ** 2).sum()

    for each in (fun, njit(fun)):
        result = minimize(each, np.zeros(2), method="sgd", jac="spsa", seed=1, options={"lr": 0.1})
        assert result.status == 3 and not result.success and "The objective is inf" in result.message
        assert np.isfinite(result.x).all() and (result.nit > 0) == (wall > 0)
    result = minimize(fun, np.zeros(2), method="sgd", jac="spsa", seed=1, options={"lr": 0.1})
    assert result.nfev == 2 * (result.nit + 1)


def test_limits_and_fixed_variables():
    result = run(bowl, options={"maxfev": 31})
    assert result.status == 1 and "maxfev" in result.message and 31 <= result.nfev <= 32
    result = run(bowl, bounds=[(0, 0)] * 3)
    assert (result.nit, result.nfev, result.message) == (0, 2, "All independent variables were fixed by bounds.")

    def stop(x):
        raise StopIteration

    assert run(bowl, callback=stop).status == 99


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"options": {"gtol": 1e-3}}, "gtol has no meaning with jac='spsa'"),
        ({"options": {"ftol": 1e-3}}, "ftol has no meaning with jac='spsa'"),
        ({"options": {"return": "best"}}, "return has no meaning with jac='spsa'"),
        ({"tol": 1e-3}, "tol has no meaning with jac='spsa'.* maxiter, maxfev, maxtime, or a callback"),
        ({"options": {"finite_diff_rel_step": 1e-3}}, "finite_diff_rel_step has no meaning with jac='spsa'"),
        ({"options": {"spsa_c": 0.0}}, "spsa_c, .* not 0.0"),
        ({"options": {"spsa_c": np.inf}}, "spsa_c, .* not inf"),
        ({"options": {"spsa_gamma": -1}}, "spsa_gamma, .* not -1.0"),
        ({"options": {"spsa_gamma": np.nan}}, "spsa_gamma must be a number, not NaN"),
        ({"options": {"spsa_a": 1}}, "has no option 'spsa_a'"),
        ({"options": {"spsa_c": 0.1}, "jac": None, "seed": None}, "spsa_c is for jac='spsa'"),
        ({"options": {"spsa_gamma": 0.1}, "jac": "2-point", "seed": None}, "spsa_gamma is for jac='spsa'"),
        ({"jac": "2-point"}, "seed without data"),
        ({"jac": "spsa2", "seed": None}, "did you mean 'spsa'"),
        ({"epochs": 3}, "epochs without data"),
        *(({"method": name}, f"{name} compares values .* with jac='spsa'") for name in names("solvers")),
        ({"method": "BFGS", "seed": None}, "jac='spsa' is for rules"),
    ],
)
def test_what_makes_no_sense(given, text):
    with pytest.raises(ValueError, match=text):
        run(bowl, **given)


def test_types_of_settings():
    for name in ("spsa_c", "spsa_gamma"):
        for value in (None, "1", True):
            with pytest.raises(TypeError, match=f"{name} must be a number"):
                run(bowl, options={name: value})


def test_the_start_of_another_run_begins_at_the_first_shift():
    objective = make_objective(noisy, X, (0.0, np.zeros(1, int)), "spsa")
    first, second = np.empty(N), np.empty(N)
    for g in (first, second):
        compiled = objective.compiled()
        compiled.function(X, g, compiled.args)
    np.testing.assert_array_equal(first, second)
    compiled.function(X, second, compiled.args)
    assert (first != second).any()


@njit(parallel=True)
def descend(X, seed, steps):
    """Minimize from each row, in compiled code of one's own."""
    for b in numba.prange(X.shape[0]):
        x, open_ = X[b], np.empty(0)
        plus, minus, g = np.empty_like(x), np.empty_like(x), np.empty_like(x)
        for k in range(1, steps + 1):
            perturb(x, open_, open_, np.uint64(seed), 0.3, 0.1, k, plus, minus, g)
            estimate(weighed, plus, minus, g, 2.0)
            x -= 0.02 * g


@njit
def weighed(z, c):
    s = 0.0
    for i in range(z.size):
        s += c * (z[i] - i) ** 2
    return s


def test_in_compiled_code_of_ones_own():
    rows = np.linspace(-1, 1, 6).reshape(2, 3)
    seed, want = 8, rows.copy()
    for x in want:
        for k in range(1, 21):
            x -= 0.02 * paper(lambda z: undecorated(weighed)(z, 2.0), x, seed, 0.3, 0.1, k)[1]
    descend(rows, seed, 20)
    np.testing.assert_allclose(rows, want, rtol=1e-11)
