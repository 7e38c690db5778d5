"""Rules as written against rules as lowered: by hand where something is easily got wrong, by chance everywhere else."""

import ast
import builtins
import importlib.util
import itertools
import re
import traceback

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import numbaopt
from numbaopt.lowering import passes, runtime, writing
from numbaopt.lowering.grammar import expressions
from numbaopt.lowering.layout import layout
from numbaopt.rule import RuleError, chain, exp, log, max, min, normal, rule, sign, sqrt, sum, where

numbers = itertools.count()
HALF = 0.5
LESS = -0.5
TWO = 2
BIG = float("inf")


def module(directory, source):
    """Import a source as a module of its own file, as a user's rules are."""
    name = f"written_{next(numbers)}"
    path = directory / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def loop(sweep):
    """The loop of a pass as lines of text."""
    return writing.statements([*sweep.body, *sweep.stores])


def before(rule, sweep):
    """The lines that compute the numbers of a pass."""
    return writing.scalars(layout(rule.program), sweep.scalars)


def interpreted(rule):
    """The printed source as plain Python: lowering without Numba, a thousand times quicker to try."""

    def jit(function=None, **options):
        return jit if function is None else function

    def load(name, *args):  # the functions of the text as plain Python, too
        return runtime if name == "numbaopt.backends.runtime" else __import__(name, *args)

    known = vars(builtins) | {"__import__": load}
    namespace = {"jit": jit, "step": jit, "prange": range, "__builtins__": known}
    exec(rule.source(), namespace)
    return namespace["step"]


def as_written(rule, t, x, g, slots):
    """One step of the undecorated function: new x, new slots by name. It may not write its arguments either."""
    args = [x.copy(), g.copy(), *(slots[name].copy() for name in rule._stages[0][0].slots)]
    with np.errstate(all="ignore"):
        out = rule.math(*args, t, *rule.hyper.values())
    out = out if isinstance(out, tuple) else (out,)
    full = [np.broadcast_to(value, x.shape) for value in out]
    return full[0], dict(zip(rule._stages[0][0].slots, full[1:], strict=True))


def differ(rule, step, x, s, gradients, rtol, h=None):
    """Step along and say where a lowered rule first differs from what was written; None if nowhere."""
    dropped = [name for name in rule._stages[0][0].slots if name not in rule.slots_of]
    h = rule.h if h is None else h
    for t, g in enumerate(gradients, 1):
        slots = dict(zip(rule.slots_of, s, strict=True)) | {name: np.full_like(x, 77) for name in dropped}
        wanted, wanted_slots = as_written(rule, t, x, g, slots)
        g_before = g.copy()
        with np.errstate(all="ignore"):
            step(t, x, g, s, h)
        assert np.array_equal(g, g_before, equal_nan=True), "the gradient was written"
        for name in dropped:
            if not np.array_equal(wanted_slots[name], slots[name]):
                return f"the slot {name} was dropped, but it changes"
        pairs = {"x": (x, wanted)} | {
            name: (row, wanted_slots[name]) for name, row in zip(rule.slots_of, s, strict=True)
        }
        if not all(np.isfinite(b).all() and np.abs(b).max(initial=0) < 1e12 for _, b in pairs.values()):
            return None  # what rounding did is no more to be told from what is wrong
        for name, (a, b) in pairs.items():
            if not np.allclose(a, b, rtol=rtol, atol=rtol):
                return f"t={t}: {name} is {a}, not {b}"
    return None


def assert_as_written(rule, n=5, steps=3, compiled=None, seed=0):
    """Check a rule as interpreted text, and, for the dtypes given, as compiled."""
    rng = np.random.default_rng(seed)
    x, g = rng.normal(size=n), rng.normal(size=(steps, n))
    s = rng.normal(size=(len(rule.slots_of), n))
    assert differ(rule, interpreted(rule), x.copy(), s.copy(), g, 1e-12) is None
    for dtype in compiled or ():
        step = rule.kernel(x.astype(dtype))
        rtol = 50 * np.finfo(dtype).eps
        assert differ(rule, step, x.astype(dtype), s.astype(dtype), g.astype(dtype), rtol) is None


BOTH = (np.float64, np.float32)


# What is hoisted, and what becomes of each assignment.


def test_adam_is_lowered_as_one_would_by_hand():
    (only,) = passes.passes(numbaopt.adam.program)
    assert loop(only) == [
        "m1 = b1 * m[i] + c1 * g[i]",
        "v1 = b2 * v[i] + c2 * g[i] ** 2",
        "mhat = m1 * c3",
        "vhat = v1 * c4",
        "x1 = x[i] - lr * mhat / (sqrt(vhat) + eps)",
        "m[i] = m1",
        "v[i] = v1",
        "x[i] = x1",
    ]
    assert [line for line in before(numbaopt.adam, only) if line.startswith("c")] == [
        "c1 = 1 - b1",
        "c2 = 1 - b2",
        "c3 = 1 / (1 - b1_t)",
        "c4 = 1 / (1 - b2_t)",
    ]
    assert only.arrays == ["x", "g", "m", "v"] and not only.sums and not only.tests


