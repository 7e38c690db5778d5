"""Rule and State: rebinding, identity, the compiled step's own interface, and what `init` and `step` refuse."""

import copy
import inspect
import pickle
import threading
from pathlib import Path

import numba
import numpy as np
import pytest

import numbaopt
from numbaopt import Rule, RuleError, State, adam, chain, lamb, rmsprop, rule, schedules, sgd
from numbaopt.backends import cpu
from numbaopt.methods.registry import get, names
from numbaopt.transforms import box

# Rebinding.


def test_rebinding_makes_a_copy_and_leaves_the_rule_alone():
    quick = adam(lr=0.1, b2=0.9)
    assert [adam.hyper[k] for k in ("lr", "b1", "b2", "eps")] == [1e-3, 0.9, 0.999, 1e-8]
    assert dict(quick.hyper) == dict(adam.hyper) | {"lr": 0.1, "b2": 0.9}
    assert dict(quick(lr=1).hyper)["b2"] == 0.9 and type(quick(lr=1).hyper["lr"]) is float
    assert adam() == adam and isinstance(quick, Rule)
    with pytest.raises(TypeError):
        quick.hyper["lr"] = 1.0


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), np.int64(1), 1, 0.5, True + 0])
def test_numbers_of_every_kind(value):
    assert adam(lr=value).hyper["lr"] == float(value)


@pytest.mark.parametrize("value", [True, False, np.True_])
def test_flags(value):
    assert sgd(nesterov=value).hyper["nesterov"] is bool(value)


@pytest.mark.parametrize(
    ("rule", "name", "value"),
    [
        (adam, "lr", "fast"),
        (adam, "lr", None),
        (adam, "lr", 1j),
        (adam, "lr", True),
        (adam, "b1", False),
        (adam, "lr", [0.1]),
        (sgd, "nesterov", np.array([True])),
        (adam, "lr", np.array(0.1)),
        (adam, "lr", lambda t: 0.1),
        (sgd, "nesterov", 1),
        (sgd, "nesterov", "yes"),
        (sgd, "nesterov", None),
        (sgd, "nesterov", schedules.constant(1.0)),
    ],
)
def test_wrong_types(rule, name, value):
    with pytest.raises(
        TypeError, match=rf"{rule.name}: {name} must be (a real number or a schedule|True or False), not "
    ):
        rule(**{name: value})


def test_a_schedule_without_its_parameters():
    with pytest.raises(TypeError, match="adam: lr is a schedule without its parameters: call it, cosine"):
        adam(lr=schedules.cosine)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), -1e-300])
@pytest.mark.parametrize("name", ["lr", "b1", "b2", "eps", "wd"])
def test_out_of_range(name, value):
    with pytest.raises(ValueError, match=rf"adamw: {name} must be finite and lie in \[0, .*\), not {value}"):
        numbaopt.adamw(**{name: value})


def test_ends_of_the_ranges():
    for name in ("b1", "b2"):
        with pytest.raises(ValueError, match=r"lie in \[0, 1\), not 1.0"):
            adam(**{name: 1})
        assert adam(**{name: 0}).hyper[name] == 0
    assert rmsprop(alpha=1).hyper["alpha"] == 1 and rmsprop(alpha=0).hyper["alpha"] == 0
    with pytest.raises(ValueError, match=r"alpha must be finite and lie in \[0, 1\], not 1.0000001"):
        rmsprop(alpha=1.0000001)
    assert sgd(dampening=-2.0, lr=0, momentum=3).hyper["dampening"] == -2.0


@pytest.mark.parametrize(
    ("rule", "name", "near"),
    [
        (adam, "beta1", "b1"),
        (adam, "weight", None),
        (sgd, "momemtum", "momentum"),
        (sgd, "Nesterov", "nesterov"),
        (lamb, "wdd", "wd"),
    ],
)
def test_unknown_hyperparameters(rule, name, near):
    with pytest.raises(TypeError) as info:
        rule(**{name: 0.1})
    message = str(info.value)
    assert message.startswith(f"{rule.name} has no hyperparameter '{name}'; it has {', '.join(rule.hyper)}.")
    assert (f"Did you mean '{near}'?" in message) if near else ("Did you mean" not in message)


# What a rule shows.


