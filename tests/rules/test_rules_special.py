"""Rules with carried numbers, norms, objective values, noise or a reported point, beyond their recordings."""

import copy
import inspect
import pickle

import numpy as np
import pytest

import numbaopt
from numbaopt.backends import cpu
from numbaopt.backends.host import compiled_step
from numbaopt.common.random import normal

JOINT = [
    "noisy_sgd",
    "sophia",
    "prodigy",
    "dadapt_adamw",
    "polyak_sgd",
    "momo",
    "momo_adam",
    "dog",
    "dowg",
    "swats",
    "wngrad",
]
LAYERWISE = ["lars", "lamb", "fromage", "novograd"]
ELEMENTWISE = ["nadam", "schedule_free_sgd", "schedule_free_adamw", "eve"]
VALUED = ["polyak_sgd", "momo", "momo_adam", "eve"]
ALL = [*JOINT, *LAYERWISE, *ELEMENTWISE]
DTYPES = [np.float32, np.float64]


def rule_named(name, **hyper):
    return getattr(numbaopt, name)(**hyper)


def walk(rule, x, gradients, values=None):
    """Step along gradients; return the state, and x after every step."""
    state, points = rule.init(x), []
    for k, g in enumerate(gradients):
        rule.step(x, g, state, *([values[k]] if rule.needs_value else []))
        points.append(x.copy())
    return state, np.array(points)


def plain_walk(rule, x, gradients, values):
    """Step along gradients by the undecorated function on whole arrays."""
    state = rule.init(x)
    own = {name: np.array(state[name]) for name in rule.slots_of} | {name: state[name] for name in rule.numbers_of}
    names, points = list(inspect.signature(rule.math).parameters), []
    own |= dict(rule.hyper) | {"x": x.copy()}
    for t, (g, f) in enumerate(zip(gradients, values, strict=True), 1):
        own |= {"g": g, "t": t, "f": f}
        out = rule.math(*[own[name] for name in names])
        kept = [name for name in names if name not in ("x", "g", "t", "f", *rule.hyper)]
        own |= dict(zip(["x", *kept], out if isinstance(out, tuple) else (out,), strict=True))
        points.append(own["x"])
    return np.array(points)


def descend(rule, x, gradient, steps, value=None):
    """Step along the gradients of an objective."""
    state = rule.init(x)
    for _ in range(steps):
        rule.step(x, gradient(x), state, *([value(x)] if rule.needs_value else []))
    return state


def test_lists_name_what_rules_are():
    for name in ALL:
        rule = rule_named(name)
        assert (rule.needs_global_sum, rule.needs_norms) == (name in JOINT, name in LAYERWISE), name
        assert rule.needs_value == (name in VALUED), name


# All rules.


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("name", ALL)
def test_zero_gradients(name, n, dtype):
    # At first, then after gradients: nothing is divided by zero, and at first nothing moves but what is named here.
    x = np.linspace(-1, 2, n, dtype=dtype)
    before, rule = x.copy(), rule_named(name)
    state, points = walk(rule, x, np.zeros((4, n), dtype), [0.0] * 4)
    expected = np.array([before] * 4)
    if name == "fromage":
        expected = before / np.sqrt(1 + 1e-4) ** np.arange(1, 5)[:, None]
    if name == "sophia":
        expected[::2] += dtype(1e-3) * np.sign(points - expected)[::2]
        assert (points[::2] != before).all()
    if name == "noisy_sgd":
        variances = 0.01 / np.arange(1, 5.0) ** 0.55
        noise = [-0.01 * v**0.5 * normal(x, 0, t) for t, v in enumerate(variances, 1)]
        expected = before + np.cumsum(noise, 0)
    np.testing.assert_allclose(points, expected, rtol=1e-6)
    np.testing.assert_allclose(plain_walk(rule, before, np.zeros((4, n), dtype), [0.0] * 4), points, rtol=1e-6)
    for g in (np.ones(n, dtype), np.zeros(n, dtype), np.zeros(n, dtype)):
        rule.step(x, g, state, *([0.0] if rule.needs_value else []))
    assert np.isfinite(x).all() and np.isfinite(state.s).all() and np.isfinite(state.h[: len(rule.hyper)]).all()
    assert all(np.isfinite(state[number]) for number in rule.numbers_of)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_a_million_coordinates(name):
    # The text on arrays differs by the order of additions. One rule takes its parallel steps, the others serial ones,
    # which compile in a tenth of the time.
    rng, n = np.random.default_rng(1), 1_000_003
    rule, x = rule_named(name), rng.normal(size=n)
    gradients, values = [x + 0.1 * rng.normal(size=n) for _ in range(3)], [3.0, 2.5, 2.0]
    expected = plain_walk(rule, x, gradients, values)
    if name == "prodigy":
        _, points = walk(rule, x, gradients, values)
    else:
        kernel, points = cpu.kernel(compiled_step(rule.name, rule.program, False), x.dtype), []
        s, h = rule.slots(x), rule.h
        for t, (g, f) in enumerate(zip(gradients, values, strict=True), 1):
            h[len(h) - rule.needs_value :] = f
            kernel(t, x, g, s, h)
            points.append(x.copy())
    np.testing.assert_allclose(points, expected, rtol=1e-11, atol=1e-13)
    assert (points[-1] != points[0]).all()


