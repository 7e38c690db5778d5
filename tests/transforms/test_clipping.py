"""The small number that clipping adds to a norm, seen at gradients of its size."""

import numpy as np
import pytest

import numbaopt
from numbaopt import chain
from numbaopt.transforms import adaptive_grad_clip, clip_by_global_norm, normalize_by_update_norm

SMALL = 1e-6 * np.array([0.6, -0.8])  # of the norm 1e-6


@pytest.mark.parametrize(
    ("stage", "factor"),
    [
        (clip_by_global_norm(max_norm=1e-6), 1e-6 / (1e-6 + 1e-6)),  # torch's clip_grad_norm_ adds 1e-6
        (clip_by_global_norm(max_norm=0.5e-6), 0.5e-6 / (1e-6 + 1e-6)),
        (clip_by_global_norm(max_norm=1e-6, eps=0.0), 1.0),  # optax's adds nothing
        (clip_by_global_norm(max_norm=1.0), 1.0),
        (normalize_by_update_norm(), 1.0 / (1e-6 + 1e-6)),
        (normalize_by_update_norm(scale_factor=3.0, eps=1e-7), 3.0 / (1e-6 + 1e-7)),
    ],
    ids=str,
)
def test_gradients_as_small_as_eps(stage, factor):
    rule, x = chain(stage, numbaopt.sgd(lr=1.0)), np.zeros(2)
    rule.step(x, SMALL.copy(), rule.init(x))
    np.testing.assert_allclose(x, -factor * SMALL, rtol=1e-14)


def test_weights_count_as_no_shorter_than_eps():
    rule, x = chain(adaptive_grad_clip(), numbaopt.sgd(lr=1.0)), np.array([3e-4, -4e-4])
    expected = x - 0.01 * 1e-3 * np.array([0.6, -0.8])  # the weights have the norm 5e-4
    rule.step(x, np.array([0.6, -0.8]), rule.init(x))
    np.testing.assert_allclose(x, expected, rtol=1e-12)
