"""jac="autograd": the gradient of NumPy code, to closed forms and to differences; and what it cannot follow, said."""

import math
import subprocess
import sys
from collections import namedtuple

import autograd.numpy as anp
import numpy as np
import pytest
from numba import njit
from scipy import optimize

import numbaopt
from numbaopt import check_grad, minimize, minimize_many
from tests.objectives.making import make_objective

rng = np.random.default_rng(3)
M, Y = rng.normal(size=(40, 3)), rng.normal(size=40)
X = rng.normal(size=3)
BEST = np.linalg.lstsq(M, Y)[0]
Pair = namedtuple("Pair", "w b")


def squares(x, M=M, Y=Y):
    return anp.mean((anp.dot(M, x) - Y) ** 2)


def closed_form(x, M=M, Y=Y):
    r = M @ x - Y
    return (r**2).mean(), 2 * M.T @ r / len(Y)


def evaluated(fun, x0, args=(), batch=()):
    objective = make_objective(fun, x0, args, "autograd")
    g = np.full_like(objective.x0, np.nan)
    f = objective(objective.x0, g, *batch)
    assert (objective.nfev, objective.njev, objective.cost, objective.analytic) == (1, 1, 1, True)
    return f, g, objective


@pytest.mark.parametrize("args", [(), (M[:5], Y[:5])])
def test_value_and_gradient(args):
    f, g, _ = evaluated(squares, X, args)
    assert type(f) is float and f == pytest.approx(closed_form(X, *args)[0], rel=1e-14)
    np.testing.assert_allclose(g, closed_form(X, *args)[1], rtol=1e-12)


def network(p, data):
    hidden = anp.tanh(anp.dot(data, p["w"][0]) + p["w"][1])
    return anp.sum(anp.logaddexp(0, anp.dot(hidden, p["out"].w))) + p["out"].b ** 2


def test_structures_of_every_kind():
    start = {"w": [rng.normal(size=(3, 4)), rng.normal(size=4)], "out": Pair((rng.normal(size=4),), 0.5)}
    start["out"] = Pair(rng.normal(size=4), 0.5)
    assert check_grad(network, start, (M,), "autograd").error.max() < 1e-6
    run = minimize(network, start, (M,), jac="autograd", method="lbfgs", options={"maxiter": 5})
    assert isinstance(run.jac["out"], Pair) and run.jac["w"][0].shape == (3, 4) and run.x["out"].b.shape == ()
    assert run.nfev == run.njev > 1


def test_a_run_is_that_of_the_closed_form():
    for method in ("adam", "lbfgs"):
        exact, run = (
            minimize(fun, X, jac=jac, method=method, options={"maxiter": 30})
            for fun, jac in ((closed_form, True), (squares, "autograd"))
        )
        np.testing.assert_allclose(run.x, exact.x, rtol=1e-9)
        assert (run.nit, run.nfev, run.njev, run.status) == (exact.nit, exact.nfev, exact.njev, exact.status)


def test_minibatches_are_those_of_the_closed_form():
    given = {"data": (M, Y), "batch_size": 16, "epochs": 3, "seed": 1}
    exact, run = minimize(closed_form, X, jac=True, **given), minimize(squares, X, jac="autograd", **given)
    np.testing.assert_allclose(run.x, exact.x, rtol=1e-9)
    assert (run.nfev, run.njev, run.nit) == (exact.nfev, exact.njev, exact.nit)


def test_single_precision_stays():
    f, g, _ = evaluated(lambda x: anp.sum(M[0] * x**2), X.astype("f4"))
    assert g.dtype == np.float32
    np.testing.assert_allclose(g, 2 * M[0] * X, rtol=1e-6)
    run = minimize(squares, X.astype("f4"), jac="autograd", tol=1e-3, options={"lr": 0.05})
    assert run.success and run.x.dtype == run.jac.dtype == np.float32


def test_complex_gradients_are_of_torchs_convention():
    A = rng.normal(size=(5, 2)) + 1j * rng.normal(size=(5, 2))
    b = rng.normal(size=5) + 1j * rng.normal(size=5)
    z = np.array([1 + 2j, 0.5 - 1j])
    for kind, tolerance in (("c16", 1e-12), ("c8", 1e-5)):
        _, g, objective = evaluated(lambda z: anp.sum(anp.abs(anp.dot(A, z) - b) ** 2), z.astype(kind))
        np.testing.assert_allclose(objective.restore(g), 2 * A.conj().T @ (A @ z - b), rtol=tolerance)
        assert objective.restore(g).dtype == np.dtype(kind)
    mixed = {"z": z, "s": 2.0}

    def loss(p):
        return anp.sum(anp.real(p["z"] ** 3 * p["s"])) + anp.imag(p["z"][0]) * p["s"]

    assert check_grad(loss, mixed, jac="autograd").error.max() < 1e-6


