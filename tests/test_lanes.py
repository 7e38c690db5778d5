"""Lanes against the same function compiled for numbers: the same bits, or no type."""

import functools
import itertools
import math

import numba
import numpy as np
import pytest
from numba import njit, types

if numba.config.DISABLE_JIT:
    pytest.skip("nothing is compiled", allow_module_level=True)

from numba.core.registry import cpu_target

from numbaopt import cpu, problems
from numbaopt.lanes import LaneArray, Lanes, all_, any_, arithmetic, broadcast, lane, select, viewer

NUMPY = functools.partial(njit, error_model="numpy")
rng = np.random.default_rng(0)


@functools.cache
def driver(width):
    view = viewer(width)

    @NUMPY
    def evaluate(fun, x, grad, out, n, m, width, *args):
        for k in range(out.size // width):
            f = fun(view(x, k * n * width, n), view(grad, k * m * width, m), *args)
            view(out, k * width, 1)[0] = f

    return evaluate


def laned(fun, X, width, m=None, args=(), grad=0.0):
    """Evaluate for every row of X, `width` rows at once; return the values and the gradients."""
    groups, n, m = len(X) // width, X.shape[1], m or X.shape[1]
    flat = np.ascontiguousarray(X.reshape(groups, width, n).transpose(0, 2, 1)).ravel()
    G, out = np.full(groups * m * width, grad, X.dtype), np.zeros(len(X), X.dtype)
    driver(width)(fun, flat, G, out, n, m, width, *args)
    return out, G.reshape(groups, m, width).transpose(0, 2, 1).reshape(-1, m)


def single(fun, X, m=None, args=(), grad=0.0):
    G = np.full((len(X), m or X.shape[1]), grad, X.dtype)
    return np.array([fun(x, g, *args) for x, g in zip(X, G, strict=True)], X.dtype), G


def same_bits(a, b):
    """Require equal bits; of a NaN, whose sign and payload no operation promises, only that it is one."""
    assert a.dtype == b.dtype and a.shape == b.shape
    bits = f"u{a.itemsize}"
    wrong = (a.view(bits) != b.view(bits)) & ~(np.isnan(a) & np.isnan(b))
    assert not wrong.any(), [(tuple(map(int, at)), a[tuple(at)], b[tuple(at)]) for at in np.argwhere(wrong)[:5]]


def compare(fun, X, width, m=None, args=()):
    for a, b in zip(laned(fun, X, width, m, args), single(fun, X, m, args), strict=True):
        same_bits(np.ascontiguousarray(a), np.ascontiguousarray(b))


def inputs(dtype, n, count=512):
    """Return rows of random numbers of every size, with all pairs of the numbers that are special among them."""
    most, tiny, least = np.finfo(dtype).max, np.finfo(dtype).tiny, np.finfo(dtype).smallest_subnormal
    special = [0.0, 1.0, 2.0, 0.5, 3.0, 1.5, most, tiny, least, 7 * least, np.inf, np.nan]
    pairs = np.array(list(itertools.product([*special, *np.negative(special)], repeat=2)), dtype)
    X = rng.standard_normal((len(pairs) + count // 2, n)) * np.exp(
        3 * rng.standard_normal((len(pairs) + count // 2, n))
    )
    X = X.astype(dtype)
    X[: len(pairs), :2] = pairs
    X = np.concatenate([X, X[: -len(X) % 64]])
    return X[: len(X) // 64 * 64]


BINARY = {math.atan2, math.copysign, math.hypot, math.pow, pow, min, max}
FUNCTIONS = [f for f in {**arithmetic.ON_NUMBERS, **dict.fromkeys(arithmetic.SINGLE)} if f is not pow] + [min, max]


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


ON_VECTORS = [f for f in FUNCTIONS if f not in arithmetic.SINGLE and f not in (math.pow, arithmetic.operator.pow)]
ONE_BY_ONE = [f for f in FUNCTIONS if f not in ON_VECTORS]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("vectors", [True, False])
def test_every_function(dtype, vectors):
    functions = ON_VECTORS if vectors else ONE_BY_ONE
    compare(calls(functions), inputs(dtype, 2), 64 // np.dtype(dtype).itemsize if vectors else 2, len(functions))
