"""The facade: a drop-in for SciPy's; bounds against closed forms; callbacks, options, results, callers."""

import functools
import pickle
import sys
import types
import warnings

import numpy as np
import pytest
from numba import njit
from scipy import optimize

import numbaopt
from numbaopt import Result, minimize

METHODS = ["adagrad", "adam", "adamax", "adamw", "amsgrad", "lamb", "nadam", "radam", "rmsprop", "sgd"]
CENTER = np.array([1.0, -2.0, 3.0])


def bowl(x):
    return ((x - CENTER) ** 2).sum()


def slope(x):
    return 2 * (x - CENTER)


def both(x):
    return bowl(x), slope(x)


def quick(**options):
    """Return options with which the bowl's bottom is reached to ten digits."""
    return {"lr": 0.1, "gtol": 1e-9} | options


# Forms.


@pytest.mark.parametrize(
    "fun, jac",
    [
        (bowl, slope),
        (both, True),
        (bowl, None),
        (bowl, False),
        (bowl, "2-point"),
        (bowl, "3-point"),
        (bowl, "cs"),
        (lambda x, g: (np.copyto(g, slope(x)), bowl(x))[1], "inplace"),
        (njit(lambda x: ((x - CENTER) ** 2).sum()), njit(lambda x: 2 * (x - CENTER))),
    ],
    ids=["callable", "True", "None", "False", "2-point", "3-point", "cs", "inplace", "jitted"],
)
def test_each_form_of_the_gradient(fun, jac):
    loose = jac in (None, False, "2-point")  # forward differences see the bottom half a step beside
    result = minimize(fun, np.zeros(3), jac=jac, options=quick(gtol=1e-6))
    np.testing.assert_allclose(result.x, CENTER, atol=1e-5 if loose else 1e-6)
    assert result.success and result.status == 0 and result.fun < 1e-9


def test_method_in_each_form():
    results = [
        minimize(bowl, np.zeros(3), (), method, slope, options={"maxiter": 7})
        for method in ("adam", "Adam", "ADAM", None, numbaopt.adam, numbaopt.adam())
    ]
    results.append(minimize(bowl, np.zeros(3), jac=slope, options={"maxiter": 7}))
    for result in results:
        np.testing.assert_array_equal(result.x, results[0].x)
    custom = minimize(bowl, np.zeros(3), method=lambda fun, x0, **options: Result(x=x0, options=options))
    assert custom.options["jac"] is None  # a custom method by SciPy's protocol


def test_hyperparameters_by_options_or_by_rule():
    kwargs = {"jac": slope, "method": numbaopt.adam(lr=0.3)}
    by_rule = minimize(bowl, np.zeros(3), **kwargs, options={"maxiter": 9})
    by_option = minimize(bowl, np.zeros(3), jac=slope, options={"maxiter": 9, "lr": 0.3})
    np.testing.assert_array_equal(by_rule.x, by_option.x)
    over = minimize(bowl, np.zeros(3), jac=slope, method=numbaopt.adam(lr=9.0), options={"maxiter": 9, "lr": 0.3})
    np.testing.assert_array_equal(over.x, by_rule.x)
    options = {"maxiter": 9, "lr": numbaopt.schedules.exponential(0.3, 1.0)}
    np.testing.assert_allclose(minimize(bowl, np.zeros(3), jac=slope, options=options).x, by_rule.x, rtol=1e-12)


def test_structures():
    start = {"a": np.ones((2, 2), "f4"), "b": [np.zeros(2), 3.0]}

    def fun(p):
        assert p["a"].shape == (2, 2) and p["b"][0].shape == (2,)
        f = (p["a"] ** 2).sum() + ((p["b"][0] - 1) ** 2).sum() + (p["b"][1] + 2) ** 2
        return float(f), {"a": 2 * p["a"], "b": [2 * (p["b"][0] - 1), 2 * (p["b"][1] + 2)]}

    seen = []
    result = minimize(fun, start, jac=True, options=quick(), callback=seen.append)
    np.testing.assert_allclose(result.x["a"], 0, atol=1e-8)
    np.testing.assert_allclose(result.x["b"][0], 1, atol=1e-8)
    np.testing.assert_allclose(result.x["b"][1], -2, atol=1e-8)
    assert result.jac["a"].shape == (2, 2) and seen[3]["b"][0].shape == (2,)
    assert np.all(start["a"] == 1)
    matrix = minimize(lambda x: ((x**2).sum(), 2 * x), np.ones((2, 3)), jac=True, options=quick())
    assert matrix.x.shape == matrix.jac.shape == (2, 3)
    assert minimize(lambda x: x @ x, 2.0, options=quick()).x.shape == (1,)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, int, bool, ">f8"])
