"""The functions that generated texts call, in plain Python and compiled, against NumPy and Python's integers."""

import math

import numpy as np
import pytest

import numbaopt
from numbaopt.backends import runtime as compiled
from numbaopt.common import random
from numbaopt.lowering import runtime as plain
from numbaopt.lowering.layout import powers

BOTH = pytest.mark.parametrize("functions", [plain, compiled], ids=["plain", "compiled"])
EXTREMES = [0.0, -0.0, 1.0, -2.5, 1e300, np.inf, -np.inf, np.nan]
GOLDEN, BITS = 0x9E3779B97F4A7C15, 2**64


@BOTH
def test_smaller_larger_sign_and_finite(functions):
    for a in EXTREMES:
        np.testing.assert_array_equal(functions.sign(a), np.sign(a))
        assert functions.isfinite(a) == math.isfinite(a)
        for b in EXTREMES:
            np.testing.assert_array_equal(functions.max(a, b), np.maximum(a, b))
            np.testing.assert_array_equal(functions.min(a, b), np.minimum(a, b))


@BOTH
def test_powers_from_their_table(functions):
    for b in (0.9, 0.999):
        table = powers(b)
        for t in (0, 1, 31, 32, 12345, 2**20 - 1, 2**20 + 5):
            digits = [table[32 * k + (t >> 5 * k & 31)] for k in range(4)]
            found = functions.power(t, *digits, table[128])
            assert found == pytest.approx(b**t, rel=1e-12, abs=1e-300)
    with pytest.raises(ValueError, match="h was edited"):
        functions.edited(0.9)
    assert math.isnan(functions.edited(math.nan))


@BOTH
def test_sums(functions):
    values = np.random.default_rng(0).normal(size=1000)
    assert functions.in_order(values) == sum(values.tolist())
    bound = 1000 * np.finfo(float).eps * np.abs(values).sum()
    assert abs(functions.total(values) - math.fsum(values)) <= bound


@BOTH
def test_projection_onto_the_simplex(functions):
    for values in ([0.2, 0.3, 0.5], [3.0, 1.0, -2.0], [-5.0, -5.0], [0.1, 0.9, 0.8]):
        threshold = functions.simplex_threshold(np.array(values))
        assert np.maximum(np.array(values) - threshold, 0).sum() == pytest.approx(1, abs=1e-15)


def mixed(z):
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % BITS
    z = (z ^ z >> 27) * 0x94D049BB133111EB % BITS
    return z ^ z >> 31


def standard_normal(seed, t, i):
    bits = mixed((mixed((seed * GOLDEN + t) % BITS) + (i + 1) * GOLDEN) % BITS)
    u, v = ((bits >> 32) + 0.5) / 2**32, (bits & 0xFFFFFFFF) / 2**32
    return math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * v)


def test_noise():
    expected = [standard_normal(7, 3, i) for i in range(6)]
    assert compiled.mixed(np.uint64(GOLDEN)) == mixed(GOLDEN)
    key = np.uint64(compiled.key(7.0, 3.0))
    np.testing.assert_allclose([compiled.normal(key, i) for i in range(6)], expected, rtol=1e-13)
    np.testing.assert_allclose(compiled.noise(np.zeros((2, 3)), key).ravel(), expected, rtol=1e-13)
    np.testing.assert_allclose(random.normal(np.zeros((2, 3)), 7.0, 3).ravel(), expected, rtol=1e-13)
    assert random.normal(np.zeros(0), 7.0, 3).size == 0
    assert random.normal(np.zeros(2, np.float32), 7.0, 3).dtype == np.float32


@pytest.mark.parametrize("backend", ["cpu", "cuda"])
def test_texts_import_these_functions_and_do_not_define_them(backend):
    assert "from numbaopt.backends.runtime import edited, power" in numbaopt.adam.source(backend)
    for name in numbaopt.names():
        source = numbaopt.get(name).source(backend)
        assert not [helper for helper in plain.FUNCTIONS if f"def {helper}(" in source]


def test_one_compiled_function_for_all_rules():
    x = np.ones(3)
    for rule in (numbaopt.adam, numbaopt.radam, numbaopt.lamb):
        rule.jit(1, x.copy(), x, rule.slots(x), rule.h)
        assert rule.jit.py_func.__globals__["power"] is compiled.power
