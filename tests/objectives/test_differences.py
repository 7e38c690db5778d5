"""Finite differences against SciPy's own, to the bit, and against derivatives in closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize._numdiff import approx_derivative

from numbaopt import minimize
from numbaopt.backends.cpu import uncached
from numbaopt.objectives.differences import SCHEMES, undecorated


def gradient(value, x, f, scheme, bounds=None, rel_step=None, single=False, args=None, compiled=False):
    scheme = SCHEMES[scheme]
    g = np.full(x.size, 7.0)
    arrays = scheme.arrays(x, bounds, None if rel_step is None else np.full(x.size, rel_step))
    function = scheme.gradient if compiled else undecorated(scheme.gradient)
    function(value, x, f, g, *arrays, scheme.scale(np.float32 if single else x.dtype), args)
    return g


def f(x):
    return np.sin(x).sum() + (x * x * x).sum() + x[0] * x[-1]


def df(x):
    g = np.cos(x) + 3 * x * x
    g[0] += x[-1]
    g[-1] += x[0]
    return g


def counted(scheme):
    calls = []

    def value(z, args):
        calls.append(z.copy())
        return complex(f(z)) if scheme == "cs" else float(f(z))

    return value, calls


numbers = st.floats(-1e3, 1e3).filter(lambda x: x == 0 or abs(x) > 1e-6)
gaps = st.sampled_from([0.0, 1e-12, 1e-9, 1e-8, 1e-7, 1e-5, 1.0, np.inf])
entries = st.tuples(numbers, gaps, gaps).filter(lambda entry: entry[1] + entry[2] > 0)


@given(
    st.sampled_from(sorted(SCHEMES)),
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
    oracle = approx_derivative(f, x, scheme, rel_step, f0=f(x), bounds=bounds or (-np.inf, np.inf), full_output=False)
    np.testing.assert_array_equal(g, oracle)
    assert len(calls) == x.size * (2 if scheme == "3-point" else 1)


@uncached
def cubes(z, c):
    s = z[0] * z[-1]
    for i in range(z.size):
        s += c * z[i] ** 3 + 1 / z[i]
    return s


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_bits_are_the_same_compiled(scheme, dtype):
    x = np.array([-3.0, 1e-3, 0.5, 2.0, 1e3, 7.0]).astype(dtype)
    gap = np.array([[np.inf, 1e-6, 1e-4, 0, 0, 1.0], [1.0, np.inf, 1e-4, 1e-5, 0, 0]], dtype)
    for bounds in (None, (x - gap[0], x + gap[1])):
        for rel_step in (None, 1e-3):
            case = x, cubes(x, 2.0), scheme, bounds, rel_step, False, 2.0
            plain = gradient(cubes, *case)
            np.testing.assert_array_equal(gradient(cubes, *case, compiled=True), plain)
            assert np.isfinite(plain).all() and (plain != 7).all()


@pytest.mark.parametrize(("scheme", "rtol"), [("2-point", 1e-6), ("3-point", 1e-9), ("cs", 1e-14)])
def test_derivatives(scheme, rtol):
    x = np.linspace(0.3, 2, 7)
    np.testing.assert_allclose(gradient(counted(scheme)[0], x, f(x), scheme), df(x), rtol=rtol)


@pytest.mark.parametrize(("scheme", "rtol"), [("2-point", 3e-3), ("3-point", 3e-4)])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_float32_takes_longer_steps(scheme, rtol, dtype):
    x = np.linspace(0.3, 2, 7).astype(dtype)

    def value(x, args=None):
        return float(f(x.astype("f4")))

    g = gradient(value, x, value(x), scheme, single=dtype == "f8")
    np.testing.assert_allclose(g, df(x.astype(float)), rtol=rtol)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("scheme", ["2-point", "3-point"])
def test_bounds_are_kept_and_equal_ones_cost_nothing(scheme, dtype):
    x = np.array([1.0, 2.0, 3.0, 4.0], dtype)
    gap = 64 * np.finfo(dtype).eps
    lower, upper = np.array([1.0, 2.0, 3 - gap, -np.inf], dtype), np.array([1.0, 2 + gap, 3 + gap, 4.0], dtype)
    value, calls = counted(scheme)
    g = gradient(value, x, float(f(x)), scheme, (lower, upper))
    assert all(((lower <= z) & (z <= upper)).all() for z in calls)
    assert g[0] == 0 and all(z[0] == 1 for z in calls)
    assert len(calls) == 3 * (2 if scheme == "3-point" else 1)
    rest = np.array(calls) != x
    assert (rest.sum(1) == 1).all() and (rest.sum(0)[1:] == (2 if scheme == "3-point" else 1)).all()
    np.testing.assert_allclose(g[3], df(x.astype(float))[3], rtol=3e-3 if dtype == "f4" else 1e-6)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_infinite_x_is_no_error(scheme):
    with np.errstate(invalid="ignore"):  # without the compiler NumPy would warn
        g = gradient(lambda z, args: 1j if scheme == "cs" else 1.0, np.array([np.inf, 1.0]), 1.0, scheme)
    # No point lies beside an infinite one; the other entry is the exact difference quotient.
    expected = {"2-point": [0.0, 0.0], "3-point": [np.nan, 0.0], "cs": [0.0, 1 / SCHEMES["cs"].scale(np.float64)]}
    np.testing.assert_array_equal(g, expected[scheme])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nothing_is_evaluated_where_the_value_is_not_finite(scheme, bad):
    value, calls = counted(scheme)
    assert np.isnan(gradient(value, np.ones(3), bad, scheme)).all() and not calls


def valley(x):
    s = 0.0
    for i in range(x.size - 1):
        s += 100 * (x[i + 1] - x[i] * x[i]) ** 2 + (1 - x[i]) ** 2
    return s


@pytest.mark.parametrize("jac", [None, "3-point"])
def test_a_run_is_the_same_in_both_drivers(jac):
    bounds = [(-2, 2), (0.5, 0.5), (-1, 0.8), (None, None)]
    plain, compiled = (
        minimize(fun, [-1.0, 0.5, 0.8, 3.0], jac=jac, bounds=bounds, options={"lr": 0.02, "maxiter": 300})
        for fun in (valley, uncached(valley))
    )
    np.testing.assert_array_equal(plain.x, compiled.x)
    np.testing.assert_array_equal(plain.jac, compiled.jac)
    assert (plain.fun, plain.nit, plain.message) == (compiled.fun, compiled.nit, compiled.message)
    assert plain.nit == 300 and plain.fun < valley(np.array([-1.0, 0.5, 0.8, 3.0])) / 10
