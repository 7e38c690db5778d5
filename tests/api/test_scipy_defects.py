"""What goes wrong in SciPy 1.18's `minimize`, and what its issues tell of: none of it may happen here.

Each through our `minimize` and through SciPy's, with a rule and with a solver as a custom method.
"""

import copy
import gc
import itertools
import pickle
import warnings
import weakref

import numpy as np
import pytest
from scipy import optimize

import numbaopt
from numbaopt import adam, barzilai_borwein, lbfgs, minimize
from tests.functions import bowl, slope

METHODS = {"rule": adam(lr=0.1), "solver": barzilai_borwein, "lbfgs": lbfgs}
WAYS = {"ours": minimize, "custom": optimize.minimize}
every = pytest.mark.parametrize(
    "way, method",
    [pytest.param(WAYS[w], METHODS[m], id=f"{w}-{m}") for w, m in itertools.product(WAYS, METHODS)],
)
# SciPy turns x0 into an array and jac into what it knows before it calls a custom method: only ours can tell.
ours_only = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def valley(x):
    return optimize.rosen(x), optimize.rosen_der(x)


def bounded(method):
    return barzilai_borwein if method is lbfgs else method


@every
def test_nothing_is_printed(way, method, capsys):
    def callback(intermediate_result):
        assert intermediate_result.x[0] == 2

    bounds = [(2, 2), (0, 5)]
    way(bowl, [3.0, 3.0], jac=slope, method=bounded(method), bounds=bounds, callback=callback)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


@every
@pytest.mark.parametrize("form", ["intermediate_result", "xk"])
def test_a_callback_may_keep_and_spoil_what_it_gets(way, method, form):
    kept, texts = [], []

    def keep(x):
        kept.append(x)
        texts.append(x.tobytes())
        return True  # means nothing

    def keep_result(intermediate_result):
        keep(intermediate_result.x)

    def spoil(xk):
        xk[:] = np.nan

    callback = keep_result if form == "intermediate_result" else keep
    result = way(valley, [-1.0, 1.5], jac=True, method=method, callback=callback, options={"maxiter": 8})
    assert [x.tobytes() for x in kept] == texts and len(kept) == result.nit == 8
    assert not any(np.shares_memory(a, b) for a, b in itertools.combinations([*kept, result.x], 2))
    spoilt = way(valley, [-1.0, 1.5], jac=True, method=method, callback=spoil, options={"maxiter": 8})
    assert np.array_equal(spoilt.x, result.x)


@every
@pytest.mark.parametrize("length", [1, 3])
def test_a_gradient_of_another_length_is_an_error(way, method, length):
    with pytest.raises(ValueError, match=rf"gradient has shape \({length},\)"):
        way(bowl, [3.0, 2.0], jac=lambda x: np.ones(length), method=method)


@every
def test_tol_is_a_number(way, method):
    with pytest.raises(ValueError, match="tol must be a number, not NaN"):
        way(bowl, [3.0, 2.0], jac=slope, method=method, tol=np.nan)


@every
@pytest.mark.parametrize("dtype", ["O", "g", "G", "e", "U1"])
def test_dtypes_that_are_not_minimized(way, method, dtype):
    called = []
    with pytest.raises(TypeError, match="x0 must be"):
        way(lambda x: called.append(x), np.array([1, 0]).astype(dtype), jac=slope, method=method)
    assert not called


@every
@pytest.mark.parametrize("dtype", ["F", "D"])
def test_a_complex_start_is_minimized_where_fun_is_real(way, method, dtype):
    options = {} if method is barzilai_borwein else {"maxiter": 2000}
    result = way(
        lambda x: float((np.abs(x - 1) ** 2).sum()),
        np.array([3 - 1j, 2j], dtype),
        jac=slope,
        method=method,
        tol=1e-3,
        options=options,
    )
    assert result.success and result.x.dtype == np.dtype(dtype)
    np.testing.assert_allclose(result.x, [1, 1], atol=1e-3)
    with pytest.raises(TypeError, match="fun must return a real number, not .*use .real"):
        way(lambda x: (x * x).sum(), np.array([3 - 1j, 2j], dtype), jac=slope, method=method)


@ours_only
def test_starts_that_scipy_takes_as_they_are_not(method):
    for x0, error, words in [
        (None, TypeError, "None"),
        ([None, 1.0], TypeError, "x0"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), ValueError, "masked"),
        ([np.nan, 1.0], ValueError, r"x0\[0\] is nan"),
    ]:
        with pytest.raises(error, match=words):
            minimize(bowl, x0, jac=slope, method=method)


@every
@pytest.mark.parametrize("dtype", ["f4", ">f4", ">f8", "i4", "?"])
def test_dtypes_that_some_methods_fail_on(way, method, dtype):
    x0 = np.array([1, 0]).astype(dtype)
    bits = x0.tobytes()
    result = way(bowl, x0, jac=slope, method=bounded(method), bounds=[(0, 0.5), (None, None)])
    assert result.success and result.x.dtype == (np.float32 if dtype in ("f4", ">f4") else np.float64)
    np.testing.assert_allclose(result.x, [0.5, 1], atol=1e-4)
    assert x0.tobytes() == bits and result.x.dtype.isnative