@pytest.mark.parametrize("name", numbaopt.names())
def test_no_name_is_assigned_twice_nor_a_power_taken_in_the_loop(name):
    rule = numbaopt.get(name)
    for each in (rule, rule(**{k: True for k, v in rule.hyper.items() if v is False})):
        for sweep in passes.passes(each.program):
            for lines in (loop(sweep), before(each, sweep)):
                names = re.findall(r"^(\w+) = ", "\n".join(lines), re.MULTILINE)
                assert len(names) == len(set(names)) or "if " in "\n".join(lines), names
            body = "\n".join(loop(sweep))
            assert not re.search(r"\d\.\d|e-\d", body), "a literal in the loop is a float64"
        for item in each.program.items:
            if item.scope == "scalar":
                continue
            tops = [item.value] if item.scope == "sum" else expressions(item.body)
            for node in (node for top in tops for node in ast.walk(top)):
                if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
                    exponent = isinstance(node.right, ast.Constant)
                    assert exponent or not each.program.is_scalar(node.left), ast.unparse(node)
                if isinstance(node, ast.Call) and node.func.id in ("exp", "log", "sqrt", "power"):
                    assert not each.program.is_scalar(node), ast.unparse(node)


@rule
def scaled(x, g, m, t, lr=0.1, b=0.9, c=4.0):
    decay = b * (1 - lr) / c
    m = m / (1 - b) + g / c * (lr * b)
    return x - (lr + b) * m / (2 * decay) - (1 - b) / (1 + g**2), m


def test_every_maximal_scalar_part_is_hoisted():
    (only,) = passes.passes(scaled.program)
    body = "\n".join(loop(only))
    assert body.count("/") == 1 and "/ (c" in body, "only the division by a coordinate stays one"
    assert not {"lr", "b", "c", "decay"} & set(only.numbers)
    assert_as_written(scaled, compiled=[np.float32])


def test_equal_scalars_are_computed_once():
    (only,) = passes.passes(numbaopt.lamb.program)[:1]
    values = [line.split(" = ", 1)[1] for line in before(numbaopt.lamb, only)]
    assert len(values) == len(set(values))


@rule
def shadows(x, g, m, t, lr=0.1, b=0.5):
    r = 0.0
    if t > 1:
        r = 3.0
    b = 1 - b
    t = t + 1
    m = where(g > 0.0, r, 1.0) + b**t * m + lr ** (t - 1)
    return x - m * 0.0 - lr * m, m


def test_a_reassigned_name_is_not_the_hyperparameter_nor_a_changed_zero_the_number_0():
    assert_as_written(shadows, steps=4, compiled=[np.float64])


@rule
def constants(x, g, t, lr=0.1):
    x = x - lr * LESS**2 * g + LESS * TWO**-1 - 10**-3 * g + g**TWO + (HALF - LESS) ** 2.0 * x**3
    return max(min(x, BIG), -BIG)


def test_module_constants_and_literals_keep_their_signs_and_brackets():
    assert_as_written(constants, compiled=[np.float32])


@rule
def augmented(x, g, m, t, lr=0.1):
    u = 1 * g
    u *= m
    u += lr
    u -= x
    u /= 4
    m = m + 1
    m **= 2
    return x - lr * u, m


def test_augmented_assignment():
    assert_as_written(augmented, compiled=[np.float64])


@rule
def ηβ(x, g, m, t, η=0.1, β=0.9, ε=1e-8):
    """Greek, as in the paper."""
    m = β * m + (1 - β) * g**2
    ĝ = m / (1 - β**t)
    return x - η * g / (sqrt(ĝ) + ε), m


def test_greek_letters():
    assert_as_written(ηβ, compiled=[np.float32])


@rule
def clashing(x, g, m, t, s=0.3, n=2.0, T=1.5, b=0.3, b_=0.7, lo=0.1, hi=0.2, blocks=0.4):
    total = sum(x * b)
    in_order = n * total
    w_z = m * lo
    z = s * w_z + g * b_
    empty = sum(z * w_z + t)
    w_z = b * w_z + in_order * T
    return x - hi * w_z * blocks * empty - t * s * n * T * b * b_ * lo, z


def test_names_that_the_text_uses_itself():
    assert_as_written(clashing, compiled=[np.float64])


@rule
def clashing_in_one_pass(x, g, s, t, b=0.3, n=2.0, T=1.5, lo=0.1, hi=0.2, blocks=0.4, total=0.5, k=0.1):
    s = s * b + n * T * g
    return x - lo * hi * blocks * total * k * t * s - n * g, s


def test_names_that_the_text_uses_itself_in_a_single_pass():
    assert_as_written(clashing_in_one_pass, compiled=[np.float64])
    x, s = np.ones(100_000), np.ones((1, 100_000))
    assert differ(clashing_in_one_pass, clashing_in_one_pass.kernel(x), x, s, [np.ones(100_000)], 1e-14) is None


@rule
def clashing_with_functions(x, g, m, t, lr=0.1, b=0.5, seed=3.0):
    edited = 1 - b
    key = edited * lr
    m = b * m + edited * g
    return x - key * m / (1 - b**t) + 0.0 * normal(x, seed, t), m


def test_names_of_functions_that_the_text_calls():
    assert_as_written(clashing_with_functions, compiled=[np.float64])


