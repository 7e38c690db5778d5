"""Many problems at once: each ends as `minimize` ends it alone, to the bit; and what can be wrong with them."""

import copy
import os
import pickle
import subprocess
import sys
import time

import numba
import numpy as np
import pytest
from numba import njit
from numba.core.dispatcher import Dispatcher
from scipy.optimize import Bounds, OptimizeResult

import numbaopt
from numbaopt import OptimizationInterrupted, minimize, minimize_many
from numbaopt.drivers import specialize
from numbaopt.many import simd, workers
from tests.functions import in_python

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")

ADAM = numbaopt.adam(lr=0.05)
FIELDS = ("x", "fun", "jac", "nit", "nfev", "njev", "status", "success", "message")


@njit
def valley(x, grad, a, center, k):
    """Quartic sides, a bent floor, and a center that is each problem's own."""
    f = 0.0
    for i in range(x.size):
        d = x[i] - center[i]
        f += d * d * (i + k) + a * (d * d) * (d * d)
        grad[i] = 2 * d * (i + k) + 4 * a * (d * d) * d
    for i in range(x.size - 1):
        r = x[i + 1] - x[i] * x[i]
        f += a * r * r
        grad[i] -= 4 * a * r * x[i]
        grad[i + 1] += 2 * a * r
    return f


@njit
def slopes(x, a, center, k):
    """Return the gradient of `valley` as a tuple: lanes have nothing that makes arrays."""
    p, q, r = x[0] - center[0], x[1] - center[1], x[2] - center[2]
    u, w = x[1] - x[0] * x[0], x[2] - x[1] * x[1]
    return (
        2 * p * k + 4 * a * (p * p) * p - 4 * a * u * x[0],
        2 * q * (1 + k) + 4 * a * (q * q) * q + 2 * a * u - 4 * a * w * x[1],
        2 * r * (2 + k) + 4 * a * (r * r) * r + 2 * a * w,
    )


@njit
def height(x, a, center, k):
    f = 0.0
    for i in range(x.size):
        d = x[i] - center[i]
        f += d * d * (i + k) + a * (d * d) * (d * d)
    for i in range(x.size - 1):
        r = x[i + 1] - x[i] * x[i]
        f += a * r * r
    return f


@njit
def both(x, a, center, k):
    return height(x, a, center, k), slopes(x, a, center, k)


@njit
def bowl(x, a, center, k):
    f = 0.0
    for i in range(x.size):
        f += (a + k) * (x[i] - center[i]) * (x[i] - center[i])
    return f


@njit
def bowl_slopes(x, a, center, k):
    w = 2 * (a + k)
    return w * (x[0] - center[0]), w * (x[1] - center[1]), w * (x[2] - center[2])


@njit
def allocates(x, a, center, k):
    g = np.empty_like(x)
    for i in range(x.size):
        g[i] = 2 * (a + k) * (x[i] - center[i])
    return bowl(x, a, center, k), g


SHARED = (1.5,)


def inputs(count, dtype=np.float64, n=3):
    """Return starts, and data for `valley`: some problems are soon done, some are not."""
    rng = np.random.default_rng(count)
    a = np.exp(rng.uniform(-4, 2, count)).astype(dtype)
    return rng.normal(size=(count, n)).astype(dtype), (a, rng.normal(size=(count, n)).astype(dtype))


def of(value, b):
    """Return what is for problem b: every list has an entry for each."""
    return value[b] if isinstance(value, list) else value


def alone(b, fun, X0, args=(), data=(), method="adam", jac=None, bounds=None, tol=None, options=None, **rest):
    """Minimize problem b by itself, step by step in Python, so that it needs no driver; what it raises is returned."""
    fun = in_python(fun) if isinstance(fun, Dispatcher) else fun
    options = {name: of(value, b) for name, value in (options or {}).items()}
    args = (*(array[b].copy()[()] for array in data), *args)
    try:
        return minimize(fun, X0[b], args, method, jac, bounds=of(bounds, b), tol=tol, options=options, **rest)
    except Exception as error:
        return error


