"""Every rule, dtype, switch and size: steps compiled, serial and parallel, against the rule's own text on arrays."""

import platform
import re

import numba
import numpy as np
import pytest

import numbaopt
from numbaopt import cpu
from numbaopt.rule import _step

VARIANTS = {
    "sgd": [{}, {"momentum": 0.9}, {"momentum": 0.9, "dampening": 0.5}, {"momentum": 0.9, "nesterov": True}],
    "rmsprop": [{}, {"centered": True}, {"momentum": 0.9, "centered": True, "alpha": 0.9}],
    "adagrad": [{}, {"lr_decay": 0.1, "initial_accumulator": 0.5}],
    "adam": [{}, {"lr": 0.3, "b1": 0.5, "b2": 0.9, "eps": 1e-3}, {"b1": 0.0, "b2": 0.0}],
    "adamw": [{}, {"wd": 0.0}, {"lr": 0.1, "wd": 0.5}],
    "amsgrad": [{}, {"b2": 0.5}],
    "radam": [{}, {"b2": 0.9}, {"b2": 0.6}],  # of which the last is never rectified
    "lamb": [{}, {"wd": 0.1}],
}
CASES = [
    pytest.param(getattr(numbaopt, name)(**hyper), id="-".join([name, *(f"{k}={v}" for k, v in hyper.items())]))
    for name, variants in VARIANTS.items()
    for hyper in variants
]
DTYPES = [np.float32, np.float64]
SIZES = [1, 2, 7, 64, 1000, 5000, cpu.PARALLEL_FROM + cpu.BLOCK // 2 + 3]

# How far, in units in the last place of the largest number that enters, a step may be from the text on arrays. Steps
# without a division by a scalar do the same roundings in the same order, and so do all slots. With one, `m / c` is
# `m * (1 / c)`: two roundings for one, and Adam has two of them. A sum of n entries has its own order of additions.
ULPS = {"sgd": 0, "rmsprop": 0, "adagrad": 0, "adam": 4, "adamw": 4, "amsgrad": 4, "radam": 4, "lamb": 16}


def kernels(rule, dtype):
    """The serial and the parallel step, whatever the size at which the parallel one begins to pay.

    The text does not depend on the dtype, and a parallel step takes long to compile: in float64 one with sums, one without.
    """
    kinds = [False, True] if dtype is np.float32 or rule in (numbaopt.adam, numbaopt.lamb) else [False]
    return [cpu.kernel(_step(rule.name, rule.program, parallel), np.dtype(dtype)) for parallel in kinds]


def whole(rule, s, n):
    """All slots that the rule's text takes, those that its setting does not need as zeros."""
    slots = dict(zip(rule.slots_of, s, strict=True))
    return [slots.get(name, np.zeros(n, s.dtype)) for name in rule._stages[0][0].slots]


def plain_step(rule, t, x, g, s):
    """One step of the undecorated function: the new x, and the slots that the setting needs, stacked."""
    out = rule.math(x, g, *whole(rule, s, x.size), t, *rule.hyper.values())
    named = dict(zip(rule._stages[0][0].slots, out[1:], strict=True))
    return out[0], np.array([named[name] for name in rule.slots_of], s.dtype).reshape(s.shape)


def assert_close(ours, plain, scale, ulps, what):
    """Compare in units in the last place of ``scale``; NaN equals NaN."""
    assert ours.dtype == plain.dtype, what
    if ulps == 0:
        np.testing.assert_array_equal(ours, plain, err_msg=what)
        return
    room = ulps * np.finfo(ours.dtype).eps * np.maximum(scale, np.abs(plain))
    wrong = ~((np.abs(ours - plain) <= room) | (np.isnan(ours) & np.isnan(plain)))
    assert not wrong.any(), f"{what}: entry {np.flatnonzero(wrong)[0]}: {ours[wrong][0]!r}, not {plain[wrong][0]!r}"


def test_table_has_every_rule():
    assert sorted(VARIANTS) == sorted(ULPS) == numbaopt.names()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", CASES)
def test_plain_serial_parallel(rule, dtype):
    serial, *parallel = kernels(rule, dtype)
    for n in SIZES:
        rng = np.random.default_rng(n)
        x = (3 * rng.normal(size=n)).astype(dtype)
        s, h = rule.slots(x), rule.h
        for t in range(1, 8):  # RAdam begins to rectify at t = 6
            g = (rng.normal(size=n) * 10.0 ** rng.integers(-4, 3, n)).astype(dtype)
            before, what = x.copy(), f"{rule} n={n} t={t}"
            with np.errstate(all="ignore"):
                plain_x, plain_s = plain_step(rule, t, x, g, s)
            others = [(kernel, x.copy(), s.copy()) for kernel in parallel]
            g_before = g.copy()
            assert serial(t, x, g, s, h) is None
            for kernel, x_other, s_other in others:
                kernel(t, x_other, g, s_other, h)
                np.testing.assert_array_equal(x, x_other, err_msg=what)
                np.testing.assert_array_equal(s, s_other, err_msg=what)
            np.testing.assert_array_equal(g, g_before, err_msg=what)
            assert_close(x, plain_x, np.maximum(np.abs(before), np.abs(plain_x - before)), ULPS[rule.name], what)
            assert_close(s, plain_s, 0, 0, what)
            assert np.isfinite(x).all(), what


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", CASES)
def test_zero_gradients(rule, dtype):
    # From zero slots nothing may move but by weight decay, nor become NaN by 0 / 0.
    x = np.linspace(-1, 1, 9, dtype=dtype)
    expected, state, g = x.copy(), rule.init(x), np.zeros_like(x)
    for t in range(1, 4):
        if rule.name == "adamw":
            expected *= dtype(1 - rule.hyper["lr"] * rule.hyper["wd"])
        if (
            rule.name == "lamb" and rule.hyper["wd"]
        ):  # the whole direction is wd x, which the trust ratio makes as long as x
            expected -= dtype(rule.hyper["lr"]) * expected
        rule.step(x, g, state)
        np.testing.assert_allclose(x, expected, rtol=4 * np.finfo(dtype).eps, err_msg=f"t={t}")
    assert state.t == 3


def test_what_is_not_a_number_stays_in_its_coordinate():
    for name in VARIANTS:
        rule = getattr(numbaopt, name)
        if not rule.elementwise:
            continue
        x, g = np.ones(5), np.array([1.0, np.nan, 1.0, np.inf, 1.0])
        clean = np.ones(5)
        state, other = rule.init(x), rule.init(clean)
        for _ in range(3):
            rule.step(x, g, state)
            rule.step(clean, np.ones(5), other)
        assert np.isnan(x[1]), name
        assert not np.isfinite(x[3]), name
        np.testing.assert_array_equal(x[::2], clean[::2])


# State persists: against loops written by hand, which share no text with the rules.


def heavy_ball(x, gradients, lr, mu):
    v = np.zeros_like(x)
    for g in gradients:
        v = mu * v + g
        x = x - lr * v
    return x, v


def adam_by_hand(x, gradients, lr, b1, b2, eps):
    m, v = [0.0] * len(x), [0.0] * len(x)
    x = list(x)
    for t, g in enumerate(gradients, 1):
        for i in range(len(x)):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i]
            x[i] -= lr * (m[i] / (1 - b1**t)) / ((v[i] / (1 - b2**t)) ** 0.5 + eps)
    return np.array(x), np.array(m), np.array(v)


