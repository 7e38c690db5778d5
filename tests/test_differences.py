"""Finite differences against SciPy's own, to the bit, and against derivatives in closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize._numdiff import approx_derivative

from numbaopt.differences import SCHEMES, gradient


def f(x):
    return np.sin(x).sum() + (x * x * x).sum() + x[0] * x[-1]


def df(x):
    g = np.cos(x) + 3 * x * x
    g[0] += x[-1]
    g[-1] += x[0]
    return g


def counted(scheme):
    calls = []

    def value(x):
        calls.append(x.copy())
        y = f(x)
        x[:] = np.nan  # each call has its own array
        return complex(y) if scheme == "cs" else float(y)

    return value, calls


numbers = st.floats(-1e3, 1e3).filter(lambda x: x == 0 or abs(x) > 1e-6)
gaps = st.sampled_from([0.0, 1e-12, 1e-9, 1e-8, 1e-7, 1e-5, 1.0, np.inf])
entries = st.tuples(numbers, gaps, gaps).filter(lambda entry: entry[1] + entry[2] > 0)


@given(
    st.sampled_from(SCHEMES),
    st.lists(entries, min_size=1, max_size=5),
    st.booleans(),
    st.sampled_from([None, 1e-6, 1e-10, 0.0]),
)
def test_bits_are_scipys(scheme, entries, bounded, rel_step):
    x, below, above = map(np.array, zip(*entries, strict=True))
    bounds = (x - below, x + above) if bounded else None
    if bounded and (bounds[0] == bounds[1]).any():
        return  # SciPy divides by zero
    value, calls = counted(scheme)
    g = gradient(value, x, float(f(x)), scheme, bounds, rel_step)
    oracle = approx_derivative(
        f, x, scheme, rel_step, f0=f(x), bounds=bounds or (-np.inf, np.inf), full_output=False
    )
    np.testing.assert_array_equal(g, oracle)
    assert len(calls) == x.size * (2 if scheme == "3-point" else 1)


@pytest.mark.parametrize(("scheme", "rtol"), [("2-point", 1e-6), ("3-point", 1e-9), ("cs", 1e-14)])
def test_derivatives(scheme, rtol):
    x = np.linspace(0.3, 2, 7)
    np.testing.assert_allclose(gradient(counted(scheme)[0], x, f(x), scheme), df(x), rtol=rtol)


@pytest.mark.parametrize(("scheme", "rtol"), [("2-point", 3e-3), ("3-point", 3e-4)])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_float32_takes_longer_steps(scheme, rtol, dtype):
    x = np.linspace(0.3, 2, 7).astype(dtype)

    def value(x):
        return float(f(x.astype("f4")))

    g = gradient(value, x, value(x), scheme, single=dtype == "f8")
    np.testing.assert_allclose(g, df(x.astype(float)), rtol=rtol)


@pytest.mark.parametrize("scheme", ["2-point", "3-point"])
def test_bounds_are_kept_and_equal_ones_cost_nothing(scheme):
    x = np.array([1.0, 2.0, 3.0, 4.0])
    bounds = (np.array([1.0, 2.0, 3 - 1e-10, -np.inf]), np.array([1.0, 2.0 + 1e-5, 3 + 1e-12, 4.0]))
    value, calls = counted(scheme)
    g = gradient(value, x, f(x), scheme, bounds)
    assert all(((bounds[0] <= z) & (z <= bounds[1])).all() for z in calls)
    assert g[0] == 0 and all(z[0] == 1 for z in calls)
    assert len(calls) == 3 * (2 if scheme == "3-point" else 1)
    np.testing.assert_allclose(g[[1, 3]], df(x)[[1, 3]], rtol=1e-4)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_infinite_x_is_no_error(scheme):
    g = gradient(lambda x: 1j if scheme == "cs" else 1.0, np.array([np.inf, 1.0]), 1.0, scheme)
    assert g.shape == (2,)
