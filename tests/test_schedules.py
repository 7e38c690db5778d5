"""Schedules against their formulas, optax's written out, and torch's where it has the same; in and out of the step."""

import copy
import inspect
import math
import pickle
from math import cos, exp, log, pi, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numbaopt import RuleError, adam, lamb, rule, sgd
from numbaopt.schedules import Joined, Schedule, constant, cosine, exponential, joined, linear, schedule

# optax 0.2.8, written out: `polynomial_schedule` of power 1, `exponential_decay`, `cosine_decay_schedule`, and
# `join_schedules` below. The count starts at 0.


def optax_linear(init, end, steps, count):
    fraction = 1 - min(max(count, 0), steps) / steps
    return (init - end) * fraction + end


def optax_exponential(init, rate, steps, count):
    return init * rate ** (count / steps)


def optax_cosine(init, steps, alpha, count):
    decay = 0.5 * (1 + math.cos(math.pi * min(count, steps) / steps))
    return init * ((1 - alpha) * decay + alpha)


def optax_join(schedules, boundaries, count):
    value = schedules[0](count)
    for boundary, part in zip(boundaries, schedules[1:], strict=True):
        value = value if count < boundary else part(count - boundary)
    return value


COUNTS = [0, 1, 2, 49, 50, 51, 99, 100, 101, 1000, 10**6]
positive = st.floats(1e-6, 1e3)


@given(positive, positive, st.integers(1, 10_000), st.integers(0, 20_000))
def test_values_are_optaxs(init, final, steps, count):
    assert constant(init)(count) == init
    assert linear(init, final, steps)(count) == pytest.approx(
        optax_linear(init, final, steps, count), rel=1e-12, abs=1e-15
    )
    assert cosine(init, steps)(count) == pytest.approx(optax_cosine(init, steps, 0, count), rel=1e-12, abs=1e-15 * init)
    ours = cosine(init, steps, final)(count)
    assert ours == pytest.approx(optax_cosine(init, steps, final / init, count), rel=1e-9, abs=1e-12)
    assert exponential(init, 0.9, steps)(count) == pytest.approx(optax_exponential(init, 0.9, steps, count), rel=1e-12)


def test_values_one_knows():
    assert linear(0, 0.1, 100)(0) == 0 and linear(33, 1e-5, 7)(7) == linear(33, 1e-5, 7)(10**9) == 1e-5, (
        "both ends exactly"
    )
    assert linear(0, 0.1, 100)(25) == pytest.approx(0.025, rel=1e-15)
    assert linear(1.0, 0.5, 2)(1) == 0.75
    assert cosine(0.2, 100)(0) == 0.2 and cosine(0.2, 100)(50) == pytest.approx(0.1) and cosine(0.2, 100)(100) == 0
    assert cosine(0.2, 100, 0.1)(10**9) == 0.1 and cosine(0.2, 90, 0.1)(30) == pytest.approx(0.175)
    assert exponential(0.8, 0.5)(3) == 0.1 and exponential(0.8, 0.5, 10)(30) == 0.1
    assert exponential(1, 0.9, steps=2)(4) == pytest.approx(0.81)


def test_values_are_torchs():
    # ExponentialLR(gamma), CosineAnnealingLR(T_max, eta_min), LinearLR(start_factor, end_factor, total_iters): closed forms.
    for k in range(40):
        assert exponential(0.1, 0.95)(k) == pytest.approx(0.1 * 0.95**k)
        factor = 1 / 3 + (1 - 1 / 3) * min(k, 30) / 30
        assert linear(0.1 / 3, 0.1, 30)(k) == pytest.approx(0.1 * factor)
        annealed = 0.01 + (0.1 - 0.01) * (1 + math.cos(math.pi * min(k, 40) / 40)) / 2
        assert cosine(0.1, 40, final=0.01)(k) == pytest.approx(annealed)


# Joined.

PARTS = [linear(0, 0.1, 10), constant(0.1), cosine(0.1, 20, 0.01), exponential(0.01, 0.5)]
BOUNDARIES = [10, 15, 35]


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 14, 15, 16, 34, 35, 36, 40, 100])
def test_joined_is_optaxs_join(count):
    whole = joined(PARTS, BOUNDARIES)
    assert whole(count) == optax_join(PARTS, BOUNDARIES, count)
    assert joined(PARTS[:1], [])(count) == PARTS[0](count)
    nested = joined([joined(PARTS[:2], BOUNDARIES[:1]), joined(PARTS[2:], [20])], [15])
    assert nested(count) == whole(count)


# In the compiled step.