def assert_alone(result, *given, only=None, **rest):
    """Compare every problem, to the bit, with `minimize` on it alone."""
    for b in range(len(result)) if only is None else only:
        one, other = result[b], alone(b, *given, **rest)
        if isinstance(other, Exception):
            assert one.status == 7 and type(result.errors[b]) is type(other), (b, other)
            assert str(result.errors[b]) == str(other)
            continue
        for name in FIELDS:
            np.testing.assert_array_equal(one[name], other[name], err_msg=f"{name} of problem {b}")
            assert np.shape(one[name]) == np.shape(other[name])
        assert one.x.dtype == one.jac.dtype == other.x.dtype
        assert isinstance(one.fun, float) and isinstance(one.nit, int)


@pytest.fixture
def scalar(monkeypatch):
    """One after another, by the driver that is for all objectives."""
    monkeypatch.setattr(specialize, "PATIENCE", np.inf)


@pytest.fixture
def swum(monkeypatch):
    """Compile for lanes at once, where that can be; what is called is noted here, or None where it cannot be."""
    calls, simd_driver = [], workers.simd_driver

    def spy(*given):
        swim = simd_driver(*given)
        if swim is None:
            calls.append(None)
            return None

        def counted(*rest):
            calls.append(rest)
            return swim(*rest)

        return counted

    monkeypatch.setattr(specialize, "PATIENCE", 0.0)
    monkeypatch.setattr(workers, "simd_driver", spy)
    return calls


def own_bounds(X0):
    """Return the bounds of each problem, and the same as one object."""
    rng = np.random.default_rng(1)
    lower = X0 - rng.uniform(0.1, 2, X0.shape).astype(X0.dtype)
    upper = X0 + rng.uniform(-0.05, 0.5, X0.shape).astype(X0.dtype)
    lower[::3, 1], upper[::2, 0] = -np.inf, np.inf
    return [Bounds(lo, hi) for lo, hi in zip(lower, upper, strict=True)], Bounds(lower, upper)


CASES = {
    "returned": (both, True, numbaopt.sgd(lr=0.01), np.float64),
    "apart": (bowl, bowl_slopes, numbaopt.rmsprop(lr=1e-2), np.float32),
}


@pytest.mark.slow
@pytest.mark.lowest
@pytest.mark.parametrize("case", CASES)
def test_side_by_side(swum, case):
    """One, a group, one more, and more than a pool holds, so that it is filled again; it closes up as they end."""
    fun, jac, method, dtype = CASES[case]
    options = {"maxiter": 400}
    for count in (1, 8, 9, 17, 301):
        X0, data = inputs(count, dtype)
        result = minimize_many(fun, X0, SHARED, data, method, jac, tol=1e-3, options=options, threads=1)
        assert result.x.dtype == result.jac.dtype == dtype
        assert_alone(result, fun, X0, SHARED, data, method, jac, None, 1e-3, options)
    assert swum and None not in swum
    assert result.success.sum() > 50 and np.ptp(result.nit) > 100


@pytest.mark.parametrize("driver", ["scalar", "swum"])
def test_bounds_and_limits(request, driver):
    calls = request.getfixturevalue(driver)
    X0, data = inputs(37)
    each, together = own_bounds(X0)
    shared = ((-0.5, 0.6), (None, 0.2), (-1, None))
    for bounds, many, options in [
        (shared, shared, {}),
        (each, together, {"ftol": 1e-7}),
        (each, np.stack([together.lb, together.ub], -1), {"return": "last", "maxfev": 40}),
        (each, together, {"maxiter": 0}),
        (shared, shared, {"maxiter": 25, "return": "last"}),
    ]:
        result = minimize_many(valley, X0, SHARED, data, ADAM, "inplace", many, options=options, threads=1)
        assert_alone(result, valley, X0, SHARED, data, ADAM, "inplace", bounds, options=options)
    if driver == "swum":
        assert calls and None not in calls


@pytest.mark.slow
@pytest.mark.lowest
def test_what_has_no_lanes_is_tried_once(swum, monkeypatch):
    """It goes to the driver made for it alone, with the same bits, and the next call does not compile again."""
    X0, data = inputs(20)
    tried = []
    load = simd.load.__wrapped__
    monkeypatch.setattr(
        simd.load, "__wrapped__", lambda text, name, **rest: tried.append((text, name)) or load(text, name, **rest)
    )
    for _ in range(2):
        result = minimize_many(allocates, X0, SHARED, data, ADAM, True, threads=1)
    assert set(swum) == {None} and [name for _, name in tried].count("simd") == 1
    monkeypatch.setattr(specialize, "PATIENCE", np.inf)
    assert_alone(result, allocates, X0, SHARED, data, ADAM, True)


