"""The objective adapter: every form of jac gives the same numbers, counts exactly, and says what is wrong."""

import decimal
import fractions
import threading

import numpy as np
import pytest
import scipy.optimize

import numbaopt
from tests.objectives.making import make_objective

A = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 4.0]])
X = np.array([0.3, -1.2, 2.0])


def f(x, *args):
    return 0.5 * x @ A @ x + sum(args)


def df(x, *args):
    return A @ x


def both(x, *args):
    return f(x, *args), df(x, *args)


def inplace(x, grad, *args):
    grad[:] = df(x)
    return f(x, *args)


FORMS = {
    "callable": (f, df, 1, 0),
    "True": (both, True, 1, 0),
    "numpy True": (both, np.True_, 1, 0),
    "inplace": (inplace, "inplace", 1, 0),
    "2-point": (f, "2-point", 4, 1e-6),
    "3-point": (f, "3-point", 7, 1e-9),
    "cs": (f, "cs", 4, 1e-13),
    "None": (f, None, 4, 1e-6),
    "False": (f, False, 4, 1e-6),
}


@pytest.fixture(params=FORMS)
def form(request):
    return FORMS[request.param]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("args", [(), (1.5,), (1.5, 2)])
def test_every_form_gives_value_and_gradient(form, dtype, args):
    fun, jac, nfev, rtol = form
    x = X.astype(dtype)
    objective = make_objective(fun, x, args, jac)
    g = np.full(3, np.nan, dtype)
    value = objective(objective.x0, g)
    assert type(value) is float and value == float(f(x, *args))
    if dtype is np.float32:
        rtol = {0: 0, 1e-13: 0}.get(rtol, 5e-3) or 1e-6
    np.testing.assert_allclose(g, A @ x, rtol=rtol)
    assert (objective.nfev, objective.njev) == (nfev, 1)
    objective(objective.x0, g)
    assert (objective.nfev, objective.njev) == (2 * nfev, 2)


def test_a_batch_comes_before_args(form):
    fun, jac, _, rtol = form
    seen = []

    def spy(x, *rest):
        seen.append(rest[-3:])
        return fun(x, *rest)

    objective = make_objective(spy, X, (10.0,), spy_jac(jac, seen), None)
    g = np.empty(3)
    assert objective(X, g, 1.0, 2.0) == pytest.approx(f(X) + 13)
    assert set(seen) == {(1.0, 2.0, 10.0)}
    np.testing.assert_allclose(g, A @ X, rtol=rtol)


def spy_jac(jac, seen):
    if not callable(jac):
        return jac
    return lambda x, *rest: (seen.append(rest[-3:]), jac(x, *rest))[1]


@pytest.mark.parametrize("args", [5.0, [5.0], np.array([5.0]), "5", None])
def test_args_that_are_no_tuple_are_one_argument(args):
    seen = []
    make_objective(lambda x, a: (seen.append(a), (1.0, x))[1], X, args, True)(X, np.empty(3))
    assert seen == [args]


@pytest.mark.parametrize(
    "x0", [np.arange(6.0).reshape(2, 3), {"a": np.ones((2, 2)), "b": 3.0}, [np.ones(2), (np.ones((1, 3)),)]]
)
def test_structures_reach_fun_and_come_back(form, x0):
    _, jac, nfev, rtol = form
    objective = make_objective(*structured(x0, jac))
    g = np.empty_like(objective.x0)
    assert objective(objective.x0, g) == pytest.approx(0.5 * (objective.x0**2).sum())
    np.testing.assert_allclose(g, objective.x0, rtol=max(rtol, 1e-15) * 10, atol=1e-7)
    assert str(objective.restore(objective.x0)) == str(make_objective(f, x0).restore(objective.x0))
    assert objective.nfev == 1 + (nfev - 1) // 3 * objective.x0.size