@rule
def unchanged(x, g, t):
    return x


@rule
def remembers(x, g, m, t):
    return x, g


def test_a_rule_that_leaves_x_alone():
    for each in (unchanged, remembers):
        assert_as_written(each, compiled=[np.float64])


# Switches.


@pytest.mark.parametrize(
    ("hyper", "slots"),
    [
        ({}, ()),
        ({"momentum": 0.9}, ("b",)),
        ({"momentum": 0.9, "nesterov": True}, ("b",)),
        ({"momentum": 0.0, "dampening": 0.5}, ()),
    ],
)
def test_a_switch_leaves_no_trace(hyper, slots):
    rule = numbaopt.sgd(**hyper)
    assert rule.slots_of == slots
    (only,) = passes.passes(rule.program)
    text = "\n".join(loop(only))
    assert "nesterov" not in text and ("momentum" in text) == bool(slots) == ("b[i]" in text)
    assert_as_written(rule)


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_slots_that_a_setting_does_not_need_are_dropped(centered, momentum):
    rule = numbaopt.rmsprop(centered=centered, momentum=momentum)
    assert rule.slots_of == ("v", *["m"] * centered, *["b"] * bool(momentum))
    x = np.ones(4)
    assert rule.init(x).s.shape == (len(rule.slots_of), 4)


@rule
def switches(x, g, m, v, t, lr=0.1, one=False, two=0.0, three=True):
    if one and not two:
        m = m + g
    elif one or (two and three):
        v = v + two * g
    else:
        x = x - lr
    u = m if one else v if three else g
    return x - lr * (u if not three else 2 * u), m, v


@pytest.mark.parametrize("one", [False, True])
@pytest.mark.parametrize("two", [0.0, 0.25])
@pytest.mark.parametrize("three", [False, True])
def test_switches_combined(one, two, three):
    bound = switches(one=one, two=two, three=three)
    assert_as_written(bound)
    for sweep in passes.passes(bound.program):
        assert not any("if " in line for line in loop(sweep) + before(bound, sweep))


# An `if` decided once a step.


@rule
def branches(x, g, m, v, t, lr=0.1, b=0.5):
    k = 1.0
    if t > 2:
        k = b**t
        m = k * m + g
        u = m * lr
        ok = k > 0.1
    elif t == 2 and lr < 1:
        u = v
        k = t * lr
        v = v + u * k
        ok = t > 5
    else:
        if lr > 0.05:
            u = g
            ok = lr < 1
        else:
            u = x
            ok = lr > 1
        x = x + 0.0 * u
    w = u if ok else 2 * u
    return x - k * w, where((x > 0) & ok, m, -m), v


def test_a_branch_of_scalars_and_coordinates_nested_and_merged():
    for lr in (0.1, 0.01, 2.0):
        assert_as_written(branches(lr=lr), steps=6)
    assert_as_written(branches, steps=6, compiled=BOTH)


@rule
def only_scalars(x, g, t, lr=0.1):
    if t > 2:
        lr = lr / 2
    else:
        pass
    return x - lr * g


def test_a_branch_of_scalars_only_stays_out_of_the_loop():
    (only,) = passes.passes(only_scalars.program)
    assert not any("if" in line for line in loop(only))
    assert_as_written(only_scalars, steps=4, compiled=[np.float32])


@rule
def truths(x, g, t, lr=0.1):
    if t > 1 and lr > 0:
        x = where((x > g) & (t > 2), x - g, x)
    return x - lr * g


def test_a_truth_beside_coordinates_inside_a_branch():
    assert_as_written(truths, steps=4, compiled=BOTH)


# NaN, infinities and zeros.


@rule
def extremes(x, g, a, b, c, d, e, f, t, lr=0.1):
    a = max(x, g)
    b = min(x, g)
    c = sign(x)
    d = where(x > g, x, g)
    e = where((x > 0) | (g > 0), 1.0, abs(g))
    f = max(min(x, 1.0), -1.0) + max(lr, t) * min(t, lr) * sign(-lr)
    return sqrt(abs(x)) + exp(-abs(g)) + log(abs(g) + 1), a, b, c, d, e, f


@pytest.mark.parametrize("dtype", BOTH)
def test_calls_agree_with_numpy_for_every_pair_of_extremes(dtype):
    values = [0.0, -0.0, 1.0, -1.0, 3e38, 1e-45, np.inf, -np.inf, np.nan]
    x, g = (part.ravel().astype(dtype) for part in np.meshgrid(values, values))
    s = np.zeros((6, x.size), dtype)
    wanted, slots = as_written(extremes, 1, x, g, dict(zip("abcdef", s, strict=True)))
    extremes.kernel(x)(1, x, g, s, extremes.h)
    for row, name in zip(s, "abcdef", strict=True):
        np.testing.assert_array_equal(row, slots[name], err_msg=name)  # NaN equals NaN, and -0 equals 0
    np.testing.assert_allclose(x, wanted, rtol=4 * np.finfo(dtype).eps)


def test_float32_literals_stay_float32():
    x = np.full(3, 16777216, np.float32)  # 2**24: adding 1 in float32 does nothing, in float64 it would
    flat = plus_one.slots(x)
    plus_one.kernel(x)(1, x, np.zeros_like(x), flat, plus_one.h)
    assert (x == 16777216).all()