@pytest.mark.slow
def test_a_fault_of_the_compiler_is_a_warning_and_costs_only_speed(swum, monkeypatch):
    def broken(*given):
        raise AttributeError("'numpy.ufunc' object has no attribute '__module__'")

    simd._compiled.cache_clear()
    monkeypatch.setattr(simd, "_compile", broken)
    X0, data = inputs(20)
    with pytest.warns(RuntimeWarning, match="could not use SIMD .* one after another: AttributeError.*numpy.ufunc"):
        result = minimize_many(valley, X0, SHARED, data, ADAM, "inplace", threads=1)
    assert set(swum) == {None}
    simd._compiled.cache_clear()
    assert_alone(result, valley, X0, SHARED, data, ADAM, "inplace")


# The scalar path: solvers, and rules of every kind.


METHODS = {  # each is compiled
    "lbfgs": ("lbfgs", {}),
    "barzilai_borwein": ("barzilai_borwein", {}),
    "lamb": ("lamb", {"lr": 0.02}),
    "polyak_sgd": ("polyak_sgd", {"max_lr": 0.02}),
    "schedule_free_adamw": ("schedule_free_adamw", {"lr": 0.05}),
    "adagrad": ("adagrad", {"lr": 0.1, "initial_accumulator": 0.3}),
    "madgrad": ("madgrad", {"lr": 0.02}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_methods(scalar, name):
    X0, data = inputs(9)
    method, options = METHODS[name]
    options = options | {"maxiter": 60}
    result = minimize_many(valley, X0, SHARED, data, method, "inplace", options=options)
    assert_alone(result, valley, X0, SHARED, data, method, "inplace", options=options)


@pytest.mark.slow
def test_bounds_of_a_solver(scalar):
    X0, data = inputs(9)
    each, together = own_bounds(X0)
    result = minimize_many(valley, X0, SHARED, data, "barzilai_borwein", "inplace", together)
    assert result.success.any()
    assert_alone(result, valley, X0, SHARED, data, "barzilai_borwein", "inplace", each)


@njit
def sums(x, grad, a):
    """Of a matrix."""
    f = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            d = x[i, j] - a * (i + j)
            f += d * d * (1 + j)
            grad[i, j] = 2 * d * (1 + j)
    return f


@pytest.mark.slow
def test_matrices(scalar):
    X0, a = np.random.default_rng(0).normal(size=(5, 2, 3)), np.arange(5) / 3
    options = {"maxiter": 20}
    result = minimize_many(sums, X0, (), a, "shampoo", "inplace", options=options)
    assert result.x.shape == result.jac.shape == (5, 2, 3)
    assert_alone(result, sums, X0, (), (a,), "shampoo", "inplace", options=options)


# What is each problem's own.


@pytest.mark.slow
def test_hyperparameters_of_each(scalar):
    """lr enters as a number, b1 by a table of its powers, d0 as what a number of the rule starts from."""
    X0, data = inputs(6)
    for method, own in [
        ("adam", {"lr": np.linspace(0.01, 0.1, 6), "b1": np.linspace(0.5, 0.95, 6)}),
        ("prodigy", {"d0": np.geomspace(1e-5, 1e-2, 6)}),
        ("lbfgs", {"c1": np.geomspace(1e-5, 1e-2, 6)}),
    ]:
        options = own | {"maxiter": 60}
        result = minimize_many(valley, X0, SHARED, data, method, "inplace", options=options)
        each = {name: values.tolist() for name, values in own.items()} | {"maxiter": 60}
        assert_alone(result, valley, X0, SHARED, data, method, "inplace", options=each)


@pytest.mark.slow
def test_hyperparameters_of_each_coordinate(scalar):
    X0, data = inputs(5)
    rule = numbaopt.sgd(lr=np.array([0.01, 0.02, 0.005]))
    result = minimize_many(valley, X0, SHARED, data, rule, "inplace", options={"maxiter": 60})
    assert_alone(result, valley, X0, SHARED, data, rule, "inplace", options={"maxiter": 60})


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lr": np.full(4, 0.1)}, "lr must be one number, or one for each of the 5 problems"),
        ({"lr": np.full((5, 1), 0.1)}, "lr must be one number, or one for each"),
        ({"lr": np.array([0.1, 0.1, -1, 0.1, 0.1])}, "lr"),
        ({"lr": np.array([0.1, 0.1, np.nan, 0.1, 0.1])}, "lr"),
        ({"b1": np.array([0.1, 0.1, 0, 0.1, 0.1])}, "zero for some problems only"),
        ({"lrr": 0.1}, "Did you mean 'lr'"),
        ({"maxiter": np.arange(5)}, "maxiter"),
        ({"seed": 1}, "seed"),
    ],
)
def test_bad_options(options, text):
    X0, data = inputs(5)
    with pytest.raises((ValueError, TypeError), match=text):
        minimize_many(refuses, X0, SHARED, data, "adam", "inplace", options=options)