def walk(tree, function):
    if isinstance(tree, dict):
        return {key: walk(child, function) for key, child in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(walk(child, function) for child in tree)
    return function(tree)


def structured(x0, jac):
    """Half the sum of squares of a structure, in the form that `jac` asks for."""

    def value(x):
        parts = []
        walk(x, lambda leaf: parts.append((leaf * leaf).sum()))
        return 0.5 * sum(parts)

    def slope(x):
        return walk(x, lambda leaf: leaf * 1.0)

    def fill(x, grad):
        flat = []
        walk(grad, flat.append)
        walk(x, lambda leaf: np.copyto(flat.pop(0), leaf))
        return value(x)

    if jac is True or isinstance(jac, np.bool_):
        return lambda x: (value(x), slope(x)), x0, (), jac
    return (fill if jac == "inplace" else value), x0, (), (slope if callable(jac) else jac)


@pytest.mark.parametrize("scalar", [3, 3.0, np.float32(3), np.array(3.0), [3.0]])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_a_scalar_start_is_one_entry_as_in_scipy(scalar, shape):
    def fun(x):
        assert x.shape == (1,)
        return x[0] ** 2, np.reshape(2 * x, shape)

    objective = make_objective(fun, scalar, (), True)
    g = np.empty_like(objective.x0)
    assert objective(objective.x0, g) == 9 and g.tolist() == [6]
    assert objective.restore(objective.x0).shape == (1,)


def test_fun_may_keep_and_overwrite_x(form):
    fun, jac, _, rtol = form
    kept = []

    def greedy(x, *rest):
        result = fun(x.copy(), *rest)
        x[:] = 77
        kept.append(x)
        return result

    def greedy_jac(x):
        x[:], g = 78, df(x)
        return g

    objective = make_objective(greedy, X, (), greedy_jac if callable(jac) else jac)
    x, g = objective.x0.copy(), np.empty(3)
    for _ in range(2):
        objective(x, g)
        np.testing.assert_array_equal(x, X)
        np.testing.assert_allclose(g, A @ X, rtol=rtol)
    if jac != "inplace":
        assert len({id(x) for x in kept}) == objective.nfev


def test_a_gradient_that_fun_reuses_is_copied():
    buffer = np.empty(3)

    def fun(x):
        buffer[:] = x
        return 1.0, buffer

    objective = make_objective(fun, X, (), True)
    g1, g2 = np.empty(3), np.empty(3)
    objective(X, g1)
    objective(2 * X, g2)
    np.testing.assert_array_equal(g2, 2 * g1)


def test_inplace_hands_over_the_same_arrays_each_time():
    seen = set()

    def fun(p, grad):
        seen.add((p["w"].ctypes.data, grad["w"].ctypes.data, id(p)))
        grad["w"][:] = p["w"]
        return 1.0

    objective = make_objective(fun, {"w": np.ones((2, 2))}, (), "inplace")
    g = np.empty(4)
    for k in range(3):
        objective(np.full(4, float(k)), g)
        assert g.tolist() == [k] * 4
    assert len(seen) == 1


def rebind(x, grad):
    grad = 2 * x
    return grad @ x


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("body", "left"),
    [
        (lambda x, g: 1.0, 3),
        (rebind, 3),
        (lambda x, g: g.__setitem__(1, 0.0) or 1.0, 2),
        (lambda x, g: g.__iadd__(x) is None or 1.0, 3),
    ],
)
def test_inplace_notices_what_is_not_filled(body, left, dtype):
    objective = make_objective(body, X.astype(dtype), (), "inplace")
    with pytest.raises(ValueError, match=rf"left {left} of 3 entries, .*grad\[:\] = "):
        objective(objective.x0, np.full(3, np.nan, dtype))


def test_inplace_may_fill_nan_or_give_up_with_inf():
    objective = make_objective(lambda x, g: g.fill(np.nan) or 1.0, X, (), "inplace")
    assert objective(X, np.empty(3)) == 1.0
    assert make_objective(lambda x, g: np.inf, X, (), "inplace")(X, np.empty(3)) == np.inf


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("jac", [True, None])
def test_what_is_not_finite_is_passed_on(bad, jac):
    objective = make_objective(lambda x: (bad, x + bad) if jac else bad, X, (), jac)
    g = np.zeros(3)
    np.testing.assert_equal(objective(X, g), float(bad))
    assert not np.isfinite(g).any() and objective.nfev == 1


