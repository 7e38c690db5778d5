"""Bounds are rounded to the dtype of x inwards, so that no result lies outside of them."""

import numpy as np
import pytest

import numbaopt
from numbaopt import minimize


@pytest.mark.parametrize(
    ("bounds", "slope", "nearest"),
    [
        ((0.0, 0.1), -1.0, np.nextafter(np.float32(0.1), np.float32(-1))),  # float32(0.1) is above 0.1
        ((0.0, 0.7), -1.0, np.float32(0.7)),  # float32(0.7) is below 0.7
        ((0.1, 1.0), 1.0, np.float32(0.1)),
        ((0.7, 1.0), 1.0, np.nextafter(np.float32(0.7), np.float32(1))),
        ((-0.1, 1.0), 1.0, np.nextafter(np.float32(-0.1), np.float32(1))),
    ],
)
def test_float32_stays_inside_of_float64_bounds(bounds, slope, nearest):
    fun = lambda x: (slope * float(x.sum()), np.full_like(x, slope))  # noqa: E731
    x0 = np.full(2, 0.4, np.float32)
    result = minimize(fun, x0, jac=True, method=numbaopt.sgd(lr=1.0), bounds=[bounds] * 2, options={"maxiter": 5})
    assert result.x.dtype == np.float32
    np.testing.assert_array_equal(result.x, [nearest, nearest])
    assert bounds[0] <= float(result.x[0]) <= bounds[1]
