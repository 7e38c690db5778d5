"""What compiled steps refuse before they change anything."""

import numpy as np
import pytest

import numbaopt


@pytest.mark.parametrize("name", ["sgd", "adam", "lamb", "muon"])
@pytest.mark.parametrize("t", [0, -1])
def test_steps_count_from_one(name, t):
    rule = numbaopt.get(name)
    if name == "muon":
        rule = rule.shaped((2, 2))
    x, g = np.ones(4), np.ones(4)
    state = rule.init(x.reshape(rule.shape or 4))
    slots = state.s.copy()
    with pytest.raises(ValueError, match="t must be at least 1"):
        rule.jit(t, x, g, state.s, state.h)
    np.testing.assert_array_equal(x, np.ones(4))
    np.testing.assert_array_equal(state.s, slots)
    rule.jit(1, x, g, state.s, state.h)
    assert (x < 1).any() and not np.isnan(x).any()