@pytest.mark.parametrize("name", ALL)
def test_pickled_and_copied_states_go_on_alike(name):
    rng = np.random.default_rng(2)
    rule, x = rule_named(name), rng.normal(size=6)
    gradients, values = rng.normal(size=(7, 6)), rng.uniform(1, 2, 7)
    state, _ = walk(rule, x, gradients[:3], values)
    restored = pickle.loads(pickle.dumps(state))
    other = x.copy()
    for k in range(3, 7):
        for place, memory in ((x, state), (other, restored)):
            rule.step(place, gradients[k], memory, *([values[k]] if rule.needs_value else []))
    np.testing.assert_array_equal(x, other)
    assert copy.deepcopy(rule) == rule


@pytest.mark.parametrize("name", VALUED)
def test_a_missing_value_is_asked_for(name):
    rule, x = rule_named(name), np.ones(3)
    state = rule.init(x)
    with pytest.raises(TypeError, match=f"{name} asks for the objective's value"):
        rule.step(x, np.ones(3), state)
    assert state.t == 0 and (x == 1).all()


# Several arrays: norms are of each, sums are over all.


def two_arrays(name, rng):
    params = {"w": rng.normal(size=(3, 2)), "b": 10 * rng.normal(size=4)}
    gradients = [{"w": rng.normal(size=(3, 2)), "b": 0.1 * rng.normal(size=4)} for _ in range(5)]
    return rule_named(name), params, gradients


@pytest.mark.parametrize("name", LAYERWISE)
def test_norms_are_those_of_each_array(name):
    rule, params, gradients = two_arrays(name, np.random.default_rng(3))
    alone = {key: value.copy() for key, value in params.items()}
    optimizer = numbaopt.Optimizer(rule, params)
    for g in gradients:
        optimizer.step(g)
    for key, x in alone.items():
        walk(rule, x, [g[key] for g in gradients])
        np.testing.assert_array_equal(params[key], x)


@pytest.mark.parametrize("name", JOINT)
def test_sums_are_over_all_arrays(name):
    rule, params, gradients = two_arrays(name, np.random.default_rng(4))
    flat = np.concatenate([params["w"].ravel(), params["b"]])
    optimizer, values = numbaopt.Optimizer(rule, params), [5.0, 3.0, 4.0, 1.0, 2.0]
    for g, f in zip(gradients, values, strict=True):
        optimizer.step(g, *([f] if rule.needs_value else []))
    walk(rule, flat, [np.concatenate([g["w"].ravel(), g["b"]]) for g in gradients], values)
    np.testing.assert_allclose(np.concatenate([params["w"].ravel(), params["b"]]), flat, rtol=1e-14)


# One rule after the other: what a step is for, in closed form.


