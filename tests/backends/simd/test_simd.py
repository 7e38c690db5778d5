"""Lanes against the same function compiled for numbers: the same bits, or no type."""

import functools
import itertools
import math
import operator

import numba
import numpy as np
import pytest
from numba import njit, types

if numba.config.DISABLE_JIT:
    pytest.skip("nothing is compiled", allow_module_level=True)

from numba.core.registry import cpu_target
from numba.cpython import mathimpl
from numba.np import arraymath

from numbaopt import problems
from numbaopt.backends import cpu
from numbaopt.backends.lane_errors import no_lanes
from numbaopt.backends.simd import LaneArray, Lanes, all_, any_, arithmetic, broadcast, lane, select, viewer

NUMPY = functools.partial(njit, error_model="numpy")
rng = np.random.default_rng(0)


@functools.cache
def driver(width, model="numpy"):
    view = viewer(width)

    @njit(error_model=model)  # of a function that says nothing of it, the model is its caller's
    def evaluate(fun, x, grad, out, n, m, width, *args):
        for k in range(out.size // width):
            f = fun(view(x, k * n * width, n), view(grad, k * m * width, m), *args)
            view(out, k * width, 1)[0] = f

    return evaluate


def laned(fun, X, width, m=None, args=(), model="numpy"):
    """Evaluate for every row of X, `width` rows at once; return the values and the gradients."""
    groups, n, m = len(X) // width, X.shape[1], m or X.shape[1]
    flat = np.ascontiguousarray(X.reshape(groups, width, n).transpose(0, 2, 1)).ravel()
    G, out = np.zeros(groups * m * width, X.dtype), np.zeros(len(X), X.dtype)
    driver(width, model)(fun, flat, G, out, n, m, width, *args)
    return out, G.reshape(groups, m, width).transpose(0, 2, 1).reshape(-1, m)


def single(fun, X, m=None, args=()):
    G = np.zeros((len(X), m or X.shape[1]), X.dtype)
    with np.errstate(over="ignore"):
        return np.array([fun(x, g, *args) for x, g in zip(X, G, strict=True)]).astype(X.dtype), G


def same_bits(a, b):
    """Require equal bits; of a NaN, whose sign and payload no operation promises, only that it is one."""
    assert a.dtype == b.dtype and a.shape == b.shape
    bits = f"u{a.itemsize}"
    wrong = (a.view(bits) != b.view(bits)) & ~(np.isnan(a) & np.isnan(b))
    assert not wrong.any(), [(tuple(map(int, at)), a[tuple(at)], b[tuple(at)]) for at in np.argwhere(wrong)[:5]]


def compare(fun, X, width, m=None, args=()):
    for a, b in zip(laned(fun, X, width, m, args), single(fun, X, m, args), strict=True):
        same_bits(np.ascontiguousarray(a), np.ascontiguousarray(b))


def inputs(dtype, n, count=256):
    """Return rows of random numbers of every size, with all pairs of the numbers that are special among them."""
    most, tiny, least = np.finfo(dtype).max, np.finfo(dtype).tiny, np.finfo(dtype).smallest_subnormal
    special = [0.0, 1.0, 2.0, 0.5, 3.0, 1.5, most, tiny, least, 7 * least, np.inf, np.nan]
    pairs = np.array(list(itertools.product([*special, *np.negative(special)], repeat=2)), dtype)
    size, sign = rng.normal(0, 3, (len(pairs) + count, n)), rng.standard_normal((len(pairs) + count, n))
    X = (sign * np.exp(size)).astype(dtype)
    X[: len(pairs), :2] = pairs
    return X[: len(X) // 64 * 64]


BINARY = {math.atan2, math.copysign, math.hypot, math.pow, pow, min, max}
UNKNOWN = set() if hasattr(mathimpl, "exp2_impl") else {math.exp2}  # to older versions of Numba
ONE_BY_ONE = [f for f in [pow, math.pow, operator.pow, operator.ipow, *arithmetic.SINGLE] if f not in UNKNOWN]
ON_VECTORS = [f for f in [min, max, *arithmetic.ON_NUMBERS] if f not in ONE_BY_ONE]


def calls(functions):
    """Make ``fun(x, grad)``: every function of the first coordinates, one a coordinate of grad."""
    names = {f"f{k}": function for k, function in enumerate(functions)}
    lines = []
    for k, (name, function) in enumerate(names.items()):
        binary = function in BINARY or getattr(function, "nin", 0) == 2
        if getattr(function, "__module__", "") == "_operator":
            binary = function.__name__ not in ("neg", "pos")
        lines.append(f"    grad[{k}] = {name}({'a, b' if binary else 'a'})")
    scope = dict(names)
    exec("\n".join(["def fun(x, grad):", "    a, b = x[0], x[1]", *lines, "    return a"]), scope)
    return NUMPY(scope["fun"])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("vectors", [True, False])
def test_every_function(dtype, vectors):
    functions = ON_VECTORS if vectors else ONE_BY_ONE
    compare(calls(functions), inputs(dtype, 2), 64 // np.dtype(dtype).itemsize if vectors else 2, len(functions))


@NUMPY
def mixed(x, grad, i, j, h, d, yes):
    """Numbers of every type beside lanes: i and j are integers of 64 and 8 bits, h and d floats of 32 and 64."""
    a, b = x[0], x[1]
    grad[0], grad[1], grad[2], grad[3] = a + 1, 2 - a, i * a, a / 3
    grad[4], grad[5], grad[6], grad[7] = a + j, j - a, 1.5 * a, a / 2.5
    grad[8], grad[9], grad[10], grad[11] = a * h, h / a, a * d, d - a
    grad[12], grad[13], grad[14], grad[15] = a * yes, (a > b) * b, a + (a < 1), (a > b) == (b > 0)
    grad[16], grad[17], grad[18], grad[19] = a**2, a**3, a**7, a**0
    grad[20], grad[21], grad[22], grad[23] = a**4, a**5, a ** (i + 7), a**j
    grad[24], grad[25], grad[26], grad[27] = a**0.5, a**2.5, a**-1.0, a**h
    grad[28], grad[29], grad[30], grad[31] = 2**a, 2.5**a, d**a, a**b
    grad[32], grad[33], grad[34], grad[35] = math.pow(a, 3), math.pow(a, d), np.power(a, 3), pow(a, 3)
    grad[36], grad[37], grad[38], grad[39] = a < 1, a >= d, i > a, a != 0
    grad[40], grad[41], grad[42], grad[43] = min(a, 1), max(0.5, a), min(a, b, d), max(h, b, 2)
    grad[44], grad[45], grad[46], grad[47] = np.minimum(a, 1), np.maximum(d, a), math.atan2(a, 1.5), np.hypot(2, a)
    grad[48], grad[49], grad[50], grad[51] = (a > 0) & (b > 0), (a > 0) | yes, (a > 0) ^ (b > 0), ~(a > b)
    grad[52], grad[53], grad[54], grad[55] = a // 2, a % 1.5, i // a, a**70000
    grad[56] = np.where(a > b, a, b)
    grad[57] = np.where(a > b, 2 * a, 1.0) * b - np.where(b > 0, 1.0, d)
    grad[58] = np.logaddexp(0.0, -a)
    c = a
    c **= 3
    c /= 2
    c += i
    c -= 0.5
    c *= b
    grad[59] = c
    return h * a


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_numbers_beside_lanes(dtype):
    width = 64 // np.dtype(dtype).itemsize
    compare(mixed, inputs(dtype, 2), width, 60, (-5, np.int8(3), np.float32(0.1), 1.1, True))


@njit
def product(a, b):
    return a * b


@NUMPY
def loops(x, grad, weights):
    f, count, held = 0, 0.0, True
    for i in range(len(x)):
        f += x[i]
    for v in x:
        count += v > 0
        held = held & (v < 3)
    for i, v in enumerate(x[1:]):
        f -= i * v / weights[i]
    y, z = np.zeros_like(x), x.copy()
    y[:] = 1.5
    y[-1] = x[-1] ** 2
    z[1:] = x[:-1]
    u, w = np.empty_like(x), np.zeros(x.size, x.dtype)
    for i in range(x.shape[0]):
        u[i] = product(y[i], z[i])
        w[i] += product(2, u[i])
    one = x.dtype.type(0.25)
    both = (x[0], 2.0)
    grad[:] = 0.0
    grad[:3] = u[:3]
    grad[0] -= w[1]
    grad[1], grad[2] = y[1], z[1]
    grad[3] = grad[4] = f
    grad[5], grad[6], grad[7], grad[8] = count, held, one * x[0], both[0] * both[1]
    grad[9] = sum(z)
    return f


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [3, 6])
def test_loops_and_arrays(dtype, n):
    compare(loops, inputs(dtype, n), 4, 10, (rng.standard_normal(n),))


@pytest.mark.skipif(not hasattr(arraymath, "_numpy_sum"), reason="older versions of Numba look no further than arrays")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sums(dtype):
    @NUMPY
    def fun(x, grad):
        grad[0] = x[1:].sum()
        return np.sum(x)

    compare(fun, inputs(dtype, 9), 4)
    compare(fun, np.full((4, 2), -0.0, dtype), 4)


BY_LOOPS = ["ravine", "booth", "beale", "himmelblau", "three_hump_camel", "brown_badly_scaled", "powell_singular"]


@pytest.mark.parametrize("name", [*BY_LOOPS, "rosenbrock", "styblinski_tang"])
def test_problems(name):
    fun = problems.get(name).fun
    for n in [len(problems.get(name).x0)] if name in BY_LOOPS else [2, 7]:
        compare(fun, inputs(np.float64, n), 8)
    if name == "rosenbrock":
        compare(fun, inputs(np.float32, 3), 16)


@pytest.mark.parametrize("name", ["quadratic", "logistic_regression"])
def test_problems_that_may_reorder_their_sums(name):
    problem = problems.get(name)
    X = rng.standard_normal((16, problem.x0.size))
    for a, b in zip(
        laned(problem.fun, X, 8, args=problem.args), single(problem.fun, X, args=problem.args), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-11)


def test_a_function_of_no_coordinate():
    compare(NUMPY(lambda x, grad: 1), inputs(np.float64, 2), 8)


@pytest.mark.parametrize("width", [2, 8, 16])
def test_they_are_vectors(width):
    fun = NUMPY(problems.get("rosenbrock").fun.py_func)  # not from the cache, whose text is not kept
    fun.compile((LaneArray(Lanes(types.float64, width), 1, "C"),) * 2)
    (text,) = fun.inspect_llvm().values()
    for operation in "fadd", "fsub", "fmul":
        assert f"{operation} <{width} x double>" in text
    assert "fmul double" not in text


REFUSED = {
    "if": "if x[0] > 0:\n        return x[1]\n    return x[0]",
    "if a number": "if x[0]:\n        return x[1]\n    return x[0]",
    "while": "f = x[0]\n    while f < 9:\n        f += 1\n    return f",
    "and": "return (x[0] > 0) and (x[1] > 0)",
    "not": "return not x[0] > 0",
    "chain": "return 0 < x[0] < 1",
    "assert": "assert x[0] == x[0]\n    return x[0]",
    "bool": "return bool(x[0])",
    "int": "return int(x[0])",
    "whole": "return math.floor(x[0])",
    "round": "return round(x[0])",
    "in": "return x[0] in (1.0, 2.0)",
    "is": "return x[0] is x[1]",
    "isinstance": "if isinstance(x[0], float):\n        return x[0]\n    return x[1]",
    "complex": "return (x[0] * 1j).real",
    "masks": "return (x[0] > 0) + (x[1] > 0)",
    "array expression": "return np.sum(200 * (x[1:] - x[:-1] ** 2))",
    "array in place": "grad *= 2.0\n    return x[0]",
    "function of an array": "grad[:] = np.exp(x)\n    return x[0]",
    "dot": "return np.dot(x, x)",
    "matmul": "return (np.eye(2) @ x)[0]",
    "norm": "return np.linalg.norm(x)",
    "max": "return np.max(x)",
    "without nan": "return np.nansum(x)",
    "sort": "return np.sort(x)[0]",
    "into an array of numbers": "t = np.zeros(2)\n    t[0] = x[0]\n    return t[0]",
    "astype": "return x.astype(np.float64)[0]",
    "view": "return x.view(np.float64)[0]",
    "memory": "return 1.0 * x.itemsize",
    "dtype": "if x.dtype == np.dtype('float64'):\n        return x[0]\n    return x[1]",
    "dtype of a copy": "if x.copy()[1:].dtype == np.dtype('float64'):\n        return x[0]\n    return x[1]",
    "print": "print(x[0])\n    return x[0]",
    "text": "return len(str(x[0]))",
    "scalar": "return x[1] if np.isscalar(x[0]) else x[0]",
    "buffer": "return np.frombuffer(x)[0]",
    "power of a choice": "return np.where(x[0] > 0, x[0], x[1]) ** 3",
    "whole choice": "return np.where(x[0] > 0, 1, 2)",
    "typed callee": "return typed(x[0])",
}


@pytest.mark.parametrize("what", REFUSED)
def test_has_no_type(what):
    scope = {"np": np, "math": math, "typed": njit("f8(f8)")(lambda a: a)}
    exec(f"def fun(x, grad):\n    {REFUSED[what]}", scope)
    fun = NUMPY(scope["fun"])
    fun.compile((types.float64[::1],) * 2)  # for numbers it is fine
    with pytest.raises(cpu.MISMATCH_ERRORS) as caught:
        fun.compile((LaneArray(Lanes(types.float64), 1, "C"),) * 2)
    assert no_lanes(caught.value)


@pytest.mark.parametrize("error", [AttributeError("no attribute"), RuntimeError("broken"), KeyError("x"), OSError()])
def test_other_exceptions_of_the_compiler_are_faults(error):
    assert not no_lanes(error)
    with pytest.raises(type(error)) as caught:
        raise error
    assert not no_lanes(caught.value)


@NUMPY
def inverses(x, grad, k):
    grad[0], grad[1], grad[2] = x[0] ** -1, x[0] ** -3, x[0] ** k
    return math.pow(x[0], -2)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_negative_powers(dtype):
    X = inputs(dtype, 2)
    compare(inverses, np.where(abs(X) < 1e-3, dtype(3), X), 4, 3, (-5,))


@pytest.mark.parametrize("divide", [lambda x, g: g[0] / x[0], lambda x, g: 1 // x[0], lambda x, g: x[0] ** -1])
def test_division_by_zero_raises_where_the_scalar_function_does(divide):
    X = np.ones((8, 1))
    X[5] = -0.0
    fun = njit(divide)
    for Y in X, X[5:6]:
        with pytest.raises(ZeroDivisionError):
            laned(fun, np.resize(Y, (8, 1)), 8, model="python")
        with pytest.raises(ZeroDivisionError):
            single(fun, Y)
    same_bits(laned(fun, np.ones((8, 1)), 8, model="python")[0], single(fun, np.ones((8, 1)))[0])


@NUMPY
def taken_apart(flat, k, number):
    x = viewer_(flat, 0, 3)
    where = x[0] < x[1]
    out = viewer_(np.zeros(flat.size, flat.dtype), 0, 3)
    y = x.copy()
    y[0] = broadcast(number, x[0])
    y[1] = select(where, x[0], 2)
    y[2] = broadcast(x[2], out[0])
    return lane(x[1], k), any_(where), all_(where), lane(where, k), [lane(v, j) for v in y for j in range(4)]


viewer_ = viewer(4)


@pytest.mark.parametrize("below", [[0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 1, 1]])
def test_taken_apart(below):
    x = rng.random((3, 4)).astype(np.float32)
    x[1] = np.where(below, x[0] + 1, x[0])
    one, some, every, this, y = taken_apart(x.ravel(), 1, 7)
    assert (one, some, every, this) == (x[1, 1], any(below), all(below), below[1])
    expected = [np.full(4, 7, np.float32), np.where(below, x[0], np.float32(2)), x[2]]
    np.testing.assert_array_equal(np.reshape(y, (3, 4)), expected)


def test_views_begin_anywhere_and_have_any_shape():
    view = viewer(4)

    @NUMPY
    def total(flat, at):
        x = view(flat, at, (2, 3))
        found, row = view(flat, 1, 1), x[1]
        row[2] = x[0, 0] + x[-1, -1]
        for i in range(2):
            for v in x[i]:
                found[0] += v

    flat = np.arange(40.0)
    x = flat[13:37].reshape(2, 3, 4).copy()
    x[1, 2] += x[0, 0]
    total(flat, 13)
    np.testing.assert_array_equal(flat[13:37].reshape(2, 3, 4), x)
    np.testing.assert_array_equal(flat[1:5], np.arange(1.0, 5) + x.sum((0, 1)))


@pytest.mark.parametrize("array", [np.zeros(64, np.int64), np.zeros(64)[::2], np.zeros(64, complex), 1.0])
def test_views_are_of_contiguous_floats(array):
    view = viewer()
    with pytest.raises(numba.TypingError):
        njit(lambda flat: view(flat, 0, 2).size)(array)


def test_what_is_read_only_stays_so():
    view = viewer()
    flat = np.ones(16)
    flat.flags.writeable = False

    @njit
    def first(flat):
        return lane(view(flat, 0, 2)[1], 0)

    @njit
    def write(flat):
        view(flat, 0, 2)[0] = 2.0

    assert first(flat) == 1
    with pytest.raises(numba.TypingError):
        write(flat)


SCALARS = [types.float64, types.float32, types.int64, types.int32, types.int8, types.uint64, types.boolean]


@pytest.mark.parametrize("dtype", [types.float64, types.float32])
@pytest.mark.parametrize("other", SCALARS)
def test_unifies_as_its_numbers_do(dtype, other):
    context = cpu_target.typing_context
    unified = context.unify_types(dtype, other)
    for pair in itertools.permutations([Lanes(dtype, 8), other]):
        assert context.unify_types(*pair) == Lanes(unified, 8)
    assert context.unify_types(Lanes(dtype, 8), Lanes(dtype, 4)) is None
    assert context.can_convert(Lanes(dtype, 8), other) is None
    assert context.unify_types(Lanes(dtype, 8), types.complex128) is None


@pytest.mark.parametrize(("dtype", "width", "error"), [(types.int64, 8, TypeError), (types.float64, 3, ValueError)])
def test_what_lanes_can_be(dtype, width, error):
    with pytest.raises(error):
        Lanes(dtype, width)
    assert Lanes(types.float64).width == 8 and Lanes(types.float32).width == 16
