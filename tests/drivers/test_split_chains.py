"""A chain with a sum over all arrays and a rule with norms of each, against the same steps in NumPy."""

import numpy as np
import pytest

import numbaopt
from numbaopt import chain, minimize
from numbaopt.transforms import clip_by_global_norm

START = {"w": np.array([[1.0, -2.0], [0.5, 3.0]]), "b": np.array([4.0, -1.0, 2.0])}
SCALE = {"w": 3.0, "b": 0.5}


def quadratic(p):
    value = sum(SCALE[name] * float(np.sum(p[name] ** 2)) for name in p)
    return value, {name: 2 * SCALE[name] * p[name] for name in p}


def by_hand(p, steps, lr, max_norm):
    """Return the parameters after steps of LAMB with clipped gradients; clipping as in torch, with its 1e-6."""
    p = {name: array.copy() for name, array in p.items()}
    m, v = ({name: np.zeros_like(array) for name, array in p.items()} for _ in range(2))
    for t in range(1, steps + 1):
        g = quadratic(p)[1]
        norm = np.sqrt(sum(np.sum(each**2) for each in g.values()))
        for name in p:
            clipped = g[name] * min(max_norm / (norm + 1e-6), 1.0)
            m[name] = 0.9 * m[name] + 0.1 * clipped
            v[name] = 0.999 * v[name] + 0.001 * clipped**2
            u = m[name] / (1 - 0.9**t) / (np.sqrt(v[name] / (1 - 0.999**t)) + 1e-6)
            p[name] = p[name] - lr * np.linalg.norm(p[name]) / np.linalg.norm(u) * u
    return p


@pytest.mark.parametrize("max_norm", [0.5, 1e3])
def test_clipped_over_all_arrays_and_scaled_by_each(max_norm):
    method = chain(clip_by_global_norm(max_norm=max_norm), numbaopt.lamb(lr=0.1))
    options = {"maxiter": 6, "gtol": None, "return": "last"}
    result = minimize(quadratic, START, jac=True, method=method, options=options)
    expected = by_hand(START, 6, 0.1, max_norm)
    value, gradient = quadratic(expected)
    assert result.nit == 6 and result.fun == pytest.approx(value, rel=1e-12)
    for name in START:
        np.testing.assert_allclose(result.x[name], expected[name], rtol=1e-12)
        np.testing.assert_allclose(result.jac[name], gradient[name], rtol=1e-12)  # not the clipped one