def refuses(*given):
    pytest.fail("was evaluated")


BAD = {
    "no problem": ({"X0": np.empty((0, 3))}, "no problem to solve"),
    "no coordinate": ({"X0": np.empty((5, 0))}, "no problem to solve"),
    "one problem": ({"X0": np.zeros(3)}, "for a single problem, call minimize"),
    "complex": ({"X0": np.zeros((5, 3), complex)}, "X0 must be real, not complex128; minimize accepts a complex x0"),
    "ragged": ({"X0": [[1.0, 2.0], [1.0]]}, "X0"),
    "rows": ({"data": (np.zeros(5), np.zeros((4, 3)))}, r"data\[1\] must have 5 rows, like X0, not 4 rows"),
    "number": ({"data": 3.0}, r"data\[0\] must have 5 rows"),
    "method": ({"method": "adan_w"}, "unknown method 'adan_w'"),
    "scipy": ({"method": "BFGS"}, "SciPy's BFGS solves one problem at a time: use minimize"),
    "bounds": ({"bounds": Bounds(np.zeros((4, 3)), np.ones((4, 3)))}, "bounds"),
    "bounds in pairs": ({"bounds": np.zeros((5, 2, 2))}, "bounds"),
    "three sides": ({"bounds": np.zeros((5, 3, 3))}, "bounds must be pairs"),
    "upside down": ({"bounds": Bounds(np.ones((5, 3)), np.zeros((5, 3)))}, "upper bound is less"),
    "shared bounds": ({"bounds": [(0, 1), (0, 1)]}, "number of bounds"),
    "no thread": ({"threads": 0}, "threads must be at least 1"),
    "half a thread": ({"threads": 1.5}, "threads must be a whole number"),
    "callback": ({"callback": 3}, "callback"),
    "fun": ({"fun": 3}, "fun must be callable"),
    "jac": ({"jac": "in-place"}, "did you mean 'inplace'"),
    "spsa": ({"jac": "spsa"}, "jac='spsa' is for minimize"),
    "a tree": ({"X0": [{"w": 1.0}, {"w": 2.0}], "data": ()}, "X0 must be an array of real numbers"),
    "bounds of lbfgs": ({"method": "lbfgs", "bounds": (0, 1)}, "lbfgs takes no bounds"),
    "tol": ({"tol": np.nan}, "NaN"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name):
    """It is refused before anything is evaluated."""
    given, text = BAD[name]
    default = {"fun": refuses, "X0": np.zeros((5, 3)), "method": "adam", "jac": "inplace"}
    with pytest.raises((ValueError, TypeError), match=text):
        minimize_many(**default | given)


@pytest.mark.slow
def test_args_that_are_no_tuple(scalar):
    X0, data = inputs(3)
    for args in (1.5, np.array([[1.5]])[0, 0]):
        result = minimize_many(valley, X0, args, data, ADAM, "inplace", options={"maxiter": 5})
        assert_alone(result, valley, X0, SHARED, data, ADAM, "inplace", options={"maxiter": 5})
    options = {"maxiter": 5}
    lists = minimize_many(
        valley, X0.tolist(), SHARED, tuple(map(np.asfortranarray, data)), ADAM, "inplace", options=options
    )
    np.testing.assert_array_equal(lists.x, result.x)


# Objectives in Python.


@pytest.mark.parametrize("jac", ["inplace", True, None])
def test_in_python(jac):
    X0, data = inputs(4)
    fun = in_python({"inplace": valley, True: both, None: height}[jac])
    each, together = own_bounds(X0)
    options = {"maxiter": 30, "lr": np.linspace(0.01, 0.05, 4)}
    result = minimize_many(fun, X0, SHARED, data, "adam", jac, together, options=options)
    own = options | {"lr": options["lr"].tolist()}
    assert_alone(result, fun, X0, SHARED, data, "adam", jac, each, options=own)
    jitted = fun.__closure__[0].cell_contents
    compiled = minimize_many(jitted, X0, SHARED, data, "adam", jac, together, options=options)
    for name in FIELDS:
        np.testing.assert_array_equal(result[name], compiled[name], err_msg=name)


@pytest.mark.parametrize("jac", [None, "3-point"])
def test_differences(scalar, jac):
    X0, data = inputs(5)
    each, together = own_bounds(X0)
    options = {"maxiter": 30}
    for bounds, same in ((None, None), (((-0.5, 0.6), (None, 0.2), (-1, None)), None), (each, together)):
        many = bounds if same is None else same
        result = minimize_many(height, X0, SHARED, data, ADAM, jac, many, options=options)
        assert_alone(result, height, X0, SHARED, data, ADAM, jac, bounds, options=options)


def test_fixed_by_bounds(scalar):
    X0, data = inputs(3)
    lower, upper = X0 - 0.5, X0 + 0.5
    lower[1] = upper[1] = X0[1]
    lower[0, 0] = upper[0, 0] = 0.1
    lower[2], upper[2] = -np.inf, np.inf
    for bounds, many in (
        ([Bounds(lo, hi) for lo, hi in zip(lower, upper, strict=True)], Bounds(lower, upper)),
        (Bounds(X0[0], X0[0]),) * 2,
        (Bounds(lower[0], upper[0]),) * 2,
    ):
        for fun, jac in ((valley, "inplace"), (height, None)):
            result = minimize_many(fun, X0, SHARED, data, ADAM, jac, many, options={"maxiter": 30})
            assert_alone(result, fun, X0, SHARED, data, ADAM, jac, bounds, options={"maxiter": 30})


# Failures.


@njit
def picky(x, grad, a):
    """Raise for some data."""
    f = 0.0
    for i in range(x.size):
        f += (x[i] - a) * (x[i] - a)
        grad[i] = 2 * (x[i] - a)
    if a == -1.0:
        raise ValueError("this is a bad problem")
    return f


@njit(error_model="python")
def singular(x, grad, a):
    """Have lanes, and raise at a."""
    f = 0.0
    for i in range(x.size):
        f += (x[i] - a) * (x[i] - a)
        grad[i] = 2 / (x[i] - a)
    return f


@pytest.mark.slow
@pytest.mark.parametrize(("driver", "kind"), [("scalar", "compiled"), ("scalar", "python"), ("swum", "lanes")])
def test_failures(request, driver, kind):
    """Each has a status of its own, and the others' results are what they are without it."""
    calls = request.getfixturevalue(driver)
    X0, a = np.random.default_rng(3).normal(size=(40, 3)), np.linspace(1, 2, 40)
    X0[7, 1], a[11], X0[20], a[30] = np.inf, np.nan, 1e300, np.inf
    fun = {"compiled": picky, "python": in_python(picky), "lanes": singular}[kind]
    if kind == "lanes":
        X0[[3, 25]] = a[[3, 25], None]
    else:
        a[[3, 25]] = -1.0
    given, options = (X0, (), (a,), ADAM, "inplace"), {"maxiter": 300}
    result = minimize_many(fun, X0, (), a, ADAM, "inplace", options=options, threads=1)
    assert result.status[7] == 3 and "starting point is not finite" in result[7].message and result.nfev[7] == 0
    assert (result.status[[11, 20, 30]] == 3).all() and (result.status[[3, 25]] == 7).all()
    np.testing.assert_array_equal(result.x[[3, 7]], X0[[3, 7]])
    rest = [b for b in range(40) if b not in (3, 7, 25)]
    assert_alone(result, fun, *given, options=options, only=rest)
    if driver == "swum":
        assert calls and None not in calls
    assert list(result.errors) == [3, 25] and "2 raised an exception" in result.message
    text = "ZeroDivisionError: division by zero" if kind == "lanes" else "ValueError: this is a bad problem"
    assert result[3].message == f"The objective raised {text}"


@pytest.mark.parametrize("fun", [picky, in_python(picky)], ids=["compiled", "python"])
def test_all_raise(scalar, fun):
    with pytest.raises(ValueError, match="^this is a bad problem") as caught:
        minimize_many(fun, np.zeros((4, 3)), (), -np.ones(4), jac="inplace")
    assert "all 4 problems" in caught.value.__notes__[-1]


@pytest.mark.slow
def test_raises_on_the_way(scalar):
    """What was found by then is kept, with compiled code as without."""

    @njit
    def cliff(x, grad, a):
        grad[:] = 2 * x
        if x[0] < a:
            raise ValueError("off the cliff")
        return x[0] ** 2 + x[1] ** 2

    X0, a = np.ones((3, 2)), np.array([-1.0, 0.5, -1])
    for fun in (cliff, in_python(cliff)):
        result = minimize_many(fun, X0, (), a, ADAM, "inplace", options={"maxiter": 50})
        error = alone(1, fun, X0, (), (a,), ADAM, "inplace", options={"maxiter": 50})
        for name in ("x", "fun", "nit", "nfev", "njev", "jac"):
            np.testing.assert_array_equal(result[1][name], error.result[name], err_msg=name)
        assert result.status.tolist() == [1, 7, 1]
        assert_alone(result, fun, X0, (), (a,), ADAM, "inplace", options={"maxiter": 50}, only=[0, 2])


def test_gradient_of_wrong_length(scalar):
    @njit
    def short(x, a):
        g = np.empty(int(a))
        g[:] = 2
        return x.sum(), g

    for fun in (short, in_python(short)):
        result = minimize_many(fun, np.ones((3, 2)), (), np.array([2.0, 1.0, 2.0]), ADAM, True, options={"maxiter": 5})
        assert result.status.tolist() == [1, 7, 1]
        assert isinstance(result.errors[1], ValueError)
        with pytest.raises(ValueError, match="gradient"):
            minimize_many(fun, np.ones((3, 2)), (), np.array([1.0, 1.0, 3.0]), ADAM, True)


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["scalar", "swum"])
def test_gradient_that_is_not_filled(request, driver):
    """Nothing of the problem before is taken for it."""
    request.getfixturevalue(driver)
    X0 = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(ValueError, match="left 1 of 2 entries, the first at 1") as caught:
        minimize_many(leaves_out, X0, (), np.arange(40.0), ADAM, "inplace", options={"maxiter": 5}, threads=1)
    assert "all 40 problems" in caught.value.__notes__[-1]


