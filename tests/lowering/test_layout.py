"""Where the numbers of a rule are in h, and the expressions that read them there."""

import numpy as np
import pytest

import numbaopt
from numbaopt import chain, schedules
from numbaopt.lowering.layout import TABLE, layout, powers
from numbaopt.rule import rule
from numbaopt.transforms import accumulate


@rule
def counting(x, g, m, t, c, lr=0.5, b=0.75):
    m = b * m + g
    return x - lr * m / (1 - b**t) - c * g, m, c + 1


def test_offsets_in_the_order_of_the_signature():
    places = layout(counting.program)
    assert places.offsets == {"lr": 0, "b": 1, "c": 2, "b_t": 3}
    assert places.size == 3 + TABLE == counting.h.size
    assert places.bases == {"b_t": "b"} and not places.schedules
    assert [places.access(name) for name in ("lr", "b", "c")] == ["h[0]", "h[1]", "h[2]"]


def test_a_schedule_has_an_offset_for_each_of_its_parameters():
    course = schedules.linear(0.5, 0.25, 8)
    scheduled = counting(lr=course)
    places = layout(scheduled.program)
    assert places.offsets == {"lr": 0, "b": 3, "c": 4, "b_t": 5} and places.schedules == {"lr": course}
    assert scheduled.h[:5].tolist() == [0.5, 0.25, 8, 0.75, 0]
    assert places.access("lr") == "linear_at((t - 1), h[0], h[1], h[2])"
    assert places.access("lr", {"t": "t_"}) == "linear_at((t_ - 1), h[0], h[1], h[2])"
    assert places.access("lr", steps="0") == "linear_at(0, h[0], h[1], h[2])"


@pytest.mark.parametrize("name", numbaopt.names())
def test_h_has_the_hyperparameters_where_the_layout_says(name):
    rule = numbaopt.get(name)
    places, h = layout(rule.program), rule.h
    assert places.size == h.size
    for hyper in rule.program.hyper:
        assert h[places.offsets[hyper]] == rule.hyper[hyper]
    for table, b in places.bases.items():
        at = places.offsets[table]
        np.testing.assert_array_equal(h[at : at + TABLE], powers(rule.hyper[b]))
        assert h[at + 1] == rule.hyper[b] and at == rule.table(b)


def test_carried_numbers_follow_and_a_value_is_last():
    rule = chain(accumulate(k=4), numbaopt.sgd)
    places = layout(rule.program)
    for name in rule.numbers_of:
        assert rule.place(name) == places.offsets[name] >= len(rule.program.hyper)
        assert places.access(name) == f"h[{places.offsets[name]}]"
    valued = next(numbaopt.get(name) for name in numbaopt.names() if numbaopt.get(name).needs_value)
    assert layout(valued.program).offsets["value_"] == valued.h.size - 1


def test_a_power_is_looked_up_by_the_digits_of_t():
    text, h = layout(counting.program).access("b_t", {"t": "t_", "b": "b_"}), counting.h
    for t in (1, 31, 32, 1000, 2**20 - 1):
        known = {"h": h, "t_": t, "b_": 0.75, "power": lambda *args: args, "edited": None}
        count, *digits, log = eval(text, known)
        assert count == t and np.prod(digits) == pytest.approx(0.75**t, rel=1e-13, abs=1e-300)
        assert log == pytest.approx(2**20 * np.log(0.75), rel=1e-15)
    known = {"h": h, "t_": 1, "b_": 0.5, "power": None, "edited": lambda b: ("edited", b)}
    assert eval(text, known) == ("edited", 0.5)