def test_repr_is_what_makes_the_rule():
    assert repr(adam) == "adam(lr=0.001)" and repr(adam(b2=0.9, lr=0.01)) == "adam(lr=0.01, b2=0.9)"
    for name in names():
        each = getattr(numbaopt, name)
        assert eval(repr(each), {name: each}) == each
    bound = sgd(lr=schedules.linear(0, 0.1, 10))
    assert eval(repr(bound), {"sgd": sgd, "linear": schedules.linear}) == bound


def test_signature_help_and_names():
    assert str(inspect.signature(adam(lr=0.5))).startswith("(*, lr=0.5, b1=0.9, b2=0.999, eps=1e-08, ")
    assert list(inspect.signature(adam).parameters) == list(adam.hyper)
    assert "\n\nAdam (Kingma & Ba 2015" in adam.__doc__ and adam.name == adam.__name__ == "adam"
    assert adam.math(1.0, 2.0, 0.0, 0.0, 1, 0.5)[0] == pytest.approx(0.5)
    assert adam.elementwise and not lamb.elementwise


def test_equality_and_hash():
    assert adam(lr=0.1) == adam(lr=0.1) != adam(lr=0.2) != sgd(lr=0.2)
    assert adam(lr=schedules.cosine(1, 10)) == adam(lr=schedules.cosine(1, 10)) != adam(lr=schedules.cosine(1, 11))
    assert len({adam(lr=0.1), adam(lr=0.1), adam, sgd}) == 3
    assert adam != "adam" and chain(adam, box) == chain(adam, box) != adam


@pytest.mark.parametrize(
    "rule",
    [adam, adam(lr=0.1), sgd(nesterov=True, momentum=0.9), chain(sgd(lr=0.5), box), chain(adam, box, box)],
    ids=repr,
)
def test_pickle_and_copy(rule):
    rule = rule()  # of the same lowering as any that is made now: after some hundreds an older one is forgotten
    for again in (pickle.loads(pickle.dumps(rule)), copy.copy(rule), copy.deepcopy(rule)):
        assert again == rule and hash(again) == hash(rule)
        assert again.program is rule.program, "compiled once"
    bound = rule(lr=schedules.joined([schedules.linear(0, 1, 5), schedules.constant(1)], [5]))
    assert pickle.loads(pickle.dumps(bound)) == bound


def test_registry():
    files = {path.stem for path in (Path(numbaopt.__file__).parent / "rules").glob("[a-z]*.py")}
    assert names() == sorted(files) and len(files) >= 8 and "adam" in files
    for name in names():
        assert get(name) is get(name.upper()) is getattr(numbaopt, name)
        assert name in dir(numbaopt)
    assert get(adam(lr=0.1)) == adam(lr=0.1)
    with pytest.raises(
        ValueError, match=r"unknown method 'adma'; there are accsgd, .*yogi, .*nonlinear_cg\. Did you mean 'adam'\?"
    ):
        get("adma")
    with pytest.raises(ValueError, match="unknown method 'zzz'; there are .*nonlinear_cg.$"):
        get("zzz")
    for wrong in (3, None, np.add, ["adam"]):
        with pytest.raises(TypeError, match="a name or a rule, not"):
            get(wrong)
    with pytest.raises(AttributeError, match="has no attribute 'adma'"):
        numbaopt.adma  # noqa: B018


def test_a_rule_of_ones_own_is_a_method_like_any_other():
    @rule
    def halves(x, g, z: "x", t, rate=0.5):  # noqa: F821
        """Half of the way."""
        return x - rate * g, z

    x = np.array([1.0, 2.0])
    halves(rate=0.25).step(x, np.ones(2), state := halves.init(x))
    np.testing.assert_array_equal(x, [0.75, 1.75])
    assert (
        "Half of the way." in halves.__doc__ and state.rule == halves(rate=0.25) and issubclass(RuleError, SyntaxError)
    )


