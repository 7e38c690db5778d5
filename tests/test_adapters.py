"""Libraries that accept an optimizer are tested with a rule and with a solver.

The expected results are those of the library with its default optimizer, or closed forms. Libraries that are not
installed are skipped, unless NUMBAOPT_REQUIRE_CALLERS=1 as in CI. ``pip install "numbaopt[callers]"`` installs all.
"""

import functools
import importlib
import os
import pickle
import unittest.mock
import warnings

import numpy as np
import pytest
from scipy import optimize, stats

import numbaopt
from numbaopt import adam, barzilai_borwein, hooks, lbfgs, minimize
from tests.functions import both, bowl, slope

# Warnings that these libraries cause in NumPy, pandas and SciPy.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

METHODS = {"rule": adam(lr=0.05), "solver": lbfgs}
BOUNDED = {"rule": adam(lr=0.05), "solver": barzilai_borwein}
methods = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
bounded = pytest.mark.parametrize("method", BOUNDED.values(), ids=BOUNDED)


def library(name):
    """Import a library; skip the test if it is not installed and not required."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if os.environ.get("NUMBAOPT_REQUIRE_CALLERS") == "1":
            return importlib.import_module(name)
        return pytest.importorskip(name)


# SciPy.


@methods
def test_basinhopping(method):
    kwargs = {"method": method, "jac": True}
    result = optimize.basinhopping(both, np.zeros(3), minimizer_kwargs=kwargs, niter=2, rng=1)
    np.testing.assert_allclose(result.x, np.ones(3), atol=1e-5)
    assert result.minimization_failures == 0


@bounded
@pytest.mark.parametrize("bounds", [None, [(-5, 0.5)] * 2], ids=["free", "bounded"])
def test_dual_annealing(method, bounds):
    kwargs = {"method": method} if bounds is None else {"method": method, "jac": slope, "bounds": bounds}
    outer = bounds or [(-5, 5)] * 2
    result = optimize.dual_annealing(bowl, outer, maxiter=20, minimizer_kwargs=kwargs, rng=1)
    np.testing.assert_allclose(result.x, min(1.0, outer[0][1]), atol=1e-5)


@bounded
@pytest.mark.parametrize("upper", [5.0, 0.5])
def test_differential_evolution(method, upper):
    result = optimize.differential_evolution(bowl, [(-5, upper)] * 3, polish=method, maxiter=5, rng=1)
    np.testing.assert_allclose(result.x, min(1.0, upper), atol=1e-5)
    assert "nfev" in result and (result.x <= upper).all()


@pytest.mark.xfail(raises=AttributeError, strict=False, reason="shgo calls method.lower(), so it accepts only names")
@methods
def test_shgo(method):
    result = optimize.shgo(bowl, [(-5, 5)] * 2, minimizer_kwargs={"method": method})
    np.testing.assert_allclose(result.x, 1.0, atol=1e-5)


@methods
@pytest.mark.parametrize("keywords", [{}, {"bracket": (0, 3)}, {"bounds": (0, 3)}], ids=["", "bracket", "bounds"])
def test_minimize_scalar_has_no_x0(method, keywords):
    with pytest.raises(TypeError, match="x0, which is missing; minimize_scalar does not pass one, use minimize"):
        optimize.minimize_scalar(lambda x: (x - 1) ** 2, method=method, **keywords)


@methods
def test_arguments_by_name_or_by_position(method):
    by_position = method(bowl, [3.0, 2.0], (), jac=slope)
    by_name = method(fun=bowl, x0=[3.0, 2.0], jac=slope, bounds=None, constraints=[], tol=None, callback=None)
    assert by_position.nfev == by_name.nfev and np.array_equal(by_position.x, by_name.x) and by_name.success


@pytest.mark.parametrize("method", [lbfgs, numbaopt.nonlinear_cg], ids=lambda method: method.name)
def test_bounds_that_a_method_does_not_support(method):
    def fit(bounds):
        return optimize.minimize(bowl, [0.0, 0.0], jac=slope, method=method, bounds=bounds)

    assert fit([(None, None)] * 2).success
    with pytest.warns(RuntimeWarning, match=f"Method {method.name} cannot handle bounds") as caught:
        inside = fit(optimize.Bounds(-5, 5))
    assert inside.success and caught[0].filename == __file__
    with pytest.warns(RuntimeWarning, match="cannot handle bounds"):
        outside = fit([(2, 5), (None, None)])
    assert (outside.success, outside.status) == (False, 8) and "outside the bounds" in outside.message
    with pytest.raises(ValueError, match="upper bound is less"):
        fit([(5, -5)] * 2)


def test_distributions():
    sample = stats.norm(2, 3).rvs(200, random_state=1)

    def optimizer(fun, bounds, **_):
        return minimize(fun, [1.0, 1.0], method=adam(lr=0.1), bounds=bounds)

    found = stats.fit(stats.norm, sample, bounds={"loc": (-5, 5), "scale": (0.1, 10)}, optimizer=optimizer)
    np.testing.assert_allclose(found.params[:2], [sample.mean(), sample.std()], atol=1e-5)


# scikit-learn.


@bounded
@pytest.mark.parametrize("kind", ["Regressor", "Classifier"])
def test_gaussian_processes(method, kind):
    gaussian_process = library("sklearn.gaussian_process")
    X = np.linspace(0, 3, 20)[:, None]
    y = np.sin(2 * X[:, 0]) if kind == "Regressor" else np.sin(2 * X[:, 0]) > 0
    noise = {"alpha": 1e-4} if kind == "Regressor" else {}
    model = getattr(gaussian_process, f"GaussianProcess{kind}")
    usual = model(gaussian_process.kernels.RBF(0.3), **noise).fit(X, y)
    ours = model(gaussian_process.kernels.RBF(0.3), **noise, optimizer=hooks.gaussian_process(method)).fit(X, y)
    likelihood = usual.log_marginal_likelihood_value_
    assert ours.log_marginal_likelihood_value_ == pytest.approx(likelihood, abs=1e-6)
    again = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(again.predict(X), ours.predict(X))


def network(kind, X, y, **keywords):
    neural_network = library("sklearn.neural_network")
    model = getattr(neural_network, kind)(hidden_layer_sizes=(8,), random_state=0, max_iter=12, **keywords)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it does not converge in so few epochs
        return model.fit(X, y)


TARGET = "sklearn.neural_network._multilayer_perceptron.AdamOptimizer"


@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_networks_train_as_with_the_adam_of_scikit_learn(kind):
    X = np.random.default_rng(0).normal(size=(120, 5))
    y = X[:, 0] * X[:, 1] > 0 if kind == "MLPClassifier" else X[:, 0]
    usual = network(kind, X, y)
    with unittest.mock.patch(TARGET, hooks.neural_network(adam(lr=1e-3, eps_hat=True))):
        ours = network(kind, X, y)
    np.testing.assert_allclose(ours.loss_curve_, usual.loss_curve_, rtol=1e-12)
    for w, expected in zip(ours.coefs_, usual.coefs_, strict=True):
        np.testing.assert_allclose(w, expected, rtol=1e-9, atol=1e-12)
    again = pickle.loads(pickle.dumps(ours))  # continues with its moments in separate arrays
    for model in (usual, ours, again):
        model.partial_fit(X, y)
    assert again.loss_ == ours.loss_ == pytest.approx(usual.loss_, rel=1e-12)
    np.testing.assert_array_equal(again.coefs_[0], ours.coefs_[0])
    np.testing.assert_allclose(ours.coefs_[0], usual.coefs_[0], rtol=1e-9, atol=1e-12)


def test_a_network_that_stops(capsys):
    X = np.random.default_rng(0).normal(size=(60, 3))
    with unittest.mock.patch(TARGET, hooks.neural_network("sgd")):
        ours = network("MLPRegressor", X, X[:, 0], tol=1e9, n_iter_no_change=1, verbose=True)
    assert ours.n_iter_ < 12 and "Stopping." in capsys.readouterr().out


# Other libraries.


def counts(n=200):
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    return rng.poisson(np.exp(X @ [0.3, 0.5, -0.2])), X


@methods
@pytest.mark.parametrize("way", ["min_method", "extra_fit_funcs", "basinhopping"])
def test_statsmodels(method, way):
    model = library("statsmodels.api").Poisson(*counts())
    usual = model.fit(disp=0)
    if way == "min_method":
        ours = model.fit(method="minimize", min_method=method, maxiter=5000, disp=0)
    elif way == "basinhopping":
        ours = model.fit(method="basinhopping", minimizer={"method": method}, niter=1, disp=0)
    else:
        known = {"ours": hooks.statsmodels(method)}
        ours = model.fit(method="ours", extra_fit_funcs=known, maxiter=5000, disp=0)
        info = ours.mle_retvals
        assert info["converged"] and info["fcalls"] >= info["iterations"] > 1
        assert info["fopt"] == pytest.approx(usual.mle_retvals["fopt"])
    np.testing.assert_allclose(ours.params, usual.params, atol=1e-5)
    np.testing.assert_allclose(ours.bse, usual.bse, atol=1e-5)


def test_statsmodels_within_bounds(capsys):
    model = library("statsmodels.api").Poisson(*counts())
    ours = {"ours": hooks.statsmodels(adam(lr=0.05))}
    bounds = [(0, 0.1)] * 3
    found = model.fit(method="ours", extra_fit_funcs=ours, bounds=bounds, tol=1e-7, disp=1, maxiter=5000)
    expected = optimize.minimize(lambda p: -model.loglike(p), np.zeros(3), bounds=bounds, method="L-BFGS-B").x
    np.testing.assert_allclose(found.params, expected, atol=1e-5)
    assert "within gtol=1e-07" in capsys.readouterr().out
    with pytest.raises(ValueError, match="adam has no option 'maxitr'"):
        model.fit(method="ours", extra_fit_funcs=ours, maxitr=3, disp=0)


def decay(lmfit, **keywords):
    x = np.linspace(0, 3, 30)
    parameters = lmfit.Parameters()
    parameters.add("a", 3, min=0, max=10)
    parameters.add("b", 0.5)
    parameters.add("c", 1.0, vary=False)
    y = 2 * np.exp(-x * 1.3) + 1
    return lmfit.Minimizer(lambda p: p["a"] * np.exp(-x * p["b"]) + p["c"] - y, parameters, **keywords)


@methods
def test_lmfit(method):
    lmfit = library("lmfit")
    found = decay(lmfit).scalar_minimize(method=method)
    assert found.success and not found.aborted
    np.testing.assert_allclose([found.params["a"], found.params["b"]], [2, 1.3], atol=1e-4)
    stopped = decay(lmfit, iter_cb=lambda parameters, i, *_: i > 20).scalar_minimize(method=method)
    limited = decay(lmfit, max_nfev=15).scalar_minimize(method=method)
    assert stopped.aborted and limited.aborted and limited.nfev <= 16


def test_autograd():
    peers = library("autograd.misc.optimizers")
    x0 = {"w": np.ones((2, 3)), "b": [np.zeros(2), np.array(1.0)]}
    calls = []

    def grad(p, i):
        return {"w": 2 * p["w"] - i % 3, "b": [p["b"][0] - 1, 2 * p["b"][1]]}

    def callback(p, i, g):
        calls.append((i, p["w"][0, 0], g["b"][1]))

    for theirs, ours in [(peers.adam, adam), (functools.partial(peers.sgd, mass=0.0), numbaopt.sgd)]:
        found = hooks.loop(ours)(grad, x0, callback, num_iters=40, step_size=0.01)
        our_calls, calls = calls, []
        expected = theirs(grad, x0, callback, num_iters=40, step_size=0.01)
        np.testing.assert_allclose(our_calls, calls, rtol=1e-7)
        calls = []
        np.testing.assert_allclose(found["w"], expected["w"], rtol=1e-7)
        np.testing.assert_allclose(found["b"][0], expected["b"][0], rtol=1e-7)
    assert np.array_equal(x0["w"], np.ones((2, 3)))
    with pytest.raises(TypeError, match="learning_rate.*lr"):
        hooks.loop("adam")(grad, x0, learning_rate=1.0)
    for hook in (hooks.loop, hooks.neural_network):
        with pytest.raises(
            ValueError, match="lbfgs needs the value of the objective, but this adapter receives only gradients"
        ):
            hook("lbfgs")


@methods
def test_iminuit(method):
    iminuit = library("iminuit")

    def cost(a, b):
        return (a - 1) ** 2 + 3 * (b - 2) ** 2

    fit = iminuit.Minuit(cost, a=0.0, b=0.0)
    fit.scipy(method=method)
    assert fit.valid
    np.testing.assert_allclose(fit.values, [1, 2], atol=1e-5)
    np.testing.assert_allclose(fit.errors, [1, 3**-0.5], rtol=1e-3)
    if isinstance(method, numbaopt.Rule):
        fit = iminuit.Minuit(cost, a=0.0, b=0.0, grad=lambda a, b: np.array([2 * (a - 1), 6 * (b - 2)]))
        fit.limits["a"] = (-3, 0.5)
        fit.scipy(method=method)
        np.testing.assert_allclose(fit.values, [0.5, 2], atol=1e-5)


@bounded
def test_pyhf(method):
    pyhf = library("pyhf")
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(tolerance=1e-6))
    background = {"signal": [12.0, 11.0], "bkg": [50.0, 52.0], "bkg_uncertainty": [3.0, 7.0]}
    model = pyhf.simplemodels.uncorrelated_background(**background)
    data = [51, 48, *model.config.auxdata]
    for fit in (pyhf.infer.mle.fit, functools.partial(pyhf.infer.mle.fixed_poi_fit, 1.0)):
        ours, value = fit(data, model, method=method, do_stitch=True, return_fitted_val=True)
        usual, expected = fit(data, model, do_stitch=True, return_fitted_val=True)
        np.testing.assert_allclose(ours, usual, atol=1e-3)
        assert value <= expected + 1e-8


@bounded
def test_lifelines(method):
    lifelines = library("lifelines")
    data = library("lifelines.datasets").load_waltons()
    usual = lifelines.LogNormalFitter().fit(data["T"], data["E"])
    ours = lifelines.LogNormalFitter()
    ours._scipy_fit_method, ours._scipy_fit_options = method, {}
    ours.fit(data["T"], data["E"])
    np.testing.assert_allclose(ours.params_, usual.params_, rtol=1e-4)


@methods
def test_linearmodels(method):
    iv = library("linearmodels.iv")
    rng = np.random.default_rng(0)
    z, u = rng.normal(size=(300, 2)), rng.normal(size=300)
    x = z @ [1, 0.5] + u
    model = iv.IVGMMCUE(2 * x + u + rng.normal(size=300), None, x, z)
    ours = model.fit(opt_options={"method": method}).params
    np.testing.assert_allclose(ours, model.fit().params, rtol=1e-5)
