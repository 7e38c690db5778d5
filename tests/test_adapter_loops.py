"""The loops that `numbaopt.adapters` makes: what their callbacks receive stays as it was."""

import numpy as np

import numbaopt
from numbaopt import adapters


def test_a_callback_may_keep_every_x_and_gradient():
    kept = []
    optimize = adapters.loop(numbaopt.sgd)
    start = {"a": np.array([4.0, -2.0]), "b": np.array([8.0])}
    gradient = lambda x, i: {name: x[name] / 2 for name in x}  # noqa: E731
    end = optimize(gradient, start, lambda x, i, g: kept.append((x, i, g)), num_iters=4, step_size=1.0)
    assert [i for _, i, _ in kept] == [0, 1, 2, 3]
    for x, i, g in kept:
        for name in start:
            np.testing.assert_array_equal(x[name], start[name] / 2**i)
            np.testing.assert_array_equal(g[name], start[name] / 2 ** (i + 1))
    for name in start:
        np.testing.assert_array_equal(end[name], start[name] / 16)


def test_by_default_there_are_a_hundred_iterations():
    steps = []
    adapters.loop(numbaopt.sgd)(lambda x, i: x, np.ones(1), lambda x, i, g: steps.append(i), step_size=0.5)
    assert steps == list(range(100))