@rule
def plus_one(x, g, t):
    x = x + 1
    x = x + 1.0
    return x + where(g > 0.5, 2.5, 1)


# Sums.


@rule
def three_passes(x, g, m, v, t, lr=0.1):
    m = 0.5 * m + g
    norm = sqrt(sum(m**2))
    u = m / (norm + 1)
    v = v + u
    share = sum(abs(u) * x)
    w = where(share > 0, u, -u) * v
    most = sum(w) + norm
    return x - lr * most * w, m, v


def test_sums_end_passes_and_slots_are_stored_as_soon_as_they_can_be():
    first, second, third, last = passes.passes(three_passes.program)
    assert [len(sweep.sums) for sweep in (first, second, third, last)] == [1, 1, 1, 0]
    assert "m[i] = m1" in loop(first) and "m" not in "".join(line for line in loop(second) if "= 0.5" in line)
    assert loop(last)[-1].startswith("x[i] = ") and not any("x[i] = " in line for line in loop(first) + loop(third))
    assert [sweep.written for sweep in (first, second, third, last)] == [{"m"}, set(), {"v"}, {"x"}]
    for n in (1, 4096, 4097):
        assert_as_written(three_passes, n=n, compiled=[np.float64])


@rule
def needs_the_old(x, g, m, t, lr=0.1):
    old = m
    m = 0.5 * m + g
    size = sum(abs(m))
    return x - lr * (m - old) / size, m


def test_a_slot_whose_old_value_is_asked_for_later_is_not_overwritten_early():
    first, last = passes.passes(needs_the_old.program)
    assert not any(line.startswith("m[i] =") for line in loop(first))
    assert "m[i] = m1" in loop(last)
    assert_as_written(needs_the_old, compiled=[np.float64])


@rule
def sums_old_and_new(x, g, m, v, t, lr=0.1):
    before = sum(m * g)
    m = 0.5 * m + g
    after = sum(m * g)
    v = v + before
    return x - lr * (before + 2 * after) * m + sum(m + v), m, v


def test_a_sum_over_the_old_value_in_the_pass_that_stores_the_new():
    assert_as_written(sums_old_and_new, compiled=[np.float64])


@rule
def nested_sums(x, g, t, lr=0.1):
    return x - lr * g * sum(x * sum(g * sum(x))) + sum(g) - sum(g + 1)


@rule
def sums_and_branches(x, g, m, t, lr=0.1):
    norm = sqrt(sum(g**2))
    scale = 1.0
    if norm > 1:
        scale = 1 / norm
        g = g * scale
    m = 0.9 * m + g
    if scale < 1 and sum(m) > 0:
        m = m * 0.5
    return x - lr * m * scale, m


@pytest.mark.slow
def test_sums_within_sums_and_before_branches():
    assert_as_written(nested_sums, compiled=[np.float64])
    for seed in range(4):
        assert_as_written(sums_and_branches, seed=seed, compiled=[np.float64] if seed == 0 else None)


@pytest.mark.parametrize("n", [0, 1, 4095, 4096, 4097, 9001])
def test_sums_of_every_length_are_exact_for_integers(n):
    x = np.arange(n) % 7 - 3.0
    expected = x - x.sum()
    minus_sum.kernel(x)(1, x, np.zeros(n), np.zeros((0, n)), minus_sum.h)
    np.testing.assert_array_equal(x, expected)


@rule
def minus_sum(x, g, t):
    return x - sum(x)


# Slots crossed, doubled, passed through.


@rule
def crossed(x, g, m, v, t, lr=0.1):
    m = m + g
    return x - lr * v, v, m


@rule
def rotated(x, g, a, b, c, t):
    return x + a, b, c, a


@rule
def doubled(x, g, old_x, old_g, m, v, w, t, lr=0.1):
    x = x - lr * (g + old_g) + 0.1 * old_x
    m = m + g
    return x, x, g, m, m, w


@rule
def previous(x, g, p, t, lr=0.1):
    return x - lr * (g - p), x


@rule
def crossed_over_a_sum(x, g, m, v, t, lr=0.1):
    size = sum(m * v)
    return x - lr * size * m, v, m + g


@pytest.mark.parametrize("each", [crossed, rotated, doubled, previous, crossed_over_a_sum], ids=lambda each: each.name)
def test_slots_returned_in_other_places(each):
    assert_as_written(each, steps=4, compiled=[np.float64])


def test_a_slot_that_is_only_read_is_kept_and_one_never_touched_is_not():
    assert doubled.slots_of == ("old_x", "old_g", "m", "v")
    assert read_only.slots_of == ("z",)
    x = np.array([1.0, 2.0])
    state = read_only(w=3.0).init(x)
    np.testing.assert_array_equal(state["z"], [3.0, 6.0])
    read_only.step(x, np.ones(2), state)
    np.testing.assert_array_equal(state["z"], [3.0, 6.0])
    np.testing.assert_array_equal(x, [-2.0, -4.0])


@rule
def read_only(x, g, z: "w * x", t, w=1.0):  # noqa: F821 - an expression of x and hyperparameters, as text or as it is
    return x - z + g - 1, z


