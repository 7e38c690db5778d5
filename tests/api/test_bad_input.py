"""What cannot be: an error before anything is evaluated or written, or a result that says what happened."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from numba import config, njit
from scipy import optimize

import numbaopt
from numbaopt import minimize


def bowl(x):
    return float(x @ x), 2 * x


def refused(error, words, fun=bowl, x0=(1.0, 2.0), **kwargs):
    """Assert that minimize raises, with these words, before it evaluates or writes anything."""
    calls = []

    def watched(*args):
        calls.append(args)
        return fun(*args)

    before = x0.copy() if isinstance(x0, np.ndarray) else x0
    with pytest.raises(error) as caught:
        minimize(watched if fun is bowl else fun, x0, **{"jac": True} | kwargs)
    assert not calls
    assert not isinstance(x0, np.ndarray) or np.array_equal(x0, before, equal_nan=x0.dtype.kind in "fc")
    text = str(caught.value)
    for word in words:
        assert word in text, text


@pytest.mark.parametrize(
    "x0, error, words",
    [
        ([], ValueError, ["x0", "empty"]),
        ({}, ValueError, ["x0", "empty"]),
        (np.zeros((0, 3)), ValueError, ["x0", "empty"]),
        (np.array([1.0, np.nan]), ValueError, ["x0[1]", "nan", "finite"]),
        ({"w": np.array([[1.0, np.inf]])}, ValueError, ["x0['w'][0, 1]", "inf"]),
        (np.array([1j], np.clongdouble), TypeError, ["x0", "complex"]),
        (np.array([None, 1.0]), TypeError, ["x0", "real numbers"]),
        (np.array(["1", "2"]), TypeError, ["x0", "real numbers"]),
        ("adam", TypeError, ["x0", "adam"]),
        (None, TypeError, ["x0", "None"]),
        (np.zeros(2, "f2"), TypeError, ["float16", "astype"]),
        (np.zeros(2, np.longdouble), TypeError, ["float32 or float64", "astype"]),
        (np.ma.masked_array([1.0, 2.0], [True, False]), ValueError, ["masked"]),
        ([[1.0, 2.0], [3.0]], ValueError, ["x0"]),
    ],
    ids=repr,
)
def test_x0(x0, error, words):
    refused(error, words, x0=x0)


@pytest.mark.parametrize(
    "value, words",
    [
        (None, ["None", "return"]),
        ("1.0", ["fun", "real number", "1.0"]),
        (1j, ["fun", "real number", "1j"]),
        (np.ones(2), ["fun", "number", "(2,)"]),
        ([1.0, 2.0], ["fun", "number"]),
        ([], ["fun", "number"]),
        (object(), ["fun", "real number"]),
        ((1.0, np.ones(2)), ["number", "jac=True"]),
    ],
    ids=repr,
)
def test_what_fun_returns(value, words):
    x0 = np.array([1.0, 2.0])
    for jac in (lambda x: 2 * x, "inplace", None):
        with pytest.raises((TypeError, ValueError)) as caught:
            minimize(lambda *args: value, x0, jac=jac)
        for word in words:
            assert word in str(caught.value)
    np.testing.assert_array_equal(x0, [1, 2])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, np.array([[np.nan]])])
@pytest.mark.parametrize("jac", [lambda x: 2 * x, "2-point"], ids=["jac", "2-point"])
def test_fun_that_is_not_finite(value, jac):
    result = minimize(lambda x: value, [1.0, 2.0], jac=jac)
    assert (result.success, result.status, result.nit, result.nfev) == (False, 3, 0, 1)
    assert "objective is" in result.message and str(float(np.squeeze(value))) in result.message
    np.testing.assert_array_equal(result.x, [1, 2])
    assert result.fun == np.squeeze(value) or np.isnan(result.fun)


@pytest.mark.parametrize(
    "gradient, words",
    [
        (np.ones(3), ["gradient", "(3,)", "(2,)"]),
        (np.ones(1), ["gradient", "(1,)"]),
        (1.0, ["gradient", "()"]),
        (np.ones((2, 1)), ["gradient", "(2, 1)", "reshape"]),
        (np.ones((1, 2)), ["gradient", "(1, 2)"]),
        (np.asmatrix(np.ones(2)), ["gradient", "(1, 2)"]),
        (np.ones(2, complex), ["gradient", "complex"]),
        (np.array(["1", "2"]), ["gradient", "real numbers"]),
        (np.array([1, None]), ["gradient", "real numbers"]),
        (None, ["gradient", "None"]),
        ({"w": 1}, ["gradient"]),
        ([1.0, [2.0]], ["gradient"]),
    ],
    ids=repr,
)
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_gradients_that_cannot_be(gradient, words):
    x0 = np.array([1.0, 2.0])
    for fun, jac in ((lambda x: 1.0, lambda x: gradient), (lambda x: (1.0, gradient), True)):
        with pytest.raises((TypeError, ValueError)) as caught:
            minimize(fun, x0, jac=jac)
        for word in words:
            assert word in str(caught.value)
    np.testing.assert_array_equal(x0, [1, 2])


def read_only(g):
    g.flags.writeable = False
    return g


@pytest.mark.parametrize(
    "form",
    [
        lambda g: np.repeat(g, 2)[::2],
        lambda g: g[::-1].copy()[::-1],
        read_only,
        lambda g: g.astype(">f8"),
        lambda g: g.astype("f4").astype(float).tolist(),
        lambda g: tuple(g),
        lambda g: g.astype(np.longdouble),
        lambda g: g.astype(object).astype(float),
    ],
    ids=["strided", "backwards", "read-only", "big-endian", "list", "tuple", "longdouble", "float"],
)
def test_gradients_that_need_converting(form):
    x0 = np.array([1.0, 2.0])
    expected = minimize(lambda x: (float(x @ x), 2 * x), x0, jac=True, options={"maxiter": 3, "lr": 0.5})
    fun = lambda x: (float(x @ x), form(2 * x))  # noqa: E731
    try:
        result = minimize(fun, x0, jac=True, options={"maxiter": 3, "lr": 0.5})
    except TypeError as error:  # longdouble: an error is as good
        assert "longdouble" in str(error) or "float128" in str(error)
    else:
        np.testing.assert_allclose(result.x, expected.x, rtol=1e-6)


def test_gradient_that_is_nan():
    result = minimize(lambda x: (1.0, np.array([1.0, np.nan])), [1.0, 2.0], jac=True)
    assert (result.success, result.status, result.nit) == (False, 3, 0)
    assert "gradient's entry 1 is nan" in result.message


def test_compiled_gradient_of_wrong_length():
    fun = njit(lambda x: (x[0], np.ones(x.size + 1)))
    with pytest.raises(ValueError, match="shape"):
        minimize(fun, [1.0, 2.0], jac=True)


@pytest.mark.parametrize("jac", ["bogus", "2point", "in-place", 3, [1.0]])
def test_forms_of_jac(jac):
    refused(ValueError, ["jac=", "'inplace'", "'2-point'"], jac=jac)


@pytest.mark.parametrize("fun", [None, 3, "rosen"])
def test_fun_that_is_no_function(fun):
    refused(TypeError, ["fun must be callable"], fun=fun)


@pytest.mark.parametrize("callback", [3, "print", [print]])
def test_callback_that_is_no_function(callback):
    refused(TypeError, ["callback"], callback=callback)


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"lr": -1.0}, ValueError, ["adam", "lr", "-1.0"]),
        ({"lr": np.nan}, ValueError, ["lr", "nan"]),
        ({"lr": np.inf}, ValueError, ["lr", "inf"]),
        ({"b1": 1.0}, ValueError, ["b1", "[0, 1)", "1.0"]),
        ({"b2": -0.1}, ValueError, ["b2"]),
        ({"eps": -1e-8}, ValueError, ["eps"]),
        ({"lr": "0.1"}, TypeError, ["lr", "real number", "str"]),
        ({"lr": None}, TypeError, ["lr", "real number", "NoneType"]),
        ({"lr": [0.1]}, TypeError, ["lr", "list"]),
        ({"lr": 1j}, TypeError, ["lr", "complex"]),
        ({"beta1": 0.9}, ValueError, ["adam has no option 'beta1'", "lr, b1, b2, eps", "Did you mean 'b1'?"]),
        ({"max_iter": 9}, ValueError, ["'max_iter'", "Did you mean 'maxiter'?", "gtol"]),
        ({"momentum": 9}, ValueError, ["adam has no option 'momentum'"]),
        ({3: 9}, ValueError, ["no option 3"]),
        ({"maxiter": np.nan}, ValueError, ["maxiter", "NaN"]),
        ({"maxiter": "many"}, TypeError, ["maxiter", "number", "many"]),
        ({"maxiter": True}, TypeError, ["maxiter", "number", "True"]),
        ({"maxfev": np.nan}, ValueError, ["maxfev", "NaN"]),
        ({"maxtime": "1s"}, TypeError, ["maxtime", "1s"]),
        ({"gtol": np.nan}, ValueError, ["gtol", "NaN"]),
        ({"ftol": [1]}, TypeError, ["ftol"]),
        ({"return": "worst"}, ValueError, ["return", "best", "worst"]),
        ({"finite_diff_rel_step": [1e-8] * 3}, ValueError, ["finite_diff_rel_step"]),
        ("lr=1", TypeError, ["options", "mapping", "lr=1"]),
        ([("lr", 1)], TypeError, ["options", "mapping"]),
    ],
    ids=repr,
)
def test_options(options, error, words):
    refused(error, words, options=options)


def test_tol():
    refused(ValueError, ["tol", "NaN"], tol=np.nan)
    refused(TypeError, ["tol", "tight"], tol="tight")


@pytest.mark.parametrize(
    "keywords, error, words",
    [
        ({"lr": -1.0}, ValueError, ["lr"]),
        ({"beta1": 0.9}, TypeError, ["adam has no hyperparameter 'beta1'", "lr, b1, b2, eps"]),
    ],
    ids=repr,
)
def test_hyperparameters_of_a_rule(keywords, error, words):
    with pytest.raises(error) as caught:
        numbaopt.adam(**keywords)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    "method, error, words",
    [
        ("adma", ValueError, ["adma", "adam", "sgd", "Did you mean 'adam'?", "bfgs"]),
        ("LBFGS-B", ValueError, ["Did you mean 'l-bfgs-b'?"]),
        ("", ValueError, ["unknown method ''"]),
        (3, TypeError, ["method", "3"]),
    ],
    ids=repr,
)
def test_methods(method, error, words):
    refused(error, words, method=method)


@pytest.mark.parametrize(
    "bounds, error, words",
    [
        ([(0, 1), (3, 2)], ValueError, ["upper bound is less", "bounds[1] is (3.0, 2.0)"]),
        ([(0, 1)] * 3, ValueError, ["number of bounds", "3 lower", "2 entries"]),
        (optimize.Bounds([0, 0, 0], [1, 1, 1]), ValueError, ["number of bounds"]),
        (optimize.Bounds([3, 0], [1, 1]), ValueError, ["upper bound is less", "bounds[0]"]),
        ([(0, np.nan), (0, 1)], ValueError, ["bounds[0]", "nan"]),
        ([(np.nan, 1), (0, 1)], ValueError, ["bounds[0]", "nan"]),
        ([(np.inf, np.inf), (0, 1)], ValueError, ["bounds[0]", "inf"]),
        ([(0, -np.inf), (0, 1)], ValueError, ["bounds[0]", "-inf"]),
        ([(0, 1, 2), (0, 1, 2)], ValueError, ["sequence of (lower, upper)"]),
        ([0, 1, 2], ValueError, ["sequence of (lower, upper)"]),
        ([], ValueError, ["bounds"]),
        (7, ValueError, ["sequence of (lower, upper)", "7"]),
        ([("a", "b"), (0, 1)], TypeError, ["bounds", "numbers"]),
        ([(1j, 2), (0, 1)], TypeError, ["bounds", "numbers"]),
    ],
    ids=repr,
)
def test_bounds(bounds, error, words):
    refused(error, words, bounds=bounds)


@pytest.mark.parametrize(
    "constraints",
    [
        {"type": "eq", "fun": lambda x: x[0]},
        [{"type": "ineq", "fun": lambda x: x[0]}],
        optimize.LinearConstraint([[1, 1]], 0, 1),
        "constraints",
    ],
    ids=["dict", "list", "LinearConstraint", "text"],
)
def test_constraints(constraints):
    refused(ValueError, ["adam", "constraints", "SLSQP"], constraints=constraints)
    with pytest.raises(ValueError, match="constraints"):
        optimize.minimize(bowl, [1.0], jac=True, method=numbaopt.adam, constraints=constraints)


@pytest.mark.parametrize("constraints", [(), [], {}, None])
def test_no_constraints(constraints):
    assert minimize(bowl, [1.0], jac=True, constraints=constraints, options={"maxiter": 1}).nit == 1


X, y = np.ones((10, 2)), np.ones(10)


@pytest.mark.parametrize(
    "feed, error, words",
    [
        ({"data": (X, y[:9])}, ValueError, ["rows", "data[0] has 10, data[1] has 9"]),
        ({"data": (X[:0], y[:0])}, ValueError, ["data", "empty"]),
        ({"data": ()}, ValueError, ["data", "empty"]),
        ({"data": (X, y), "batch_size": 0}, ValueError, ["batch_size", "0"]),
        ({"data": (X, y), "batch_size": -1}, ValueError, ["batch_size", "-1"]),
        ({"data": (X, y), "batch_size": 11}, ValueError, ["batch_size=11", "10 rows"]),
        ({"data": (X, y), "batch_size": 2.5}, TypeError, ["batch_size", "2.5"]),
        ({"data": (X, y), "epochs": 0}, ValueError, ["epochs", "0"]),
        ({"data": (X, y), "epochs": 1.5}, TypeError, ["epochs", "1.5"]),
        ({"data": (X, y), "seed": "x"}, TypeError, ["seed"]),
        ({"data": (X, y), "shuffle": "yes"}, TypeError, ["shuffle"]),
        ({"data": (X, 3.0)}, (TypeError, ValueError), ["data[1]"]),
        ({"data": 3.0}, TypeError, ["data"]),
        ({"data": {"X": X}}, TypeError, ["data"]),
        ({"epochs": 3}, ValueError, ["epochs", "without data"]),
        ({"batch_size": 3}, ValueError, ["batch_size", "without data"]),
        ({"seed": 3}, ValueError, ["seed", "without data"]),
        ({"shuffle": False}, ValueError, ["shuffle", "without data"]),
        ({"drop_last": True}, ValueError, ["drop_last", "without data"]),
        ({"data": (X, y), "tol": 1e-3}, ValueError, ["tol has no meaning with data", "epochs"]),
        ({"data": (X, y), "options": {"gtol": 1e-3}}, ValueError, ["gtol has no meaning with data"]),
        ({"data": (X, y), "options": {"ftol": 1e-3}}, ValueError, ["ftol has no meaning with data"]),
        ({"data": (X, y), "options": {"return": "best"}}, ValueError, ["return has no meaning with data"]),
        ({"data": (X, y), "method": "BFGS"}, ValueError, ["data", "BFGS", "no minibatches"]),
        ({"epochs": 3, "method": "BFGS"}, ValueError, ["epochs", "BFGS"]),
    ],
    ids=repr,
)
def test_minibatches(feed, error, words):
    refused(error, words, **feed)


def test_scipys_errors_are_scipys():
    with pytest.raises(ValueError, match="upper bound is less"):
        minimize(bowl, [1.0], jac=True, method="L-BFGS-B", bounds=[(2, 1)])


# The machine: what is odd about the process, not about the problem.

SCRIPT = textwrap.dedent(
    """
    import numpy as np
    from numba import config, njit
    from numbaopt import minimize

    @njit
    def fun(x, grad):
        grad[:] = 2 * x
        return (x**2).sum()

    result = minimize(fun, np.ones(3), jac="inplace", options={"lr": 0.1})
    assert result.success, result
    print(result.nit)
    """
)


def run(code, **environ):
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | {"NUMBA_NUM_THREADS": "2"} | environ,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.mark.slow
@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")
def test_damaged_cache_files_are_compiled_again(tmp_path):
    first = run(SCRIPT, NUMBA_CACHE_DIR=str(tmp_path))
    files = [path for path in tmp_path.rglob("*.nb?") if path.is_file()]
    assert files
    for k, path in enumerate(sorted(files)):
        path.write_bytes(path.read_bytes()[: [0, 10, 200][k % 3]])
    assert run(SCRIPT, NUMBA_CACHE_DIR=str(tmp_path)) == first


@pytest.mark.slow
def test_no_place_for_a_cache(tmp_path):
    occupied = tmp_path / "file"
    occupied.write_text("no directory")
    home = {"HOME": str(occupied), "XDG_CACHE_HOME": str(occupied)}
    assert run(SCRIPT, NUMBA_CACHE_DIR=str(occupied / "below"), **home)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_child():
    code = SCRIPT + textwrap.dedent(
        """
        import os, warnings
        warnings.simplefilter("ignore")  # Python's own, about forking with threads
        many = np.ones(200_000)
        large = lambda: minimize(lambda x: ((x**2).sum(), 2 * x), many, jac=True, options={"maxiter": 3})
        here = large().x  # on several threads
        child = os.fork()
        if not child:
            os._exit(0 if np.array_equal(large().x, here) else 1)
        assert os.waitpid(child, 0)[1] == 0
        print("the same")
        """
    )
    assert "the same" in run(code)
