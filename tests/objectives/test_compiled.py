"""The compiled form of a jitted objective against the plain one: the same bits, as many evaluations; or None."""

import gc
import weakref
from collections import namedtuple

import numba
import numpy as np
import pytest
from numba import njit, types
from numba.core.runtime import _nrt_python, rtsys

from numbaopt.backends.pointers import TABLE
from numbaopt.data.batches import Batches
from numbaopt.objectives.compiled import _compile
from tests.objectives.making import make_objective

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")

rng = np.random.default_rng(0)
X, Y = rng.standard_normal((20, 3)), rng.standard_normal(20)
W = rng.standard_normal(3)


@njit
def both(w, X, y, c):
    r = X @ w - y
    return c * 0.5 * np.sum(r * r), c * (X.T @ r)


@njit
def value(w, X, y, c):
    r = X @ w - y
    return c * 0.5 * np.sum(r * r)


@njit
def slope(w, X, y, c):
    return c * (X.T @ (X @ w - y))


@njit
def inplace(w, grad, X, y, c):
    f, g = both(w, X, y, c)
    grad[:] = g
    return f


def compare(objective, *batch, calls=2):
    """Call the plain and the compiled form; require equal bits and an x that nobody wrote."""
    compiled = objective.compiled()
    x = objective.x0.copy()
    for _ in range(calls):
        g1, g2 = np.full_like(x, np.nan), np.full_like(x, np.nan)
        f1, f2 = objective(x, g1, *batch), compiled.function(x, g2, compiled.args)
        assert f1 == f2 and type(f2) is float
        np.testing.assert_array_equal(g1, g2)
        np.testing.assert_array_equal(x, objective.x0)
        x = objective.x0 = x * 0.5
    return compiled


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("fun", "jac"), [(both, True), (value, slope), (inplace, "inplace")])
def test_the_forms_of_jac(fun, jac, dtype):
    args = (X.astype(dtype), Y.astype(dtype), dtype(1.5))
    compiled = compare(make_objective(fun, W.astype(dtype), args, jac))
    real = numba.from_dtype(np.dtype(dtype))
    assert compiled.function.nopython_signatures == [types.float64(real[::1], real[::1], TABLE)]


@njit
def echo(x, a):
    return a * 1.0, x


@njit
def echo_array(x, a):
    return a.sum() * 1.0, x


@njit
def echo_tuple(x, a):
    return a[0][1].sum() + a[1], x


@pytest.mark.slow
@pytest.mark.parametrize(
    "arg",
    [2, 2.5, True, np.float32(0.1), np.int8(-3), np.uint64(2**63 + 1), np.bool_(False), -(2**40)],
    ids=repr,
)
def test_numbers_as_args(arg):
    compare(make_objective(echo, W, (arg,), True))


@pytest.mark.parametrize(
    ("dtype", "shape"), [("i1", (3,)), ("u2", (2, 3)), ("f4", (2, 3, 4)), ("f8", (0,)), ("?", (2, 0))]
)
def test_arrays_as_args(dtype, shape):
    a = rng.integers(0, 9, shape).astype(dtype)
    compare(make_objective(echo_array, W, (a,), True))
    a.flags.writeable = False
    compare(make_objective(echo_array, W, (a,), True))


def test_tuples_as_args():
    compare(make_objective(echo_tuple, W, (((1, np.arange(3.0)), 2.0),), True))


def test_args_are_read_at_each_call_and_kept_alive():
    a = np.arange(3.0)
    objective = make_objective(echo_array, W, (a,), True)
    compiled, g = objective.compiled(), np.empty(3)
    assert compiled.function(W, g, compiled.args) == 3
    a[:] = 5
    del objective, a
    gc.collect()
    assert compiled.function(W, g, compiled.args) == 15


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    "arg",
    [
        "text",
        None,
        X.T,
        X[:, ::2],
        X.astype(">f8"),
        {"a": 1},
        [1.0],
        np.array(1.0),
        Pair(1.0, 2.0),
        (1.0, "a"),
        np.ones(2, "f4,f8"),
        X.astype(object),
        2**70,
        value,
    ],
    ids=lambda arg: type(arg).__name__,
)
def test_other_args_are_for_the_plain_driver(arg):
    assert make_objective(echo, W, (arg,), True).compiled() is None


def test_what_is_not_jitted_is_for_the_plain_driver():
    assert make_objective(value.py_func, W, (X, Y, 1.0), None).compiled() is None
    assert make_objective(value, W, (X, Y, 1.0), slope.py_func).compiled() is None
    assert make_objective(value.py_func, W, (X, Y, 1.0), slope).compiled() is None


