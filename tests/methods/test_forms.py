"""What the form of a rule can say beside coordinates: carried numbers, values, gates, noise, norms, matrices.

Each against a loop written by hand, on plain NumPy arrays.
"""

import pickle

import numba
import numpy as np
import pytest

import numbaopt
from numbaopt import Optimizer, adam, chain, minimize, minimize_many, rule, sgd
from numbaopt.backends import cpu
from numbaopt.backends.host import compiled_step
from numbaopt.rule import (
    RuleError,
    columns,
    isfinite,
    matrix,
    mean,
    min,
    norm,
    normal,
    rows,
    sign,
    simplex_threshold,
    skip,
    sqrt,
    sum,
    where,
)


@rule
def shrinking(x, g, t, product: 2, calls, lr=0.5, rate=0.9):
    product = product * rate
    return x - lr * product * g, product, calls + 1


@rule
def normed(x, g, m, t, longest: "first", lr=0.1, first=0.5):
    longest = where(norm(g) > longest, norm(g), longest)
    m = 0.5 * m + g
    return x - lr * m / longest, m, longest


@rule
def polyak(x, g, t, f, least=0.0, lr_max=10.0):
    return x - min(lr_max, (f - least) / sum(g**2)) * g


@rule
def accumulated(g, total, t, k=4):
    total = total + g / k
    last = t % k == 0
    return total if last else skip, where(last, 0, total)


@rule
def careful(g, t, refused, limit=3):
    bad = sum(where(isfinite(g), 0.0, 1.0)) > 0
    refused = refused + 1 if bad else 0
    return g if not bad or refused > limit else skip, refused


@rule
def shaken(g, t, std=1.0, seed=0):
    return g + std * normal(g, seed, t)


@rule
def sharp(g, x, origin, t, rho=0.05):
    odd = t % 2 == 1
    there = x + rho * g / norm(g)
    return g if t % 2 == 0 else skip, where(odd, there, origin), where(odd, x, origin)


@rule
def drawn(x, g, r: "zeros(rows, 1)", v, t, lr=0.5, seed=3):
    g = g + normal(g, seed, t)
    if matrix(x):
        r = r + 1
        g = where(t > 1, g * mean(r), 0.0)
    return x - lr * sign(g), r, v


@rule(report=lambda kept: kept)
def averaged(x, kept: "x", t, decay=0.9):
    return x, decay * kept + (1 - decay) * x


@rule
def gentle(x, g, before, t, factor=0.5):
    return before + factor * (x - before)


@rule
def simplex(x, t, radius=1.0):
    tau = radius * simplex_threshold(x / radius)
    return where(x > tau, x - tau, 0)


@rule
def by_rows(x, g, r: "zeros(rows, 1)", v, t, lr=0.1, eps=1e-8):
    if matrix(x):
        r = r + mean(g**2) * rows(x) / columns(x)
        x = x - lr * g / sqrt(r + eps)
    else:
        v = v + g**2
        x = x - lr * g / sqrt(v + eps)
    return x, r, v


DTYPES = [np.float32, np.float64]


def walk(method, x, gradients, f=None):
    """Step through gradients; return where x has been, and the state."""
    x, out = x.copy(), []
    state = method.init(x)
    for i, g in enumerate(gradients):
        method.step(x, g, state, *([] if f is None else [f[i]]))
        out.append(x.copy())
    return np.array(out), state