@pytest.mark.parametrize(
    "value",
    [2, True, np.float32(2), np.int64(2), np.array(2.0), np.array([2.0]), np.array([[2]]), [2.0],
     fractions.Fraction(2), decimal.Decimal(2), np.float16(2), np.array(2, ">f4"), np.array(2, object)],
    ids=repr,
)  # fmt: skip
def test_what_is_a_number(value):
    result = make_objective(lambda x: (value, x), X, (), True)(X, np.empty(3))
    assert type(result) is float and result == float(np.asarray(value).item())


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (None, TypeError, "not None; does it end without a return"),
        ("2", TypeError, "a real number, not '2'"),
        (2 + 0j, TypeError, r"a real number, not \(2\+0j\)"),
        (np.array([1.0, 2.0]), ValueError, r"not an array of shape \(2,\)"),
        (np.array([]), ValueError, r"not an array of shape \(0,\)"),
        ([[1], [1, 2]], ValueError, "a real number"),
        ((1.0, X), TypeError, "not 2 things; to return .* pass jac=True"),
        ({}, TypeError, "a real number, not {}"),
        (lambda: 1, TypeError, "function"),
    ],
)
@pytest.mark.parametrize("jac", ["inplace", df, None])
def test_what_is_no_number(value, error, text, jac):
    def fun(x, *grad):
        for g in grad:
            g[:] = 0
        return value

    objective, g = make_objective(fun, X, (), jac), np.full(3, 7.0)
    with pytest.raises(error, match=f"fun must return .*{text}"):
        objective(X, g)
    assert jac == "inplace" or (g == 7).all()


