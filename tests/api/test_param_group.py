"""Parameters of an `Optimizer` that lie side by side, and that the caller changes between two steps."""

import numpy as np
import pytest

import numbaopt
from numbaopt import Optimizer, chain
from numbaopt.transforms import clip_by_global_norm, ema, sam


def test_adjacent_views_of_one_buffer_are_two_parameters():
    buffer = np.arange(6.0)
    optimizer = Optimizer(numbaopt.sgd(lr=1.0), [buffer[:2], buffer[2:]])
    optimizer.step([np.ones(2), np.full(4, 2.0)])
    np.testing.assert_array_equal(buffer, [-1.0, 0.0, 0.0, 1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="shares memory"):
        Optimizer(numbaopt.sgd(lr=1.0), [buffer[:3], buffer[2:]])


@pytest.mark.parametrize("method", ["prodigy", chain(clip_by_global_norm(max_norm=1.0), numbaopt.lamb)], ids=str)
def test_the_reported_point_is_the_parameters_as_they_are_now(method):
    a, b = np.array([1.0, 2.0]), np.array([[3.0]])
    optimizer = Optimizer(method, [a, b])
    optimizer.step([np.ones(2), np.ones((1, 1))])
    a[:], b[:] = [10.0, 20.0], 30.0
    first, second = optimizer.reported()
    np.testing.assert_array_equal(first, [10.0, 20.0])
    np.testing.assert_array_equal(second, [[30.0]])


def test_an_average_is_reported_beside_parameters_as_they_are_now():
    # The stage before the rule sums over all arrays, so they are stepped as one; the average is that of the iterates.
    a, b = np.array([1.0, 2.0]), np.array([3.0])
    method = chain(clip_by_global_norm(max_norm=1e9), numbaopt.sgd(lr=1.0), ema(decay=0.5))
    optimizer = Optimizer(method, [a, b])
    optimizer.step([np.zeros(2), np.zeros(1)])
    a[:], b[:] = [5.0, 6.0], 7.0
    optimizer.step([np.ones(2), np.ones(1)])
    np.testing.assert_array_equal(a, [4.0, 5.0])
    first, second = optimizer.reported()
    np.testing.assert_allclose(first, [2.5, 3.5])  # of 1 and 4, of 2 and 5
    np.testing.assert_allclose(second, [4.5])


def test_a_stage_over_all_arrays_reports_the_parameters_as_they_are_now():
    # sam takes the norm of all arrays, lamb that of each: they are stepped in two parts, and sam reports its point.
    a, b = np.array([1.0, 2.0]), np.array([3.0])
    optimizer = Optimizer(chain(sam(rho=0.5), numbaopt.lamb(lr=0.1)), [a, b])
    for _ in range(2):
        optimizer.step([np.array([3.0, 0.0]), np.array([4.0])])
    a[:], b[:] = [5.0, 6.0], 7.0
    first, second = optimizer.reported()
    np.testing.assert_array_equal(first, [5.0, 6.0])
    np.testing.assert_array_equal(second, [7.0])