def test_a_chain_has_one_rule_between_its_stages():
    @rule
    def half(g, t):
        return g / 2

    x = np.zeros(2)
    whole = chain(half, half, sgd(lr=1.0), box)
    whole.jit(1, x, np.array([-4.0, 4.0]), whole.slots(x, lower=-0.5, upper=np.inf), whole.h)
    np.testing.assert_array_equal(x, [1.0, -0.5])
    for wrong in ((), (half,), (box,), (adam, half), (box, adam), (adam, sgd), (half, box), (half, adam, half)):
        with pytest.raises(ValueError, match=r"a chain is stages \(g, ...\), then one rule"):
            chain(*wrong)
    for wrong in ("adam", None, np.clip):
        with pytest.raises(TypeError, match="chain joins rules, made with @rule; "):
            chain(adam, wrong)


# The compiled step: source, jit, h.


def test_source_compiles_as_printed():
    for each in (adam, sgd(momentum=0.9)):
        namespace = {"jit": cpu.jit, "step": numba.njit(error_model="numpy"), "prange": range}
        exec(each.source(), namespace)
        x, g = np.linspace(-1, 1, 7), np.linspace(2, 3, 7)
        other, state = x.copy(), each.init(x)
        s = each.slots(other)
        for t in (1, 2, 3):
            each.step(x, g, state)
            namespace["step"](t, other, g, s, each.h)
        assert np.array_equal(x, other) and np.array_equal(s, state.s)
    assert adam.source() == adam.source("cpu") != lamb.source()
    with pytest.raises(ValueError, match="backend is 'cpu'.* or '[a-z]+', not 'gpu'"):
        adam.source("gpu")


adam_step, sgd_step = adam.jit, sgd(momentum=0.9).jit


@numba.njit
def loop(x, s, h, s_sgd, h_sgd, steps):
    g = np.empty_like(x)
    for t in range(1, steps + 1):
        for i in range(x.size):
            g[i] = 2 * x[i] + i
        adam_step(t, x, g, s, h)
        sgd_step(t, x, g, s_sgd, h_sgd)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_jit_in_ones_own_loop_gives_the_bits_of_step(dtype):
    a, b = adam(lr=0.1), sgd(momentum=0.9)
    x = np.linspace(-1, 1, 11, dtype=dtype)
    other = x.copy()
    s, s_sgd = a.slots(x), b.slots(x)
    loop(x, s, a.h, s_sgd, b.h, 20)
    state, state_sgd, order = a.init(other), b.init(other), np.arange(11, dtype=dtype)
    for _ in range(20):
        g = dtype(2) * other + order
        a.step(other, g, state)
        b.step(other, g, state_sgd)
    assert np.array_equal(x, other) and np.array_equal(s, state.s) and np.array_equal(s_sgd, state_sgd.s)


def test_jit_compiles_for_what_it_is_called_with_and_the_kernel_for_nothing_else():
    x = np.ones(3)
    kernel = adam.kernel(x)
    signatures = list(kernel.signatures)
    with pytest.raises(TypeError):
        kernel(1, np.ones(6)[::2], x, adam.slots(x), adam.h)
    with pytest.raises(TypeError):
        kernel(1, x, np.ones(3, np.float32), adam.slots(x), adam.h)
    assert kernel.signatures == signatures
    strided = np.ones(6)[::2]
    sgd_step(1, strided, np.ones(3), sgd(momentum=0.9).slots(strided), sgd(momentum=0.9).h)
    np.testing.assert_array_equal(strided, np.full(3, 0.999))


def test_the_step_checks_its_lengths():
    x, g, s, h = np.ones(3), np.ones(3), adam.slots(np.ones(3)), adam.h
    for args in (
        (x, np.ones(2), s, h),
        (x, g, s[:1], h),
        (x, g, adam.slots(np.ones(4)), h),
        (x, g, s, h[:-1]),
        (x[:2], g, s, h),
    ):
        with pytest.raises(ValueError, match="adam: x, g and rows of s must have the same length"):
            adam.jit(1, *args)
        with pytest.raises(ValueError, match="adam: x, g and rows of s must have the same length"):
            adam.kernel(x)(1, *args)
    assert (x == 1).all() and (s == 0).all()


def test_h_holds_the_hyperparameters_in_order_and_lr_may_be_edited():
    bound = adam(lr=0.25)
    h = bound.h
    assert h.dtype == np.float64 and h[:4].tolist() == [0.25, 0.9, 0.999, 1e-8]
    h[0] = 0.5
    assert bound.h[0] == 0.25, "a new array each time"
    x, other = np.ones(3), np.ones(3)
    bound.jit(1, x, np.ones(3), bound.slots(x), h)
    half = adam(lr=0.5)
    half.step(other, np.ones(3), half.init(other))
    assert np.array_equal(x, other)
    bound = sgd(nesterov=True)
    assert bound.h.tolist() == [float(v) for v in bound.hyper.values()]