@schedule
def inverse_sqrt(k, init: float, warmup: int = 5) -> float:
    """Up, then down as 1 / sqrt(k)."""
    if k < warmup:
        return init * (k + 1) / warmup
    scale = sqrt((k + 1) / warmup)
    return init / scale


@schedule
def wobble(k, a, b=pi / 8):
    return abs(a) * exp(-0.1 * log(k + 1.0)) * (1 + cos(pi * k + b)) + min(max(a, b), 1)


@schedule
def lr(k, value):
    """Named as the hyperparameter that follows it."""
    return value / (k + 1)


@schedule
def staircase(k, init, drop, every):
    return init * drop ** (k // every)


ALL = [
    constant(0.05),
    linear(0, 0.1, 7),
    exponential(0.1, 0.9, 3),
    cosine(0.1, 12, 0.01),
    joined([linear(0, 0.1, 4), cosine(0.1, 8)], [4]),
    joined([joined([linear(0, 0.1, 2), constant(0.1)], [2]), joined([cosine(0.1, 4), lr(0.1)], [4])], [5]),
    inverse_sqrt(0.1),
    wobble(0.01),
    lr(0.3),
    staircase(0.1, 0.5, 4),
]


@pytest.mark.parametrize("each", ALL, ids=repr)
def test_in_the_step_as_by_rebinding_lr_each_step(each):
    rng = np.random.default_rng(0)
    x, gradients = rng.normal(size=5), rng.normal(size=(16, 5))
    y = x.copy()
    bound = sgd(lr=each, momentum=0.5)
    state, other = bound.init(x), sgd(momentum=0.5).init(y)
    for k, g in enumerate(gradients):
        bound.step(x, g, state)
        sgd(lr=each(k), momentum=0.5).step(y, g, other)
        np.testing.assert_allclose(x, y, rtol=1e-14, err_msg=f"k={k}")
    assert np.array_equal(state.s, other.s)


def test_several_schedules_and_a_joined_one_in_one_float32_rule():
    bound = adam(
        lr=joined([linear(0.0, 0.1, 5), cosine(0.1, 10)], [5]), b1=linear(0.5, 0.9, 10), eps=exponential(1e-3, 0.5)
    )
    x = np.linspace(-1, 1, 6, dtype=np.float32)
    y, m, v = x.copy(), np.zeros_like(x), np.zeros_like(x)
    state = bound.init(x)
    for t in range(1, 15):
        g = np.cos(x * t)
        y, m, v = adam.math(y, g, m, v, t, *(f if isinstance(f, float) else f(t - 1) for f in bound.hyper.values()))
        bound.step(x, g, state)
        np.testing.assert_allclose(x, y, rtol=3e-6, atol=1e-7)


@pytest.mark.parametrize(("plain", "n"), [(lamb, 9), (sgd, 60_000)], ids=["several passes", "parallel"])
def test_in_other_kinds_of_steps(plain, n):
    bound = plain(lr=cosine(0.1, 10))
    x = np.random.default_rng(0).normal(size=n).astype(np.float32)
    y, g = x.copy(), x + 1
    state, other = bound.init(x), plain.init(y)
    for k in range(3):
        bound.step(x, g, state)
        plain(lr=cosine(0.1, 10)(k)).step(y, g, other)
    assert np.array_equal(x, y)


def test_a_schedule_takes_a_place_in_h_for_each_of_its_numbers():
    bound = sgd(lr=cosine(0.5, 10, 0.1))
    assert bound.h.tolist() == [0.5, 10, 0.1, 0, 0, 0]
    h, x = bound.h, np.ones(3)
    h[0] = 0.25
    bound.jit(1, x, np.ones(3), bound.slots(x), h)
    assert (x == 0.75).all()
    whole = sgd(lr=joined([linear(1, 2, 3), constant(4)], [5]))
    assert whole.h.tolist() == [5, 1, 2, 3, 4, 0, 0, 0]


def test_a_schedule_as_a_switch_is_on():
    bound = sgd(momentum=linear(0.0, 0.9, 2), lr=1.0)
    x = np.zeros(1)
    state = bound.init(x)
    for _ in range(3):
        bound.step(x, np.ones(1), state)
    # Velocities 1, 0.45 + 1, 0.9 * 1.45 + 1.
    np.testing.assert_allclose(x, -(1 + 1.45 + 2.305))


# What is refused.


@pytest.mark.parametrize("value", ["0.1", None, 1j, True, float("nan"), float("inf"), [0.1], np.array([0.1]), cosine])
def test_parameters_are_finite_numbers(value):
    with pytest.raises(TypeError, match="linear: final is a finite real number, not "):
        linear(0, value, 10)


@pytest.mark.parametrize("steps", [0, -1, -0.5])
def test_steps_are_positive(steps):
    for make in (lambda: linear(0, 1, steps), lambda: cosine(1, steps), lambda: exponential(1, 0.5, steps)):
        with pytest.raises(ValueError, match="steps is positive, not "):
            make()


def test_calls_are_checked_like_any_function():
    for make in (linear, lambda: cosine(1), lambda: linear(0, 1, 2, 3), lambda: cosine(1, 2, last=3)):
        with pytest.raises(TypeError):
            make()
    assert linear(final=1, init=0, steps=4) == linear(0, 1, 4)
    assert str(inspect.signature(cosine)) == "(init, steps, final=0.0)" and cosine.__doc__.startswith(
        "Return half a cosine"
    )


@pytest.mark.parametrize(
    "boundaries", [[], [1], [1, 2, 3], [2, 1], [2, 2], [0, 2], [-1, 2], [float("nan"), 2], [1, float("inf")]], ids=repr
)
def test_boundaries(boundaries):
    with pytest.raises(ValueError, match="3 schedules need 2 increasing boundaries, not "):
        joined([constant(1)] * 3, boundaries)


@pytest.mark.parametrize("schedules", [[], [0.1], [constant(1), 0.5], [constant], ["cosine"]])
def test_joined_takes_schedules(schedules):
    with pytest.raises(TypeError, match="joined takes a list of schedules, not "):
        joined(schedules, [5] * (len(schedules) - 1))


def test_names_in_a_schedule_are_known():
    scale = 2.0

    def module(k, a):
        return a * math.cos(k)

    def outside(k, a):
        return a * scale * k

    for function, name in ((module, "math"), (outside, "scale")):
        with pytest.raises(RuleError, match=rf"schedule {function.__name__}: unknown name '{name}'; known are "):
            schedule(function)
    namespace = {}
    exec("def f(k, a): return a", namespace)
    for thing in (namespace["f"], lambda k, a: a):
        with pytest.raises(RuleError, match="no source to read; define it with `def`"):
            schedule(thing)


def test_two_schedules_of_one_name_are_not_taken_for_each_other():
    def make(factor):
        if factor == 1:

            @schedule
            def decay(k, a):
                return a / (k + 1)
        else:

            @schedule
            def decay(k, a):
                return a / (k + 2)

        return decay(0.5)

    one, two = make(1), make(2)
    assert one != two and one == make(1) or one != make(1)  # made anew, a function is another
    assert one(0) == 0.5 and two(0) == 0.25
    for each in (one, two):
        x = np.zeros(1)
        bound = sgd(lr=each)
        bound.step(x, np.ones(1), bound.init(x))
        assert x[0] == -each(0)
    with pytest.raises(ValueError, match="two schedules are named 'decay'"):
        joined([one, two], [5])
    with pytest.raises(ValueError, match="two schedules are named 'decay'"):
        sgd(lr=one, momentum=two).init(np.ones(1))


# As values.


@pytest.mark.parametrize("each", ALL[:-4], ids=repr)
def test_equality_repr_and_copies(each):
    names = {
        "linear": linear,
        "cosine": cosine,
        "constant": constant,
        "exponential": exponential,
        "joined": joined,
        "lr": lr,
    }
    assert eval(repr(each), names) == each and hash(eval(repr(each), names)) == hash(each)
    for again in (copy.copy(each), copy.deepcopy(each), pickle.loads(pickle.dumps(each))):
        assert again == each and hash(again) == hash(each) and again(7) == each(7)
        assert sgd(lr=again) == sgd(lr=each)
        assert sgd(lr=again).program is sgd(lr=each).program
    assert isinstance(each, Schedule) and isinstance(each, Joined) == repr(each).startswith("joined")


def test_inequality():
    assert linear(0, 1, 2) != linear(0, 1, 3) != constant(1) != 1
    assert joined([constant(1), constant(2)], [3]) != joined([constant(1), constant(2)], [4])
    assert cosine(1.0000000001, 10) != cosine(1, 10), "although they print alike"
    assert {constant(1): "a"}[constant(1.0)] == "a"


def test_one_compiled_step_for_all_parameters():
    x = np.ones(3)
    one, two = sgd(lr=cosine(0.1, 10)), sgd(lr=cosine(0.2, 20))
    assert one.source() == two.source() and one.kernel(x) is two.kernel(x)


def test_a_schedule_may_be_the_default_of_a_rule():
    @rule
    def warm(x, g, t, lr=linear(0, 1, 2)):  # noqa: B008
        return x - lr * g

    x = np.zeros(1)
    state = warm.init(x)
    for expected in (0.0, -0.5, -1.5, -2.5):
        warm.step(x, np.ones(1), state)
        assert x[0] == expected