# Chains.


@rule
def clip(g, t, limit=1.0, lr=0.5):
    u = sum(g**2)
    m = sqrt(u)
    return g * lr * min(1.0, limit / m)


@rule
def averaged(g, m, t, b=0.5):
    m = b * m + g
    return m, m


@rule
def heavy(x, g, m, t, lr=0.1, b=0.9):
    m = b * m + g
    return x - lr * m, m


@rule
def box(x, m, upper, t, lr=0.0):
    u = m + lr
    return max(u, min(x, upper)), m, upper


def test_a_chain_does_what_its_stages_do_one_after_another():
    whole = chain(clip, averaged, heavy, box)
    assert whole.slots_of == ("m", "heavy_m", "box_m", "upper")
    assert list(whole.hyper) == ["limit", "lr", "b", "heavy_lr", "heavy_b", "box_lr"]
    assert not whole.elementwise and chain(averaged, heavy, box).elementwise
    bound = whole(heavy_lr=0.3, limit=0.7, box_lr=0.125)
    n, rng = 6, np.random.default_rng(1)
    x, lower, upper = rng.normal(size=n), np.full(n, -1.0), np.full(n, 0.9)
    s = bound.slots(x, box_m=lower, upper=upper)
    expected, average, velocity = x.copy(), np.zeros(n), np.zeros(n)
    for step in (interpreted(bound), bound.kernel(x)):
        for t in (1, 2, 3):
            g = rng.normal(size=n)
            step(t, x, g, s, bound.h)
            g = clip.math(g, t, 0.7, 0.5)
            g, average = averaged.math(g, average, t)
            expected, velocity = heavy.math(expected, g, velocity, t, 0.3, 0.9)
            expected = box.math(expected, lower, upper, t, 0.125)[0]
            np.testing.assert_allclose(x, expected, rtol=1e-14)
            np.testing.assert_allclose(s, [average, velocity, lower, upper], rtol=1e-14)


def test_a_stage_may_stand_three_times():
    whole = chain(averaged, averaged, averaged, numbaopt.sgd(lr=1.0))
    assert len(whole.slots_of) == 3 and len(set(whole.hyper)) == 3 + len(numbaopt.sgd.hyper)
    bound = whole(**dict(zip(list(whole.hyper)[:3], (0.5, 0.25, 0.0), strict=True)))
    x, g = np.zeros(3), np.array([1.0, 2.0, 4.0])
    state = bound.init(x)
    for _ in range(2):
        bound.step(x, g, state)
    # In: 1, 1. After b = 1/2: 1, 3/2. After b = 1/4: 1, 7/4. After b = 0 the same. Sum: 11/4.
    np.testing.assert_array_equal(x, -2.75 * g)


def test_a_chained_hyperparameter_keeps_its_range():
    with pytest.raises(ValueError, match="heavy_lr must be finite and lie in"):
        chain(clip, averaged, heavy)(heavy_lr=-1.0)


# Powers.


@rule
def powers(x, g, t, b=0.9):
    return 0 * x + b**t


@pytest.mark.parametrize("b", [0.9, 0.999, 0.999999, 1 - 2.0**-40, 0.5, 1.0, 0.0, 1.0001, 1.1, -0.5, -1.0, -1.5])
def test_powers_of_the_step_number(b):
    bound = powers(b=b)
    step, x, s = interpreted(bound), np.ones(1), np.zeros((0, 1))
    h = bound.h
    for t in (*range(1, 70), 1023, 1024, 1025, 9999, 32767, 32768, 32769, 99_999, 2**20 - 1, 10**6, 2**31 + 1):
        try:
            expected = b**t
        except OverflowError:
            expected = -np.inf if b < 0 and t % 2 else np.inf
        x[:] = 1
        with np.errstate(all="ignore"):
            step(t, x, x, s, h)
        if t < 32:
            assert x[0] == expected, "the first steps are Python's own powers"
        # Beyond 32767 comes exp(t log b), with the rounding of t log b times its own size.
        room = np.finfo(float).eps * (4 + (abs(t * np.log(abs(b))) if b and t > 32767 else 0))
        np.testing.assert_allclose(x[0], expected, rtol=room, atol=5e-324, err_msg=f"{b}**{t}")


def test_powers_compiled():
    x, s = np.ones(1), np.zeros((0, 1))
    step, bound = powers.kernel(x), powers(b=0.99)
    for t in (1, 31, 32, 1024, 40_000):
        step(t, x, x, s, bound.h)
        np.testing.assert_allclose(x[0], 0.99**t, rtol=1e-12)


# Whatever is written: random programs.