@pytest.mark.parametrize(
    "grad",
    [
        [1, 2, 3], (1.0, 2.0, 3.0), np.array([1, 2, 3]), np.array([1, 2, 3], ">f8"),
        np.array([1, 2, 3], "f4"), np.array([1, 2, 3], "f8"),
        np.arange(1, 7.0)[::2] // 2 + 1, np.ma.array([1.0, 2.0, 3.0]), np.array([1, 2, 3], np.uint8),
        np.broadcast_to(np.array([1.0, 2, 3]), (3,)), memoryview(np.array([1.0, 2.0, 3.0])),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_a_gradient(grad, dtype):
    for jac, fun in ((True, lambda x: (1.0, grad)), (lambda x: grad, lambda x: 1.0)):
        g = np.empty(3, dtype)
        make_objective(fun, X.astype(dtype), (), jac)(X.astype(dtype), g)
        assert g.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("grad", "error", "text"),
    [
        (np.ones(2), ValueError, r"the gradient has shape \(2,\), but its parameter has shape \(3,\)\."),
        (np.ones((3, 1)), ValueError, r"shape \(3, 1\), .* \.reshape\(\(3,\)\) may be all"),
        (np.ones(1), ValueError, r"shape \(1,\)"),
        (1.0, ValueError, r"shape \(\)"),
        (np.ones(3, complex), TypeError, "must be real, not complex128"),
        (None, TypeError, "real numbers, not None"),
        ("abc", TypeError, "real numbers, not 'abc'"),
        (np.array([1, None, 2]), TypeError, "real numbers"),
        ([1.0, [2.0], 3.0], ValueError, "not an array"),
        (np.ones(3, np.longdouble), TypeError, "float32 or float64"),
        (np.ma.array([1.0, 2.0, 3.0], mask=[0, 0, 1]), ValueError, "masked"),
    ],
    ids=repr,
)
def test_what_is_no_gradient(grad, error, text):
    if getattr(grad, "dtype", None) == np.longdouble and np.dtype(np.longdouble).itemsize == 8:
        pytest.skip("longdouble is float64 here")
    for jac, fun in ((True, lambda x: (1.0, grad)), (lambda x: grad, lambda x: 1.0)):
        g = np.full(3, 7.0)
        with pytest.raises(error, match=text):
            make_objective(fun, X, (), jac)(X, g)
        assert (g == 7).all()


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_a_matrix_is_no_gradient_of_a_vector():
    with pytest.raises(ValueError, match=r"shape \(1, 3\), .*reshape"):
        make_objective(lambda x: (1.0, np.asmatrix(x)), X, (), True)(X, np.empty(3))


@pytest.mark.parametrize("returned", [1.0, None, (1.0,), (1.0, X, X), "f"])
def test_jac_true_wants_two_things(returned):
    with pytest.raises(TypeError, match=r"jac=True: fun must return \(f, gradient\), not"):
        make_objective(lambda x: returned, X, (), True)(X, np.empty(3))


def test_cs_wants_a_complex_value():
    with pytest.raises(TypeError, match="a complex number where x is complex"):
        make_objective(lambda x: float(abs(x).sum()), X, (), "cs")(X, np.empty(3))


@pytest.mark.parametrize(
    ("jac", "text"),
    [
        ("bogus", "jac='bogus' is not known. It is a function, True"),
        ("2point", "did you mean '2-point'"),
        ("in-place", "did you mean 'inplace'"),
        (1, "jac=1 is not known"),
        (np.ones(3), "is not known"),
        ([], "is not known"),
    ],
)
def test_an_unknown_jac(jac, text):
    with pytest.raises(ValueError, match=text):
        make_objective(f, X, (), jac)


@pytest.mark.parametrize("fun", [None, 3.0, "f", np.ones(2)])
def test_fun_must_be_callable(fun):
    with pytest.raises(TypeError, match="fun must be callable, not"):
        make_objective(fun, X)


@pytest.mark.parametrize("step", [1e-4, [1e-4, 1e-5, 1e-6]])
def test_the_relative_step_is_scipys(step):
    objective, g = make_objective(f, X, (), "3-point", None, step), np.empty(3)
    objective(X, g)
    oracle = scipy.optimize._numdiff.approx_derivative(f, X, "3-point", rel_step=step)
    np.testing.assert_array_equal(g, oracle)


@pytest.mark.parametrize("step", ["a", [1, 2], {}, 10**400, [None, 1, 2], [1j, 1, 1], [None, np.complex64(1), 1]])
def test_a_relative_step_that_cannot_be(step):
    with pytest.raises(ValueError, match="finite_diff_rel_step must be a number or 3 numbers"):
        make_objective(f, X, rel_step=step)


def test_differences_keep_inside_bounds():
    seen = []
    lower, upper = X.copy(), X + [0, 1e-9, np.inf]
    objective = make_objective(lambda x: (seen.append(x), f(x))[1], X, bounds=(lower, upper))
    g = np.empty(3)
    objective(X, g)
    assert all(((lower <= x) & (x <= upper)).all() for x in seen)
    assert g[0] == 0 and objective.nfev == 3  # the first variable is fixed


def test_differences_of_a_function_that_computes_in_float32():
    objective, g = make_objective(lambda x: np.float32(f(x.astype("f4"))), X), np.empty(3)
    objective(X, g)
    np.testing.assert_allclose(g, A @ X, rtol=5e-3)


def test_scipys_memoized_pair_is_one_call():
    """A custom method gets MemoizeJac from SciPy where the user said jac=True."""
    calls = []

    def fun(x, shift):
        calls.append(x)
        return both(x, shift)

    result = scipy.optimize.minimize(
        fun, X, args=(2.0,), jac=True, method=numbaopt.sgd, options={"maxiter": 1, "lr": 0.1}
    )
    assert len(calls) == result.nfev == result.njev == 2
    assert result.x.tolist() == (X - 0.1 * (A @ X)).tolist() and result.fun == f(result.x, 2.0)


def test_an_object_with_value_and_derivative_is_one_call_too():
    """As anything like MemoizeJac: jac is asked at the x of fun."""

    class Memo:
        count, x = 0, None

        def __call__(self, x):
            self.at(x)
            return self.f

        def derivative(self, x):
            self.at(x)
            return self.g

        def at(self, x):
            if self.x is None or not np.array_equal(x, self.x):
                self.x, self.count = x.copy(), self.count + 1
                self.f, self.g = both(x)

    memo = Memo()
    objective, g = make_objective(memo, X, (), memo.derivative), np.empty(3)
    for k in range(1, 4):
        assert objective(k * X, g) == f(k * X)
        assert memo.count == k and (g == A @ (k * X)).all()


def test_an_exception_passes_through_and_writes_nothing(form):
    fun, jac, _, _ = form

    def fails(x, *rest):
        raise KeyError("mine")

    g = np.full(3, 7.0)
    with pytest.raises(KeyError, match="mine"):
        make_objective(fails, X, (), jac)(X, g)
    assert jac == "inplace" or (g == 7).all()


def test_objectives_are_independent_of_each_other():
    """The same function minimized in several threads, each with its own adapter."""
    wrong = []

    def work(k):
        objective, g = make_objective(inplace, X * k, (), "inplace"), np.empty(3)
        for _ in range(300):
            if objective(objective.x0, g) != f(X * k) or (g != A @ (X * k)).any():
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_python_function_has_no_compiled_form():
    assert make_objective(f, X, (), df).compiled() is None