def test_velocity_persists_between_steps():
    # The classic bug: a velocity that the caller's loop never sees updated. Without it the second step is the first again.
    gradients = np.random.default_rng(0).normal(size=(2, 5))
    x, start = np.ones(5), np.ones(5)
    rule = numbaopt.sgd(lr=0.1, momentum=0.5)
    state = rule.init(x)
    s = state.s
    for k, g in enumerate(gradients, 1):
        rule.step(x, g, state)
        expected, v = heavy_ball(start, gradients[:k], 0.1, 0.5)
        np.testing.assert_allclose(x, expected, rtol=1e-15)
        np.testing.assert_allclose(state["b"], v, rtol=1e-15)
        assert (state.t, state.s) == (k, s) if state.s is s else False, "the slots change in place"
    forgetful, _ = heavy_ball(heavy_ball(start, gradients[:1], 0.1, 0.5)[0], gradients[1:], 0.1, 0.5)
    assert np.abs(forgetful - x).min() > 1e-3, "the test could not tell"


def test_moments_persist_between_steps():
    gradients = np.random.default_rng(1).normal(size=(5, 4))
    x = np.zeros(4)
    rule = numbaopt.adam(lr=0.1, b1=0.8, b2=0.9)
    state = rule.init(x)
    m = state["m"]
    for k, g in enumerate(gradients, 1):
        rule.step(x, g, state)
        expected, m_hand, v_hand = adam_by_hand(np.zeros(4), gradients[:k], 0.1, 0.8, 0.9, 1e-8)
        np.testing.assert_allclose(x, expected, rtol=1e-14)
        np.testing.assert_allclose(m, m_hand, rtol=1e-15)  # the same view all along
        np.testing.assert_allclose(state["v"], v_hand, rtol=1e-15)