@njit
def leaves_out(x, grad, a):
    grad[0] = 2 * (x[0] - a)
    return (x[0] - a) * (x[0] - a)


@njit
def leaves_out_some(x, grad, a):
    grad[0] = 2 * x[0]
    if a > 0:
        grad[1] = 2 * x[1]
    return x[0] * x[0] + x[1] * x[1]


def test_gradient_that_is_not_filled_for_some(scalar):
    X0, a, options = np.ones((3, 2)), np.array([1.0, -1.0, 1.0]), {"maxiter": 5}
    result = minimize_many(leaves_out_some, X0, (), a, ADAM, "inplace", options=options)
    assert result.status.tolist() == [1, 7, 1]
    assert_alone(result, leaves_out_some, X0, (), (a,), ADAM, "inplace", options=options)


# Watching, stopping.


def slowly(x, grad, a):
    time.sleep(0.002)
    grad[:] = 2 * (x - a)
    return float(((x - a) ** 2).sum())


@njit
def toil(x, grad, a):
    """Take about a hundred microseconds."""
    f = 0.0
    for _ in range(20_000):
        f = np.sqrt(f + 1.0)
    grad[:] = 2 * (x - a) + 0 * f
    return ((x - a) ** 2).sum()


@pytest.mark.parametrize("fun", [slowly, toil], ids=["python", "compiled"])
@pytest.mark.parametrize("threads", [1, 2])
def test_callback(scalar, fun, threads):
    count, seen = 60, []
    X0, a, options = np.zeros((count, 2)), np.linspace(0.3, 2, count), {"maxiter": 30}

    def callback(intermediate_result):
        seen.append((intermediate_result.done, intermediate_result.total))

    minimize_many(fun, X0, (), a, ADAM, "inplace", callback=callback, options=options, threads=threads)
    done = [number for number, _ in seen]
    assert {total for _, total in seen} == {count}
    assert done == sorted(done) and done[0] < count and done[-1] == count

    def stop(intermediate_result):
        if intermediate_result.done >= 2:
            raise StopIteration

    result = minimize_many(fun, X0, (), a, ADAM, "inplace", callback=stop, options=options, threads=threads)
    ended = np.flatnonzero(result.status == 1)
    assert set(result.status) == {1, 99} and 2 <= len(ended) < count
    assert_alone(result, fun, X0, (), (a,), ADAM, "inplace", options=options, only=ended[:3].tolist())
    assert "StopIteration" in result[count - 1].message and result.nit[count - 1] < 30

    def interrupt(intermediate_result):
        raise KeyboardInterrupt

    with pytest.raises(OptimizationInterrupted) as caught:
        minimize_many(fun, X0, (), a, ADAM, "inplace", callback=interrupt, options=options, threads=threads)
    result = caught.value.result
    assert set(result.status) == {1, 4} and len(result) == count
    assert result[count - 1].message.startswith("The problem was not started")

    def fail(intermediate_result):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="^mine$"):
        minimize_many(fun, X0, (), a, ADAM, "inplace", callback=fail, options=options, threads=threads)