@njit
def network(p, X, y, scale):
    w, (b, c) = p
    r = X @ w + b + c - y
    g = X.T @ r
    return scale * 0.5 * np.sum(r * r), (scale * g, (scale * r.sum(0), scale * r.sum()))


@njit
def network_inplace(p, grad, X, y, scale):
    f, g = network(p, X, y, scale)
    grad[0][:] = g[0]
    grad[1][0][:] = g[1][0]
    grad[1][1][()] = g[1][1]
    return f


@njit
def matrix(w, X, y):
    r = X @ w - y
    return 0.5 * np.sum(r * r), X.T @ r


@pytest.mark.slow
@pytest.mark.parametrize(("fun", "jac"), [(network, True), (network_inplace, "inplace")])
def test_tuples_of_arrays(fun, jac):
    start = (rng.standard_normal((3, 2)), (np.zeros(2), 0.5))
    compare(make_objective(fun, start, (X, rng.standard_normal((20, 2)), 2.0), jac))


@pytest.mark.slow
def test_a_matrix_of_parameters():
    compare(make_objective(matrix, np.ones((3, 2)), (X, rng.standard_normal((20, 2))), True))


@njit
def of_dict(p):
    return 1.0, p


@pytest.mark.parametrize("x0", [{"w": np.ones(2)}, [np.ones(2), np.ones(2)], Pair(np.ones(2), np.ones(2))])
def test_other_structures_are_for_the_plain_driver(x0):
    assert make_objective(of_dict, x0, (), True).compiled() is None


@njit
def overwrites(x, grad):
    x *= 2
    grad[:] = x
    return x[0]


@njit
def overwrites_value(x):
    x *= 2
    return x[0]


@njit
def returns_x(x):
    return x[0], x


@njit("float64(float64[:], float64[:])")
def eager(x, grad):
    for i in range(x.size):  # an array at once takes seconds to compile
        grad[i] = x[i]
    return x[0]


@njit
def with_default(x, c=2.0):
    return c * x[0], c * x


@njit
def numbers(x):
    return x[0] + 1, (x[1], 2.0, x[0])


@njit
def integers(x):
    return 3, np.arange(3)


@njit
def single(x):
    return np.float32(0.1), x.astype(np.float32)


@njit
def strided(x):
    return 1.0, np.repeat(x, 2)[::2]


@njit
def many(x, *rest):
    return x[0] + rest[0], x * rest[1]