def test_dtype_of_x0(dtype):
    x0 = np.ones(3, dtype)
    result = minimize(both, x0, jac=True, options={"lr": 0.1, "gtol": 1e-3})
    assert result.success and result.x.dtype == (np.float32 if dtype == np.float32 else np.float64)
    assert x0.dtype == dtype and np.all(x0 == 1)


def test_args_need_no_tuple():
    for args in (3.0, (3.0,)):
        result = minimize(lambda x, c: ((x - c) @ (x - c), 2 * (x - c)), [0.0], args, jac=True, options=quick())
        np.testing.assert_allclose(result.x, 3, atol=1e-8)


# The result.


def test_result_is_scipys():
    result = minimize(both, np.zeros(3), jac=True, options=quick())
    assert isinstance(result, optimize.OptimizeResult)
    assert {"x", "fun", "jac", "nit", "nfev", "njev", "success", "status", "message"} == set(result)
    assert sorted(dir(result)) == sorted(result)
    again = pickle.loads(pickle.dumps(result))
    assert again.message == result.message and np.all(again.x == result.x)
    with pytest.raises(AttributeError):
        _ = result.hess_inv
    assert type(result.fun) is float and type(result.nit) is int and type(result.success) is bool
    assert result.fun == bowl(result.x) and np.all(result.jac == slope(result.x))
    assert result.nfev == result.njev == result.nit + 1


def test_best_and_last():
    walk = []
    kwargs = {"jac": slope, "method": numbaopt.sgd(lr=0.9, momentum=0.9)}
    options = {"maxiter": 15}
    best = minimize(bowl, np.zeros(3), **kwargs, options=options, callback=lambda x: walk.append(x))
    last = minimize(bowl, np.zeros(3), **kwargs, options=options | {"return": "last"})
    np.testing.assert_array_equal(last.x, walk[-1])
    values = [bowl(np.zeros(3)), *map(bowl, walk)]
    assert best.fun == min(values) < last.fun == values[-1]
    assert best.fun == bowl(best.x) and np.all(best.jac == slope(best.x))


def test_evaluations_are_counted():
    calls = []

    def fun(x):
        calls.append(1)
        return bowl(x)

    for jac, each in (("2-point", 4), ("3-point", 7), (None, 4), (slope, 1)):
        calls.clear()
        result = minimize(fun, np.zeros(3), jac=jac, options={"maxiter": 5})
        assert result.nfev == len(calls) == 6 * each and result.njev == 6
        calls.clear()
        result = minimize(fun, np.zeros(3), jac=jac, options={"maxfev": 10})
        assert result.nfev == len(calls) >= 10 and result.status == 1 and "maxfev" in result.message
        assert len(calls) < 10 + each


# Stopping.


@pytest.mark.parametrize("maxiter, nit", [(0, 0), (-3, 0), (1, 1), (2.5, 3), (np.float64(4), 4), (np.int32(5), 5)])
def test_maxiter(maxiter, nit):
    for fun in (both, njit(lambda x: (((x - CENTER) ** 2).sum(), 2 * (x - CENTER)))):
        result = minimize(fun, np.zeros(3), jac=True, options={"maxiter": maxiter})
        assert (result.nit, result.nfev, result.status, result.success) == (nit, nit + 1, 1, False)
        assert "Maximum number of iterations" in result.message