@pytest.mark.slow
@pytest.mark.parametrize("each", [adam, lamb, numbaopt.radam], ids=lambda each: each.name)
def test_a_power_may_not_be_edited_in_h(each):
    x, s, h = np.ones(3), each.slots(np.ones(3)), each.h
    h[1] = 0.5
    for step in (each.jit, each.kernel(x)):
        with pytest.raises(ValueError, match="h was edited"):
            step(1, x, np.ones(3), s, h)
        assert (x == 1).all() and (s == 0).all()


def test_slots():
    x = np.array([1.0, -2.0], np.float32)
    start = numbaopt.adagrad(initial_accumulator=0.5).slots(x)
    assert start.dtype == np.float32 and start.tolist() == [[0.5, 0.5]]
    assert sgd.slots(x).shape == (0, 2)
    fused = chain(adam, box)
    s = fused.slots(x, lower=np.array([-1, -np.inf]), upper=3)
    assert fused.slots_of == ("m", "v", "lower", "upper")
    assert s.tolist() == [[0, 0], [0, 0], [-1, -np.inf], [3, 3]]


# State.


def test_what_a_state_holds():
    x = np.ones((2, 3), np.float32)
    state = adam.init(x)
    assert isinstance(state, State) and (state.t, state.shape, state.rule) == (0, (2, 3), adam)
    assert state.s.shape == (2, 6) and state.s.dtype == np.float32 and state.s.flags.c_contiguous
    assert state["v"].shape == (2, 3) and np.shares_memory(state["v"], state.s[1])
    adam.step(x, np.ones_like(x), state)
    assert state.t == 1 and (state["m"] != 0).all()
    assert repr(state) == f"State({adam!r}, t=1, slots: m, v, shape=(2, 3))"
    assert "slots: none" in repr(sgd.init(x))
    with pytest.raises(KeyError, match="adam has the slots m, v; not 'z'"):
        state["z"]


@pytest.mark.parametrize("n", [5, 60_000])
@pytest.mark.parametrize("rule", [adam, sgd, lamb], ids=lambda rule: rule.name)
def test_a_copied_state_goes_on_with_the_same_bits(rule, n):
    rng = np.random.default_rng(0)
    x, gradients = rng.normal(size=n), rng.normal(size=(4, n))
    state = rule.init(x)
    for g in gradients[:2]:
        rule.step(x, g, state)
    copies = [(x.copy(), again) for again in (pickle.loads(pickle.dumps(state)), copy.deepcopy(state))]
    for g in gradients[2:]:
        rule.step(x, g, state)
    for y, again in copies:
        assert again.t == 2 and not np.shares_memory(again.s, state.s)
        for g in gradients[2:]:
            rule.step(y, g, again)
        assert np.array_equal(x, y) and np.array_equal(state.s, again.s) and again.t == 4


def test_other_hyperparameters_at_each_step():
    rng = np.random.default_rng(1)
    x, gradients = rng.normal(size=5), rng.normal(size=(4, 5))
    bound = [
        sgd(momentum=0.9),
        sgd(momentum=0.5, lr=0.1),
        sgd(momentum=0.9, nesterov=True),
        sgd(momentum=0.9, lr=schedules.constant(0.3)),
    ]
    y, b, state = x.copy(), np.zeros(5), bound[0].init(x)
    for t, (each, g) in enumerate(zip(bound, gradients, strict=True), 1):
        each.step(x, g, state)
        lr, momentum = [1e-3, 0.1, 1e-3, 0.3][t - 1], each.hyper["momentum"]
        b = g if t == 1 else momentum * b + g
        y = y - lr * (g + momentum * b if each.hyper["nesterov"] else b)
        np.testing.assert_allclose(x, y, rtol=1e-15)
    assert state.t == 4


# What init and step refuse; nothing is written then.