def draws(n=5, steps=12, dtype=float, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=n).astype(dtype), rng.normal(size=(steps, n)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_are_carried_in_float64(dtype):
    x, gradients = draws(dtype=dtype)
    seen, state = walk(shrinking, x, gradients)
    product, expected = 2.0, x.astype(dtype)
    for k, g in enumerate(gradients):
        product = product * 0.9
        expected = expected - dtype(0.5 * product) * g
        np.testing.assert_array_equal(seen[k], expected)
    assert state["product"] == product and state["calls"] == 12  # to the last bit, also in float32
    assert shrinking.numbers_of == ("product", "calls") and shrinking.h.tolist() == [0.5, 0.9, 2.0, 0.0]
    again = pickle.loads(pickle.dumps(state))
    assert again["product"] == product and again.t == 12


def test_numbers_survive_other_hyperparameters():
    x, (g, *_) = draws()
    state = shrinking.init(x)
    shrinking.step(x, g, state)
    before = x.copy()
    shrinking(lr=0.25).step(x, g, state)
    np.testing.assert_array_equal(x, before - 0.25 * (2 * 0.9 * 0.9) * g)
    assert state["calls"] == 2


def test_norms_and_numbers_are_of_one_array_sums_of_all():
    rng = np.random.default_rng(3)
    params = {"w": rng.normal(size=(3, 2)), "b": rng.normal(size=3)}
    grads = {k: rng.normal(size=v.shape) for k, v in params.items()}
    start = {k: v.copy() for k, v in params.items()}
    Optimizer(normed, params).step(grads)
    for k, x in start.items():
        np.testing.assert_allclose(params[k], x - 0.1 * grads[k] / max(0.5, np.linalg.norm(grads[k])), rtol=1e-14)
    params = {k: v.copy() for k, v in start.items()}
    opt = Optimizer(polyak, params)
    opt.step(grads, f=0.7)
    total = np.concatenate([g.reshape(-1) for g in grads.values()])
    for k, x in start.items():
        np.testing.assert_allclose(params[k], x - 0.7 / (total @ total) * grads[k], rtol=1e-14)
    with pytest.raises(TypeError, match="polyak asks for the objective's value"):
        opt.step(grads)
    with pytest.raises(ValueError, match=r"grads\['b'\] is None, and polyak takes sums over all: pass zeros"):
        opt.step({"w": grads["w"], "b": None}, f=1.0)


@rule
def clipped(g, t, most=1.0):
    return g * min(1.0, most / sqrt(sum(g**2)))


def test_sums_over_all_arrays_before_norms_of_each():
    rng = np.random.default_rng(4)
    start = {"w": rng.normal(size=(3, 2)), "b": rng.normal(size=3)}
    draws = [{k: 3 * rng.normal(size=v.shape) for k, v in start.items()} for _ in range(8)]
    draws[3]["b"][1] = np.nan  # skipped as a whole
    method = chain(careful, clipped(most=2.0), normed)
    params, plain = ({k: v.copy() for k, v in start.items()} for _ in range(2))
    opt, states = Optimizer(method, params), {k: normed.init(v) for k, v in plain.items()}
    again = None
    for k, grads in enumerate(draws):
        kept = {name: g.copy() for name, g in grads.items()}
        opt.step(grads)
        for name, g in grads.items():
            np.testing.assert_array_equal(g, kept[name])  # what is clipped is a copy
        if k != 3:
            size = np.sqrt(np.sum([(g**2).sum() for g in grads.values()]))
            for name, g in grads.items():
                normed.step(plain[name], g * np.minimum(1.0, 2.0 / size), states[name])
        for name in start:
            np.testing.assert_allclose(params[name], plain[name], rtol=1e-13)
        if again is not None:
            again.step(grads)
        if k == 4:  # go on from here twice
            again = Optimizer(method, {name: v.copy() for name, v in params.items()})
            again.load_state_dict(pickle.loads(pickle.dumps(opt.state_dict())))
    for name in start:
        np.testing.assert_array_equal(params[name], again.params[name])

    turn = iter(draws[:3] + draws[4:])
    result = minimize(
        lambda p: (1.0, next(turn)), start, jac=True, method=method, options={"maxiter": 6, "return": "last", "gtol": 0}
    )
    params = {k: v.copy() for k, v in start.items()}
    opt = Optimizer(method, params)
    for grads in (draws[:3] + draws[4:])[:6]:
        opt.step(grads)
    for name in start:
        np.testing.assert_array_equal(result.x[name], params[name])
    with pytest.raises(ValueError, match="steps array by array, but a later stage takes sums over all"):
        Optimizer(chain(sharp, clipped, normed), params)


def test_state_dict_holds_numbers_and_goes_on_with_the_same_bits():
    x, gradients = draws()
    one, other = {"a": x.copy(), "b": x[:3].copy()}, {"a": x.copy(), "b": x[:3].copy()}
    opt, again = Optimizer(shrinking, one), Optimizer(shrinking, other)
    for g in gradients[:4]:
        opt.step({"a": g, "b": g[:3]})
    for k in other:
        other[k][:] = one[k]
    saved = opt.state_dict()
    again.load_state_dict(pickle.loads(pickle.dumps(saved)))
    for g in gradients[4:]:
        opt.step({"a": g, "b": g[:3]})
        again.step({"a": g, "b": g[:3]})
    for k in one:
        np.testing.assert_array_equal(one[k], other[k])
    del saved["groups"][0]["numbers"][0]["calls"]
    with pytest.raises(ValueError, match="has the numbers"):
        again.load_state_dict(saved)


@pytest.mark.slow
@pytest.mark.parametrize("jitted", [False, True])
def test_the_objectives_value_reaches_the_step_in_both_drivers(jitted):
    def bowl(x, grad):
        grad[:] = 2 * (x - 1)
        return ((x - 1) ** 2).sum()

    fun = numba.njit(bowl) if jitted else bowl
    result = minimize(fun, np.array([3.0, -2.0]), jac="inplace", method=polyak, options={"gtol": 1e-10})
    assert result.success and np.allclose(result.x, 1, atol=1e-10)
    x, steps = np.array([3.0, -2.0]), 0  # each step halves the distance
    while abs(2 * (x - 1)).max() > 1e-10:
        x, steps = (x + 1) / 2, steps + 1
    assert result.nit == steps


def test_a_gate_leaves_all_behind_it_alone():
    x, gradients = draws(steps=13)
    method = chain(accumulated, adam(lr=0.1))
    seen, state = walk(method, x, gradients)
    inner = adam(lr=0.1)
    y, plain, total = x.copy(), inner.init(x), 0
    for t, g in enumerate(gradients, 1):
        total = total + g / 4
        if t % 4 == 0:
            inner.step(y, total, plain)
            total = 0
        np.testing.assert_allclose(seen[t - 1], y, rtol=1e-15, atol=0)
    np.testing.assert_allclose(state["m"], plain["m"], rtol=1e-15)
    assert plain.t == 3 == state[method.numbers_of[-1]]


@pytest.mark.slow
def test_what_is_not_finite_is_skipped_and_counted():
    x, gradients = draws()
    gradients[3, 2], gradients[4, 0], gradients[7:11] = np.nan, np.inf, np.nan
    seen, state = walk(chain(careful, sgd(lr=0.1, momentum=0.5)), x, gradients[:7])
    inner = sgd(lr=0.1, momentum=0.5)
    y, plain = x.copy(), inner.init(x)
    for t in (0, 1, 2, 5, 6):
        inner.step(y, gradients[t], plain)
    np.testing.assert_array_equal(seen[-1], y)
    seen, state = walk(chain(careful, sgd(lr=0.1, momentum=0.5)), x, gradients)
    assert np.isfinite(seen[9]).all() and np.isnan(seen[10]).all() and state["refused"] == 0
    gates = chain(careful, accumulated(k=2), sgd(lr=1.0))
    seen, state = walk(gates, np.zeros(2), np.array([[1.0, 1], [np.nan, 1], [3, 3], [5, 5], [7, 7]]))
    np.testing.assert_array_equal(seen[:, 0], [0, 0, -2, -2, -8])


def test_two_points_of_one_step():
    x, _ = draws()
    method = chain(sharp(rho=0.1), adam(lr=0.1))
    y, state, plain = x.copy(), method.init(x), adam(lr=0.1).init(x)
    for _ in range(10):
        for _ in range(2):
            method.step(x, 2 * x**3, state)
        g = 2 * y**3
        g = 2 * (y + 0.1 * g / np.sqrt((g**2).sum())) ** 3
        adam(lr=0.1).step(y, g, plain)
        np.testing.assert_allclose(x, y, rtol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_noise_is_a_function_of_seed_step_and_place(dtype):
    method, n = chain(shaken(std=0.5, seed=7), sgd(lr=1.0)), cpu.PARALLEL_FROM + 77
    for t in (1, 2):
        g, s = np.zeros(n, dtype), np.zeros((0, n), dtype)
        serial, parallel = (np.zeros(n, dtype) for _ in range(2))
        for x, kind in ((serial, False), (parallel, True)):
            cpu.kernel(compiled_step(method.name, method.program, kind), x.dtype)(t, x, g, s, method.h)
        np.testing.assert_array_equal(serial, parallel)
        plain = normal(serial, 7, t)
        assert plain.dtype == dtype
        np.testing.assert_allclose(serial, -dtype(0.5) * plain, rtol=1e-6 if dtype is np.float32 else 1e-13, atol=1e-12)
    z = normal(np.empty(1_000_000), 1, 1)
    # Moments of a standard normal, within four standard errors; neighbors, steps and seeds have no correlation.
    assert (
        abs(z.mean()) < 4e-3
        and abs(z.std() - 1) < 3e-3
        and abs((z**3).mean()) < 0.016
        and abs((z**4).mean() - 3) < 0.04
    )
    for other in (np.roll(z, 1), normal(z, 1, 2), normal(z, 2, 1)):
        assert abs((z * other).mean()) < 4e-3


def test_the_point_to_report():
    x, gradients = draws()
    method = chain(sgd(lr=0.1), averaged)
    seen, state = walk(method, x, gradients)
    kept = x.copy()
    for point in seen:
        kept = 0.9 * kept + (1 - 0.9) * point
    np.testing.assert_allclose(method.reported(seen[-1], state.s, state.h, state.t), kept, rtol=1e-14)
    params = {"a": x.copy()}
    opt = Optimizer(method, params)
    for g in gradients:
        opt.step({"a": g})
    np.testing.assert_allclose(opt.reported()["a"], kept, rtol=1e-14)
    np.testing.assert_array_equal(params["a"], seen[-1])
    data = np.random.default_rng(0).normal(size=(32, 5))
    result = minimize(
        lambda w, a: (((w - a) ** 2).sum() / len(a), 2 * (w - a.mean(0))),
        x,
        data=(data,),
        batch_size=4,
        epochs=3,
        jac=True,
        method=method,
        seed=1,
    )
    last = minimize(
        lambda w, a: (((w - a) ** 2).sum() / len(a), 2 * (w - a.mean(0))),
        x,
        data=(data,),
        batch_size=4,
        epochs=3,
        jac=True,
        method=sgd(lr=0.1),
        seed=1,
    )
    assert "the point that the method reports" in result.message and not np.allclose(result.x, last.x)
    full = minimize(lambda w: (w**2).sum(), x, jac=lambda w: 2 * w, method=method, options={"maxiter": 30})
    assert full.fun == (full.x**2).sum()


def test_x_as_it_was_before():
    x, gradients = draws()
    seen, _ = walk(chain(sgd(lr=0.1), gentle), x, gradients)
    for g, point in zip(gradients, seen, strict=True):
        x = x + 0.5 * ((x - 0.1 * g) - x)
        np.testing.assert_allclose(point, x, rtol=1e-14)
        x = point


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 3, 5000, 60_000])
def test_the_simplex(n):
    x = 3 * np.random.default_rng(n).normal(size=n)
    out, method = x.copy(), chain(sgd(lr=0.0), simplex(radius=2.5))
    method.step(out, np.zeros(n), method.init(out))
    lo, hi = x.min() - 3, x.max()
    for _ in range(200):  # by bisection
        tau = (lo + hi) / 2
        lo, hi = (tau, hi) if np.maximum(x - tau, 0).sum() > 2.5 else (lo, tau)
    np.testing.assert_allclose(out, np.maximum(x - tau, 0), atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 4), (1, 5), (4, 1), (2, 3, 2)])