class Writer:
    """Writes a rule by chance: assignments, branches and sums over expressions that grow from the names known so far."""

    NUMBERS = ["a", "b", "n", "t", "a ** t", "b ** t", "HALF", "LESS", "TWO", "1", "0.0", "2.0", "0.25", "3"]

    def __init__(self, rng):
        self.rng, self.lines, self.sums = rng, [], 0
        self.slots = ["m", "v", "s"][: rng.randint(0, 3)]

    def pick(self, *options):
        return options[self.rng.randint(0, len(options) - 1)]

    def number(self, known, depth):
        e = lambda: self.number(known, depth - 1)  # noqa: E731
        if depth <= 0:
            return self.pick(*known, *self.NUMBERS)
        return self.pick(
            lambda: f"{e()} + {e()}",
            lambda: f"({e()} - {e()})",
            lambda: f"{e()} * {e()}",
            lambda: f"({e()}) / {self.pick('2', '4', 'HALF', '-2', 'b')}",
            lambda: f"-({e()})",
            lambda: f"abs({e()})",
            lambda: f"{self.pick('max', 'min')}({e()}, {e()})",
            lambda: f"where({self.test(known, depth - 1)}, {e()}, {e()})",
            lambda: f"({e()} if {self.test(known, depth - 1)} else {e()})",
            lambda: f"({self.pick('LESS', 'a', *known)}) ** 2",
            lambda: f"sign({e()})",
            e,
        )()

    def test(self, known, depth):
        e = lambda: self.number(known, depth)  # noqa: E731
        return self.pick(
            lambda: self.pick("flag", "not flag", "flag or t < 2", f"t == {self.pick(1, 2)}"),
            lambda: f"{e()} > {e()}",
            lambda: f"t > 1 and {e()} <= {e()}",
        )()

    def vector(self, vectors, known, depth):
        if depth <= 0:
            return self.pick(*vectors)
        e = lambda: self.vector(vectors, known, depth - 1)  # noqa: E731
        any_ = lambda: self.pick(e, e, lambda: self.number(known, depth - 1))()  # noqa: E731
        return self.pick(
            lambda: f"{e()} + {any_()}",
            lambda: f"({any_()} - {e()})",
            lambda: f"{e()} * {any_()}",
            lambda: f"({e()}) / {self.pick('2', 'HALF', 'b', '-4', 'a')}",
            lambda: f"{any_()} / (1 + abs({e()}))",
            lambda: f"-({e()})",
            lambda: f"{self.pick('max', 'min')}({e()}, {any_()})",
            lambda: f"where({e()} > {any_()}, {any_()}, {any_()})",
            lambda: f"where(({e()} > {any_()}) & ({any_()} <= {any_()}), {any_()}, {any_()})",
            lambda: f"where({self.test(known, depth - 1)}, {e()}, {e()})",
            lambda: f"({e()} if {self.test(known, depth - 1)} else {e()})",
            lambda: f"({e()}) ** {self.pick('2', '2.0', 'TWO')}",
            lambda: f"sign({e()})",
            lambda: f"sqrt(abs({e()}))",
            e,
        )()

    def block(self, vectors, known, count, depth, indent, inside):
        """Write statements; the lists of known names grow."""
        start = len(self.lines)
        for _ in range(count):
            kind = self.rng.randint(0, 9)
            if kind < 4:
                name = self.pick("x", "g", *self.slots, "u", "w", "total", "c1", "m1", "w_z", "power_")
                if name not in known:
                    text = self.vector(vectors, known, 2)
                    if name in vectors and kind == 0:  # a name of its own first: += writes NumPy's array itself
                        self.lines += [f"{indent}{name} = 1 * {name}", f"{indent}{name} += {text}"]
                    else:
                        self.lines.append(f"{indent}{name} = {text}")
                    vectors += [name] * (name not in vectors)
            elif kind < 6:
                name = self.pick("p", "q", "T", "lo", "z", "c2", "blocks", "x1")
                self.lines.append(f"{indent}{name} = {self.number(known, 2)}")
                known += [name] * (name not in known)
            elif kind < 8 and depth:
                self.lines.append(f"{indent}if {self.test(known, 1)}:")
                then = list(vectors), list(known)
                self.block(*then, self.rng.randint(1, 3), depth - 1, indent + "    ", True)
                other = list(vectors), list(known)
                if self.rng.randint(0, 1):
                    self.lines.append(f"{indent}else:")
                    self.block(*other, self.rng.randint(1, 3), depth - 1, indent + "    ", True)
                for names, one, two in zip((vectors, known), then, other, strict=True):
                    names += [name for name in one if name in two and name not in names]
            elif kind == 8 and not inside and self.sums < 3:
                self.sums += 1
                name = self.pick("z1", "total_", "b_", "q2")
                self.lines.append(f"{indent}{name} = sum({self.vector(vectors, known, 2)})")
                known += [name] * (name not in known)
        if len(self.lines) == start:
            self.lines.append(f"{indent}pass")

    def source(self):
        vectors, known = ["x", "g", *self.slots], []
        self.block(vectors, known, self.rng.randint(1, 7), 2, "    ", False)
        returned = [self.vector(vectors, known, 2)]
        returned += [self.pick(*vectors, slot, self.vector(vectors, known, 1)) for slot in self.slots]
        flag = self.pick("True", "False")
        signature = ", ".join(["x", "g", *self.slots, "t", "a=0.5", "b=0.25", f"flag={flag}", "n=2.0"])
        lines = ["from numbaopt.rule import *", "HALF, LESS, TWO = 0.5, -0.5, 2", "", "@rule", f"def r({signature}):"]
        return "\n".join([*lines, *self.lines, f"    return {', '.join(returned)}", ""])


