"""Stages of chains compared with NumPy, optax and PyTorch: alone, in chains, in drivers and in compiled code."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numba import njit
from scipy import stats

import numbaopt
from numbaopt import Optimizer, adam, chain, lamb, minimize, rule, schedules, sgd, transforms
from numbaopt.backends import cpu
from numbaopt.lowering import passes
from numbaopt.transforms import (
    accumulate,
    adaptive_grad_clip,
    add_decayed_weights,
    add_noise,
    apply_if_finite,
    box,
    cautious,
    centralize,
    clip,
    clip_by_global_norm,
    decoupled_weight_decay,
    ema,
    freeze,
    l1_ball,
    l2_ball,
    lookahead,
    non_negative,
    normalize_by_update_norm,
    plateau,
    prox_group_l1,
    prox_l1,
    prox_l2,
    sam,
    simplex,
    swa,
)

RULES = [sgd(lr=0.1, momentum=0.9), adam(lr=0.1), lamb(lr=0.1, wd=0.1)]
KINDS = [(RULES[0], np.float64), (RULES[1], np.float32), (RULES[2], np.float64)]


def each_with_one(stages):
    """Return every stage with one rule and dtype in turn, because each combination is compiled."""
    return [(name, *KINDS[k % 3]) for k, name in enumerate(stages)]


CLOSE = {np.float32: {"rtol": 1e-5, "atol": 1e-6}, np.float64: {"rtol": 1e-12, "atol": 1e-14}}
n, STEPS = 12, 15
MASK = (np.arange(n) % 3 == 0).astype(float)


def start(dtype=np.float64, shape=(n,)):
    """Return parameters, and gradients of several steps: small and large ones, with zeros and one step of zeros."""
    rng = np.random.default_rng(1)
    x, gradients = rng.normal(size=shape), rng.normal(size=(STEPS, *shape))
    gradients *= rng.choice([0.1, 1, 10], (STEPS, *[1] * len(shape)))
    gradients[4] = 0
    gradients[:, 0] = 0
    return x.astype(dtype), gradients.astype(dtype)


def walk(whole, x, gradients, values=None):
    """Return the iterates of a chain and its final state."""
    x, state, points = x.copy(), whole.init(x), []
    for k, g in enumerate(gradients):
        whole.step(x, g, state, None if values is None else values[k])
        points.append(x.copy())
    return np.array(points), state


# Before the rule: the rule gets g from a NumPy function. name -> stage, function of (g, x, t)


def shortened(g, longest, eps=0.0):
    size = np.sqrt((g.astype(float) ** 2).sum()) + eps
    return g * (longest / size) if size > longest else g


def unitwise(g, x, clipping, eps, axis):
    gnorm, xnorm = (np.sqrt((a.astype(float) ** 2).sum(axis, keepdims=True)) for a in (g, x))
    longest = clipping * np.maximum(xnorm, eps)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(gnorm > longest, g / gnorm * longest, g).astype(g.dtype)


BEFORE = {
    "clip": (clip(max_delta=0.3), lambda g, x, t: np.clip(g, -0.3, 0.3)),
    "clip_by_global_norm": (clip_by_global_norm, lambda g, x, t: shortened(g, 1.0, 1e-6)),
    "clip_by_global_norm, eps=0": (clip_by_global_norm(max_norm=4.0, eps=0), lambda g, x, t: shortened(g, 4.0)),
    "normalize_by_update_norm": (
        normalize_by_update_norm(scale_factor=0.5),
        lambda g, x, t: 0.5 * g / (np.sqrt((g.astype(float) ** 2).sum()) + 1e-6),
    ),
    "adaptive_grad_clip": (
        adaptive_grad_clip(clipping=0.5, eps=0.1),
        lambda g, x, t: unitwise(g, x, 0.5, 0.1, axis=None if g.ndim == 1 else 0),
    ),
    "add_decayed_weights": (add_decayed_weights(wd=0.1), lambda g, x, t: g + 0.1 * x),
    "add_decayed_weights, masked": (add_decayed_weights(wd=0.1, mask=MASK), lambda g, x, t: g + 0.1 * MASK * x),
    "add_decayed_weights, scheduled": (
        add_decayed_weights(wd=schedules.linear(0.0, 1.0, 10)),
        lambda g, x, t: g + min((t - 1) / 10, 1) * x,
    ),
    "centralize": (centralize, lambda g, x, t: g - (0 if g.ndim == 1 else g.mean(1, keepdims=True))),
    "add_noise": (
        add_noise(eta=0.3, gamma=0.7, seed=5),
        lambda g, x, t: g + np.sqrt(0.3 / t**0.7) * numbaopt.common.random.normal(g, 5, t),
    ),
}


@pytest.mark.parametrize(
    ("name", "inner", "dtype"), each_with_one(BEFORE), ids=lambda each: getattr(each, "name", each)
)
def test_before_the_rule(name, inner, dtype):
    stage, by_hand = BEFORE[name]
    x, gradients = start(dtype)
    points, state = walk(chain(stage, inner), x, gradients)
    y, plain = x.copy(), inner.init(x)
    for t, g in enumerate(gradients, 1):
        inner.step(y, by_hand(g, y, t).astype(dtype), plain)
        np.testing.assert_allclose(points[t - 1], y, **CLOSE[dtype])
    assert points.dtype == dtype


# After the rule: a NumPy function changes the new x. name -> stage, function of (x, before, g, t, memory)


def averaged(x, before, g, t, memory):
    memory["average"] = x if t == 1 else 0.8 * memory["average"] + 0.2 * x
    return x


def averaged_plainly(x, before, g, t, memory):
    memory.setdefault("taken", [])
    if t >= 4 and (t - 4) % 3 == 0:
        memory["taken"].append(x)
        memory["average"] = np.mean(memory["taken"], axis=0)
    return x


def drawn_back(x, before, g, t, memory):
    if t == 1:
        memory["slow"] = before
    if t % 4:
        return x
    memory["slow"] = memory["slow"] + 0.3 * (x - memory["slow"])
    return memory["slow"]


def masked(x, before, g, t, memory):
    step = x - before
    kept = (step * g < 0).astype(x.dtype)
    return before + step * kept / max(kept.mean(), 1e-3)


def on_simplex(v, radius):
    """Project onto the simplex by Figure 1 of Duchi et al. 2008."""
    u = np.sort(v.astype(float))[::-1]
    above = (np.cumsum(u) - radius) / np.arange(1, v.size + 1)
    return np.maximum(v - above[np.flatnonzero(u > above)[-1]], 0)


def in_l1_ball(v, radius):
    return v if np.abs(v).sum() <= radius else np.sign(v) * on_simplex(np.abs(v), radius)


def grouped(x, threshold):
    size = np.sqrt((x.astype(float) ** 2).sum(None if x.ndim == 1 else 1, keepdims=True))
    return x * np.maximum(1 - threshold / np.where(size > 0, size, 1), 0)


AFTER = {
    "decoupled_weight_decay": (decoupled_weight_decay(wd=0.1), lambda x, before, *_: x - 0.1 * before),
    "decoupled_weight_decay, masked": (
        decoupled_weight_decay(wd=0.1, mask=MASK),
        lambda x, before, *_: x - 0.1 * MASK * before,
    ),
    "freeze": (freeze(mask=MASK), lambda x, before, *_: np.where(MASK > 0, before, x)),
    "freeze all": (freeze, lambda x, before, *_: before),
    "cautious": (cautious, masked),
    "ema": (ema(decay=0.8), averaged),
    "swa": (swa(start=4, k=3), averaged_plainly),
    "lookahead": (lookahead(sync_period=4, slow_step_size=0.3), drawn_back),
    "non_negative": (non_negative, lambda x, *_: np.where(x > 0, x, 0)),
    "simplex": (simplex(radius=2.0), lambda x, *_: on_simplex(x, 2.0)),
    "l1_ball": (l1_ball(radius=3.0), lambda x, *_: in_l1_ball(x, 3.0)),
    "l1_ball, inside": (l1_ball(radius=1e3), lambda x, *_: x),
    "l2_ball": (l2_ball(radius=2.0), lambda x, *_: shortened(x, 2.0)),
    "prox_l1": (prox_l1(lr=0.1, strength=2.0), lambda x, *_: np.where(np.abs(x) > 0.2, x - 0.2 * np.sign(x), 0)),
    "prox_group_l1": (prox_group_l1(lr=0.1, strength=2.0), lambda x, *_: grouped(x, 0.2)),
    "prox_l2": (prox_l2(lr=0.1, strength=2.0), lambda x, *_: x / 1.2),
}


@pytest.mark.parametrize(("name", "inner", "dtype"), each_with_one(AFTER), ids=lambda each: getattr(each, "name", each))
def test_after_the_rule(name, inner, dtype):
    stage, by_hand = AFTER[name]
    whole, (x, gradients) = chain(inner, stage), start(dtype)
    y, plain, memory = x.copy(), inner.init(x), {}
    state = whole.init(x)
    for t, g in enumerate(gradients, 1):
        before = y.copy()
        inner.step(y, g, plain)
        y[:] = by_hand(y.copy(), before, g, t, memory)
        whole.step(x, g, state)
        np.testing.assert_allclose(x, y, **CLOSE[dtype])
        reported = whole.reported(x, state.s, state.h, t)
        expected = memory.get("average", memory.get("slow", y))
        np.testing.assert_allclose(reported, expected, **CLOSE[dtype])
        assert reported.dtype == dtype


@pytest.mark.parametrize("name", ["adaptive_grad_clip", "centralize", "prox_group_l1", "cautious", "freeze all", "ema"])
@pytest.mark.parametrize("shape", [(3, 4), (4, 3, 2)])
def test_on_matrices(name, shape):
    (x, gradients), inner = start(shape=shape), sgd(lr=0.1, momentum=0.9)
    stage, by_hand = (BEFORE | AFTER)[name]
    points, _ = walk(chain(stage, inner) if name in BEFORE else chain(inner, stage), x, gradients)
    flat = shape[0], int(np.prod(shape[1:]))
    y, plain, memory = x.reshape(flat).copy(), inner.init(x.reshape(flat)), {}
    for t, g in enumerate(gradients.reshape(-1, *flat), 1):
        before = y.copy()
        inner.step(y, by_hand(g, y, t) if name in BEFORE else g, plain)
        if name in AFTER:
            y[:] = by_hand(y.copy(), before, g, t, memory)
        np.testing.assert_allclose(points[t - 1].reshape(flat), y, **CLOSE[np.float64])


@rule
def recorded(x, g, gradient, t):
    return x + 0 * gradient, g


@pytest.mark.parametrize("name", [*BEFORE, *AFTER])
def test_the_undecorated_function(name, dtype=np.float64):
    """The undecorated function gives the results of the compiled step."""
    stage, _ = (BEFORE | AFTER)[name]
    math, shape = stage._stages[0][0], (3, 4) if stage in (adaptive_grad_clip, centralize) else (n,)
    if any(hasattr(value, "texts") for value in stage.hyper.values()):
        stage = stage(wd=0.25)
    x, gradients = start(dtype, shape)
    rule_of = chain(stage, recorded) if math.role == "before" else chain(sgd(lr=1.0), stage)
    state = rule_of.init(x)
    hyper = [getattr(value, "values", value) for value in stage.hyper.values()]
    for t, g in enumerate(gradients, 1):
        known = {"x": x if math.role == "before" else x - g, "g": g, "before": x.copy()}
        slots = {slot: state[slot].copy() for slot in math.slots}
        numbers = [state[number] for number in math.numbers]
        expected = math.function(*(known.get(c, slots.get(c)) for c in math.coordinates), t, *numbers, *hyper)
        expected = expected if isinstance(expected, tuple) else (expected,)
        rule_of.step(x, g, state)
        found = [state["gradient"] if math.role == "before" else x, *(state[s] for s in math.slots)]
        found += [state[number] for number in math.numbers]
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, **CLOSE[dtype])


# Gates.


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize(("inner", "dtype"), KINDS, ids=lambda each: getattr(each, "name", None))
def test_accumulated_gradients_are_one_step(inner, k, dtype):
    x, gradients = start(dtype)
    points, state = walk(chain(accumulate(k=k), inner, ema(decay=0.5)), x, gradients)
    y, plain, average = x.copy(), inner.init(x), x.copy()
    for j in range(STEPS):
        np.testing.assert_allclose(points[j], y, **CLOSE[dtype]) if (j + 1) % k else None
        if (j + 1) % k == 0:
            inner.step(y, gradients[j + 1 - k : j + 1].mean(0), plain)
            average = y.copy() if plain.t == 1 else 0.5 * average + 0.5 * y
            np.testing.assert_allclose(points[j], y, **CLOSE[dtype])
    np.testing.assert_allclose(state["average"], average, **CLOSE[dtype])
    for slot in inner.slots_of:
        np.testing.assert_allclose(state[slot], plain[slot], **CLOSE[dtype])


@pytest.mark.slow
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("inner", RULES, ids=lambda each: each.name)
def test_steps_that_are_not_finite_are_skipped_and_counted(inner, bad):
    x, gradients = start(np.float32)
    wrong = [1, 2, 3, 7, 9, 10]
    gradients[wrong, [0, 3, 11, 5, 5, 5]] = bad
    points, state = walk(chain(apply_if_finite(max_consecutive_errors=3), inner), x, gradients)
    y, plain = x.copy(), inner.init(x)
    for j, g in enumerate(gradients):
        if j not in wrong:
            inner.step(y, g, plain)
        np.testing.assert_array_equal(points[j], y)
    assert state["skipped"] == 6 and state["in_a_row"] == 0 and np.array_equal(state.s, plain.s)


def test_too_many_in_a_row_go_through():
    gradients = np.ones((6, 2))
    gradients[1:] = np.nan
    points, state = walk(chain(apply_if_finite(max_consecutive_errors=3), sgd(lr=1.0)), np.zeros(2), gradients)
    assert np.array_equal(points[:4], -np.ones((4, 2))) and np.isnan(points[4:]).all()
    assert state["in_a_row"] == state["skipped"] == 5


def test_two_gates():
    x, gradients = start()
    spoiled = np.insert(gradients, [3, 3, 8], np.nan, axis=0)
    points, _ = walk(chain(apply_if_finite, accumulate(k=3), adam(lr=0.1)), x, spoiled)
    expected, _ = walk(chain(accumulate(k=3), adam(lr=0.1)), x, gradients)
    np.testing.assert_array_equal(points[-1], expected[-1])


# Sharpness-aware minimization, with two gradients for each step.


def valley(x, g):
    g[:] = np.sin(3 * x) + x + 0.1 * np.roll(x, 1)
    return float(g @ g)


@pytest.mark.slow
@pytest.mark.parametrize(("inner", "dtype"), KINDS, ids=lambda each: getattr(each, "name", None))
def test_sam(inner, dtype):
    x, _ = start(dtype)
    y, plain, whole = x.copy(), inner.init(x), chain(sam(rho=0.3), inner)
    state, g = whole.init(x), np.empty_like(x)
    for t in range(1, 21):
        valley(x, g)
        whole.step(x, g, state)
        if t % 2:
            np.testing.assert_allclose(whole.reported(x, state.s, state.h, t), y, **CLOSE[dtype])
        else:
            valley(y, g)
            valley(y + (0.3 * g / np.linalg.norm(g.astype(float))).astype(dtype), g)
            inner.step(y, g, plain)
            np.testing.assert_allclose(x, y, rtol=20 * CLOSE[dtype]["rtol"], atol=20 * CLOSE[dtype]["atol"])
    assert np.array_equal(whole.reported(x, state.s, state.h, 20), x)


def test_sam_stays_where_the_gradient_is_zero():
    x = np.ones(3)
    points, _ = walk(chain(sam, sgd(lr=0.1)), x, np.zeros((4, 3)))
    assert np.array_equal(points, np.ones((4, 3)))


def test_sam_in_minimize_takes_two_gradients_of_each_batch():
    data, batches = np.arange(12.0).reshape(6, 2), []

    def loss(x, batch):
        batches.append(batch.copy())
        return float(((x - batch) ** 2).sum()), 2 * (x - batch).sum(0)

    method, feed = chain(sam(rho=0.1), sgd(lr=0.05)), {"data": (data,), "batch_size": 2, "epochs": 2, "seed": 3}
    result = minimize(loss, np.zeros(2), jac=True, method=method, **feed)
    assert len(batches) == 12 and all(np.array_equal(a, b) for a, b in zip(batches[::2], batches[1::2], strict=True))
    x = np.zeros(2)
    for batch in batches[::2]:
        g = 2 * (x - batch).sum(0)
        x = x - 0.05 * 2 * (x + 0.1 * g / np.linalg.norm(g) - batch).sum(0)
    np.testing.assert_allclose(result.x, x, rtol=1e-12)


# Plateaus of the objective's value.


def reductions(values, factor, patience, threshold, cooldown, min_scale, atol=0.0, every=1):
    """Return the scale after each value, by the formula of ReduceLROnPlateau in PyTorch 2.13."""
    best, bad, resting, scale, scales = np.inf, 0, 0, 1.0, []
    for t in range(1, len(values) + 1):
        if t % every == 0:
            value = np.mean(values[t - every : t])
            better = value < best * (1 - threshold) - atol
            best, bad = (value, 0) if better else (best, bad + 1)
            if resting > 0:
                resting, bad = resting - 1, 0
            if bad > patience:
                scale, resting, bad = max(scale * factor, min_scale), cooldown, 0
        scales.append(scale)
    return np.array(scales)


COURSE = 1 + np.round(np.exp(-np.arange(60) / 6), 2) + np.random.default_rng(2).uniform(0, 0.01, 60)
PLATEAUS = [
    {"factor": 0.5, "patience": 3, "threshold": 0.01, "cooldown": 0, "min_scale": 0.0},
    {"factor": 0.1, "patience": 0, "threshold": 0.0, "cooldown": 4, "min_scale": 0.0},
    {"factor": 0.5, "patience": 2, "threshold": 1e-4, "cooldown": 1, "min_scale": 0.2},
    {"factor": 0.5, "patience": 2, "threshold": 0.0, "cooldown": 1, "min_scale": 0.0, "atol": 0.05},
    {"factor": 0.3, "patience": 1, "threshold": 1e-3, "cooldown": 1, "min_scale": 0.0, "every": 4},
]


@pytest.mark.parametrize("inner", [sgd(lr=0.1, momentum=0.9), adam(lr=0.1)], ids=lambda each: each.name)
@pytest.mark.parametrize("hyper", PLATEAUS, ids=str)
def test_plateaus(hyper, inner):
    gradients = np.random.default_rng(0).normal(size=(60, n))
    scales = reductions(COURSE, **hyper)
    assert len(set(scales)) > 2, "the scale was reduced"
    x, whole = np.zeros(n), chain(inner, plateau(**hyper))
    y, plain, state, scale = x.copy(), inner.init(x), whole.init(x), 1.0
    for t, g in enumerate(gradients):
        inner(lr=0.1 * scale).step(y, g, plain)
        whole.step(x, g, state, COURSE[t])
        np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-14)
        scale = scales[t]
        assert state["scale"] == pytest.approx(scale, rel=1e-14)


# The installed optax and PyTorch.


def on_optax(make, x, gradients, values=None):
    """Return the iterates of an optax transformation, in the precision of x."""
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    points = []
    with jax.enable_x64(True):
        transform = make(optax)
        params = jax.numpy.asarray(x)
        state = transform.init(params)
        update = jax.jit(transform.update)
        for k, g in enumerate(gradients):
            keywords = {} if values is None else {"value": values[k]}
            updates, state = update(jax.numpy.asarray(g), state, params, **keywords)
            params = optax.apply_updates(params, updates)
            points.append(np.asarray(params))
    return np.array(points), state


def either(inner):
    """Return the optimizer of optax that corresponds to a rule."""
    return {"sgd": lambda o: o.sgd(0.1, 0.9), "adam": lambda o: o.adam(0.1)}[inner.name]


OPTAX = {
    "clip": (lambda r: chain(clip(max_delta=0.3), r), lambda o, i: o.chain(o.clip(0.3), i)),
    "clip_by_global_norm": (
        lambda r: chain(clip_by_global_norm(max_norm=4.0, eps=0), r),
        lambda o, i: o.chain(o.clip_by_global_norm(4.0), i),
    ),
    "normalize_by_update_norm": (
        lambda r: chain(normalize_by_update_norm(scale_factor=0.5), r),
        lambda o, i: o.chain(o.normalize_by_update_norm(0.5), i),
    ),
    "adaptive_grad_clip": (
        lambda r: chain(adaptive_grad_clip(clipping=0.5, eps=0.1), r),
        lambda o, i: o.chain(o.adaptive_grad_clip(0.5, 0.1), i),
    ),
    "centralize": (lambda r: chain(centralize, r), lambda o, i: o.chain(o.centralize(), i)),
    "add_decayed_weights": (
        lambda r: chain(add_decayed_weights(wd=0.1), r),
        lambda o, i: o.chain(o.add_decayed_weights(0.1), i),
    ),
    "accumulate": (lambda r: chain(accumulate(k=3), r), lambda o, i: o.MultiSteps(i, 3, accumulator_dtype="float64")),
    "apply_if_finite": (
        lambda r: chain(apply_if_finite(max_consecutive_errors=1), r),
        lambda o, i: o.apply_if_finite(i, 1),
    ),
    "decoupled_weight_decay": (
        lambda r: chain(r, decoupled_weight_decay(wd=0.1)),
        lambda o, i: o.chain(i, o.add_decayed_weights(-0.1)),
    ),
    "freeze": (lambda r: chain(r, freeze), lambda o, i: o.chain(i, o.freeze(True))),
    "non_negative": (lambda r: chain(r, non_negative), lambda o, i: o.chain(i, o.keep_params_nonnegative())),
    "all of them": (
        lambda r: chain(clip(max_delta=2.0), clip_by_global_norm(max_norm=3.0, eps=0), add_decayed_weights(wd=0.1), r),
        lambda o, i: o.chain(o.clip(2.0), o.clip_by_global_norm(3.0), o.add_decayed_weights(0.1), i),
    ),
}


@pytest.mark.parametrize(
    ("inner", "dtype", "shape"),
    [(RULES[0], np.float64, (n,)), (RULES[1], np.float32, (3, 4)), (RULES[1], np.float64, (3, 2, 2))],
    ids=lambda each: getattr(each, "name", None),
)
@pytest.mark.parametrize("name", OPTAX)
def test_steps_equal_optax(name, inner, shape, dtype):
    ours, theirs = OPTAX[name]
    if name == "adaptive_grad_clip" and len(shape) == 3:
        pytest.skip("optax's units are then those of attention heads")
    x, gradients = start(dtype, shape)
    if name == "apply_if_finite":
        gradients[[3, 8, 9], 1] = np.nan
    if name == "non_negative":
        x = np.abs(x)  # optax keeps x nonnegative only from a nonnegative start
    expected, _ = on_optax(lambda o: theirs(o, either(inner)(o)), x, gradients)
    points, _ = walk(ours(inner), x, gradients)
    assert points.dtype == expected.dtype == dtype
    np.testing.assert_allclose(points, expected, **CLOSE[dtype])


@pytest.mark.parametrize("inner", RULES[:2], ids=lambda each: each.name)
def test_lookahead_equals_optax(inner):
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    x, gradients = start()
    points, state = walk(chain(inner, lookahead(sync_period=4, slow_step_size=0.3)), x, gradients)
    with jax.enable_x64(True):
        both = optax.LookaheadParams.init_synced(jax.numpy.asarray(x))
        theirs = optax.lookahead(either(inner)(optax), 4, 0.3)
        memory = theirs.init(both)
        for point, g in zip(points, gradients, strict=True):
            updates, memory = theirs.update(jax.numpy.asarray(g), memory, both)
            both = optax.apply_updates(both, updates)
            np.testing.assert_allclose(point, both.fast, **CLOSE[np.float64])
    np.testing.assert_allclose(state["slow"], both.slow, **CLOSE[np.float64])


@pytest.mark.slow
@pytest.mark.parametrize("inner", RULES[:2], ids=lambda each: each.name)
def test_sam_equals_optax(inner):
    def theirs(o):
        climb = o.chain(o.contrib.normalize(), o.sgd(0.3))
        return o.contrib.sam(either(inner)(o), climb, sync_period=2)

    x, gradients = start()
    gradients = np.delete(gradients, 4, axis=0)  # optax divides by the norm, which would be zero
    points, _ = walk(chain(sam(rho=0.3), inner), x, gradients)
    np.testing.assert_allclose(points, on_optax(theirs, x, gradients)[0], **CLOSE[np.float64])


@pytest.mark.parametrize("hyper", PLATEAUS, ids=str)
def test_plateaus_equal_optax_one_step_later(hyper):
    hyper = {"atol": 0.0, "every": 1} | hyper
    theirs = {"rtol": hyper["threshold"], "accumulation_size": hyper["every"], "patience": hyper["patience"] + 1}
    theirs |= {name: hyper[name] for name in ("factor", "atol", "cooldown", "min_scale")}
    if theirs["rtol"] == theirs["atol"] == 0:
        theirs["atol"] = 1e-300  # optax needs one of them to be positive
    gradients = np.ones((60, 2))
    x = np.zeros(2)
    points, _ = on_optax(lambda o: o.chain(o.sgd(1.0), o.contrib.reduce_on_plateau(**theirs)), x, gradients, COURSE)
    scales = -np.diff(points[:, 0], prepend=0)
    ours, _ = walk(chain(sgd(lr=1.0), plateau(**hyper)), x, gradients, COURSE)
    np.testing.assert_allclose(-np.diff(ours[:, 0], prepend=0)[1:], scales[:-1], rtol=1e-10)


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        (simplex, "projection_simplex"),
        (l1_ball, "projection_l1_ball"),
        (l2_ball, "projection_l2_ball"),
    ],
)
@pytest.mark.parametrize("radius", [0.5, 1.0, 3.0, 50.0])
def test_projections_equal_optax(stage, name, radius):
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    rng = np.random.default_rng(0)
    for x in (*rng.normal(size=(20, n)), np.zeros(n), np.ones(n), np.arange(n) * 1.0, rng.integers(-1, 2, n) * 1.0):
        with jax.enable_x64(True):
            expected = getattr(optax.projections, name)(jax.numpy.asarray(x), radius)
        points, _ = walk(chain(sgd, stage(radius=radius)), x, np.zeros((1, n)))
        np.testing.assert_allclose(points[0], expected, rtol=1e-12, atol=1e-14)


def on_torch(x, gradients, lr=0.1, prepare=None, after=None):
    """Return the iterates of SGD with momentum in PyTorch, with calls before and after each step."""
    torch = pytest.importorskip("torch")
    p = torch.nn.Parameter(torch.tensor(x))
    optimizer, points = torch.optim.SGD([p], lr=lr, momentum=0.9), []
    for k, g in enumerate(gradients):
        p.grad = torch.tensor(g)
        if prepare is not None:
            prepare(torch, p)
        optimizer.step()
        if after is not None:
            after(torch, p, optimizer, k)
        points.append(p.detach().numpy().copy())
    return np.array(points)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", CLOSE)
def test_clipping_equals_torch(dtype):
    x, gradients = start(dtype)
    for stage, prepare in (
        (clip_by_global_norm(max_norm=2.0), lambda torch, p: torch.nn.utils.clip_grad_norm_([p], 2.0)),
        (clip(max_delta=0.3), lambda torch, p: torch.nn.utils.clip_grad_value_([p], 0.3)),
    ):
        points, _ = walk(chain(stage, RULES[0]), x, gradients)
        np.testing.assert_allclose(points, on_torch(x, gradients, prepare=prepare), **CLOSE[dtype])


@pytest.mark.parametrize("dtype", CLOSE)
def test_averages_equal_torch(dtype):
    torch = pytest.importorskip("torch")
    swa_utils = pytest.importorskip("torch.optim.swa_utils")
    x, gradients = start(dtype)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.p = torch.nn.Parameter(torch.tensor(x))

    for stage, options, when in (
        (ema(decay=0.8), {"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.8)}, lambda t: True),
        (swa, {}, lambda t: True),
        (swa(start=5, k=2), {}, lambda t: t >= 5 and t % 2 == 1),
    ):
        model = Model()
        average, optimizer = swa_utils.AveragedModel(model, **options), torch.optim.SGD(model.parameters(), 0.1, 0.9)
        whole = chain(RULES[0], stage)
        y, state = x.copy(), whole.init(x)
        for t, g in enumerate(gradients, 1):
            model.p.grad = torch.tensor(g)
            optimizer.step()
            whole.step(y, g, state)
            if when(t):
                average.update_parameters(model)
                expected = average.module.p.detach().numpy()
                np.testing.assert_allclose(whole.reported(y, state.s, state.h, t), expected, **CLOSE[dtype])


@pytest.mark.parametrize("hyper", [h for h in PLATEAUS if "every" not in h], ids=str)
def test_plateaus_equal_torch(hyper):
    theirs = {name: hyper[name] for name in ("factor", "patience", "cooldown")} | {"eps": 0.0}
    theirs |= {"min_lr": 0.1 * hyper["min_scale"], "threshold": hyper.get("atol", hyper["threshold"])}
    theirs |= {"threshold_mode": "abs" if "atol" in hyper else "rel"}
    memory = {}

    def after(torch, p, optimizer, k):
        if k == 0:
            memory["scheduler"] = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **theirs)
        memory["scheduler"].step(COURSE[k])

    gradients = np.random.default_rng(0).normal(size=(60, n))
    expected = on_torch(np.zeros(n), gradients, after=after)
    points, _ = walk(chain(RULES[0], plateau(**hyper)), np.zeros(n), gradients, COURSE)
    np.testing.assert_allclose(points, expected, rtol=1e-11, atol=1e-14)


def test_the_soft_threshold_equals_torch():
    torch = pytest.importorskip("torch")
    x = np.linspace(-2, 2, 41)
    points, _ = walk(chain(sgd, prox_l1(lr=0.5, strength=1.5)), x, np.zeros((1, 41)))
    expected = torch.nn.functional.softshrink(torch.tensor(x), 0.75).numpy()
    np.testing.assert_array_equal(points[0], expected)


def test_decoupled_weight_decay_equals_adamw_of_torch():
    torch = pytest.importorskip("torch")
    x, gradients = start()
    p = torch.nn.Parameter(torch.tensor(x))
    optimizer, points = torch.optim.AdamW([p], lr=0.1, weight_decay=0.3), []
    for g in gradients:
        p.grad = torch.tensor(g)
        optimizer.step()
        points.append(p.detach().numpy().copy())
    ours, _ = walk(chain(adam(lr=0.1), decoupled_weight_decay(wd=0.1 * 0.3)), x, gradients)
    np.testing.assert_allclose(ours, points, **CLOSE[np.float64])


# Noise.


def test_noise_is_normal_and_fades():
    size = 20_000
    whole, x = chain(add_noise(eta=0.3, gamma=1.5, seed=1), recorded), np.zeros(size)
    state, drawn = whole.init(x), []
    for t in range(1, 5):
        whole.step(x, np.zeros(size), state)
        drawn.append(state["gradient"] / np.sqrt(0.3 / t**1.5))
        assert stats.kstest(drawn[-1], "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(drawn) - np.eye(4)).max() < 0.03, "other noise at every step"
    again, other = (walk(chain(add_noise(seed=seed), sgd), np.zeros(n), np.zeros((3, n)))[0] for seed in (0, 1))
    assert np.array_equal(again, walk(chain(add_noise, sgd), np.zeros(n), np.zeros((3, n)))[0])
    assert not np.isin(again, other).any()


# The box.

real = st.floats(-1e6, 1e6)
bound = st.floats(allow_nan=False)


@given(arrays.arrays(float, (4, 6), elements=real), arrays.arrays(float, (2, 6), elements=bound))
def test_steps_are_clipped_as_numpy_clips(values, limits):
    x, g = values[0].copy(), values[1]
    lower, upper = np.sort(limits, axis=0)
    plain, fused = sgd(lr=0.5), chain(sgd(lr=0.5), box)
    y = x.copy()
    plain.step(y, g, plain.init(y))
    s = fused.slots(x, lower=lower, upper=upper)
    fused.kernel(x)(1, x, g, s, fused.h)
    np.testing.assert_array_equal(x, np.clip(y, lower, upper))
    np.testing.assert_array_equal(s, [lower, upper])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dtype"), [("adagrad", np.float32), ("adam", np.float64), ("lamb", np.float32)])
def test_projected_rules_walk_as_step_then_clip(name, dtype):
    rule = numbaopt.get(name)(lr=0.2)
    fused, n = chain(rule, box), 40
    assert fused.slots_of == (*rule.slots_of, "lower", "upper") and fused.elementwise == rule.elementwise
    assert fused.hyper == rule.hyper and fused.name == f"{name}_box"
    rng = np.random.default_rng(0)
    lower, upper = np.sort(rng.normal(size=(2, n)), axis=0).astype(dtype)
    lower[:5], upper[3:8] = -np.inf, np.inf
    lower[10] = upper[10]
    x = np.clip(rng.normal(size=n).astype(dtype), lower, upper)
    y, s, state = x.copy(), fused.slots(x, lower=lower, upper=upper), rule.init(x)
    start = s[: len(rule.slots_of)]
    assert np.array_equal(start, state.s), "the slots of the rule start as without the stage"
    kernel = fused.kernel(x)
    for t in range(1, 20):
        g = rng.normal(size=n).astype(dtype)
        kernel(t, x, g, s, fused.h)
        rule.step(y, g, state)
        y = np.clip(y, lower, upper)
        assert np.array_equal(x, y) and np.array_equal(start, state.s)
    assert (x[10], x.dtype) == (upper[10], dtype)


def test_one_pass_and_the_bounds_are_only_read():
    fused = chain(adam, box)
    source = fused.source()
    assert source.count("for i in range") == 1
    assert "lower[i] =" not in source and "upper[i] =" not in source and source.count(" x[i] = ") == 1


def test_a_parallel_projected_step(monkeypatch):
    n = cpu.PARALLEL_FROM + 7
    fused, rng = chain(sgd(lr=1.0), box), np.random.default_rng(0)
    x, g = rng.normal(size=(2, n))
    s = fused.slots(x, lower=-0.5, upper=np.inf)
    expected = np.maximum(x - g, -0.5)
    fused.kernel(x)(1, x, g, s, fused.h)
    assert np.array_equal(x, expected)


def test_nan_is_not_clipped_away():
    fused = chain(sgd(lr=1.0), box)
    x, g = np.zeros(4), np.array([np.nan, np.inf, -np.inf, 1.0])
    fused.kernel(x)(1, x, g, fused.slots(x, lower=-1, upper=1), fused.h)
    np.testing.assert_array_equal(x, [np.nan, -1, 1, -1])


@pytest.mark.parametrize("stage", [clip_by_global_norm, clip, normalize_by_update_norm], ids=lambda each: each.name)
def test_nan_is_not_clipped_away_before_the_rule(stage):
    points, _ = walk(chain(stage, sgd(lr=1.0)), np.zeros(3), np.array([[np.nan, 1.0, 2.0]]))
    assert np.isnan(points[0, 0])


# Problems that projections and proximal steps solve.


def test_the_lasso_of_an_orthogonal_design_is_a_soft_threshold():
    q = np.linalg.qr(np.random.default_rng(0).normal(size=(30, 8)))[0]
    y = q @ np.array([3.0, -2, 1, 0.5, 0.1, 0, 0, -0.3])
    b = q.T @ y
    method = chain(sgd(lr=0.5), prox_l1(lr=0.5, strength=0.4))
    fun = lambda x: (((q @ x - y) ** 2).sum() / 2, q.T @ (q @ x - y))  # noqa: E731
    options = {"maxiter": 200, "gtol": 0.0, "return": "last"}
    result = minimize(fun, np.zeros(8), jac=True, method=method, options=options)
    np.testing.assert_allclose(result.x, np.sign(b) * np.maximum(np.abs(b) - 0.4, 0), atol=1e-12)


@pytest.mark.slow
def test_group_lasso_and_ridge_have_closed_forms():
    target = np.array([[3.0, 4.0], [0.3, 0.4]])
    whole = chain(sgd(lr=0.5), prox_group_l1(lr=0.5, strength=1.0))
    x = np.zeros((2, 2))
    state = whole.init(x)
    for _ in range(100):
        whole.step(x, x - target, state)
    np.testing.assert_allclose(x, [[2.4, 3.2], [0, 0]], atol=1e-14)  # norms 5 and 0.5 become 4 and 0
    points, _ = walk(chain(sgd(lr=0.5), prox_l2(lr=0.5, strength=3.0)), np.zeros(2), np.zeros((1, 2)))
    x, whole = np.zeros(2), chain(sgd(lr=0.5), prox_l2(lr=0.5, strength=3.0))
    state = whole.init(x)
    for _ in range(100):
        whole.step(x, x - np.array([4.0, -8.0]), state)
    np.testing.assert_allclose(x, [1.0, -2.0], rtol=1e-12)  # target / (1 + strength)


def test_minimizing_over_a_simplex():
    target = np.array([0.9, 0.6, -0.5, 0.1])
    fun = lambda x: (((x - target) ** 2).sum(), 2 * (x - target))  # noqa: E731
    options = {"maxiter": 300, "gtol": 0.0, "return": "last"}
    result = minimize(fun, np.full(4, 0.25), jac=True, method=chain(sgd(lr=0.1), simplex), options=options)
    np.testing.assert_allclose(result.x, [0.65, 0.35, 0, 0], atol=1e-12)


# Whole chains, through every entry point.

LONG = [clip(max_delta=2.0), clip_by_global_norm(max_norm=3.0), add_decayed_weights(wd=0.05)]
LONG = chain(*LONG, adam(lr=0.05), ema(decay=0.9), non_negative)


def long_by_hand(x, gradients):
    y, plain, average = x.copy(), adam(lr=0.05), None
    state = plain.init(y)
    for g in gradients(y):
        plain.step(y, (shortened(np.clip(g, -2, 2), 3.0, 1e-6) + 0.05 * y).astype(x.dtype), state)
        average = y.copy() if average is None else 0.9 * average + 0.1 * y
        y[:] = np.maximum(y, 0)
    return y, average


@pytest.mark.slow
def test_a_long_chain_full_batch():
    target = np.linspace(-1, 2, 7)

    def gradients(y):
        for _ in range(50):
            yield 2 * (y - target)

    def fun(x):
        return ((x - target) ** 2).sum(), 2 * (x - target)

    @njit
    def compiled(x, g):
        g[:] = 2 * (x - target)
        return ((x - target) ** 2).sum()

    y, average = long_by_hand(np.ones(7), gradients)
    options = {"maxiter": 50, "gtol": 0.0, "return": "last"}
    for objective, jac in ((fun, True), (compiled, "inplace")):
        result = minimize(objective, np.ones(7), jac=jac, method=LONG, options=options)
        np.testing.assert_allclose(result.x, average, rtol=1e-12)  # ema reports the average
    bounded = minimize(fun, np.ones(7), jac=True, method=LONG, options=options, bounds=(0.2, 0.8))
    assert (bounded.x >= 0.2).all() and (bounded.x <= 0.8).all()


@pytest.mark.slow
def test_a_long_chain_by_minibatches():
    data, batches = np.random.default_rng(0).normal(size=(20, 4)), []

    def loss(x, batch):
        batches.append(batch.copy())
        return ((x - batch) ** 2).mean(), 2 * (x - batch).mean(0)

    result = minimize(loss, np.zeros(4), jac=True, method=LONG, data=(data,), batch_size=5, epochs=4, seed=1)

    def gradients(y):
        for batch in batches:
            yield 2 * (y - batch).mean(0)

    np.testing.assert_allclose(result.x, long_by_hand(np.zeros(4), gradients)[1], rtol=1e-12)
    assert len(batches) == 16


def test_accumulated_minibatches_are_larger_ones():
    data = np.random.default_rng(0).normal(size=(24, 3))
    fun = lambda x, batch: (((x - batch) ** 2).mean(), 2 * (x - batch).mean(0))  # noqa: E731
    feed = {"jac": True, "data": (data,), "epochs": 3, "shuffle": False}
    small = minimize(fun, np.ones(3), method=chain(accumulate(k=4), adam(lr=0.1)), batch_size=2, **feed)
    large = minimize(fun, np.ones(3), method=adam(lr=0.1), batch_size=8, **feed)
    np.testing.assert_allclose(small.x, large.x, rtol=1e-12)
    assert small.nit == 4 * large.nit


def test_a_batch_that_is_not_finite_does_not_end_a_run():
    data = np.arange(8.0)
    data[3] = np.nan
    fun = lambda x, batch: (float(((x - batch) ** 2).sum()), 2 * (x - batch).sum(keepdims=True))  # noqa: E731
    feed = {"jac": True, "data": (data,), "batch_size": 1, "epochs": 1, "shuffle": False}
    result = minimize(fun, np.zeros(1), method=chain(apply_if_finite, sgd(lr=0.25)), **feed)
    x = 0.0
    for value in (0, 1, 2, 4, 5, 6, 7):
        x -= 0.25 * 2 * (x - value)
    assert result.status == 0 and result.x[0] == pytest.approx(x, rel=1e-14)
    assert minimize(fun, np.zeros(1), method=sgd(lr=0.25), **feed).status == 3


def test_plateaus_in_minimize():
    values = []

    def fun(x):
        values.append(abs(float(x[0])))
        return abs(float(x[0])), np.sign(x)

    method = chain(sgd(lr=0.3), plateau(factor=0.5, patience=2))
    minimize(fun, np.ones(1), jac=True, method=method, options={"maxiter": 100, "gtol": 0.0})
    scales = reductions(np.array(values), 0.5, 2, 1e-4, 0, 0.0)
    x, scale = 1.0, 1.0
    for k in range(100):
        assert values[k] == pytest.approx(abs(x), abs=1e-12)
        x, scale = x - scale * 0.3 * np.sign(x), scales[k]
    assert scale < 1e-3 and abs(x) < 1e-2


def test_the_global_norm_is_that_of_all_arrays():
    rng = np.random.default_rng(0)
    params = {"w": rng.normal(size=(3, 2)), "b": rng.normal(size=2), "c": np.array(0.5)}
    whole = chain(clip_by_global_norm(max_norm=0.5), adam(lr=0.1))
    flat = np.concatenate([v.ravel() for v in params.values()])
    opt, state = Optimizer(whole, params), whole.init(flat)
    for _ in range(5):
        grads = {k: rng.normal(size=v.shape) for k, v in params.items()}
        opt.step(grads)
        whole.step(flat, np.concatenate([v.ravel() for v in grads.values()]), state)
    np.testing.assert_array_equal(np.concatenate([v.ravel() for v in params.values()]), flat)


@pytest.mark.slow
def test_the_global_norm_of_all_arrays_before_norms_of_each():
    rng = np.random.default_rng(0)
    params = [rng.normal(size=(3, 2)), rng.normal(size=4)]
    arrays, inner = [v.copy() for v in params], lamb(lr=0.1)
    opt, states = Optimizer(chain(clip_by_global_norm(max_norm=0.5), inner), params), [inner.init(v) for v in arrays]
    for _ in range(5):
        grads = [rng.normal(size=v.shape) for v in params]
        scale = min(1, 0.5 / (np.sqrt(sum((g**2).sum() for g in grads)) + 1e-6))
        opt.step(grads)
        for x, g, state in zip(arrays, grads, states, strict=True):
            inner.step(x, scale * g, state)
    for x, y in zip(params, arrays, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)


@pytest.mark.slow
def test_what_several_arrays_report():
    params = [np.ones((2, 2)), np.zeros(3)]
    opt = Optimizer(chain(centralize, sgd(lr=1.0), ema(decay=0.5)), params)
    np.testing.assert_array_equal(opt.reported()[0], params[0])
    for grads in ([np.array([[1.0, 3], [5, 5]]), np.ones(3)], [np.zeros((2, 2)), np.full(3, 2.0)]):
        opt.step(grads)
    np.testing.assert_array_equal(params[0], [[2, 0], [1, 1]])  # the means of the rows were subtracted
    np.testing.assert_array_equal(params[1], -3.0)
    np.testing.assert_array_equal(opt.reported()[1], -2.0)


@pytest.mark.slow
def test_in_compiled_code():
    whole = LONG(max_norm=1.5)
    step, h = whole.jit, whole.h

    @njit
    def run(x, target, s, h):
        for t in range(1, 31):
            step(t, x, 2 * (x - target), s, h)

    x, y, target = np.ones(5), np.ones(5), np.linspace(-1, 1, 5)
    s, state = whole.slots(x), whole.init(y)
    run(x, target, s, h)
    for _ in range(30):
        whole.step(y, 2 * (y - target), state)
    np.testing.assert_array_equal(x, y)


@pytest.mark.slow
@pytest.mark.parametrize("name", transforms.__all__)
def test_every_stage(name):
    stage = getattr(transforms, name)
    assert name in dir(transforms) and stage.name == name and stage.__doc__
    in_tables = {key.partition(",")[0] for key in (*BEFORE, *AFTER)}
    assert name in in_tables or name in ("accumulate", "apply_if_finite", "box", "plateau", "sam"), "is tested"
    whole = chain(stage, adam) if stage._stages[0][0].role == "before" else chain(adam, stage)
    again = pickle.loads(pickle.dumps(whole))
    assert again == whole and again.program is whole.program
    x, gradients = start()
    points, state = walk(whole, x, gradients, np.ones(STEPS))
    half, middle = walk(whole, x, gradients[:7], np.ones(STEPS))
    y, middle = pickle.loads(pickle.dumps((half[-1], middle)))
    for g in gradients[7:]:
        again.step(y, g, middle, 1.0)
    np.testing.assert_array_equal(y, points[-1])
    with pytest.raises(AttributeError, match="has no attribute 'clipp'"):
        transforms.clipp  # noqa: B018


@pytest.mark.parametrize(
    ("stage", "name", "value"),
    [
        (clip, "max_delta", -1),
        (clip_by_global_norm, "max_norm", -1),
        (clip_by_global_norm, "eps", -1e-6),
        (accumulate, "k", 0),
        (lookahead, "sync_period", 0),
        (lookahead, "slow_step_size", 1.5),
        (ema, "decay", 1.0),
        (simplex, "radius", 0),
        (l2_ball, "radius", -1),
        (plateau, "factor", 1.0),
        (plateau, "every", 0.5),
        (prox_l1, "strength", -0.1),
        (freeze, "mask", np.array([0, 2])),
        (add_noise, "seed", -1),
        (apply_if_finite, "max_consecutive_errors", -1),
    ],
)
def test_out_of_range(stage, name, value):
    with pytest.raises(ValueError, match=f"{stage.name}: {name} must be finite and lie in "):
        stage(**{name: value})


def test_names_and_schedules_in_a_chain():
    whole = chain(sgd(lr=0.5), prox_l1(strength=2.0))
    assert dict(whole.hyper)["prox_l1_lr"] == 1e-3 and whole(lr=0.1).hyper["prox_l1_lr"] == 1e-3
    scheduled = chain(sgd(lr=1.0), l2_ball(radius=schedules.linear(4.0, 1.0, 3)))
    points, _ = walk(scheduled, np.zeros(1), np.full((5, 1), -10.0))
    np.testing.assert_allclose(points[:, 0], [4, 3, 2, 1, 1])


# One pass over memory.


def traffic(whole):
    """Return the arrays that every pass of a chain accesses, and those that it writes."""
    return [(sweep.read | sweep.written, sweep.written) for sweep in passes.passes(whole.program)]


ADAM = {"x", "g", "m", "v"}


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        (chain(clip, add_decayed_weights, adam, decoupled_weight_decay, non_negative), [(ADAM, {"x", "m", "v"})]),
        (chain(clip, adam, ema, box), [(ADAM | {"average", "lower", "upper"}, {"x", "m", "v", "average"})]),
        (chain(clip, adam, lookahead), [(ADAM | {"slow"}, {"x", "m", "v", "slow"})]),
        (chain(adam, prox_l1), [(ADAM, {"x", "m", "v"})]),
        (chain(clip_by_global_norm, adam), [({"g"}, set()), (ADAM, {"x", "m", "v"})]),
        (chain(apply_if_finite, clip_by_global_norm, adam), [({"g"}, set()), (ADAM, {"x", "m", "v"})]),
        (chain(clip, add_decayed_weights(wd=0.1, mask=MASK), sgd), [({"x", "g", "mask"}, {"x"})]),
        (chain(adam, l2_ball), [(ADAM, {"m", "v"}), (ADAM - {"g"}, {"x"})]),
    ],
    ids=lambda each: each.name if isinstance(each, numbaopt.Rule) else "",
)
def test_passes_over_memory(whole, expected):
    assert traffic(whole) == expected
    assert whole.source().count("for i in range(") == len(expected)
