"""Solvers through minimize: iterations, limits, tolerances, callbacks and bounds, the same in both drivers."""

import numba
import numpy as np
import pytest

from numbaopt import minimize, names

SOLVERS = names("solvers")


def rosenbrock(x):
    a, b = 1 - x[:-1], x[1:] - x[:-1] ** 2
    g = np.zeros_like(x)
    g[:-1] = -2 * a - 400 * x[:-1] * b
    g[1:] += 200 * b
    return (a**2 + 100 * b**2).sum(), g


BOTH = [rosenbrock, numba.njit(rosenbrock)]
X0 = np.full(4, -1.2)


def runs(**given):
    return [minimize(fun, X0, jac=True, **given) for fun in BOTH]


def test_there_are_solvers():
    assert SOLVERS == ["barzilai_borwein", "lbfgs", "nonlinear_cg"]


@pytest.mark.slow
@pytest.mark.parametrize("method", SOLVERS)
def test_iterations_are_fewer_than_evaluations_and_limited_by_maxiter(method):
    for limit in (1, 7, 30):
        plain, compiled = runs(method=method, options={"maxiter": limit, "gtol": 1e-12})
        for result in (plain, compiled):
            assert result.nit == limit < result.nfev and result.status == 1 and f"maxiter={limit}" in result.message
            assert result.fun == rosenbrock(result.x)[0]
        assert (plain.nfev, plain.fun) == (compiled.nfev, pytest.approx(compiled.fun, rel=1e-6))
    for result in runs(method=method, options={"maxfev": 12}):
        assert result.nfev == 12 and result.status == 1


@pytest.mark.parametrize("method", SOLVERS)
def test_ftol_looks_at_iterates_not_at_trials(method):
    seen = []
    plain, compiled = runs(method=method, options={"ftol": 1e-5, "gtol": 0})
    minimize(
        rosenbrock,
        X0,
        jac=True,
        method=method,
        options={"ftol": 1e-5, "gtol": 0},
        callback=lambda intermediate_result: seen.append((intermediate_result.nit, intermediate_result.fun)),
    )
    assert plain.status == compiled.status == 0 and plain.nit == compiled.nit and "ftol=1e-05" in plain.message
    assert [k for k, _ in seen] == list(range(1, plain.nit + 1))
    assert all(a >= b for (_, a), (_, b) in zip(seen, seen[1:], strict=False))


def barrier(x):
    return x.sum() - np.log(x).sum(), 1 - 1 / x


@pytest.mark.parametrize("fun", [barrier, numba.njit(barrier)])
@pytest.mark.parametrize("method", SOLVERS)
def test_trials_beyond_a_barrier_are_taken_back(fun, method):
    with np.errstate(all="ignore"):
        result = minimize(fun, np.array([1e-3, 3.0, 50.0]), jac=True, method=method, options={"gtol": 1e-9})
        outside = minimize(fun, np.array([-1.0, 1.0, 1.0]), jac=True, method=method)
    assert result.success and np.allclose(result.x, 1, atol=1e-8)
    assert outside.status == 3 and outside.nit == 0


@pytest.mark.parametrize("fun", BOTH)
def test_bounds(fun):
    bounds = [(-2.0, 0.5), (None, 2.0), (0.0, None), (-5, 5)]
    result = minimize(fun, X0, jac=True, method="barzilai_borwein", bounds=bounds, options={"gtol": 1e-9})
    other = minimize(rosenbrock, X0, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 0, "gtol": 1e-9})
    assert result.success and np.allclose(result.x, other.x, atol=1e-6)
    for method in ("lbfgs", "nonlinear_cg"):
        with pytest.raises(ValueError, match=f"{method} takes no bounds; every rule does"):
            minimize(fun, X0, jac=True, method=method, bounds=bounds)


def test_solvers_take_no_minibatches():
    with pytest.raises(ValueError, match="lbfgs compares values of one function"):
        minimize(lambda w, a: 0.0, X0, data=(np.zeros((4, 4)),), batch_size=2, method="lbfgs")


@pytest.mark.parametrize("method", SOLVERS)
def test_structures_scipy_and_options(method):
    from scipy.optimize import minimize as scipys

    import numbaopt

    def fun(p):
        return ((p["a"] - 1) ** 2).sum() + (p["b"] + 2) ** 2, {"a": 2 * (p["a"] - 1), "b": 2 * (p["b"] + 2)}

    result = minimize(fun, {"a": np.zeros((2, 2)), "b": 0.0}, jac=True, method=method)
    assert result.success and np.allclose(result.x["a"], 1) and np.allclose(result.x["b"], -2)
    result = scipys(rosenbrock, X0, jac=True, method=getattr(numbaopt, method), options={"gtol": 1e-8})
    assert result.success and np.allclose(result.x, 1, atol=1e-6)
    result = minimize(rosenbrock, X0, jac=True, method=method, options={"lr": 0.5})
    assert result.success
    with pytest.raises(ValueError, match=f"{method} has no option 'histori'"):
        minimize(rosenbrock, X0, jac=True, method=method, options={"histori": 3})