@pytest.mark.parametrize("rule", CASES)
def test_only_x_and_the_state_change_and_in_place(rule):
    x = np.linspace(1, 2, 6, dtype=np.float32).reshape(2, 3)
    g = np.full_like(x, 0.5)
    view, before, g_before = x[1], x.copy(), g.copy()
    state = rule.init(x)
    s, h = state.s, rule.h
    assert np.array_equal(x, before), "init writes nothing"
    assert rule.step(x, g, state) is None
    assert (x != before).all() and np.shares_memory(view, x)
    assert np.array_equal(view, x[1])
    assert state.s is s and state.s.dtype == x.dtype == np.float32
    assert np.array_equal(g, g_before) and np.array_equal(rule.h, h)
    g[:] = 7  # the gradient was used, not kept
    again, fresh = before.copy(), rule.init(before)
    for _ in range(2):
        rule.step(again, g_before, fresh)
    rule.step(x, g_before, state)
    assert np.array_equal(x, again)


def test_a_million_entries_are_stepped_alike_at_every_place():
    n = 1_000_003
    x, g = np.full(n, 0.5, np.float32), np.full(n, 0.25, np.float32)
    small, rule = np.full(3, 0.5, np.float32), numbaopt.adam
    state, little = rule.init(x), rule.init(small)
    for _ in range(3):
        rule.step(x, g, state)
        rule.step(small, g[:3], little)
    assert (x == small[0]).all()
    assert (state.s == little.s[:, :1]).all()


def test_lamb_steps_a_tenth_of_the_parameters_length():
    # What the trust ratio is for, in closed form: the step is lr |x| long, whatever the gradient's length.
    rng = np.random.default_rng(3)
    for n in (1, 5, 5000, 60_000):
        x, g = rng.normal(size=n), 1e3 * rng.normal(size=n)
        before, rule = x.copy(), numbaopt.lamb(lr=0.1)
        rule.step(x, g, rule.init(x))
        np.testing.assert_allclose(np.linalg.norm(x - before), 0.1 * np.linalg.norm(before), rtol=1e-13)


# What the machine code is.


def compiled_apart(rule, dtype, parallel, n=1000):
    """Compile the emitted text past the disk cache, which keeps no code to look at; return its namespace."""

    def jit(function=None, **options):
        return numba.njit(**cpu.OPTIONS | options) if function is None else numba.njit(**cpu.OPTIONS)(function)

    namespace = {"jit": jit, "step": jit, "prange": range}
    exec(cpu.emit(rule.name, rule.program, parallel), namespace)
    x, g = np.ones(n, dtype), np.full(n, 0.1, dtype)
    namespace["step"](1, x, g, rule.slots(x), rule.h)
    return namespace


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="looks for x86 instructions")
@pytest.mark.parametrize("parallel", [False, True], ids=["serial", "parallel"])
@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_float32_sweeps_are_vectorised_and_hold_no_double(name, parallel):
    namespace = compiled_apart(getattr(numbaopt, name), np.float32, parallel)
    (llvm,) = namespace["sweep0" if parallel else "step"].inspect_llvm().values()
    (assembly,) = namespace["sweep0" if parallel else "step"].inspect_asm().values()
    for operation in ("mul", "sub", "sqrt", "div"):
        assert re.search(rf"v?f?n?m?{operation}\w*ps\s.*[xyz]mm", assembly), operation
    wide = "8|16" if numba.core.codegen.get_host_cpu_features().find("+avx2") >= 0 else "4"
    assert re.search(rf"<({wide}) x float>", llvm)
    assert "x double>" not in llvm
    if parallel:  # where the sweep is a function of its own, apart from the scalars
        function = llvm[llvm.index("define") :].split("\n}\n")[0]
        assert "float" in function and "double" not in function
