"""The projection on a box against numpy.clip, fused into every rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import numbaopt
from numbaopt import adam, chain, cpu, sgd
from numbaopt.transforms import box

real = st.floats(-1e6, 1e6)
bound = st.floats(allow_nan=False)


@given(arrays.arrays(float, (4, 6), elements=real), arrays.arrays(float, (2, 6), elements=bound))
def test_steps_are_clipped_as_numpy_clips(values, limits):
    x, g = values[0].copy(), values[1]
    lower, upper = np.sort(limits, axis=0)
    plain, fused = sgd(lr=0.5), chain(sgd(lr=0.5), box)
    y = x.copy()
    plain.step(y, g, plain.init(y))
    s = fused.slots(x, lower=lower, upper=upper)
    fused.kernel(x)(1, x, g, s, fused.h)
    np.testing.assert_array_equal(x, np.clip(y, lower, upper))
    np.testing.assert_array_equal(s, [lower, upper])


@pytest.mark.parametrize(("name", "dtype"), [("adagrad", np.float32), ("adam", np.float64), ("lamb", np.float32)])
def test_projected_rules_walk_as_step_then_clip(name, dtype):
    rule = numbaopt.get(name)(lr=0.2)
    fused, n = chain(rule, box), 40
    assert fused.slots_of == (*rule.slots_of, "lower", "upper") and fused.elementwise == rule.elementwise
    assert fused.hyper == rule.hyper and fused.name == f"{name}_box"
    rng = np.random.default_rng(0)
    lower, upper = np.sort(rng.normal(size=(2, n)), axis=0).astype(dtype)
    lower[:5], upper[3:8] = -np.inf, np.inf
    lower[10] = upper[10]
    x = np.clip(rng.normal(size=n).astype(dtype), lower, upper)
    y, s, state = x.copy(), fused.slots(x, lower=lower, upper=upper), rule.init(x)
    start = s[: len(rule.slots_of)]
    assert np.array_equal(start, state.s), "the rule's own slots start as ever"
    kernel = fused.kernel(x)
    for t in range(1, 20):
        g = rng.normal(size=n).astype(dtype)
        kernel(t, x, g, s, fused.h)
        rule.step(y, g, state)
        y = np.clip(y, lower, upper)
        assert np.array_equal(x, y) and np.array_equal(start, state.s)
    assert (x[10], x.dtype) == (upper[10], dtype)


def test_one_pass_and_the_bounds_are_only_read():
    fused = chain(adam, box)
    source = fused.source()
    assert source.count("for i in range") == 1
    assert "lower[i] =" not in source and "upper[i] =" not in source and source.count(" x[i] = ") == 1


def test_a_parallel_projected_step(monkeypatch):
    n = cpu.PARALLEL_FROM + 7
    fused, rng = chain(sgd(lr=1.0), box), np.random.default_rng(0)
    x, g = rng.normal(size=(2, n))
    s = fused.slots(x, lower=-0.5, upper=np.inf)
    expected = np.maximum(x - g, -0.5)
    fused.kernel(x)(1, x, g, s, fused.h)
    assert np.array_equal(x, expected)


def test_nan_is_not_clipped_away():
    fused = chain(sgd(lr=1.0), box)
    x, g = np.zeros(4), np.array([np.nan, np.inf, -np.inf, 1.0])
    fused.kernel(x)(1, x, g, fused.slots(x, lower=-1, upper=1), fused.h)
    np.testing.assert_array_equal(x, [np.nan, -1, 1, -1])