@pytest.mark.parametrize("fun", [slowly, toil], ids=["python", "compiled"])
def test_maxtime(scalar, fun):
    X0, a = np.zeros((400, 2)), np.linspace(0.3, 2, 400)
    began = time.perf_counter()
    result = minimize_many(fun, X0, (), a, ADAM, "inplace", options={"maxiter": 1000, "gtol": None, "maxtime": 0.2})
    assert time.perf_counter() - began < 3
    assert set(result.status) <= {1, 2} and result.status[-1] == 2
    assert "maxtime=0.2 s" in result[399].message
    assert "ran out of time" in result.message


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["scalar", "swum"])
def test_threads_give_the_same_bits(request, driver):
    request.getfixturevalue(driver)
    X0, data = inputs(301)
    method, options = numbaopt.sgd(lr=0.01), {"maxiter": 400}
    one, two, three = (
        minimize_many(both, X0, SHARED, data, method, True, options=options, threads=threads) for threads in (1, 2, 3)
    )
    for other in (two, three):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


# The result.


@pytest.fixture(scope="module")
def result():
    X0, a = np.arange(8.0).reshape(4, 2), np.array([0.0, -1, 2, np.nan])
    return minimize_many(picky, X0, (), a, "lbfgs", "inplace")


@pytest.mark.slow
def test_result(result):
    assert isinstance(result, OptimizeResult)
    assert len(result) == 4 and result.x.shape == (4, 2)
    assert result["fun"] is result.fun
    assert result.status.tolist() == [0, 7, 0, 3]
    assert (
        result.message
        == "Of 4 problems, 2 met a tolerance, 1 reached a value that is not finite and 1 raised an exception."
    )
    assert result.message in repr(result) and "success" in repr(result)
    one = result[-2]
    assert isinstance(one, OptimizeResult) and repr(one) == repr(result[np.int64(2)]) == repr(result[2])
    np.testing.assert_array_equal(one.x, result.x[2])
    one.x[:] = -1  # a copy
    assert result.x[2, 0] != -1
    for b in (4, -5):
        with pytest.raises(IndexError, match="there are"):
            result[b]
    with pytest.raises(KeyError):
        result["nothing"]
    assert not hasattr(result, "nothing")
    assert [str(result[b].status) for b in range(4)] == ["0", "7", "0", "3"]
    assert sorted(result) == sorted(result.keys())  # what it iterates over are names, as in any result


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))])
def test_result_is_copied(result, copied):
    other = copied(result)
    assert type(other) is type(result) and other.keys() == result.keys() and list(other.errors) == [1]
    for b in range(4):
        assert {name: str(value) for name, value in other[b].items()} == {n: str(v) for n, v in result[b].items()}