@every
def test_the_best_point_is_not_lost(way, method):
    seen = []

    def fun(x):
        seen.append(optimize.rosen(x))
        return seen[-1], optimize.rosen_der(x)

    for maxiter in (1, 2, 7, 30):
        seen.clear()
        result = way(fun, [-1.0, 1.5], jac=True, method=method, options={"maxiter": maxiter})
        assert result.fun == min(seen) == optimize.rosen(result.x) and result.nfev == len(seen)


@every
def test_ctrl_c_loses_nothing(way, method):
    seen = []

    def fun(x):
        if len(seen) == 6:
            raise KeyboardInterrupt
        seen.append(optimize.rosen(x))
        return seen[-1], optimize.rosen_der(x)

    with pytest.raises(numbaopt.OptimizationInterrupted) as caught:
        way(fun, [-1.0, 1.5], jac=True, method=method)
    result = caught.value.result
    assert result.fun == min(seen) == optimize.rosen(result.x) and not result.success


@every
def test_a_failure_of_the_objective_passes_as_it_is(way, method):
    class Mine(Exception):
        pass

    class Fun:
        calls = 0

        def __call__(self, x):
            self.calls += 1
            if self.calls == 6:
                raise Mine("own words")
            return valley(x)

    fun = Fun()
    gone = weakref.ref(fun)
    gc.disable()  # nothing here may hang in a circle
    try:
        with pytest.raises(Mine, match="own words") as caught:
            way(fun, [-1.0, 1.5], jac=True, method=method)
        assert np.isfinite(caught.value.result.fun)
        caught.value.__traceback__ = None
        del fun, caught
        if way is minimize:  # SciPy's MemoizeJac is one
            assert gone() is None
    finally:
        gc.enable()


@every
def test_nothing_given_is_changed(way, method):
    bounds = optimize.Bounds(np.array([2.0, 0.0]), np.array([2.0, 5.0]))
    options, x0, args = {"maxiter": 3}, np.array([9.0, 9.0]), ([1.0],)
    before = copy.deepcopy((vars(bounds), options, x0, args))
    result = way(
        lambda x, a: bowl(x) + a[0],
        x0,
        args,
        jac=lambda x, a: slope(x),
        method=bounded(method),
        bounds=bounds,
        options=options,
    )
    after = vars(bounds), options, x0, args
    assert pickle.dumps(after) == pickle.dumps(before)
    assert result.x.flags.writeable and not np.shares_memory(result.x, x0)
    fixed = way(bowl, x0, jac=slope, method=bounded(method), bounds=optimize.Bounds([3, 4], [3, 4]))
    fixed.x[:] = 0  # also where every variable is fixed
    assert fixed.success and np.array_equal(x0, [9, 9])


@every
def test_after_stop_iteration_nothing_is_called(way, method):
    order = []

    def callback(intermediate_result):
        order.append("callback")
        if order.count("callback") == 3:
            raise StopIteration

    def fun(x):
        order.append("fun")
        return optimize.rosen(x)

    def jac(x):
        order.append("jac")
        return optimize.rosen_der(x)

    result = way(fun, [-1.0, 1.5], jac=jac, method=method, callback=callback)
    assert order[-1] == "callback" and order.count("callback") == 3
    assert (result.success, result.status) == (False, 99) and "StopIteration" in result.message


@every
def test_unknown_options_are_told(way, method):
    if way is minimize:
        with pytest.raises(ValueError, match="no option 'maxitr'.*Did you mean 'maxiter'"):
            way(bowl, [3.0], jac=slope, method=method, options={"maxitr": 1})
        return
    with pytest.warns(optimize.OptimizeWarning, match="Unknown solver options: maxitr") as caught:
        way(bowl, [3.0], jac=slope, method=method, options={"maxitr": 1})
    assert caught[0].filename == __file__


@ours_only
def test_words_for_jac_that_there_are_not(method):
    with pytest.raises(ValueError, match="jac='bogus' is not known"):
        minimize(bowl, [3.0], jac="bogus", method=method)
    with pytest.raises(ValueError, match="did you mean '3-point'"):
        minimize(bowl, [3.0], jac="3point", method=method)


def test_methods_that_there_are_not():
    with pytest.raises(TypeError, match="method is a name or a rule, not 3"):
        minimize(bowl, [3.0], jac=slope, method=3)
    with pytest.raises(ValueError, match="unknown method 'adem'.*Did you mean 'adam'"):
        minimize(bowl, [3.0], jac=slope, method="adem")


@every
@pytest.mark.parametrize("where", [0, 3], ids=["at once", "later"])
def test_nan_is_no_success_and_does_not_poison(way, method, where):
    calls = []

    def fun(x):
        calls.append(1)
        return (np.nan, slope(x)) if len(calls) > where else valley(x)

    result = way(fun, [-1.0, 1.5], jac=True, method=method, options={"maxiter": 50})
    assert not result.success and np.isfinite(result.x).all() and len(calls) < 100
    assert np.isnan(result.fun) if where == 0 else np.isfinite(result.fun)


@every
def test_warnings_are_not_silenced_for_others(way, method):
    """SciPy had filters that raced between threads; here fun's own warnings arrive, each."""

    def fun(x):
        warnings.warn("from fun", UserWarning, stacklevel=1)
        return bowl(x), slope(x)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = way(fun, [3.0], jac=True, method=method, options={"maxiter": 3})
    assert [str(w.message) for w in caught] == ["from fun"] * result.nfev
