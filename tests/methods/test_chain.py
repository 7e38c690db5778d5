"""Stages around a rule: every rule, names, slots and copies of a chain."""

import pickle

import numpy as np
import pytest

import numbaopt
from numbaopt import adagrad, adam, chain, lamb, rmsprop, rule, schedules, sgd
from numbaopt.transforms import box

inf = np.inf
SOME = [
    "adagrad",
    "adam",
    "amsgrad",
    "lamb",
    "lion",
    "momo",
    "nadam",
    "polyak_sgd",
    "prodigy",
    "radam",
    "rmsprop",
    "sgd",
]
SOME += ["schedule_free_adamw", "sm3", "yogi"]  # of each form one: each chain is compiled
RULES = [getattr(numbaopt, name) for name in SOME]
RULES = [each(lr=0.3) if "lr" in each.hyper else each for each in RULES]
RULES += [lamb(lr=0.3, wd=0.1), sgd(lr=0.3, momentum=0.9, nesterov=True), rmsprop(lr=0.3, momentum=0.5, centered=True)]


@rule
def halved(g, t, lower=0.5):
    return g * lower


@rule
def leash(x, lower, t, upper=1.5):
    return x * upper + lower, lower


@pytest.mark.slow
@pytest.mark.parametrize("each", RULES, ids=lambda each: f"{each.name}{len(each.slots_of)}")
def test_box_is_clip_after_the_step(each):
    rng = np.random.default_rng(5)
    x = rng.uniform(-1, 1, 11)
    lower, upper = np.full(11, -0.4), np.full(11, 0.3)
    lower[::3], upper[::2] = -inf, inf  # open below, above, and on both sides
    lower[4] = upper[4] = 0.25
    y, fused = x.copy(), chain(each, box)
    state, plain = fused.init(x), each.init(y)
    state["lower"][:], state["upper"][:] = lower, upper
    for g in rng.normal(size=(12, 11)):
        fused.step(x, g, state, *[3.0] * each.needs_value)
        each.step(y, g, plain, *[3.0] * each.needs_value)
        np.clip(y, lower, upper, out=y)
        np.testing.assert_array_equal(x, y)
    assert np.array_equal(state.s[: len(plain.s)], plain.s) and state.t == 12 and x[4] == 0.25
    assert np.array_equal(state["lower"], lower) and np.array_equal(state["upper"], upper)


def test_slots_in_the_order_of_the_stages():
    assert chain(adam, box).slots_of == ("m", "v", "lower", "upper") and chain(sgd, box).slots_of == ("lower", "upper")
    s = chain(adagrad(initial_accumulator=0.25), box).slots(np.ones(3), lower=-1.0, upper=[1, 2, inf])
    np.testing.assert_array_equal(s, [[0.25] * 3, [-1.0] * 3, [1, 2, inf]])


def test_names_that_meet_are_told_apart():
    whole = chain(halved, halved, adam, leash, leash, box)
    assert set(whole.hyper) == {"lower", "halved_lower", *adam.hyper, "upper", "leash_upper"}
    assert whole.slots_of == ("m", "v", "leash_lower", "leash_lower_", "box_lower", "box_upper")
    bound = chain(halved, halved, sgd(lr=1.0), leash, leash, box)(halved_lower=0.25, leash_upper=2.0)
    x = np.zeros(2)
    s = bound.slots(x, leash_lower=1.0, leash_lower_=2.0, box_lower=-inf, box_upper=7.0)
    bound.jit(1, x, np.array([8.0, -16.0]), s, bound.h)  # ((-g / 8) * 1.5 + 1) * 2 + 2
    np.testing.assert_array_equal(x, [1.0, 7.0])


@pytest.mark.slow
@pytest.mark.parametrize(
    "whole",
    [
        chain(lamb(lr=0.5), box),
        chain(halved, halved(lower=0.125), adam(lr=schedules.linear(0, 1, 5)), box),
        chain(halved, sgd(momentum=0.9), box, box),
    ],
    ids=lambda each: each.name,
)
def test_pickles(whole):
    again = pickle.loads(pickle.dumps(whole))
    assert again == whole and again.program is whole.program and repr(again) == repr(whole)
    x = np.linspace(-2, 2, 5)
    state = whole.init(x)
    state.s[-2], state.s[-1] = -1.0, 1.0
    whole.step(x, np.ones(5), state)
    y, other = pickle.loads(pickle.dumps((x, state)))
    whole.step(x, np.ones(5), state)
    again.step(y, np.ones(5), other)
    np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(state.s, other.s)


def test_chains_of_chains():
    inner = chain(adam, box)
    assert chain(inner) == inner and chain(halved, inner) == chain(halved, adam, box) and chain(adam) == adam