def test_scipys_methods_by_name_and_scipys_minimize():
    for x0 in (X, X[None]):
        run = minimize(lambda x: squares(anp.ravel(x)), x0, jac="autograd", method="L-BFGS-B", bounds=[(-1, 1)] * 3)
        np.testing.assert_allclose(run.x, optimize.lsq_linear(M, Y, (-1, 1)).x.reshape(x0.shape), atol=1e-4)
        assert run.nfev == run.njev < 40
    run = numbaopt.lbfgs(squares, X, (M, Y), jac="autograd")
    np.testing.assert_allclose(run.x, BEST, atol=1e-5)


def test_many_problems():
    targets = rng.normal(size=(4, 3))
    run = minimize_many(
        lambda x, t: anp.sum((x - t) ** 2), np.zeros((4, 3)), data=targets, jac="autograd", method="lbfgs"
    )
    np.testing.assert_allclose(run.x, targets, atol=1e-5)


def test_fun_may_overwrite_nothing_and_keep_everything():
    kept = []

    def fun(x):
        kept.append(x)
        return anp.sum(x**2)

    minimize(fun, X, jac="autograd", options={"maxiter": 3, "lr": 0.1})
    assert len({float(x[0]._value) for x in kept}) == 4  # each its own array


# What cannot be followed.


def assigned(x):
    y = np.zeros(3)
    y[0] = x[0]
    return y.sum()


def overwritten(x):
    x[0] = 1.0
    return anp.sum(x)


@pytest.mark.parametrize(
    "fun",
    [
        lambda x: float(anp.sum(x)),
        lambda x: math.sin(x[0]),
        lambda x: np.asarray(x, float).sum(),
        lambda x: anp.nextafter(x[0], 1.0),
        assigned,
        overwritten,
    ],
    ids=["float", "math", "asarray", "no derivative", "assigned", "overwritten"],
)
def test_what_autograd_does_not_see_is_said(fun):
    with pytest.raises(TypeError, match="autograd cannot follow fun: .*\n.*`import autograd.numpy as np`") as error:
        minimize(fun, X, jac="autograd")
    assert error.value.__cause__ is not None


def test_a_function_that_does_not_depend_on_x_is_an_error_at_the_start_only():
    with pytest.raises(ValueError, match="fun's value at x0, 3.0, does not depend on x"):
        minimize(lambda x: 3.0, X, jac="autograd")
    run = minimize(lambda x: np.inf, X, jac="autograd")
    assert run.status == 3 and "objective is inf" in run.message
    # A penalty beyond a border: the trial there has a value, and no slope.
    run = minimize(lambda x: 100.0 if x[0] < 0 else (x[0] + 1) ** 2, [1.0], jac="autograd", method="lbfgs")
    assert run.fun == (run.x[0] + 1) ** 2 and 0 <= run.x[0] <= 1


@pytest.mark.parametrize(
    ("fun", "error", "text"),
    [
        (lambda x: x, ValueError, r"fun must return a real number, not an array of shape \(3,\)"),
        (lambda x: 1j * anp.sum(x), TypeError, "fun must return a real number, not "),
        (lambda x: None, TypeError, "does it end without a return statement"),
        (lambda x: (anp.sum(x), x), TypeError, "jac=True"),
        (lambda x: {}["a"], KeyError, "'a'"),
        (lambda x: anp.sum(anp.dot(np.ones((2, 2)), x)), ValueError, "not aligned"),
    ],
)
def test_mistakes_of_ones_own_are_told_as_they_are(fun, error, text):
    with pytest.raises(error, match=text) as caught:
        minimize(fun, X, jac="autograd")
    assert "autograd cannot" not in str(caught.value)


def test_a_jitted_function_is_refused():
    with pytest.raises(ValueError, match="jac='autograd' follows Python code, and fun is compiled by Numba"):
        minimize(njit(lambda x: x[0]), X, jac="autograd")


def test_the_nearest_name_is_offered():
    with pytest.raises(ValueError, match="did you mean 'autograd'"):
        minimize(squares, X, jac="auto_grad")


def test_without_the_package_it_says_what_to_install():
    script = (
        "import sys\nsys.modules['autograd'] = None\nfrom numbaopt import minimize\n"
        "try:\n    minimize(sum, [1.0], jac='autograd')\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.strip() == "jac='autograd' needs the autograd package: pip install \"numbaopt[autograd]\""


def test_autograd_is_not_loaded_before_it_is_asked_for():
    script = "import sys, numbaopt\nnumbaopt.minimize(lambda x: (x @ x, 2 * x), [1.0], jac=True)\nprint('autograd' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.strip() == "False"