BAD_X = {
    "list": ([1.0, 2.0], TypeError, "x must be a NumPy array, to be changed in place, not list"),
    "number": (1.0, TypeError, "not float: use"),
    "scalar": (np.float64(1), TypeError, "not float64: use"),
    "None": (None, TypeError, "not NoneType: use"),
    "text": ("x", TypeError, "not str: use"),
    "masked": (np.ma.array([1.0, 2.0], mask=[0, 1]), TypeError, "not MaskedArray: use"),
    "integers": (np.array([1, 2]), TypeError, "float32 or float64 in native byte order, not int64"),
    "half": (np.ones(2, np.float16), TypeError, "not float16"),
    "long": (np.ones(2, np.longdouble), TypeError, f"not {np.dtype(np.longdouble)}"),
    "complex": (np.ones(2, np.clongdouble), TypeError, f"not {np.dtype(np.clongdouble)}"),
    "objects": (np.ones(2, object), TypeError, "not object"),
    "bools": (np.ones(2, bool), TypeError, "not bool"),
    "big-endian": (np.ones(2, ">f8" if np.little_endian else "<f8"), TypeError, "native byte order, not >f8"),
    "strided": (np.ones(4)[::2], ValueError, "must be C-contiguous"),
    "Fortran": (np.ones((3, 2), order="F"), ValueError, "must be C-contiguous"),
    "read-only": (np.broadcast_to(np.ones(2), (2,)), ValueError, "this array is read-only"),
}


@pytest.mark.parametrize("kind", BAD_X)
def test_init_refuses(kind):
    x, error, message = BAD_X[kind]
    with pytest.raises(error, match=message):
        adam.init(x)


def expect_untouched(rule, x, g, state, error, message, given=None):
    """Step, expect an error, and that nothing was written."""
    before = (
        [np.array(x, copy=True), state.t, state.s.copy(), np.array(g, copy=True)] if isinstance(state, State) else None
    )
    with pytest.raises(error, match=message):
        rule.step(x if given is None else given, g, state)
    if before:
        assert np.array_equal(np.asarray(x), before[0]) and state.t == before[1]
        assert np.array_equal(state.s, before[2])
        if before[3].dtype.kind != "O":
            assert np.array_equal(np.asarray(g), before[3], equal_nan=before[3].dtype.kind in "fc")


def started(dtype=np.float64, n=2):
    x = np.linspace(1, 2, n, dtype=dtype)
    state = adam.init(x)
    adam.step(x, np.ones(n, dtype), state)
    return x, state


@pytest.mark.parametrize("kind", sorted(BAD_X.keys() - {"masked"}))  # NumPy's own loops ignore a mask, too
def test_step_refuses_x(kind):
    x, error, _ = BAD_X[kind]
    good, state = started()
    before, s = good.copy(), state.s.copy()
    with pytest.raises((error, ValueError)):
        adam.step(x, np.ones(2), state)
    assert state.t == 1 and np.array_equal(s, state.s) and np.array_equal(good, before)


@pytest.mark.parametrize(
    ("g", "error", "message"),
    [
        (np.ones(3), ValueError, r"x has shape \(2,\) and g \(3,\); this state is for shape \(2,\)"),
        (np.ones(1), ValueError, r"g \(1,\)"),
        (np.ones((2, 1)), ValueError, r"g \(2, 1\)"),
        (np.ones((1, 2)), ValueError, r"g \(1, 2\)"),
        (1.0, ValueError, r"g \(\)"),
        (None, ValueError, r"g \(\)"),
        ([], ValueError, r"g \(0,\)"),
        (np.ones(2, complex), TypeError, "g holds real numbers, not complex128"),
        (np.array(["a", "b"]), TypeError, "g holds real numbers, not <U1"),
        (np.array([None, 1.0]), TypeError, "g holds real numbers, not object"),
        ([1.0, None], TypeError, "g holds real numbers, not object"),
        (np.array([1, 2], "M8[s]"), TypeError, "g holds real numbers, not datetime64"),
    ],
)
def test_step_refuses_g(g, error, message):
    for dtype in (np.float32, np.float64):
        x, state = started(dtype)
        expect_untouched(adam, x, g, state, error, message)