def assert_program(rng, directory, compiled):
    """Write a rule and compare it with itself lowered, on numbers so round that hardly anything is rounded."""
    source = Writer(rng).source()
    rule = module(directory, source).r
    n = 5
    x, g = np.array([-1.5, 0.25, 1.0, -0.25, 0.75]), np.array([[1.0, -2.0, 0.5, 0.0, -1.5], [0.5, 3.0, -1.0, 1.5, 0.0]])
    s = (np.arange(len(rule.slots_of) * n).reshape(-1, n) % 7 - 3) / 4
    step = rule.kernel(x) if compiled else interpreted(rule)
    wrong = differ(rule, step, x, s, g, 1e-11)
    assert wrong is None, f"{wrong}\n{source}\n{rule.source()}"


@given(st.randoms(use_true_random=False))
@settings(max_examples=200, database=None)
def test_random_programs(tmp_path_factory, rng):
    assert_program(rng, tmp_path_factory.getbasetemp(), compiled=False)


@pytest.mark.slow
@given(st.randoms(use_true_random=False))
@settings(max_examples=6, database=None, phases=[Phase.generate])
def test_random_programs_compiled(tmp_path_factory, rng):
    assert_program(rng, tmp_path_factory.getbasetemp(), compiled=True)


# What is not accepted, said with the line that holds it. The line meant ends in "# here".

SIGNATURE = "x, g, m, t, lr=0.1, on=False"
NOT_ACCEPTED = {
    "unknown function": (
        SIGNATURE,
        ["y = tanh(g)  # here", "return x, m"],
        r"calls tanh\(\); a rule may call sqrt, abs",
    ),
    "function of a module": (SIGNATURE, ["return np.sqrt(x), m  # here"], r"calls np.sqrt\(\)"),
    "method": (SIGNATURE, ["m = m + g.mean()  # here", "return x, m"], r"calls g.mean\(\)"),
    "builtin": (SIGNATURE, ["m = m + len(g)  # here", "return x, m"], r"calls len\(\)"),
    "for": (
        SIGNATURE,
        ["for k in range(3):  # here", "    x = x + 1", "return x, m"],
        "a rule has only assignments to names",
    ),
    "while": (
        SIGNATURE,
        ["while lr > 0:  # here", "    lr = lr - 1", "return x, m"],
        "a rule has only assignments to names",
    ),
    "with": (SIGNATURE, ["with lr:  # here", "    lr = lr - 1", "return x, m"], "a rule has only assignments to names"),
    "two returns": (SIGNATURE, ["if t == 1:", "    return x, m  # here", "return x, m"], "one return at the end"),
    "inner def": (SIGNATURE, ["def f(): return 1  # here", "return x, m"], "a rule has only assignments to names"),
    "expression": (SIGNATURE, ["y = x", "print(x)  # here", "return x, m"], "a rule has only assignments to names"),
    "tuple": (SIGNATURE, ["a, b = x, g  # here", "return x, m"], "a rule has only assignments to names"),
    "two targets": (SIGNATURE, ["a = b = x  # here", "return x, m"], "a rule has only assignments to names"),
    "annotated": (SIGNATURE, ["a: float = x  # here", "return x, m"], "a rule has only assignments to names"),
    "into an array": (SIGNATURE, ["x[0] = 1  # here", "return x, m"], "a rule has only assignments to names"),
    "attribute": (SIGNATURE, ["return x / x.size, m  # here"], r"'x.size' is not accepted in a rule"),
    "subscript": (SIGNATURE, ["return x - g[0], m  # here"], r"'g\[0\]' is not accepted"),
    "lambda inside": (SIGNATURE, ["y = (lambda: 1)  # here", "return x, m"], "is not accepted in a rule"),
    "walrus": (SIGNATURE, ["y = (z := x) + z  # here", "return x, m"], "is not accepted in a rule"),
    "list": (SIGNATURE, ["y = [x, g]  # here", "return x, m"], "is not accepted in a rule"),
    "text": (SIGNATURE, ["y = x + 'a'  # here", "return x, m"], "'a' is not a number"),
    "None": (SIGNATURE, ["y = x + None  # here", "return x, m"], "None is not a number"),
    "complex": (SIGNATURE, ["y = x + 1j  # here", "return x, m"], "1j is not a number"),
    "floor division": (SIGNATURE, ["y = x // 2  # here", "return x, m"], "the operator FloorDiv is not accepted"),
    "matrix product": (SIGNATURE, ["y = x @ g  # here", "return x, m"], "the operator MatMult is not accepted"),
    "two arguments": (SIGNATURE, ["y = where(x > 0, g)  # here", "return x, m"], r"where\(\) takes 3 argument\(s\)"),
    "keyword": (SIGNATURE, ["y = max(x, b=g)  # here", "return x, m"], r"max\(\) takes 2 argument\(s\), by position"),
    "starred": (SIGNATURE, ["y = max(*x)  # here", "return x, m"], r"max\(\) takes 2 argument\(s\)"),
    "unknown name": (SIGNATURE, ["y = x + wd  # here", "return x, m"], "'wd' is unknown here"),
    "function as a value": (SIGNATURE, ["y = x * sqrt  # here", "return x, m"], "'sqrt' is unknown here"),
    "one arm": (
        SIGNATURE,
        ["if t == 1:", "    u = g", "return x - u, m  # here"],
        "'u' is unknown here, or is assigned in only one branch",
    ),
    "switched off": (
        SIGNATURE,
        ["if on:", "    u = g", "return x - u, m  # here"],
        "'u' is unknown here, or is assigned in only",
    ),
    "if on coordinates": (SIGNATURE, ["if x > 0:  # here", "    x = x + 1", "return x, m"], r"use where\(test, a, b\)"),
    "choice on coordinates": (SIGNATURE, ["y = x if g > 0 else g  # here", "return x, m"], r"use where\(c, a, b\)"),
    "sum inside if": (
        SIGNATURE,
        ["y = x", "if t > 1:  # here", "    y = x / sum(g)", "return y, m"],
        "a sum inside an `if` is not accepted",
    ),
    "sum of scalars": (SIGNATURE, ["y = x + sum(lr)  # here", "return x, m"], "needs a coordinate inside"),
    "no t": ("x, g, m, lr=0.1", ["return x, m"], "have the step number t"),
    "no x": ("p, g, t, lr=0.1", ["return p"], "the signature must start with x, g"),
    "no default": (
        "x, g, m, t, lr, b=0.1",
        ["return x, m  # here"],
        "returns 2 values; it should return the new x, m, lr ",
    ),
    "default for a slot": ("x, g, m=0, t=1, b=0.1", ["return x, m"], "coordinates .before t. must not"),
    "star": ("x, g, t, *rest", ["return x"], "no \\*, / or \\*\\*"),
    "keyword only": ("x, g, t, *, lr=1.0", ["return x"], "no \\*, / or \\*\\*"),
    "text as a default": (
        "x, g, t, lr='fast'",
        ["return x"],
        "the default of lr is a number, a flag or a schedule, not 'fast'",
    ),
    "None as a default": (
        "x, g, t, lr=None",
        ["return x"],
        "the default of lr is a number, a flag or a schedule, not None",
    ),
    "name of the text's own": ("x, g, t, h=0.1", ["return x - h * g"], "'h' has a meaning of its own"),
    "name of a function": ("x, g, t, max=0.1", ["return x - max * g"], "'max' has a meaning of its own"),
    "type for a start": (
        "x, g, m: float, t",
        ["return x, m"],
        "m starts at 'float'; an annotation must be an expression of x",
    ),
    "no code for a start": ("x, g, m: 'x +', t", ["return x, m"], "m starts at 'x \\+'"),
    "too few returned": (
        SIGNATURE,
        ["y = x", "return x - g  # here"],
        "returns 1 values; it should return the new x, m",
    ),
    "too many returned": (SIGNATURE, ["return x, m, g  # here"], "returns 3 values; it should return the new x, m"),
    "nothing returned": (SIGNATURE, ["y = x"], "the last statement must return the new x, then the slots"),
    "bare return": (SIGNATURE, ["return"], "the last statement must return the new x, then the slots"),
}