def test_nadam_carries_the_product_of_its_momenta():
    rule, x = numbaopt.nadam(b1=0.8, momentum_decay=0.5), np.ones(3)
    state, _ = walk(rule, x, np.ones((6, 3)))
    momenta = 0.8 * (1 - 0.5 * 0.96 ** (0.5 * np.arange(1, 7)))
    np.testing.assert_allclose(state["product"], np.prod(momenta), rtol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
def test_polyak_halves_the_distance_on_squares(dtype):
    x = np.array([3.0, -1.0, 0.25], dtype)
    start = x.copy()
    descend(numbaopt.polyak_sgd, x, lambda x: 2 * x, 5, lambda x: float(x @ x))
    np.testing.assert_allclose(x, start / 2**5, rtol=1e-6)


def test_polyak_goes_no_further_than_max_lr_and_lr_scales():
    x = np.array([4.0])
    descend(numbaopt.polyak_sgd(max_lr=0.5, lr=0.1), x, lambda x: 0 * x + 1.0, 1, lambda x: 100.0)
    np.testing.assert_allclose(x, 4.0 - 0.1 * 0.5)
    up, held = np.array([4.0]), np.array([4.0])
    descend(numbaopt.polyak_sgd(f_min=2.0), up, lambda x: 0 * x + 2.0, 1, lambda x: 1.0)
    descend(numbaopt.polyak_sgd(f_min=2.0, positive=True), held, lambda x: 0 * x + 2.0, 1, lambda x: 1.0)
    assert up == 4.0 + 2.0 / 4 and held == 4.0


def test_optax_polyak_does_otherwise_than_its_formula_says():
    # So the recordings come from its stages in the documented order: with lr = 2 its own step is half as long here.
    optax = pytest.importorskip("optax")
    jnp = pytest.importorskip("jax.numpy")
    g = jnp.array([1.0, 2.0])
    theirs = optax.polyak_sgd(max_learning_rate=10.0, scaling=2.0)
    update, _ = theirs.update(g, theirs.init(g), g, value=5.0)
    x = np.zeros(2)
    descend(numbaopt.polyak_sgd(max_lr=10.0, lr=2.0), x, lambda x: np.array([1.0, 2.0]), 1, lambda x: 5.0)
    np.testing.assert_allclose(x, [-2.0, -4.0], rtol=1e-15)  # 2 * 5 / |g|^2 * g
    np.testing.assert_allclose(update, [-0.5, -1.0], rtol=1e-6)


def test_lars_steps_a_fixed_part_of_the_length():
    rng = np.random.default_rng(6)
    for n in (1, 7, 5000):
        x, g = rng.normal(size=n), 1e3 * rng.normal(size=n)
        before = x.copy()
        walk(numbaopt.lars(lr=0.5, trust=0.02), x, [g])
        np.testing.assert_allclose(np.linalg.norm(x - before), 0.01 * np.linalg.norm(before), rtol=1e-12)


def test_fromage_turns_and_keeps_the_length():
    # A gradient across x: the angle is atan(lr), the length stays.
    x, rng = np.zeros(10), np.random.default_rng(7)
    x[:5], g = rng.normal(size=5), np.zeros(10)
    g[5:], before = rng.normal(size=5), x.copy()
    walk(numbaopt.fromage(lr=0.3), x, [g])
    np.testing.assert_allclose(np.linalg.norm(x), np.linalg.norm(before), rtol=1e-14)
    cosine = x @ before / (before @ before)
    np.testing.assert_allclose(np.arccos(cosine), np.arctan(0.3), rtol=1e-12)


def test_novograd_forgets_the_size_of_gradients():
    # The first step is g / |g|, whatever its size.
    x, g = np.zeros(4), np.array([1.0, -2.0, 3.0, 0.5])
    state, _ = walk(numbaopt.novograd(lr=0.1, eps=0.0), x, [1e8 * g])
    np.testing.assert_allclose(x, -0.1 * g / np.linalg.norm(g), rtol=1e-14)
    np.testing.assert_allclose(state["v"], 1e16 * g @ g, rtol=1e-14)


def test_dog_starts_by_its_heuristic_then_trusts_the_distance():
    x0, g = np.array([3.0, 4.0]), np.array([0.6, 0.8])
    x = x0.copy()
    state, points = walk(numbaopt.dog(reps_rel=0.01, eps=0.0), x, [g, g, g])
    np.testing.assert_allclose(points[0], x0 - 0.06 * g, rtol=1e-14)  # 0.01 (1 + 5) over |g| = 1
    np.testing.assert_allclose(points[1], points[0] - 0.06 / np.sqrt(2) * g, rtol=1e-14)  # has gone just as far
    far = 0.06 + 0.06 / np.sqrt(2)
    np.testing.assert_allclose(points[2], points[1] - far / np.sqrt(3) * g, rtol=1e-13)
    np.testing.assert_allclose(state["r"], far, rtol=1e-13)


def test_dowg_takes_its_first_step_by_the_guess():
    x, g = np.array([3.0, 4.0]), np.array([0.6, 0.8])
    walk(numbaopt.dowg(init_estim_sq_dist=0.25, eps=0.0), x, [g])
    np.testing.assert_allclose(x, np.array([3.0, 4.0]) - 0.25 / 0.5 * g, rtol=1e-14)


def test_momo_without_memory_is_polyaks_step():
    # Of f(x) = |x|^2 the model is the tangent, and its lower bound is where Polyak's step leads.
    one, other = np.array([3.0, -1.0]), np.array([3.0, -1.0])
    descend(numbaopt.momo(b1=0.0, lr=0.2), one, lambda x: 2 * x, 4, lambda x: float(x @ x))
    descend(numbaopt.polyak_sgd(max_lr=0.2), other, lambda x: 2 * x, 4, lambda x: float(x @ x))
    np.testing.assert_allclose(one, other, rtol=1e-14)


@pytest.mark.parametrize("f", [0.4, 1.0, 20.0])  # the first has a shorter step than lr
def test_momo_with_decay_is_the_proximal_step_of_its_model(f):
    # Which is what the paper defines it by; with optax's weight decay, which does not divide the step, it is not.
    rng, lr, wd = np.random.default_rng(16), 0.3, 2.0
    start, g = rng.normal(size=3), rng.normal(size=3)
    x = start.copy()
    walk(numbaopt.momo(lr=lr, wd=wd, b1=0.0), x, [g], [f])

    def proximal(y):
        model = max(f + g @ (y - start), 0)
        return model + wd / 2 * y @ y + (y - start) @ (y - start) / (2 * lr)

    least = proximal(x)
    for size in (1e-4, 1e-2, 1.0):
        assert all(proximal(x + size * rng.normal(size=3)) > least for _ in range(200))
    step = start - (1 + lr * wd) * x
    assert (step != 0).any() and proximal(start / (1 + lr * wd) - step) > least + 1e-4


def test_momo_adam_far_from_its_bound_is_adam():
    one, other = np.array([3.0, -1.0]), np.array([3.0, -1.0])
    rng = np.random.default_rng(8)
    gradients = rng.normal(size=(20, 2))
    walk(numbaopt.momo_adam(lr=0.01, lower_bound=-1e9), one, gradients, rng.uniform(size=20))
    walk(numbaopt.adam(lr=0.01), other, gradients)
    np.testing.assert_allclose(one, other, rtol=1e-14)


def test_eve_goes_faster_where_the_value_does_not_change():
    # d is a moving average of what is clipped to 1 / clip, from 1 on, in closed form; Adam is the rule with d = 1.
    g = np.random.default_rng(9).normal(size=(30, 3))
    x, other = np.zeros(3), np.zeros(3)
    state, points = walk(numbaopt.eve(b3=0.9, clip=4.0), x, g, [2.0] * 30)
    _, adams = walk(numbaopt.adam, other, g)
    d = 0.9 ** np.arange(30) * 0.75 + 0.25
    np.testing.assert_allclose(np.diff(points, axis=0), np.diff(adams, axis=0) / d[1:, None], rtol=1e-9)
    np.testing.assert_allclose(state["d"], d[-1], rtol=1e-14)
    assert state["last"] == 2.0


def test_wngrad_converges_from_any_rate():
    # What it is for: with any of these rates, which have to be below 0.2, plain gradient descent would diverge.
    curvature = np.array([10.0, 2.0, 3.0])
    for lr in (0.5, 1.0, 5.0):
        x = np.array([1.0, -2.0, 0.5])
        state = descend(numbaopt.wngrad(lr=lr), x, lambda x: curvature * x, 10_000)
        assert np.abs(x).max() < 1e-6
        assert lr / state["b"] < 0.2


def test_swats_switches_and_is_sgd_with_momentum_from_then_on():
    rng = np.random.default_rng(10)
    x, gradients = rng.normal(size=4), rng.normal(size=(40, 4)) + 1
    rule = numbaopt.swats(b1=0.8, b2=0.9, tol=0.02, lr=0.1)
    state, before, phases = rule.init(x), None, []
    for k, g in enumerate(gradients):
        if state["phase"] == 1:
            switched, rate, before = k, state["rate"], x.copy()
        rule.step(x, g, state)
        phases.append(state["phase"])
    assert 1 < switched < 35 and phases == [0] * (switched - 1) + [1] + [2] * (40 - switched)
    velocity = np.zeros(4)
    for g in gradients[switched:]:
        velocity = 0.8 * velocity + g
        before = before - 0.2 * rate * velocity
    np.testing.assert_allclose(x, before, rtol=1e-13)


def test_swats_rate_of_plain_gradients_is_their_rate():
    # With b1 = 0, and squares that are all one, Adam's step is lr g: the projection gives lr back, and it switches.
    x, g = np.zeros(3), np.array([1.0, -1.0, 1.0])
    state, _ = walk(numbaopt.swats(lr=0.125, b1=0.0, b2=0.5, eps=0.0), x, [g] * 5)
    np.testing.assert_allclose(state["rate"], 0.125, rtol=1e-14)
    assert state["phase"] == 2
    np.testing.assert_allclose(x, -5 * 0.125 * g, rtol=1e-14)


@pytest.mark.parametrize("name", ["prodigy", "dadapt_adamw"])
def test_distances_are_found(name):
    # d comes within a factor of ten of how far the answer lies, from a start that is a million times too small.
    for far in (0.05, 5.0, 500.0):
        x = np.full(20, far)
        state = descend(rule_named(name), x, lambda x: x, 3000)
        assert 0.1 * far < state["d"] < 10 * far


# Noise.


@pytest.mark.parametrize("dtype", DTYPES)
def test_without_noise_it_is_sgd(dtype):
    rng = np.random.default_rng(11)
    gradients = rng.normal(size=(10, 5)).astype(dtype)
    x, other = np.ones(5, dtype), np.ones(5, dtype)
    walk(numbaopt.noisy_sgd(lr=0.1, eta=0.0), x, gradients)
    walk(numbaopt.sgd(lr=0.1), other, gradients)
    np.testing.assert_array_equal(x, other)


def test_noise_is_counted_and_its_variance_falls():
    n, x = 200_000, np.zeros(200_000)
    rule = numbaopt.noisy_sgd(lr=0.5, eta=0.3, gamma=0.7, seed=9)
    _, points = walk(rule, x, np.zeros((6, n)))
    steps = np.diff(points, axis=0, prepend=0.0) / -0.5
    for t, step in enumerate(steps, 1):
        np.testing.assert_allclose(step, np.sqrt(0.3 / t**0.7) * normal(x, 9, t), rtol=1e-9, atol=1e-12)
        # Of n draws the variance is within 5 sqrt(2 / n) = 1.6 % of its own, but for one time in a million.
        np.testing.assert_allclose(step.var(), 0.3 / t**0.7, rtol=5 * np.sqrt(2 / n))
        assert abs(step.mean()) < 5 * np.sqrt(0.3 / n)
    correlations = np.corrcoef(steps) - np.eye(6)
    assert np.abs(correlations).max() < 5 / np.sqrt(n)


# Points to report.


def three_sequences(x0, gradients, rate, beta, weights):
    """Schedule-free SGD in the paper's three sequences: y where gradients are taken, z the base, x the average."""
    x, z, total = x0.copy(), x0.copy(), 0.0
    ys, xs = [], []
    for k, g in enumerate(gradients):
        z = z - rate(k) * g
        total += weights(k)
        c = weights(k) / total
        x = (1 - c) * x + c * z
        ys.append((1 - beta) * z + beta * x)
        xs.append(x)
    return np.array(ys), np.array(xs)


def test_schedule_free_reports_the_papers_average():
    rng = np.random.default_rng(12)
    x0, gradients = rng.normal(size=5), rng.normal(size=(50, 5))
    rule = numbaopt.schedule_free_sgd(lr=0.3, momentum=0.8, warmup_steps=10)
    rates = 0.3 * np.minimum(1, np.arange(1, 51) / 10)
    ys, xs = three_sequences(x0, gradients, lambda k: rates[k], 0.8, lambda k: rates[k] ** 2)
    x = x0.copy()
    state = rule.init(x)
    np.testing.assert_array_equal(rule.reported(x, state.s, state.h, state.t), x0)
    for k, g in enumerate(gradients):
        rule.step(x, g, state)
        np.testing.assert_allclose(x, ys[k], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(rule.reported(x, state.s, state.h, state.t), xs[k], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("ours", "theirs"), [("sgd", "SGDScheduleFree"), ("adamw", "AdamWScheduleFree")])
def test_schedule_free_reports_what_the_authors_evaluate(ours, theirs):
    schedulefree = pytest.importorskip("schedulefree")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(13)
    parameter = torch.nn.Parameter(torch.ones(5, dtype=torch.float64))
    reference = getattr(schedulefree, theirs)([parameter], lr=0.1, warmup_steps=5)
    rule, x = rule_named(f"schedule_free_{ours}", lr=0.1, warmup_steps=5), np.ones(5)
    state = rule.init(x)
    for g in rng.normal(size=(30, 5)):
        reference.train()
        parameter.grad = torch.tensor(g)
        reference.step()
        rule.step(x, g, state)
        np.testing.assert_allclose(x, parameter.detach().numpy(), rtol=1e-12)
        reference.eval()
        reported = rule.reported(x, state.s, state.h, state.t)
        np.testing.assert_allclose(reported, parameter.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", ["schedule_free_sgd", "schedule_free_adamw"])
def test_optimizer_reports_the_average_and_steps_at_y(name):
    params = {"a": np.ones(3), "b": np.full(2, 4.0)}
    rule, alone = rule_named(name, lr=0.2), np.array([1.0, 1, 1, 4, 4])
    optimizer, gradients = numbaopt.Optimizer(rule, params), np.random.default_rng(14).normal(size=(8, 5))
    for g in gradients:
        optimizer.step({"a": g[:3], "b": g[3:]})
    state, _ = walk(rule, alone, gradients)
    np.testing.assert_array_equal(np.concatenate([params["a"], params["b"]]), alone)
    points = optimizer.reported()
    expected = rule.reported(alone, state.s, state.h, state.t)
    np.testing.assert_array_equal(np.concatenate([points["a"], points["b"]]), expected)
    assert (expected != alone).all()


# Sophia: its gradients depend on where it has gone.


def sophia_by_hand(x, hessian, steps, lr, b1, b2, gamma, eps, clip, seed):
    """Sophia on a quadratic, with the true Hessian's product with u; returns x and the running diagonal."""
    m, h = np.zeros_like(x), np.zeros_like(x)
    for k in range(steps):
        u = np.sign(normal(x, seed, 2 * k + 1))
        m = b1 * m + (1 - b1) * (hessian @ x)
        h = b2 * h + (1 - b2) * u * (hessian @ u)
        x = x - lr * np.clip(m / np.maximum(gamma * h, eps), -clip, clip)
    return x, h


def test_sophia_on_a_quadratic_has_the_hessians_product():
    rng = np.random.default_rng(15)
    a = rng.normal(size=(6, 6))
    hessian, x = a @ a.T + np.diag(np.arange(6.0)), rng.normal(size=6)
    hyper = {"lr": 0.05, "b1": 0.9, "b2": 0.8, "gamma": 0.3, "eps": 1e-3, "clip": 0.7, "seed": 4}
    expected, diagonal = sophia_by_hand(x.copy(), hessian, 15, **hyper)
    state = descend(numbaopt.sophia(**hyper, delta=0.5), x, lambda x: hessian @ x, 30)
    np.testing.assert_allclose(x, expected, rtol=1e-10)
    np.testing.assert_allclose(state["hessian"], diagonal, rtol=1e-12)


def test_sophia_without_coupling_is_newtons_method():
    # A diagonal Hessian is found exactly at once; without memory or clipping a step leads to the minimum.
    curvature, x = np.array([1.0, 10.0, 1e3]), np.array([1.0, -2.0, 3.0])
    rule = numbaopt.sophia(lr=1.0, b1=0.0, b2=0.0, gamma=1.0, clip=1e9, delta=1.0)
    state = descend(rule, x, lambda x: curvature * (x - 1), 2)
    np.testing.assert_allclose(state["hessian"], curvature, rtol=1e-14)
    np.testing.assert_allclose(x, 1.0, rtol=1e-13)


def test_sophia_reports_the_origin_in_between():
    rule, x = numbaopt.sophia(delta=0.25), np.array([1.0, 2.0, 3.0])
    start, state = x.copy(), rule.init(x)
    rule.step(x, np.ones(3), state)
    np.testing.assert_array_equal(np.abs(x - start), 0.25)
    np.testing.assert_array_equal(rule.reported(x, state.s, state.h, state.t), start)
    rule.step(x, np.ones(3), state)
    np.testing.assert_array_equal(rule.reported(x, state.s, state.h, state.t), x)
    assert rule.gradients_per_step == 2


# Through minimize: the driver supplies values, and gives the point to report.


def bowl(p):
    """A convex objective of a dict, with its gradient."""
    f = np.sum(p["w"] ** 2) + 5 * np.sum((p["b"] - 1) ** 2)
    return f, {"w": 2 * p["w"], "b": 10 * (p["b"] - 1)}


RATES = {
    "nadam": {"lr": 0.05},
    "prodigy": {"d0": 1e-3},
    "dadapt_adamw": {"d0": 1e-3},
    "lars": {"lr": 0.5, "trust": 0.02},
    "lamb": {"lr": 0.02},
    "novograd": {"lr": 0.01},
    "noisy_sgd": {"lr": 0.05, "eta": 1e-4},
    "momo_adam": {"lr": 0.1},
    "dog": {"reps_rel": 1e-2},
    "schedule_free_sgd": {"lr": 0.1},
    "schedule_free_adamw": {"lr": 0.1},
    "swats": {"lr": 0.05},
    "eve": {"lr": 0.05},
    "sophia": {"lr": 0.05},
}


@pytest.mark.parametrize("name", ALL)
def test_minimize_takes_every_rule_down(name):
    x0 = {"w": np.array([[1.0, -2.0], [0.5, 3.0]]), "b": np.array([3.0, -1.0, 0.5])}
    result = numbaopt.minimize(bowl, x0, method=rule_named(name, **RATES.get(name, {})), jac=True,
                               options={"maxiter": 600, "gtol": 0.0, "return": "last"})  # fmt: skip
    np.testing.assert_allclose(result.fun, bowl(result.x)[0], rtol=1e-12)
    assert result.fun < 0.05 * bowl(x0)[0]


@pytest.mark.parametrize("name", ["schedule_free_sgd", "schedule_free_adamw"])
def test_minimize_gives_the_average(name):
    # 40 steps by hand at y; what minimize gives is the average, not y.
    rule = rule_named(name, lr=0.1)
    x = np.array([2.0, -1.0])
    state = descend(rule, x, lambda x: 2 * x, 40)
    result = numbaopt.minimize(lambda x: (x @ x, 2 * x), [2.0, -1.0], method=rule, jac=True,
                               options={"maxiter": 40, "gtol": 0.0, "return": "last"})  # fmt: skip
    np.testing.assert_allclose(result.x, rule.reported(x, state.s, state.h, state.t), rtol=1e-13)
    assert np.abs(result.x - x).min() > 1e-4