def test_one_message_for_all():
    result = minimize_many(picky, np.ones((3, 2)), (), np.ones(3), "lbfgs", "inplace", options={"disp": False})
    assert result.message == "All 3 problems met a tolerance."
    assert result.nit.tolist() == [0, 0, 0]


# Drivers made for one objective alone.


@pytest.mark.slow
def test_specialized(scalar, monkeypatch):
    """An objective that runs for long gets a driver of its own; the bits stay."""
    monkeypatch.setattr(specialize, "digest", lambda function: None)  # nothing comes from the disk
    X0, data = inputs(9)
    fun = njit(valley.py_func)  # for which nothing has been compiled yet
    given = X0, SHARED, data, "lbfgs", "inplace"
    before = minimize_many(fun, *given, threads=1)
    made, compile_ = [], specialize.Driver._specialize

    def spy(tier):
        driver = tier._driver
        compile_(tier)
        made.append(tier._driver is not driver)

    monkeypatch.setattr(specialize.Driver, "_specialize", spy)
    monkeypatch.setattr(specialize, "PATIENCE", 0.0)
    after = minimize_many(fun, *given, threads=1)
    assert made == [True]
    for name in FIELDS:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    # With fastmath an objective may be compiled otherwise elsewhere, and its bits must not depend on time.
    loose = njit(fastmath=True)(valley.py_func)
    minimize_many(loose, *given, threads=1)
    assert made == [True, False]


