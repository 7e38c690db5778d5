"""The gradient's largest entry in a history of SciPy's methods is the one that the drivers compare with gtol."""

import itertools

import numpy as np
import pytest

from numbaopt import compare
from numbaopt.comparison.scipy_history import largest

VALUES = [0.0, -0.0, 1e-3, -1e-3, 0.3, -0.3, 7.0, -7.0, np.inf, -np.inf, np.nan]
LIMITS = [-np.inf, -7.1, -0.3, 0.0, 0.3, 7.1, np.inf]


def projected(x, g, low, high):
    """Return what a step along the gradient can change x by within the bounds."""
    return np.where(g < 0, np.maximum(g, x - high), np.minimum(g, x - low))


@pytest.mark.parametrize("slope", ["f4", "f8"])
@pytest.mark.parametrize("point", ["f4", "f8"])
def test_the_projected_gradient_is_numpys(point, slope):
    cases = [case for case in itertools.product([-0.3, 0.1, 7.0], VALUES, LIMITS, LIMITS) if case[2] <= case[0]]
    x, g, low, high = np.array([case for case in cases if case[0] <= case[3]]).T
    x, g, low, high = x.astype(point), g.astype(slope), low.astype(point), high.astype(point)
    expected = np.abs(projected(x, g, low, high)).astype(float)
    assert np.isnan(expected).any() and (expected == 0).any() and len(x) > 300
    for i in range(len(x)):
        one = slice(i, i + 1)
        assert np.array_equal(largest(x[one], g[one], (low[one], high[one])), expected[i], equal_nan=True)
        assert np.array_equal(largest(x[one], g[one], None), np.abs(float(g[i])), equal_nan=True)
    assert np.isnan(largest(x, g, (low, high))) and np.isnan(largest(x, g, None))
    some = np.flatnonzero(np.isfinite(expected))
    assert largest(x[some], g[some], (low[some], high[some])) == expected[some].max()


@pytest.mark.parametrize("kind", ["i4", "i8", "f2", ">f8", object])
def test_gradients_of_other_dtypes(kind):
    x, g = np.array([0.5, 0.5]), np.array([2, -3]).astype(kind)
    assert largest(x, g, None) == 3.0
    assert largest(x, g, (np.zeros(2), np.ones(2))) == 0.5


def test_parts_of_a_complex_gradient_are_coordinates():
    def fun(z):
        return float(np.sum(np.abs(z - 1j) ** 2)), 2 * (z - 1j)

    history = compare(fun, np.array([1.5 - 1j]), ["BFGS", "adam"], jac=True, options={"maxiter": 3})
    assert history["BFGS"].history.norm[0] == history["adam"].history.norm[0] == 4.0


def test_a_gradient_of_another_length_is_an_error():
    found = compare(lambda x: float(x @ x), [1.0, 2.0], ["L-BFGS-B"], jac=lambda x: np.ones(90), bounds=[(-3, 3)] * 2)
    assert "the gradient has 90 entries, but x has 2" in str(found.errors["L-BFGS-B"])