def test_tolerances():
    assert minimize(both, CENTER, jac=True).nit == 0  # nothing to do
    by_tol = minimize(both, np.zeros(3), jac=True, tol=1e-2, options={"lr": 0.1})
    by_gtol = minimize(both, np.zeros(3), jac=True, options={"lr": 0.1, "gtol": 1e-2})
    assert by_tol.nit == by_gtol.nit and "gtol=0.01" in by_tol.message
    option_first = minimize(both, np.zeros(3), jac=True, tol=1.0, options={"lr": 0.1, "gtol": 1e-2})
    assert option_first.nit == by_gtol.nit
    by_ftol = minimize(both, np.zeros(3), jac=True, options={"lr": 0.1, "ftol": 1e-3})
    assert by_ftol.success and by_ftol.nit < by_gtol.nit and "ftol=0.001" in by_ftol.message
    off = minimize(both, CENTER, jac=True, options={"gtol": None, "maxiter": 3})
    assert off.nit == 3
    unbounded = minimize(both, np.zeros(3), jac=True, options=quick(maxiter=np.inf, maxfev=np.inf))
    assert unbounded.success


# Bounds, against closed forms: the bowl's minimum in a box is its center, clipped.


@pytest.mark.parametrize("method", METHODS)
def test_bounds(method):
    lower, upper = np.array([-np.inf, -1.0, 4.0]), np.array([0.5, np.inf, 5.0])
    seen = []

    def fun(x):
        seen.append(x)
        return both(x)

    options = {"lr": {"adagrad": 1.0, "lamb": 0.01}.get(method, 0.1), "maxiter": 5000}
    result = minimize(
        fun,
        np.zeros(3),
        jac=True,
        method=method,
        bounds=list(zip(lower, upper, strict=True)),
        options=options,
    )
    np.testing.assert_allclose(result.x, np.clip(CENTER, lower, upper), atol=2e-3 if method == "adamw" else 1e-12)
    assert all(np.all((lower <= x) & (x <= upper)) for x in seen)
    if method != "adamw":
        assert result.success and "projected gradient" in result.message
        np.testing.assert_allclose(result.jac, slope(result.x))  # of fun itself


@pytest.mark.parametrize(
    "bounds",
    [
        [(0, 1), (0, 1), (0, 1)],
        [(0, 1)],
        (0, 1),
        ((0.0, 1.0),),
        np.array([[0, 1]] * 3),
        optimize.Bounds(0, 1),
        optimize.Bounds([0, 0, 0], [1, 1, 1]),
        optimize.Bounds([0, 0, 0], 1),
        [[0, 1], [0, None], [None, 1]],
    ],
    ids=str,
)
def test_bounds_in_each_form(bounds):
    result = minimize(both, np.full(3, 7.0), jac=True, bounds=bounds, options=quick())
    np.testing.assert_allclose(result.x, [1, 0, 1], atol=1e-9)


@pytest.mark.parametrize("jac", [True, None, "3-point"])
def test_all_bounds_equal(jac):
    fun = both if jac is True else bowl
    result = minimize(fun, np.zeros(3), jac=jac, bounds=[(1, 1), (2, 2), (3, 3)])
    np.testing.assert_array_equal(result.x, [1, 2, 3])
    assert (result.success, result.nit, result.nfev, result.fun) == (True, 0, 1, 16)
    assert result.message == "All independent variables were fixed by bounds."


def test_some_bounds_equal():
    result = minimize(both, np.zeros(3), jac=True, bounds=[(None, None), (7, 7), (0, 9)], options=quick())
    np.testing.assert_allclose(result.x, [1, 7, 3], atol=1e-9)


def test_bounds_that_bound_nothing_change_nothing():
    free = minimize(both, np.zeros(3), jac=True, options={"maxiter": 50})
    for bounds in ([(None, None)] * 3, optimize.Bounds(), [(-np.inf, np.inf)], [(-1e9, 1e9)]):
        np.testing.assert_array_equal(
            minimize(both, np.zeros(3), jac=True, bounds=bounds, options={"maxiter": 50}).x, free.x
        )


def test_bounds_in_float32_and_of_structures():
    result = minimize(both, np.zeros(3, "f4"), jac=True, bounds=[(0.1, 0.7)], options={"lr": 0.1})
    np.testing.assert_array_equal(result.x, np.array([0.7, 0.1, 0.7], "f4"))
    bounds = optimize.Bounds([0, 0, 0], [1, 1, 1])
    result = minimize(lambda x: both(x["v"])[0], {"v": np.zeros(3)}, bounds=bounds, options={"lr": 0.1})
    np.testing.assert_allclose(result.x["v"], [1, 0, 1], atol=1e-9)
    np.testing.assert_array_equal(bounds.lb, 0)