def test_matrices(shape, dtype):
    rng = np.random.default_rng(0)
    x, g = (rng.normal(size=shape).astype(dtype) for _ in range(2))
    start, state = x.copy(), by_rows.init(x)
    by_rows.step(x, g, state)
    flat = start.reshape(shape[0], -1), g.reshape(shape[0], -1)
    plain, r, _ = by_rows.math(*flat, np.zeros((shape[0], 1), dtype), 0, 1, *by_rows.hyper.values())
    np.testing.assert_allclose(x.reshape(shape[0], -1), plain, rtol=1e-14, atol=4 * np.finfo(dtype).eps)
    assert state["r"].shape == (shape[0], 1) == r.shape and x.dtype == dtype
    np.testing.assert_allclose(state["r"], r, rtol=1e-6 if dtype is np.float32 else 1e-14)
    bound = by_rows.shaped(shape)
    y, step, s, h = start.reshape(-1).copy(), bound.jit, bound.slots(start.reshape(-1)), bound.h
    numba.njit(lambda x, g, s, h: step(1, x, g, s, h))(y, g.reshape(-1), s, h)
    np.testing.assert_array_equal(y, x.reshape(-1))
    with pytest.raises(ValueError, match="the same length|another shape"):
        step(1, y[:-1].copy(), g.reshape(-1)[:-1].copy(), s, h)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_noise_signs_and_numbers_of_matrices(dtype):
    x, g = (np.random.default_rng(k).normal(size=(3, 4)).astype(dtype) for k in range(2))
    start, state = x.copy(), drawn.init(x)
    drawn.step(x, g, state)
    np.testing.assert_array_equal(x, start)  # where(t > 1, ..., 0)
    drawn.step(x, g, state)
    np.testing.assert_array_equal(x, start - dtype(0.5) * np.sign(g + normal(g, 3, 2)))
    assert np.all(state["r"] == 2)