@pytest.mark.parametrize("nested", [False, True], ids=["", "nested"])
@pytest.mark.parametrize("case", NOT_ACCEPTED)
def test_what_is_not_accepted_is_named_with_its_line(case, nested, tmp_path):
    signature, body, message = NOT_ACCEPTED[case]
    head = ["import numpy as np", "from numbaopt.rule import *", "", ""]
    made = [
        "@rule",
        f"def mine({signature}):",
        '    """A rule',
        "    of mine.",
        '    """',
        *(f"    {line}" for line in body),
    ]
    if nested:
        head, made = [*head, "def outer():"], [*(f"    {line}" for line in made), "    return mine", ""]
    source = "\n".join([*head, *made, "outer()" if nested else "", ""])
    with pytest.raises(RuleError, match=message) as info:
        module(tmp_path, source)
    error, lines = info.value, source.splitlines()
    assert isinstance(error, SyntaxError) and error.msg.startswith("mine: ")
    assert error.filename.startswith(str(tmp_path))
    line = lines[error.lineno - 1]
    if any("# here" in text for text in body):
        assert line.endswith("# here")
    else:
        assert "def mine" in line or "@rule" in line
    assert error.text.strip() == line.strip() and 1 <= error.offset <= len(error.text)
    assert "mine" in "".join(traceback.format_exception_only(error))


def test_what_is_no_function_in_a_file(tmp_path):
    namespace = {"rule": rule}
    exec("def f(x, g, t): return x", namespace)
    for thing in (namespace["f"], len, 3):
        with pytest.raises(RuleError, match="with `def`"):
            rule(thing)
    source = "from numbaopt.rule import *\n\n\nr = rule(lambda x, g, t: x)\n"
    with pytest.raises(RuleError, match="written with `def`") as info:
        module(tmp_path, source)
    assert info.value.lineno == 4
    with pytest.raises(RuleError, match="written with `def`"):
        rule(Writer)


def test_errors_of_a_stage_in_a_chain_come_with_the_stage(tmp_path):
    source = "from numbaopt.rule import *\n\n\n@rule\ndef stage(g, t):\n    return tanh(g)\n"
    with pytest.raises(RuleError, match=r"stage: calls tanh") as info:
        module(tmp_path, source)
    assert info.value.lineno == 6
