"""Numbers that a rule carries from step to step stay with a state when its hyperparameters change."""

import numpy as np
import pytest

import numbaopt


def by_hand(x, gradients, rates):
    """Step as NAdam does (Dozat 2016), with torch's schedule of momentum and another learning rate at each step."""
    m, v, product = np.zeros_like(x), np.zeros_like(x), 1.0
    mu = lambda t: 0.9 * (1 - 0.5 * 0.96 ** (t * 4e-3))  # noqa: E731
    for t, (g, lr) in enumerate(zip(gradients, rates, strict=True), 1):
        product *= mu(t)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        d = np.sqrt(v / (1 - 0.999**t)) + 1e-8
        x = x - lr * (1 - mu(t)) / (1 - product) * g / d - lr * mu(t + 1) / (1 - product * mu(t + 1)) * m / d
    return x, product


def test_another_learning_rate_keeps_what_is_carried():
    x, gradients = np.array([1.0, -2.0, 3.0]), np.random.default_rng(0).normal(size=(6, 3))
    rates = [0.1, 0.1, 0.1, 0.2, 0.2, 0.05]
    expected, product = by_hand(x, gradients, rates)
    state = numbaopt.nadam(lr=0.1).init(x)
    for g, lr in zip(gradients, rates, strict=True):
        numbaopt.nadam(lr=lr).step(x, g, state)
    assert state.t == 6 and state.rule.hyper["lr"] == 0.05
    assert abs(state["product"] / product - 1) < 1e-14
    np.testing.assert_allclose(x, expected, rtol=1e-12)


def test_other_switches_are_refused_for_an_x_that_is_not_the_states():
    x = np.ones(3)
    state = numbaopt.adam.init(x)
    other = numbaopt.adam(decoupled=True, wd=0.1)
    assert other.slots_of == state.rule.slots_of and other.program is not state.rule.program
    for wrong in (np.ones(4), np.ones(3, np.float32)):
        with pytest.raises((ValueError, TypeError)):
            other.step(wrong, np.ones_like(wrong), state)
        assert state.t == 0 and (wrong == 1).all()
    other.step(x, np.ones(3), state)
    assert state.t == 1 and state.rule is other