@pytest.mark.parametrize("method", ["rmsprop", "lbfgs"])
def test_the_step_for_the_users_own_code_still_compiles_for_other_types(method):
    method = numbaopt.get(method)
    X0, data = inputs(3)
    minimize_many(valley, X0, SHARED, data, method, "inplace", threads=1)
    x, g = np.ones(3, np.float32), np.full(3, 0.5, np.float32)
    s, h = method.slots(x), method.h.copy()
    method.jit(1, x, g, s, h)
    other = np.ones(3, np.float32)
    method.kernel(other)(1, other, g, method.slots(other), method.h.copy())
    np.testing.assert_array_equal(x, other)


@njit(fastmath=True)
def squared(x):
    f = 0.0
    for i in range(x.size):
        f += x[i] * x[i]
    return f


@njit
def calls_fastmath(x, grad):
    for i in range(x.size):
        grad[i] = 2 * x[i]
    return squared(x)


def test_fastmath_further_down_keeps_an_objective_out_of_lanes(monkeypatch):
    monkeypatch.setattr(workers, "simd_driver", lambda *given: pytest.fail("its bits would depend on time"))
    monkeypatch.setattr(specialize, "PATIENCE", 0.0)
    X0 = np.arange(27.0).reshape(9, 3)
    result = minimize_many(calls_fastmath, X0, method=numbaopt.sgd(lr=0.1), jac="inplace", threads=1)
    assert result.success.all()


SCRIPT = """
import numpy as np
from numba import njit
from numba.core.dispatcher import Dispatcher
from numbaopt import minimize, minimize_many, sgd
from numbaopt.drivers import specialize

specialize.PATIENCE = 0.0

@njit(cache=True)
def fair(x, grad, a):
    f = 0.0
    for i in range(x.size):
        f += (x[i] - a) * (x[i] - a)
        grad[i] = 2 * (x[i] - a)
    return f

many = minimize_many(fair, np.ones((40, 2)), (), np.arange(40.0), sgd(lr=0.01), "inplace", threads=1)
print(many.x.sum(), minimize(fair, np.ones(2), 3.0, sgd(lr=0.01), "inplace").fun)
"""


@pytest.mark.slow
def test_the_cache_does_not_grow(tmp_path):
    """What one process compiles for an objective alone, the next one finds and does not write again."""
    script, cache = tmp_path / "script.py", tmp_path / "cache"
    script.write_text(SCRIPT)
    seen, said = [], []
    for _ in range(2):
        environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=True)
        said.append(done.stdout)
        seen.append(sorted((str(p.relative_to(cache)), p.stat().st_mtime_ns) for p in cache.rglob("*") if p.is_file()))
    assert seen[0] and seen[0] == seen[1] and said[0] == said[1]