def test_step_refuses_what_does_not_belong_together():
    x, state = started()
    expect_untouched(adam, x, np.ones(2), None, TypeError, r"step takes a state made by adam.init\(x\), not None")
    expect_untouched(adam, x, np.ones(2), state.s, TypeError, r"step takes a state made by adam.init")
    expect_untouched(numbaopt.radam, x, np.ones(2), state, TypeError, r"made by radam.init\(x\), not State\(adam")
    expect_untouched(numbaopt.amsgrad, x, np.ones(2), state, TypeError, "made by amsgrad.init")
    expect_untouched(chain(adam, box), x, np.ones(2), state, TypeError, "made by adam_box.init")
    expect_untouched(adam, np.ones(3), np.ones(3), state, ValueError, r"x has shape \(3,\)")
    expect_untouched(
        adam,
        np.ones(2, np.float32),
        np.ones(2, np.float32),
        state,
        TypeError,
        "x is float32; this state is for float64",
    )
    expect_untouched(sgd, x, np.ones(2), sgd(momentum=0.9).init(x), TypeError, "has other slots than")
    other, matrix = np.ones((2, 3)), adam.init(np.ones((2, 3)))
    expect_untouched(adam, other, np.ones((3, 2)), matrix, ValueError, r"g \(3, 2\)")
    expect_untouched(adam, np.ones(6), np.ones(6), matrix, ValueError, r"x has shape \(6,\)")
    expect_untouched(adam(lr=schedules.constant(1)), np.ones(3), np.ones(3), state, ValueError, r"x has shape \(3,\)")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(6,), (2, 3), (1, 2, 3), ()])
def test_step_takes_gradients_of_every_kind_that_loses_nothing(dtype, shape):
    values = np.array([1.0, 2.0, -3.0, 0.0, 0.5, 8.0])[: int(np.prod(shape))].reshape(shape)
    readonly = values.astype(dtype)
    readonly.flags.writeable = False
    unaligned = np.frombuffer(b"\0" + values.astype(dtype).tobytes(), np.uint8)[1:].view(dtype).reshape(shape)
    wide = np.zeros((*shape, 2), dtype)
    wide[..., 0] = values
    kinds = [
        values,
        values.astype(np.float32),
        values.tolist(),
        values.astype(">f8"),
        values.astype("<f4"),
        readonly,
        unaligned,
    ]
    kinds += [wide[..., 0], values.copy(order="F"), values.astype(np.longdouble), values.astype(np.float16)]
    x = np.ones(shape, dtype)
    expected, state = x.copy(), adam.init(x)
    adam.step(expected, values.astype(dtype), adam.init(expected))
    for g in kinds:
        x[...], state.s[:], state.t = 1, 0, 0
        before = copy.deepcopy(g)
        adam.step(x, g, state)
        assert np.array_equal(x, expected), g
        assert np.array_equal(np.asarray(g), np.asarray(before))
    integers = np.full(shape, 3)
    x[...], state.s[:], state.t = 1, 0, 0
    adam.step(x, integers, state)
    expected[...] = 1
    adam.step(expected, np.full(shape, 3, dtype), adam.init(expected))
    assert np.array_equal(x, expected)


def test_x_may_lie_in_a_file_or_in_another_array(tmp_path):
    file = np.memmap(tmp_path / "x", np.float64, "w+", shape=(3,))
    part = np.ones((2, 3))[1]
    file[:] = 1
    for x in (file, part):
        adam.step(x, np.ones(3), adam.init(x))
        np.testing.assert_allclose(x, 1 - 1e-3, rtol=1e-10)
    file.flush()
    np.testing.assert_array_equal(np.fromfile(tmp_path / "x"), part)


def test_no_parameters_at_all():
    for each in (adam, lamb):
        x = np.ones(0)
        state = each.init(x)
        each.step(x, np.ones(0), state)
        assert state.t == 1


def test_threads_that_start_at_once_share_the_kernels():
    @rule
    def fresh(x, g, m, t, lr=0.1):
        m = m + g
        return x - lr * m, m

    ends, barrier = [None] * 4, threading.Barrier(4)

    def work(k):
        x = np.ones(100, np.float32 if k % 2 else np.float64)
        barrier.wait()
        state = fresh.init(x)
        for _ in range(50):
            fresh.step(x, np.ones_like(x), state)
        ends[k] = x

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(ends[0], ends[2]) and np.array_equal(ends[1], ends[3])
    np.testing.assert_allclose(ends[0], 1 - 0.1 * 50 * 51 / 2, rtol=1e-12)