@pytest.mark.parametrize(
    ("fun", "jac", "args"),
    [
        (overwrites, "inplace", ()),
        (overwrites_value, njit(lambda x: x), ()),
        (returns_x, True, ()),
        (eager, "inplace", ()),
        (with_default, True, ()),
        (numbers, True, ()),
        (integers, True, ()),
        (single, True, ()),
        (strided, True, ()),
        (many, True, (1.0, 2)),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_functions_of_many_kinds(fun, jac, args):
    compare(make_objective(fun, W, args, jac))


@njit
def short(x):
    return 1.0, x[1:]


@njit
def flat(p):
    return 1.0, (p[0].ravel(), p[1])


@njit
def transposed(p):
    return 1.0, (p[0].T, p[1])


@njit
def extra(p):
    return 1.0, (p[0], p[1], 1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fun", "x0"),
    [(short, W), (transposed, (np.ones((2, 3)), np.ones(2))), (extra, (np.ones((2, 3)), np.ones(2)))],
)
def test_a_gradient_of_another_shape_is_refused_before_anything_is_written(fun, x0):
    objective = make_objective(fun, x0, (), True)
    compiled, g = objective.compiled(), np.full(objective.x0.size, 7.0)
    with pytest.raises(ValueError, match="the gradient that was returned does not have the shape of x"):
        compiled.function(objective.x0, g, compiled.args)
    assert (g == 7).all()


@njit
def no_value(x):
    return None, x


@njit
def vector_value(x):
    return x, x


@njit
def complex_value(x):
    return x[0] * 1j, x


@njit
def complex_gradient(x):
    return x[0], x * 1j


@njit
def not_typed(x):
    return x.no_such_attribute, x


@pytest.mark.parametrize("fun", [no_value, vector_value, complex_value, complex_gradient, not_typed])
def test_what_does_not_compile_is_for_the_plain_driver_which_says_why(fun):
    objective = make_objective(fun, W, (), True)
    assert objective.compiled() is None
    with pytest.raises((TypeError, ValueError, numba.TypingError)):
        objective(W, np.empty(3))


@njit
def raises(x, grad):
    if x[0] < 1:
        raise KeyError("mine")
    grad[:] = x
    return x[0]


def test_an_exception_comes_through_a_first_class_call():
    vector = types.float64[::1]
    kind = types.FunctionType(types.float64(vector, vector, TABLE))

    @njit(types.float64(kind, vector, vector, TABLE))
    def drive(fun, x, g, args):
        f = fun(x, g, args)
        while True:
            x -= 1
            f = fun(x, g, args)
        return f

    compiled = make_objective(raises, W, (), "inplace").compiled()
    with pytest.raises(KeyError, match="mine"):
        drive(compiled.function, np.full(3, 9.5), np.empty(3), compiled.args)


def test_minibatches_are_the_rows_of_the_columns():
    batches = Batches((X, Y), 6, shuffle=False)
    objective = make_objective(both, W, (2.0,), True)
    compiled = objective.compiled(batches.columns)
    data, lo = compiled.pack((X, Y)), 0
    for batch, size in batches.epoch(0):
        g1, g2 = np.empty(3), np.empty(3)
        f1 = objective(W, g1, *batch)
        f2 = compiled.function(W, g2, lo, lo + size, data, compiled.args)
        assert f1 == f2 and (g1 == g2).all()
        lo += size
    assert lo == 20


@pytest.mark.slow
def test_estimates_of_minibatches():
    batches = Batches((X, Y), 6, seed=3)
    columns = tuple(map(np.concatenate, zip(*(batch for batch, _ in batches.epoch(0)), strict=True)))
    for jac in (None, "spsa"):
        objective = make_objective(value, W, (2.0,), jac)
        compiled = objective.compiled(batches.columns)
        for lo, hi in ((0, 6), (6, 12), (18, 20)):
            g1, g2 = np.empty(3), np.empty(3)
            f1 = objective(W, g1, *(column[lo:hi] for column in columns))
            assert f1 == compiled.function(W, g2, lo, hi, compiled.pack(columns), compiled.args)
            np.testing.assert_array_equal(g1, g2)


@njit
def counting(x, calls):
    """Sums that differ from entry to entry, in any dtype; it overwrites x."""
    calls[0] += 1
    x *= 2
    return (x * x * x).sum() + x[0] * x[-1] + 1 / x[1]


SIDES = np.array([[0.0, 1e-9, 1e-4, np.inf, 1e-5], [0.0, 1.0, 0.0, 1e-6, np.inf]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("jac", [None, "3-point", "cs", "spsa"])
def test_estimated_gradients(jac, dtype):
    """Bits and counts; the same wrapper with bounds, and with steps of one's own."""
    calls, x = np.zeros(1, int), np.array([1.0, -2.0, 3.0, 0.5, 4.0], dtype)
    for limits in (None, (x - SIDES[0].astype(dtype), x + SIDES[1].astype(dtype))):
        for step in (None, 1e-3):
            objective = make_objective(counting, x, (calls,), jac, limits, step)
            calls[:] = 0
            compiled = compare(objective, calls=2 if limits is None else 1)  # the second is outside the bounds
            assert calls[0] == 2 * objective.nfev == 2 * objective.njev * compiled.cost
            assert compiled.cost == objective.cost
    free = 5 if jac == "cs" else 4
    assert objective.cost == {None: 1 + free, "3-point": 1 + 2 * free, "cs": 1 + free, "spsa": 2}[jac]


@njit
def repeat(fun, x, g, args, count):
    for _ in range(count):
        fun(x, g, args)


@pytest.mark.parametrize("jac", [None, "3-point", "cs", "spsa"])
def test_estimates_allocate_nothing(jac):
    x, enabled = np.ones(5), _nrt_python.memsys_stats_enabled()
    _nrt_python.memsys_enable_stats()
    compiled, g, counts = make_objective(thrifty, x, (2,), jac, (x - 1, x)).compiled(), np.empty(5), []
    for count in (1, 1, 101):
        before = rtsys.get_allocation_stats().alloc
        repeat(compiled.function, x, g, compiled.args, count)
        counts.append(rtsys.get_allocation_stats().alloc - before)
    if not enabled:
        _nrt_python.memsys_disable_stats()
    assert counts[1] == counts[2]


@njit
def thrifty(x, c):
    s = x[0] * c
    for i in range(x.size):
        x[i] *= c
        s += x[i] * x[i]
    return s


@njit
def tree(p, scale):
    w, (b, c) = p
    s = b[0] * c[()]
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            s += scale * w[i, j] * w[i, j] * (i + 2 * j)
    return s


@pytest.mark.slow
@pytest.mark.parametrize("jac", [None, "cs", "spsa"])
def test_estimated_gradients_of_structures(jac):
    compare(make_objective(tree, (rng.standard_normal((3, 2)), (np.ones(2), 0.5)), (2.0,), jac))


@njit
def in_single(x):
    return np.float32(x[0] * x[0] + x[1])


@njit
def counts(x):
    return int(x[0] * 1e6) - np.uint8(3)


@njit
def tells(x):
    return x[0] > 1


@njit
def scalar_array(x):
    return np.sum(x * x).reshape(())


@njit
def maybe(x):
    return None if x[0] > 100 else x[0]


@njit
def modulus(x):
    return abs(x[0]) + 1.0


@pytest.mark.slow
@pytest.mark.parametrize("fun", [in_single, counts, tells])
def test_estimates_from_values_of_other_types(fun):
    for jac in ("3-point", "spsa"):
        compare(make_objective(fun, np.array([1.0 + 1e-9, 2.0]), (), jac))


def test_steps_are_seen_in_single_precision():
    objective, g = make_objective(in_single, [3.0, 2.0]), np.empty(2)
    objective(objective.x0, g)
    np.testing.assert_allclose(g, [6, 1], rtol=3e-3)


@pytest.mark.parametrize(("fun", "jac"), [(maybe, None), (complex_value, None), (modulus, "cs"), (no_value, "spsa")])
def test_estimates_that_the_plain_driver_makes_or_refuses(fun, jac):
    assert make_objective(fun, W, (), jac).compiled() is None


@njit
def guarded(x, calls, limit):
    calls[0] += 1
    return np.inf if x[0] > limit else (x * x).sum()


@pytest.mark.parametrize("jac", ["2-point", "3-point", "spsa"])
@pytest.mark.parametrize("limit", [0.0, 1.0])  # at x, or beside it
def test_estimates_from_values_that_are_not_finite(jac, limit):
    calls = np.zeros(1, int)
    objective = make_objective(guarded, np.ones(3), (calls, limit), jac)
    compiled = objective.compiled()
    g1, g2 = np.zeros(3), np.zeros(3)
    f1 = objective(objective.x0, g1)
    plain, calls[0] = calls[0], 0
    f2 = compiled.function(objective.x0, g2, compiled.args)
    np.testing.assert_array_equal([f1, *g1], [f2, *g2])
    assert not np.isfinite(g1[0]) and np.isfinite(f1) == (limit == 1 and jac != "spsa")
    assert plain == calls[0] == objective.nfev == (compiled.cost if np.isfinite(f1) else compiled.failed)


def test_an_exception_from_an_estimate_leaves_the_gradient():
    for jac in ("2-point", "spsa"):
        compiled, g = make_objective(raises_at, np.ones(3), (), jac).compiled(), np.full(3, 7.0)
        with pytest.raises(KeyError, match="mine"):
            compiled.function(np.ones(3), g, compiled.args)
        assert (g == 7).all()


@njit
def raises_at(x):
    if x[1] > 1 or x[0] < 1:
        raise KeyError("mine")
    return x[0]


@njit
def labels(x, images, y, c):
    s = 0.0
    for i in range(y.size):
        s += images[i].sum() * y[i]
    return s * c, x


def test_columns_of_several_dimensions_and_dtypes():
    images, y = rng.integers(0, 256, (10, 4, 2), np.uint8), rng.integers(0, 3, 10, np.int16)
    objective = make_objective(labels, W, (0.5,), True)
    compiled = objective.compiled((images[:0], y[:0]))
    g = np.empty(3)
    for lo, hi in ((0, 10), (3, 7), (9, 10), (4, 4)):
        f = compiled.function(W, g, lo, hi, compiled.pack((images, y)), compiled.args)
        assert f == objective(W, g, images[lo:hi], y[lo:hi])


@pytest.mark.slow
def test_a_wrapper_is_compiled_once_for_its_types_and_shared_by_all_sizes():
    one = make_objective(both, W, (X, Y, 1.0), True).compiled()
    other = make_objective(both, np.ones(2), (np.ones((5, 2)), np.ones(5), 9.0), True).compiled()
    assert one.function is other.function
    g = np.empty(2)
    assert other.function(np.ones(2), g, other.args) == both.py_func(np.ones(2), np.ones((5, 2)), np.ones(5), 9.0)[0]
    assert make_objective(
        both, W.astype("f4"), (X.astype("f4"), Y.astype("f4"), 1.0), True
    ).compiled().function is not (one.function)


def test_a_function_is_kept_by_nothing_but_the_bounded_cache():
    fun = njit(lambda x: (x[0], x))
    compiled = make_objective(fun, W, (), True).compiled()
    ghost = weakref.ref(fun), weakref.ref(compiled.function)
    del fun, compiled
    _compile.cache_clear()
    for _ in range(300):  # Numba remembers the latest 256 dispatchers
        njit(lambda x: x)
    gc.collect()
    assert [ref() for ref in ghost] == [None, None]