# Callbacks.


def test_callback_of_intermediate_result():
    told = []

    def callback(intermediate_result):
        told.append(intermediate_result)

    result = minimize(both, np.zeros(3), jac=True, callback=callback, options={"maxiter": 6, "return": "last"})
    assert [r.nit for r in told] == [1, 2, 3, 4, 5, 6]
    assert all(r.fun == bowl(r.x) for r in told)
    assert isinstance(told[0], optimize.OptimizeResult)
    np.testing.assert_array_equal(told[-1].x, result.x)
    assert len({r.x.tobytes() for r in told}) == 6  # each has an x of its own


class Keeper:
    """A callback that is an object."""

    def __init__(self):
        self.seen = []

    def __call__(self, xk):
        """Keep x."""
        self.seen.append(xk)
        xk[:] = np.nan  # a copy: the run goes on undisturbed


def test_callbacks_of_every_kind():
    keeper = Keeper()
    expected = minimize(both, np.zeros(3), jac=True, options={"maxiter": 4}).x
    jitted = njit(lambda x: ((x - CENTER) ** 2).sum()), njit(lambda x: 2 * (x - CENTER))
    for fun, jac in ((both, True), jitted):
        result = minimize(fun, np.zeros(3), jac=jac, callback=keeper, options={"maxiter": 4})
        np.testing.assert_array_equal(result.x, expected)
    assert len(keeper.seen) == 8
    names = []

    def with_more(extra, *, intermediate_result):
        names.append((extra, intermediate_result.nit))

    minimize(both, np.zeros(3), jac=True, callback=functools.partial(with_more, "k"), options={"maxiter": 2})
    assert names == [("k", 1), ("k", 2)]


def test_stop_iteration():
    calls = []

    def fun(x):
        calls.append("fun")
        return both(x)

    def callback(x):
        calls.append("callback")
        if calls.count("callback") == 3:
            raise StopIteration

    result = minimize(fun, np.zeros(3), jac=True, callback=callback)
    assert (result.status, result.success, result.nit) == (99, False, 3)
    assert result.message == "`callback` raised `StopIteration`."
    assert calls == ["fun"] + ["fun", "callback"] * 3
    np.testing.assert_array_equal(result.x, minimize(both, np.zeros(3), jac=True, options={"maxiter": 3}).x)