def test_the_point_of_a_chain_in_two_parts():
    @rule(evaluations=2, report=lambda x, origin, t: origin if t % 2 else x)
    def away(g, x, origin, t, rho=0.1):
        odd = t % 2 == 1
        there = x + rho * g / sqrt(sum(g**2))
        return g if t % 2 == 0 else skip, where(odd, there, origin), where(odd, x, origin)

    start = {"w": np.ones((2, 2)), "b": np.full(3, 2.0)}
    params = {k: v.copy() for k, v in start.items()}
    method = chain(away, normed)
    opt = Optimizer(method, params)
    opt.step({k: 2 * v for k, v in params.items()})
    for k in start:
        assert not np.allclose(params[k], start[k])
        np.testing.assert_array_equal(opt.reported()[k], start[k])
    opt.step({k: 2 * v for k, v in params.items()})
    for k in start:
        np.testing.assert_array_equal(opt.reported()[k], params[k])

    def fun(p):
        return float(np.sum([(v**2).sum() for v in p.values()])), {k: 2 * v for k, v in p.items()}

    for steps in (1, 2):
        result = minimize(fun, start, jac=True, method=method, options={"maxiter": steps, "return": "last", "gtol": 0})
        for k in start:
            np.testing.assert_allclose(result.x[k], start[k] if steps == 1 else params[k], rtol=1e-14)


