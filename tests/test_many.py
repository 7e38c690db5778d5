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
from scipy.optimize import Bounds, OptimizeResult

import numbaopt
from numbaopt import OptimizationInterrupted, crowd, minimize, minimize_many, pooled, tiers

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")

ADAM = numbaopt.adam(lr=0.05)
FIELDS = ("x", "fun", "jac", "nit", "nfev", "njev", "status", "success", "message")


@njit
def valley(x, grad, a, centre, k):
    """Quartic sides, a bent floor, and a centre that is each problem's own."""
    f = 0.0
    for i in range(x.size):
        d = x[i] - centre[i]
        f += d * d * (i + k) + a * (d * d) * (d * d)
        grad[i] = 2 * d * (i + k) + 4 * a * (d * d) * d
    for i in range(x.size - 1):
        r = x[i + 1] - x[i] * x[i]
        f += a * r * r
        grad[i] -= 4 * a * r * x[i]
        grad[i + 1] += 2 * a * r
    return f


@njit
def slopes(x, a, centre, k):
    """Return the gradient of `valley` as a tuple: lanes have nothing that makes arrays."""
    p, q, r = x[0] - centre[0], x[1] - centre[1], x[2] - centre[2]
    u, w = x[1] - x[0] * x[0], x[2] - x[1] * x[1]
    return (
        2 * p * k + 4 * a * (p * p) * p - 4 * a * u * x[0],
        2 * q * (1 + k) + 4 * a * (q * q) * q + 2 * a * u - 4 * a * w * x[1],
        2 * r * (2 + k) + 4 * a * (r * r) * r + 2 * a * w,
    )


@njit
def height(x, a, centre, k):
    f = 0.0
    for i in range(x.size):
        d = x[i] - centre[i]
        f += d * d * (i + k) + a * (d * d) * (d * d)
    for i in range(x.size - 1):
        r = x[i + 1] - x[i] * x[i]
        f += a * r * r
    return f


@njit
def both(x, a, centre, k):
    return height(x, a, centre, k), slopes(x, a, centre, k)


@njit
def allocates(x, a, centre, k):
    g = np.empty_like(x)
    return valley(x, g, a, centre, k), g


SHARED = (1.5,)


def inputs(count, dtype=np.float64, n=3):
    """Return starts, and data for `valley`: some problems are soon done, some are not."""
    rng = np.random.default_rng(count)
    a = np.exp(rng.uniform(-4, 2, count)).astype(dtype)
    return rng.normal(size=(count, n)).astype(dtype), (a, rng.normal(size=(count, n)).astype(dtype))


def in_python(fun):
    return lambda *args: fun(*args)


def of(value, b):
    """Return what is for problem b: every list has an entry for each."""
    return value[b] if isinstance(value, list) else value


def alone(b, fun, X0, args=(), data=(), method="adam", jac=None, bounds=None, tol=None, options=None, **rest):
    """Minimise problem b by itself; what it raises is returned."""
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
    monkeypatch.setattr(tiers, "PATIENCE", np.inf)


@pytest.fixture
def swum(monkeypatch):
    """Compile for lanes at once, where that can be; what is called is noted here, or None where it cannot be."""
    calls, swimmer = [], crowd.swimmer

    def spy(*given):
        swim = swimmer(*given)
        if swim is None:
            calls.append(None)
            return None

        def counted(*rest):
            calls.append(rest)
            return swim(*rest)

        return counted

    monkeypatch.setattr(tiers, "PATIENCE", 0.0)
    monkeypatch.setattr(crowd, "swimmer", spy)
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
    "apart": (height, slopes, numbaopt.rmsprop(lr=1e-2), np.float32),
}


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
    assert 50 < result.success.sum() < 301 or result.success.all()
    assert np.ptp(result.nit) > 100


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


def test_what_has_no_lanes_is_tried_once(swum, monkeypatch):
    """It goes to the driver made for it alone, with the same bits, and the next call does not compile again."""
    X0, data = inputs(20)
    tried = []
    load = pooled.load.__wrapped__
    monkeypatch.setattr(pooled.load, "__wrapped__", lambda text, name, **rest: tried.append((text, name)) or load(text, name, **rest))
    for _ in range(2):
        result = minimize_many(allocates, X0, SHARED, data, ADAM, True, threads=1)
    assert set(swum) == {None} and [name for _, name in tried].count("pool") == 1
    monkeypatch.setattr(tiers, "PATIENCE", np.inf)
    assert_alone(result, allocates, X0, SHARED, data, ADAM, True)


# The scalar path: solvers, and rules of every kind.


METHODS = {
    "lbfgs": ("lbfgs", {}),
    "barzilai_borwein": ("barzilai_borwein", {}),
    "lamb": ("lamb", {"lr": 0.02}),
    "polyak_sgd": ("polyak_sgd", {"max_lr": 0.02}),
    "schedule_free_adamw": ("schedule_free_adamw", {"lr": 0.05}),
    "adagrad": ("adagrad", {"lr": 0.1, "initial_accumulator": 0.3}),
    "madgrad": ("madgrad", {"lr": 0.02}),
    "prodigy": ("prodigy", {}),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods(scalar, name):
    X0, data = inputs(9)
    method, options = METHODS[name]
    options = options | {"maxiter": 60}
    result = minimize_many(valley, X0, SHARED, data, method, "inplace", options=options)
    assert_alone(result, valley, X0, SHARED, data, method, "inplace", options=options)


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


@pytest.mark.parametrize("name", ["muon", "shampoo"])
def test_matrices(scalar, name):
    X0, a = np.random.default_rng(0).normal(size=(5, 2, 3)), np.arange(5) / 3
    options = {"maxiter": 20}
    result = minimize_many(sums, X0, (), a, name, "inplace", options=options)
    assert result.x.shape == result.jac.shape == (5, 2, 3)
    assert_alone(result, sums, X0, (), (a,), name, "inplace", options=options)