def test_minibatch_callback_sees_epoch_and_step():
    told = []

    def loss(w, rows):
        return float(((w - rows) ** 2).mean()), 2 * (w - rows.mean(keepdims=True))

    def callback(intermediate_result):
        told.append(intermediate_result)
        if intermediate_result.epoch == 2 and intermediate_result.step == 1:
            raise StopIteration

    feed = {"data": np.arange(10.0), "batch_size": 4, "epochs": 5, "shuffle": False}
    result = minimize(loss, [0.0], jac=True, callback=callback, **feed)
    assert [(r.epoch, r.step, r.nit) for r in told] == [(k // 3, k % 3, k + 1) for k in range(8)]
    assert (result.status, result.nit) == (99, 8) and "the completed part of epoch 3" in result.message
    values = [r.fun for r in told[-2:]]
    assert result.fun == pytest.approx(np.mean(values))
    np.testing.assert_array_equal(told[-1].x, result.x)


# Minibatches.


def test_constant_data_and_full_batches_are_gradient_descent():
    def loss(w, rows, scale):
        return scale * ((w - rows) ** 2).mean(), scale * 2 * (w - rows.mean(axis=0))

    rows = np.tile([[1.0, 2.0]], (6, 1))
    kwargs = {"jac": True, "method": numbaopt.sgd(lr=0.1), "args": (0.5,)}
    result = minimize(loss, np.zeros(2), data=(rows,), batch_size=2, epochs=4, **kwargs)
    np.testing.assert_allclose(result.x, np.array([1, 2]) * (1 - 0.9**12), rtol=1e-13)
    assert result.success and result.nit == 12


def test_seed_decides_the_batches():
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(40, 2))

    def loss(w, rows):
        return float(((w - rows) ** 2).mean()), 2 * (w - rows.mean(axis=0)) / 2

    kwargs = {"jac": True, "data": rows, "batch_size": 8, "epochs": 2}
    a, b, c = (minimize(loss, np.zeros(2), seed=seed, **kwargs) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.x, b.x)
    assert np.any(a.x != c.x) and a.seed == 1
    unseeded = minimize(loss, np.zeros(2), **kwargs)
    again = minimize(loss, np.zeros(2), seed=unseeded.seed, **kwargs)
    np.testing.assert_array_equal(unseeded.x, again.x)


def test_a_stream_of_batches():
    def stream():
        return [(np.array([1.0]),), (np.array([3.0, 3.0, 3.0]),)]

    def loss(w, rows):
        return float(((w - rows) ** 2).mean()), 2 * (w - rows.mean(keepdims=True))

    result = minimize(loss, [0.0], jac=True, method=numbaopt.sgd(lr=0.25), data=stream(), epochs=2)
    w, losses = 0.0, []
    for _ in range(2):
        losses = []
        for rows in (1.0, 3.0):
            losses.append((w - rows) ** 2)
            w -= 0.25 * 2 * (w - rows)
    np.testing.assert_allclose(result.x, w)
    assert result.fun == pytest.approx((losses[0] + 3 * losses[1]) / 4)


# SciPy's own methods.


@pytest.mark.parametrize("method", ["BFGS", "l-bfgs-b", "TNC", "Nelder-Mead", "SLSQP", "trust-constr"])
def test_methods_of_scipy_pass_through(method):
    ours = minimize(bowl, np.zeros(3), method=method)
    theirs = optimize.minimize(bowl, np.zeros(3), method=method)
    np.testing.assert_array_equal(ours.x, theirs.x)
    assert ours.nfev == theirs.nfev and type(ours) is type(theirs)


@pytest.mark.parametrize("method", ["L-BFGS-B", "BFGS", "Newton-CG", "trust-constr"])
def test_methods_of_scipy_take_our_forms(method):
    def inplace(x, g):
        g[:] = slope(x)
        return bowl(x)

    result = minimize(inplace, np.zeros(3), method=method, jac="inplace")
    np.testing.assert_allclose(result.x, CENTER, atol=1e-6)
    start = {"a": np.zeros(2), "b": np.zeros((1, 1))}

    def of_dict(p):
        x = np.append(p["a"], p["b"])
        return bowl(x), {"a": slope(x)[:2], "b": slope(x)[2:].reshape(1, 1)}

    seen = []
    result = minimize(of_dict, start, method=method, jac=True, callback=lambda x, *state: seen.append(x))
    np.testing.assert_allclose(result.x["a"], CENTER[:2], atol=1e-6)
    assert result.x["b"].shape == (1, 1) and seen[0]["b"].shape == (1, 1)
    told = []

    def callback(intermediate_result):
        told.append(intermediate_result.x["a"])

    if method != "Newton-CG":  # which must be given a gradient
        minimize(lambda p: of_dict(p)[0], start, method=method, callback=callback)
        np.testing.assert_allclose(told[-1], CENTER[:2], atol=1e-5)


# As a custom method of SciPy's, and in programs that take an optimizer from outside.


def test_a_rule_is_a_custom_method():
    rule = numbaopt.adam(lr=0.1)
    told = []

    def callback(intermediate_result):
        told.append(intermediate_result)

    for bounds in ([(None, 0.5), (None, None), (4, None)], optimize.Bounds([-9, -9, 4], [0.5, 9, 9])):
        for fun, jac in ((both, True), (bowl, slope), (bowl, None)):
            result = optimize.minimize(
                fun, np.zeros(3), jac=jac, method=rule, bounds=bounds, callback=callback, constraints=[]
            )
            np.testing.assert_allclose(result.x, [0.5, -2, 4], atol=1e-5)
            assert result.success and told[-1].nit == result.nit
    calls = []
    optimize.minimize(lambda x: (calls.append(1), both(x))[1], [0, 0, 0], jac=True, method=rule, tol=1e9)
    assert len(calls) == 1  # MemoizeJac's fun and jac are one evaluation
    direct = rule(both, np.zeros(3), jac=True, maxiter=5)
    assert direct.nit == 5


def test_a_custom_method_warns_of_unknown_options():
    with pytest.warns(optimize.OptimizeWarning, match="Unknown solver options: retall, full_output"):
        optimize.minimize(bowl, np.zeros(3), method=numbaopt.adam, options={"retall": 0, "full_output": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimize.minimize(bowl, np.zeros(3), method=numbaopt.adam, hess=lambda x: np.eye(3), options={"disp": 0})


def test_basinhopping_and_differential_evolution():
    kwargs = {"method": numbaopt.adam(lr=0.05), "jac": True}
    result = optimize.basinhopping(both, np.zeros(3), minimizer_kwargs=kwargs, niter=2, rng=1)
    np.testing.assert_allclose(result.x, CENTER, atol=1e-4)
    polish = functools.partial(optimize.minimize, method=numbaopt.adam(lr=0.01))
    result = optimize.differential_evolution(bowl, [(-5, 5)] * 3, polish=polish, maxiter=20, rng=1)
    np.testing.assert_allclose(result.x, CENTER, atol=1e-4)


def test_gaussian_process():
    gaussian_process = pytest.importorskip("sklearn.gaussian_process")

    def optimizer(objective, theta, bounds):
        result = minimize(objective, theta, jac=True, bounds=bounds, options={"lr": 0.1, "maxiter": 300})
        return result.x, result.fun

    X = np.linspace(0, 3, 20)[:, None]
    kernel = gaussian_process.kernels.RBF(0.1)
    model = gaussian_process.GaussianProcessRegressor(kernel, alpha=1e-4, optimizer=optimizer)
    usual = gaussian_process.GaussianProcessRegressor(kernel, alpha=1e-4)
    y = np.sin(X[:, 0])
    assert model.fit(X, y).log_marginal_likelihood_value_ == pytest.approx(
        usual.fit(X, y).log_marginal_likelihood_value_, abs=1e-3
    )


# What it says.


def test_disp(capsys):
    minimize(both, np.zeros(3), jac=True, options=quick(disp=True))
    out = capsys.readouterr().out.splitlines()
    assert "largest entry" in out[0] and out[1].startswith("         Current function value: 0.000000")
    assert [line.split(":")[0].strip() for line in out[2:]] == [
        "Iterations",
        "Function evaluations",
        "Gradient evaluations",
    ]
    with pytest.warns(optimize.OptimizeWarning, match="Maximum number") as caught:
        minimize(both, np.zeros(3), jac=True, options={"maxiter": 1, "disp": True})
    assert caught[0].filename == __file__
    minimize(both, np.zeros(3), jac=True, options={"maxiter": 1})
    assert "Iterations: 1\n" in capsys.readouterr().out


def test_hessians_are_not_used():
    with pytest.warns(RuntimeWarning, match="Method adam does not use Hessian information"):
        minimize(both, np.zeros(3), jac=True, hess=lambda x: np.eye(3))
    with pytest.warns(RuntimeWarning, match="does not use Hessian-vector product") as caught:
        minimize(both, np.zeros(3), jac=True, method="sgd", hessp=lambda x, p: p)
    assert caught[0].filename == __file__


@pytest.mark.skipif(sys.version_info < (3, 14), reason="annotations are evaluated at once")
def test_annotations_that_name_nothing():
    def callback(intermediate_result: Nowhere):  # noqa: F821
        told.append(intermediate_result.nit)

    told = []
    minimize(both, np.zeros(3), jac=True, callback=callback, options={"maxiter": 2})
    assert told == [1, 2]


def test_check_grad_for_a_method_of_scipy_with_any_mapping_of_options():
    options = types.MappingProxyType({"check_grad": True})
    with pytest.raises(ValueError, match="gradient"):
        minimize(lambda x: (float(x @ x), 3 * x), np.ones(2), jac=True, method="BFGS", options=options)