def test_maxfev_counts_the_point_to_report():
    method = chain(sgd(lr=0.1), averaged)
    for limit in (3, 4):
        result = minimize(
            lambda x: ((x**2).sum(), 2 * x), np.ones(2), jac=True, method=method, options={"maxfev": limit}
        )
        assert result.nfev == limit


@pytest.mark.slow
def test_a_state_of_a_matrix_survives_pickling_and_a_wrong_array_of_rates_is_refused():
    x, g = np.ones((4, 3)), np.ones((4, 3))
    opt = Optimizer(by_rows(lr=0.3), {"w": x})
    opt.step({"w": g})
    (state,) = opt.groups[0].states
    again = pickle.loads(pickle.dumps(state))
    assert again.rule.shape == (4, 3) and np.array_equal(again["r"], state["r"]) and again["r"].shape == (4, 1)
    x, state = np.ones(3), adam(lr=np.full(3, 0.1)).init(np.ones(3))
    with pytest.raises(ValueError, match="lr has 2 values, for 3 coordinates"):
        adam(lr=np.full(2, 0.1)).step(x, np.ones(3), state)
    assert state.t == 0 and np.all(x == 1)


def test_noise_is_another_for_each_array():
    params = [np.zeros(4), np.zeros(4)]
    opt = Optimizer(chain(shaken, sgd(lr=1.0)), params)
    opt.step([np.zeros(4), np.zeros(4)])
    np.testing.assert_allclose(np.concatenate(params), -normal(np.zeros(8), 0, 1), rtol=1e-13)


