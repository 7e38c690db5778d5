"""Central differences where a shorter step to both sides is exactly as long as the step to one."""

import numpy as np
import pytest
from scipy.optimize._numdiff import approx_derivative

from numbaopt import minimize


@pytest.mark.parametrize(("below", "above"), [(0.5, 1.0), (1.0, 0.5), (0.25, 0.5)])
def test_ties_are_decided_as_scipy_does(below, above):
    x = np.array([1.0])
    bounds = [(1.0 - below, 1.0 + above)]
    points = []

    def fun(z):
        points.append(float(z[0]))
        return float(np.exp(z[0]))

    options = {"maxiter": 0, "finite_diff_rel_step": 4.0}
    result = minimize(fun, x, jac="3-point", bounds=bounds, options=options)
    side = min(below, above)
    assert points[1:] == [1.0 - side, 1.0 + side]
    expected = approx_derivative(lambda z: np.exp(z[0]), x, "3-point", 4.0, bounds=tuple(zip(*bounds, strict=True)))
    np.testing.assert_array_equal(result.jac, expected.reshape(-1))
    assert result.jac[0] == pytest.approx((np.exp(1 + side) - np.exp(1 - side)) / (2 * side), rel=1e-12)
