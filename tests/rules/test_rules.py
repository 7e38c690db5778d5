"""Compiled steps of every rule, dtype, switch and size, serial and parallel, compared with undecorated functions."""

import inspect
import json
import math
import platform
import re

import numba
import numpy as np
import pytest

import numbaopt
from numbaopt.backends import cpu
from numbaopt.backends.host import compiled_step
from numbaopt.lowering import emit_cpu
from tests.paths import GOLDEN


def recorded(name):
    """The sets of hyperparameters that a rule was recorded with, by their names there."""
    sets = {}
    for path in sorted([*GOLDEN.glob(f"{name}.npz"), *GOLDEN.glob(f"{name}.*.npz")]):
        with np.load(path) as file:
            own = json.loads(str(file["about"]))["sets"]
        sets |= {f"{path.stem}-{key}": hyper for key, hyper in own.items()}
    return sets


CASES = [
    pytest.param(getattr(numbaopt, name)(**hyper), id=key)
    for name in numbaopt.names()
    for key, hyper in recorded(name).items()
]
DTYPES = [np.float32, np.float64]
SIZES = [1, 2, 7, 64, 1000, cpu.PARALLEL_FROM + emit_cpu.BLOCK // 2 + 3]

# How far, in units in the last place of the largest number that enters, x and the slots may be from the text on arrays.
# An elementwise rule nowhere, for it does the same roundings in the same order (see `Entries`), unless it calls
# exp or log, which NumPy has its own of. With a sum all coordinates enter, and there are further roundings; how far the
# sum itself may be off follows from its length and its condition, and not from the processor: see `Entries`.
ULPS = {"diffgrad": 4}
ULPS_OF_SUMS = 16
# A parallel step takes long to compile, and what makes it differ from a serial one is not in the rules: here are sums,
# scalars decided once a step, switches, many slots.
PARALLEL = {"adam-all", "lamb-all", "radam-defaults", "rmsprop-all", "sgd-nesterov", "adopt-nesterov", "cocob-all"}


def kernels(rule, dtype):
    """The serial and the parallel step, whatever the size at which the parallel one begins to pay.

    The text does not depend on the dtype: in float64 one with sums, one without.
    """
    wanted = PARALLEL if dtype is np.float32 else {"adam-all", "lamb-all"}
    both = any(case.id in wanted and case.values[0] == rule for case in CASES)
    return [
        cpu.kernel(compiled_step(rule.name, rule.program, kind), np.dtype(dtype)) for kind in [False, True][: 1 + both]
    ]


VALUE = 100.0  # of the objective, for rules that ask for it: above what any set calls its least value


def valued(rule):
    """What a compiled step takes as h."""
    h = rule.h
    h[len(h) - rule.needs_value :] = VALUE
    return h


def step(rule, x, g, state):
    """One step through the public method."""
    return rule.step(x, g, state, VALUE) if rule.needs_value else rule.step(x, g, state)


def alone(rule):
    """Whether a coordinate's step depends on that coordinate alone, and not on its place either, as noise does."""
    return rule.elementwise and not rule._stages[0][0].calls("normal")


def in_units_of_x(rule):
    """The places of slots that start as a copy of x."""
    starts = rule._stages[0][0].starts
    return [k for k, name in enumerate(rule.slots_of) if starts[name] == "x"]


@numba.njit
def powers(a, exponent):
    """The machine's power, which NumPy has its own of."""
    out = np.empty_like(a)
    for i in range(a.size):
        out[i] = a[i] ** exponent
    return out


class Entries(np.ndarray):
    """An array whose division by a scalar is done as compiled steps do it, once: a product with the inverse.

    That is the one freedom that a compiled step takes with roundings. Where the text then subtracts, no tolerance in
    units in the last place would hold.

    Sums are exact here. A compiled one is taken in float64, in an order that depends on the processor: whatever it is,
    the error is at most u times the number of additions one after another times the sum of the absolute values (Higham
    2002, Accuracy and Stability of Numerical Algorithms, equation 4.4; u is half the spacing at 1). `worst` keeps the
    largest such bound, relative to the sum.
    """

    worst = 0.0

    @classmethod
    def sum_exactly(cls, a):
        """Return the exact sum, and note the bound."""
        terms = np.ravel(a).astype(float).tolist()
        total, size = math.fsum(terms), math.fsum(map(abs, terms))
        if total and math.isfinite(size):
            additions = min(len(terms), emit_cpu.BLOCK) + len(terms) // emit_cpu.BLOCK
            cls.worst = max(cls.worst, additions * np.finfo(float).eps / 2 * size / abs(total))
        return total

    def __truediv__(self, other):
        with np.errstate(divide="ignore"):
            return super().__truediv__(other) if np.ndim(other) else self * float(np.divide(1.0, other))

    def __pow__(self, other):
        if float(other).is_integer():
            return super().__pow__(other)
        return powers(np.asarray(self), self.dtype.type(other)).view(Entries)

    def __array_function__(self, function, types, args, kwargs):
        if function in (np.sum, np.mean):
            return self.sum_exactly(args[0]) / (args[0].size if function is np.mean else 1)
        value = super().__array_function__(function, types, args, kwargs)  # np.where returns a plain array
        return value.view(Entries) if isinstance(value, np.ndarray) else value


def plain_step(rule, t, x, g, s, h):
    """One step of the undecorated function: new x, new slots stacked, and the numbers that it carries on."""
    text = rule._stages[0][0]
    known = {
        "x": x,
        "g": g,
        **dict.fromkeys(text.slots, np.zeros_like(x)),
        **{k: rule.slot(s, k) for k in rule.slots_of},
    }
    known = {name: array.view(Entries) for name, array in known.items()} | {"t": t, "f": VALUE} | dict(rule.hyper)
    known |= {k: rule.number(h, k) if k in rule.numbers_of else 0.0 for k in text.numbers}
    out = rule.math(**{name: known[name] for name in inspect.signature(rule.math).parameters})
    new_x, *kept = out if isinstance(out, tuple) else (out,)
    named = dict(zip([*text.slots, *text.numbers], kept, strict=True))
    slots = np.array([named[name] for name in rule.slots_of], s.dtype).reshape(s.shape)
    return np.asarray(new_x), slots, [named[name] for name in rule.numbers_of]


def assert_close(ours, plain, scale, ulps, what):
    """Compare in units in the last place of ``scale``; NaN equals NaN."""
    assert ours.dtype == plain.dtype, what
    if ulps == 0:
        np.testing.assert_array_equal(ours, plain, err_msg=what)
        return
    room = ulps * np.finfo(ours.dtype).eps * np.maximum(scale, np.abs(plain))
    wrong = ~((np.abs(ours - plain) <= room) | (np.isnan(ours) & np.isnan(plain)))
    assert not wrong.any(), f"{what}: entry {np.flatnonzero(wrong)[0]}: {ours[wrong][0]!r}, not {plain[wrong][0]!r}"


def test_tables_name_rules_and_cases_that_exist():
    named = {*ULPS, *MOVED_BY_NOTHING, *BLIND_TO_SIZE}
    assert named <= set(numbaopt.names())
    assert set(PARALLEL) <= {case.id for case in CASES}
    assert {case.values[0].name for case in CASES} == set(numbaopt.names()), "a rule without recordings"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", CASES)
def test_plain_serial_parallel(rule, dtype):
    serial, *parallel = kernels(rule, dtype)
    usual = dict(rule.hyper) == dict(getattr(numbaopt, rule.name).hyper)
    for n in SIZES if usual or parallel else SIZES[:-1]:
        rng = np.random.default_rng(n)
        x = (3 * rng.normal(size=n)).astype(dtype)
        s, h = rule.slots(x), valued(rule)
        for t in range(1, 8):  # RAdam begins to rectify at t = 6
            g = (rng.normal(size=n) * 10.0 ** rng.integers(-4, 3, n)).astype(dtype)
            before, s_before, what = x.copy(), s.copy(), f"{rule} n={n} t={t}"
            Entries.worst = 0.0
            with np.errstate(all="ignore"):
                plain_x, plain_s, plain_numbers = plain_step(rule, t, x, g, s, h)
            others = [(kernel, x.copy(), s.copy(), h.copy()) for kernel in parallel]
            g_before = g.copy()
            assert serial(t, x, g, s, h) is None
            for kernel, *other in others:
                kernel(t, other[0], g, *other[1:])
                for ours, theirs in zip((x, s, h), other, strict=True):
                    np.testing.assert_array_equal(ours, theirs, err_msg=what)
            np.testing.assert_array_equal(g, g_before, err_msg=what)
            scale = np.max(np.abs([before, plain_x - before, *(s_before[k] for k in in_units_of_x(rule))]), 0)
            s_scale, ulps = np.abs(s_before), ULPS.get(rule.name, 0)
            if not alone(rule):
                scale, s_scale, ulps = scale.max(), s_scale.max(1, keepdims=True), ULPS.get(rule.name, ULPS_OF_SUMS)
                ulps += Entries.worst / np.finfo(dtype).eps
            assert_close(x, plain_x, scale, ulps, what)
            assert_close(s, plain_s, s_scale, ulps, what)
            numbers = [rule.number(h, name) for name in rule.numbers_of]
            room = max(1e-12 * bool(ulps), Entries.worst)  # of the largest: a number may be a difference of sums
            np.testing.assert_allclose(numbers, plain_numbers, room, room * np.max(np.abs([0, *numbers])), err_msg=what)
            assert np.isfinite(x).all(), what


@pytest.mark.slow
@pytest.mark.parametrize("name", numbaopt.names())
def test_blocks_of_the_parallel_step(name):
    # Every rule's parallel text, its blocks done one after another: compiled so it is the same arithmetic, and sooner.
    rule = getattr(numbaopt, name)
    n = 2 * emit_cpu.BLOCK + 77
    apart = compiled_apart(rule, np.float32, True, n, h=valued(rule))["step"]
    rng = np.random.default_rng(2)
    x = rng.normal(size=n).astype(np.float32)
    mine, other = [x, rule.slots(x), valued(rule)], [x.copy(), rule.slots(x), valued(rule)]
    for t in range(1, 8):
        g = rng.normal(size=n).astype(np.float32)
        rule.kernel(x)(t, mine[0], g, *mine[1:])
        apart(t, other[0], g, *other[1:])
        for ours, theirs in zip(mine, other, strict=True):
            np.testing.assert_array_equal(ours, theirs)


# What moves x although all gradients are zero, besides the weight decay of a rule with wd.
MOVED_BY_NOTHING = {
    "asgd": "lambd shrinks x",
    "ftrl": "x is a function of the slots, which know nothing of where it started",
    "yogi": "the moments start above zero",
}


def shrinks_by(rule):
    """What one step at a zero gradient multiplies x by, where that is known in closed form; None elsewhere."""
    h = rule.hyper
    if rule._stages[0][0].calls("normal"):
        return None
    if rule.name == "fromage":
        return (1 + h["lr"] ** 2) ** -0.5  # which takes back by how much an orthogonal step lengthens x
    if not h.get("wd"):
        return 1.0 if rule.name not in MOVED_BY_NOTHING else None
    if rule.name == "lamb":
        return 1 - h["lr"]  # the whole direction is wd x, which the trust ratio makes as long as x
    if rule.name == "adan" and not h["no_prox"]:
        return 1 / (1 + h["lr"] * h["wd"])
    apart = {
        "adafactor",
        "muon",
        "acprop",
        "adamaxw",
        "adamw",
        "adan",
        "ademamix",
        "lion",
        "nadamw",
        "simplified_ademamix",
    }
    return 1 - h["lr"] * h["wd"] if rule.name in apart or h.get("decoupled") else None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", CASES)
def test_zero_gradients(rule, dtype):
    # Nothing may move but by what is named above, nor become NaN by 0 / 0; to left and right alike.
    x = np.linspace(-1, 1, 9, dtype=dtype)
    expected, factor, state, g = x.copy(), shrinks_by(rule), rule.init(x), np.zeros_like(x)
    for t in range(1, 4):
        step(rule, x, g, state)
        if factor is not None:
            expected *= dtype(factor)
            np.testing.assert_allclose(x, expected, rtol=4 * np.finfo(dtype).eps, err_msg=f"t={t}")
        assert np.isfinite(x).all(), f"t={t}"
        if rule.name != "yogi" and not rule._stages[0][0].calls("normal"):
            np.testing.assert_array_equal(x, -x[::-1], err_msg=f"t={t}")
    assert state.t == 3


# Rules to which an infinite gradient is as good as any.
BLIND_TO_SIZE = {"lion", "rprop", "sign_sgd", "signum"}


@pytest.mark.parametrize("name", numbaopt.names())
def test_what_is_not_a_number_stays_in_its_coordinate(name):
    rule = getattr(numbaopt, name)
    if not rule.elementwise:
        pytest.skip("all coordinates enter each")
    x, g = np.ones(5), np.array([1.0, np.nan, 1.0, np.inf, 1.0])
    clean = np.ones(5)
    state, other = rule.init(x), rule.init(clean)
    for _ in range(3):
        step(rule, x, g, state)
        step(rule, clean, np.ones(5), other)
    assert np.isnan(x[1])
    assert np.isfinite(x[3]) == (name in BLIND_TO_SIZE)
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
    g = np.full_like(x, 50)
    view, before, g_before = x[1], x.copy(), g.copy()
    state = rule.init(x)
    s, h = state.s, rule.h
    assert np.array_equal(x, before), "init writes nothing"
    assert step(rule, x, g, state) is None
    assert np.shares_memory(view, x) and np.array_equal(view, x[1])
    assert state.s is s and state.s.dtype == x.dtype == np.float32
    assert np.array_equal(g, g_before) and np.array_equal(rule.h, h, equal_nan=True)
    g[:] = 7  # the gradient was used, not kept
    last = np.full_like(x, 25)
    again, fresh = before.copy(), rule.init(before)
    for gradient in (g_before, last):
        step(rule, again, gradient, fresh)
    step(rule, x, last, state)
    assert np.array_equal(x, again)
    assert (x != before).all()


@pytest.mark.parametrize("name", numbaopt.names())
def test_a_million_entries_are_stepped_alike_at_every_place(name):
    n, rule = 1_000_003, getattr(numbaopt, name)
    if not alone(rule):
        pytest.skip("all coordinates enter each, or each has noise of its own")
    x, g = np.full(n, 0.5, np.float32), np.full(n, 0.25, np.float32)
    few, s, h, own = x[:3].copy(), rule.slots(x), valued(rule), valued(rule)
    little, kernel = s[:, :3].copy(), cpu.kernel(compiled_step(rule.name, rule.program, False), x.dtype)
    for t in range(1, 4):
        kernel(t, x, g, s, h)
        kernel(t, few, g[:3], little, own)
    assert (x == few[0]).all()
    assert (s == little[:, :1]).all()


@pytest.mark.slow
def test_a_million_entries_through_the_public_step():
    n, rule = 1_000_003, numbaopt.adam
    x, g = np.full(n, 0.5, np.float32), np.full(n, 0.25, np.float32)
    few = x[:3].copy()
    state, little = rule.init(x), rule.init(few)
    for _ in range(3):
        rule.step(x, g, state)
        rule.step(few, g[:3], little)
    assert (x == few[0]).all()
    assert (state.s == little.s[:, :1]).all()


def test_asgd_keeps_the_mean_of_its_late_iterates():
    # In closed form: the average starts at step t0 + 2, the first at which mu is 1 for the last time.
    rng = np.random.default_rng(5)
    x, rule = rng.normal(size=4), numbaopt.asgd(lr=0.3, lambd=0.2, t0=3)
    state, iterates = rule.init(x), []
    for t in range(1, 13):
        rule.step(x, rng.normal(size=4), state)
        iterates.append(x.copy())
        np.testing.assert_allclose(state["ax"], np.mean(iterates[4:] or iterates[-1:], 0), rtol=1e-14, err_msg=f"t={t}")


def test_what_a_hyperparameter_may_be_depends_on_the_rule():
    assert numbaopt.cocob(alpha=50).hyper["alpha"] == 50 and numbaopt.ademamix(alpha=8).hyper["alpha"] == 8
    assert numbaopt.optimistic_gradient_descent(beta=2).hyper["beta"] == 2
    for rule, wrong in [
        (numbaopt.rmsprop, {"alpha": 1.1}),
        (numbaopt.signum, {"beta": 1.0}),
        (numbaopt.cocob, {"alpha": 0.0}),
        (numbaopt.madgrad, {"momentum": 1.0}),
        (numbaopt.rprop, {"eta_minus": 1.0}),
        (numbaopt.rprop, {"eta_plus": 1.0}),
        (numbaopt.adam, {"eps_root": -1e-9}),
        (numbaopt.asgd, {"lambd": -1e-9}),
    ]:
        (name,) = wrong
        with pytest.raises(ValueError, match=rf"{rule.name}: {name} must be finite and lie in "):
            rule(**wrong)


@pytest.mark.slow
def test_lamb_steps_a_tenth_of_the_parameters_length():
    # What the trust ratio is for, in closed form: the step is lr |x| long, whatever the gradient's length.
    rng = np.random.default_rng(3)
    for n in (1, 5, 5000, 60_000):
        x, g = rng.normal(size=n), 1e3 * rng.normal(size=n)
        before, rule = x.copy(), numbaopt.lamb(lr=0.1)
        rule.step(x, g, rule.init(x))
        np.testing.assert_allclose(np.linalg.norm(x - before), 0.1 * np.linalg.norm(before), rtol=1e-13)


# What the machine code is.


def compiled_apart(rule, dtype, parallel, n=1000, h=None):
    """Compile the emitted text past the disk cache, which keeps no code to look at; return its namespace."""

    def jit(function=None, **options):
        return numba.njit(**cpu.OPTIONS | options) if function is None else numba.njit(**cpu.OPTIONS)(function)

    namespace = {"jit": jit, "step": jit, "prange": range}
    exec(emit_cpu.emit(rule.name, rule.program, parallel), namespace)
    x, g = np.ones(n, dtype), np.full(n, 0.1, dtype)
    namespace["step"](1, x, g, rule.slots(x), rule.h if h is None else h.copy())
    return namespace


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="looks for x86 instructions")
@pytest.mark.parametrize("parallel", [False, True], ids=["serial", "parallel"])
@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_float32_sweeps_are_vectorized_and_hold_no_double(name, parallel):
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