@pytest.mark.slow
def test_a_decomposition_that_cannot_be_says_so():
    @rule
    def wrong(x, g, r: "zeros(rows, rows)", v, t):
        if matrix(x):
            x = x + r
        return x, r, v

    x = np.ones((2, 3))
    with pytest.raises(ValueError, match="broadcast"):
        wrong.step(x, x, wrong.init(x))


def test_matrices_and_vectors_of_one_structure():
    rng = np.random.default_rng(1)
    x0 = {"w": rng.normal(size=(4, 3)), "b": rng.normal(size=3)}
    target = {k: rng.normal(size=v.shape) for k, v in x0.items()}

    def fun(p):
        return sum_of(p), {k: p[k] - target[k] for k in p}

    def sum_of(p):
        return 0.5 * float(np.sum([((p[k] - target[k]) ** 2).sum() for k in p]))

    result = minimize(fun, x0, jac=True, method=by_rows(lr=0.3), options={"maxiter": 3, "return": "last", "gtol": 0})
    params, opt = {k: v.copy() for k, v in x0.items()}, None
    opt = Optimizer(by_rows(lr=0.3), params)
    for _ in range(3):
        opt.step({k: params[k] - target[k] for k in params})
    for k in params:
        np.testing.assert_array_equal(result.x[k], params[k])
    saved = opt.state_dict()
    assert saved["groups"][0]["slots"][0]["r"].shape == (4, 1) and saved["groups"][0]["slots"][1].keys() == {"v"}
    again = Optimizer(by_rows(lr=0.3), {k: v.copy() for k, v in params.items()})
    again.load_state_dict(saved)
    for each in (opt, again):
        each.step({k: v.copy() for k, v in params.items()} if each is opt else {k: v for k, v in again.params.items()})
    for k in params:
        np.testing.assert_array_equal(params[k], again.params[k])


def test_one_value_for_each_coordinate():
    x, gradients = draws()
    lr, b1 = np.array([0.1, 0.01, 0.0, 1.0, 0.5]), np.array([0.9, 0.5, 0.0, 0.9, 0.99])
    seen, state = walk(adam(lr=lr, b1=b1), x, gradients)
    for i in range(5):
        alone, _ = walk(adam(lr=lr[i], b1=b1[i]), x[i : i + 1], gradients[:, i : i + 1])
        np.testing.assert_allclose(seen[:, i : i + 1], alone, rtol=1e-13)
    assert adam(lr=lr) == adam(lr=lr.copy()) != adam(lr=2 * lr) and hash(adam(lr=lr)) == hash(adam(lr=lr.copy()))
    assert pickle.loads(pickle.dumps(adam(lr=lr))) == adam(lr=lr)
    np.testing.assert_array_equal(state["lr"], lr)
    adam(lr=2 * lr, b1=b1).step(x, gradients[0], state)
    np.testing.assert_array_equal(state["lr"], 2 * lr)
    params, lr2 = [x.copy(), x[:2].copy()], np.arange(7.0)
    Optimizer(sgd(lr=lr2), params).step([np.ones(5), np.ones(2)])
    np.testing.assert_array_equal(np.concatenate(params), np.concatenate([x, x[:2]]) - lr2)
    with pytest.raises(ValueError, match="lr has 3 values, for 5 coordinates"):
        adam(lr=lr[:3]).init(x)
    for wrong, error in (
        (np.array([0.1, np.nan]), ValueError),
        (np.array([0.1, -1.0]), ValueError),
        (np.array(["a"]), TypeError),
    ):
        with pytest.raises(error, match="lr"):
            adam(lr=wrong)
    result = minimize(lambda w: ((w**2).sum(), 2 * w), x, jac=True, method="sgd", options={"lr": 0.4 * lr + 0.05})
    assert result.success


@pytest.mark.parametrize("lr", [np.ones(0), np.ones(1), np.ones(3), np.ones((1, 5))])
@pytest.mark.parametrize(
    "x0", [np.ones(4), [np.ones(3), np.ones(1)], np.ones((2, 2))], ids=["vector", "list", "matrix"]
)
def test_values_for_another_number_of_coordinates(lr, x0):
    def fun(x):
        raise AssertionError("nothing is to be evaluated")

    message = f"adam: lr has {lr.size} values, for 4 coordinates: give one for each, or one number"
    with pytest.raises(ValueError, match=message):
        minimize(fun, x0, jac=True, method=adam(lr=lr))
    if isinstance(x0, np.ndarray):
        with pytest.raises(ValueError, match=message):
            minimize_many(fun, x0.reshape(1, 4), jac=True, method=adam(lr=lr))


def test_values_in_the_shape_of_x0():
    def fun(w):
        return (w**2).sum(), 2 * w

    x0, lr = np.arange(4.0).reshape(2, 2), np.array([[0.1, 0.2], [0.3, 0.01]])
    options = {"maxiter": 5}
    flat = minimize(fun, x0.ravel(), jac=True, method=adam(lr=lr.ravel()), options=options)
    shaped = minimize(fun, x0, jac=True, method=adam(lr=lr), options=options)
    np.testing.assert_array_equal(shaped.x, flat.x.reshape(2, 2))


WRONG = {
    "number": (
        "x, g, t, p, lr=0.1",
        ["p = p + g  # here", "return x, p  # there"],
        "p is a number .it stands after t.",
    ),
    "skip in a rule": ("x, g, t, lr=0.1", ["return g if t > 3 else skip  # there"], "skip is only for what a stage"),
    "gate": ("g, t", ["return g if g > 0 else skip  # there"], "else skip` must be a scalar"),
    "matrix function": ("x, g, t", ["return x - rowmean(g)  # there"], r"rowmean\(\) outside `if matrix\(x\)`"),
    "noise": ("x, g, t", ["return x - normal(g, g, t)  # there"], "the last two are scalars"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_accepted(case, tmp_path, monkeypatch):
    signature, body, message = WRONG[case]
    lines = ["from numbaopt.rule import *", "from numbaopt import chain, sgd", "@rule", f"def mine({signature}):"]
    text = "\n".join([*lines, *(f"    {line}" for line in body)])
    path = tmp_path / f"wrong_{case.replace(' ', '_')}.py"
    path.write_text(text + "\n")
    with pytest.raises(RuleError, match=message) as info:
        exec(compile(path.read_text(), str(path), "exec"), {"__name__": "wrong"})
    assert text.splitlines()[info.value.lineno - 1].endswith("# there")


def test_there_is_a_rule_with_each():
    assert numbaopt.nadam.numbers_of and numbaopt.prodigy.needs_global_sum and numbaopt.lamb.needs_norms
