"""Optimizer: parameters of every structure, their gradient buffer, what it refuses, and how it goes on later."""

import copy
import pickle
import tracemalloc
from typing import NamedTuple

import numpy as np
import pytest

import numbaopt
from numbaopt import Optimizer, adam, chain, lamb, names, rmsprop, rule, schedules, sgd
from numbaopt.transforms import box

RULES = [getattr(numbaopt, name)(lr=0.1) for name in names()]
RULES += [sgd(lr=0.1, momentum=0.9, nesterov=True), rmsprop(centered=True), lamb(lr=schedules.linear(0, 1, 5), wd=0.1)]


class Pair(NamedTuple):
    a: object
    b: object


def array(*shape, dtype=np.float64, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


STRUCTURES = {
    "array": lambda a: a(3),
    "matrix": lambda a: a(2, 3),
    "scalar": lambda a: a(),
    "empty": lambda a: [a(0), a(3, 0), a(4)],
    "list": lambda a: [a(3), a(2, 2)],
    "tuple": lambda a: (a(3), a(2, 2), a(1)),
    "dict": lambda a: {"w": a(4, 3), "b": a(3), "c": a()},
    "namedtuple": lambda a: Pair(a(3), {"x": a(2)}),
    "nested": lambda a: {"layers": [{"w": a(3, 2), "b": a(2)}, (a(2, 2), a(1, 1, 3))], 7: a(17)},
}


def leaves(tree):
    """All arrays of a tree, in its order."""
    if isinstance(tree, np.ndarray):
        return [tree]
    return [leaf for child in (tree.values() if isinstance(tree, dict) else tree) for leaf in leaves(child)]


def mapped(f, tree):
    """The tree with f of each array."""
    if isinstance(tree, dict):
        return {key: mapped(f, child) for key, child in tree.items()}
    if isinstance(tree, Pair):
        return Pair(*(mapped(f, child) for child in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(mapped(f, child) for child in tree)
    return f(tree)


def everything(opt, *more):
    """The bytes of all that a step may change."""
    held = [(s.t, s.s.tobytes()) for group in opt.groups for s in group.states]
    return pickle.dumps([[a.tobytes() for a in leaves([opt.params, opt.grads, *more])], held, [g.rule for g in opt.groups]])


def expect_untouched(opt, error, message, call, *args, **kwargs):
    before = everything(opt)
    with pytest.raises(error, match=message):
        call(*args, **kwargs)
    assert everything(opt) == before


# Steps.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", STRUCTURES)
def test_steps_are_the_rules_own_on_each_leaf(kind, dtype):
    each = lamb(lr=0.1, wd=0.1)  # it sums over a parameter: leaf by leaf, not over all
    params = STRUCTURES[kind](lambda *shape: array(*shape, dtype=dtype))
    mine = leaves(params)
    apart = [leaf.copy() for leaf in mine]
    states = [each.init(leaf) for leaf in apart]
    opt = Optimizer(each, params)
    for seed in (1, 2, 3):
        grads = mapped(lambda leaf, seed=seed: array(*leaf.shape, dtype=dtype, seed=seed), params)
        assert opt.step(grads) is None
        for x, g, state in zip(apart, leaves(grads), states, strict=True):
            each.step(x, g, state)
    assert opt.params is params and all(a is b for a, b in zip(leaves(params), mine, strict=True))
    for x, y, state, own in zip(apart, mine, states, opt.groups[0].states, strict=True):
        assert np.array_equal(x, y) and np.array_equal(state.s, own.s) and own.t == 3 and y.dtype == dtype
    assert type(opt.grads) is type(params) or kind == "scalar"


@pytest.mark.parametrize("each", RULES, ids=lambda each: f"{each.name}{len(each.slots_of)}")
def test_every_rule(each):
    params, apart = [array(5), array(2, 4)], [array(5), array(2, 4)]
    opt, states = Optimizer(each, params), [each.init(x) for x in apart]
    for seed in range(4):
        opt.zero_grad()
        for view, x, state in zip(opt.grads, apart, states, strict=True):
            view += array(*x.shape, seed=seed)
            each.step(x, array(*x.shape, seed=seed), state)
        opt.step()
    assert all(np.array_equal(x, y) for x, y in zip(params, apart, strict=True))


def test_groups():
    a, b, c = array(3), array(2, 2), array(2, dtype=np.float32)
    groups = [{"params": {"a": a}}, {"params": b, "lr": 0.5}, {"params": [c], "rule": "adam", "b1": 0.5}]
    opt = Optimizer(sgd(lr=0.25), groups)
    assert [g.rule for g in opt.groups] == [sgd(lr=0.25), sgd(lr=0.5), adam(b1=0.5)]
    y = c.copy()
    wanted = [a - 0.25, b - 0.5 * 2]
    opt.step([{"a": np.ones(3)}, np.full((2, 2), 2.0), [np.ones(2)]])
    adam(b1=0.5).step(y, np.ones(2, np.float32), adam.init(y))
    assert np.array_equal(a, wanted[0]) and np.array_equal(b, wanted[1]) and np.array_equal(c, y)
    opt.grads[0]["a"][:], opt.grads[1][:] = 4.0, 1.0
    opt.step()
    np.testing.assert_array_equal(a, wanted[0] - 1)
    np.testing.assert_array_equal(b, wanted[1] - 0.5)
    opt.set(lr=0.125)
    assert [g.rule.hyper["lr"] for g in opt.groups] == [0.125] * 3 and opt.groups[2].rule.hyper["b1"] == 0.5
    expect_untouched(opt, ValueError, "grads has 2 entries; there are 3 groups", opt.step, [{"a": np.ones(3)}, b])
    with pytest.raises(TypeError, match="sgd has no hyperparameter 'b1'"):
        Optimizer(sgd, [{"params": a, "b1": 0.5}])
    assert "params" in groups[1] and groups[1]["lr"] == 0.5


def test_lamb_is_apart_for_each_parameter():
    one, two = array(3), 100 * array(4)
    alone = np.concatenate([one, two])
    x, y = one.copy(), two.copy()
    Optimizer(lamb(lr=0.1), [one, two]).step([np.ones(3), np.ones(4)])
    for z in (x, y, alone):
        lamb(lr=0.1).step(z, np.ones(z.size), lamb.init(z))
    assert np.array_equal(one, x) and np.array_equal(two, y) and not np.allclose(alone[:3], one)


def test_a_rule_by_name_and_repr():
    x = array(3)
    opt = Optimizer("ADAM", x)
    assert opt.groups[0].rule == adam and repr(opt) == f"Optimizer({adam!r} on 3 entries; t=0)"
    opt.step(np.ones(3))
    assert repr(opt).endswith("t=1)")
    with pytest.raises(ValueError, match="Did you mean 'adam'"):
        Optimizer("adm", x)


# The gradient buffer.


@pytest.mark.parametrize("kind", STRUCTURES)
def test_grads_are_views_of_one_buffer(kind):
    params = STRUCTURES[kind](array)
    opt = Optimizer(sgd(lr=1.0), params)
    views = leaves(opt.grads)
    flat = opt.groups[0]._flat
    assert flat.ndim == 1 and flat.size == sum(leaf.size for leaf in leaves(params)) and not flat.any()
    flat[:] = np.arange(flat.size)
    assert [v.tolist() for v in views] == [
        np.arange(lo, lo + v.size).reshape(v.shape).tolist()
        for lo, v in zip(np.cumsum([0, *(v.size for v in views)]), views, strict=False)
    ]
    before = [leaf.copy() for leaf in leaves(params)]
    opt.step()
    for x, old, g in zip(leaves(params), before, views, strict=True):
        np.testing.assert_array_equal(x, old - g.reshape(x.shape))
    opt.zero_grad()
    assert not flat.any() and not any(v.any() for v in views)


def test_gradients_accumulate():
    x = np.zeros(3)
    opt = Optimizer(sgd(lr=1.0), {"x": x})
    for _ in range(3):
        opt.grads["x"] += [1.0, 2.0, 3.0]
    opt.step()
    opt.step()  # the buffer stays as it is
    np.testing.assert_array_equal(x, [-6, -12, -18])


def test_step_copies_nothing():
    params = {"w": array(200, 200), "b": array(200)}
    opt = Optimizer(adam, params)
    given = mapped(np.ones_like, params)
    opt.step()
    for grads in (None, opt.grads, given):
        tracemalloc.start()
        opt.step(grads)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 20_000 < params["w"].nbytes


def test_the_parameters_may_be_their_own_gradient():
    params = {"a": array(33), "b": array(2, 3)}
    other = copy.deepcopy(params)
    Optimizer(adam, params).step(params)
    Optimizer(adam, other).step(copy.deepcopy(other))
    assert all(np.array_equal(a, b) for a, b in zip(leaves(params), leaves(other), strict=True))


def test_none_leaves_a_parameter_alone():
    params = {"a": array(3), "b": array(2)}
    opt = Optimizer(adam(lr=0.1), params)
    opt.step({"a": np.ones(3), "b": np.ones(2)})
    a, old, slots = opt.groups[0].states[0], params["a"].copy(), opt.groups[0].states[0].s.copy()
    opt.grads["a"][:] = 5.0
    opt.step({"a": None, "b": np.ones(2)})
    assert np.array_equal(params["a"], old) and np.array_equal(a.s, slots)
    assert [s.t for s in opt.groups[0].states] == [1, 2]
    x, state = old.copy(), copy.deepcopy(a)
    opt.step({"a": np.ones(3), "b": None})
    adam(lr=0.1).step(x, np.ones(3), state)
    np.testing.assert_array_equal(params["a"], x)
    expect_untouched(opt, ValueError, r"grads\['b'\]", opt.step, {"a": None, "b": np.ones(3)})


def frozen(a):
    a.flags.writeable = False
    return a


EXACT = np.array([[1.0, -2.0, 4.0], [0.5, 8.0, 0.0]])
GRADIENTS = {
    "strided": np.repeat(EXACT, 2, axis=1)[:, ::2],
    "reversed": EXACT[::-1, ::-1].copy()[::-1, ::-1],
    "Fortran": np.asfortranarray(EXACT),
    "broadcast": np.broadcast_to(2.0, (2, 3)),
    "big-endian": EXACT.astype(">f8"),
    "big-endian, single": EXACT.astype(">f4"),
    "read-only": frozen(EXACT.copy()),
    "list": EXACT.tolist(),
    "list of arrays": list(EXACT),
    "float32": EXACT.astype(np.float32),
    "float64": EXACT.copy(),
    "integers": np.array([[1, 2, 3], [4, 5, 6]]),
    "bools": np.array([[True, False, True]] * 2),
    "unaligned": np.frombuffer(b"x" + EXACT.tobytes(), dtype=np.float64, offset=1).reshape(2, 3),
    "matrix": np.ma.array(EXACT),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", GRADIENTS)
def test_gradients_of_every_kind(kind, dtype):
    params = {"w": array(2, 3, dtype=dtype), "b": array(1, dtype=dtype)}
    g = GRADIENTS[kind]
    before = copy.deepcopy(g)
    wanted = params["w"] - dtype(0.5) * np.asarray(g).astype(dtype)
    Optimizer(sgd(lr=0.5), params).step({"w": g, "b": None})
    np.testing.assert_array_equal(params["w"], wanted)
    np.testing.assert_array_equal(np.asarray(g), np.asarray(before))


# What is refused; nothing has changed then.

BAD_GRADIENTS = {
    "short": (np.ones(2), ValueError, r"grads\['z'\]\[1\] has shape \(2,\), but its parameter has shape \(3,\)"),
    "transposed": (np.ones((3, 1)), ValueError, r"grads\['z'\]\[1\] has shape \(3, 1\).*reshape"),
    "scalar": (1.0, ValueError, r"grads\['z'\]\[1\] has shape \(\)"),
    "complex": (np.ones(3, complex), TypeError, r"grads\['z'\]\[1\] must be real"),
    "text": ("abc", TypeError, r"grads\['z'\]\[1\] must be an array of real numbers"),
    "objects": (np.array([1, 2, None]), TypeError, r"grads\['z'\]\[1\] must be"),
    "half": (np.ones(3, np.float16), TypeError, r"grads\['z'\]\[1\] must be float32 or float64"),
    "masked": (np.ma.array(np.ones(3), mask=[0, 1, 0]), ValueError, r"grads\['z'\]\[1\] has masked entries"),
    "ragged": ([[1.0], [1.0, 2.0]], ValueError, r"grads\['z'\]\[1\] is not an array"),
}


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("kind", BAD_GRADIENTS)
def test_a_bad_gradient_even_the_last(kind, grouped):
    bad, error, message = BAD_GRADIENTS[kind]
    tree, grads = {"a": array(2), "z": [array(2, 2), array(3)]}, {"a": np.ones(2), "z": [np.ones((2, 2)), bad]}
    opt = Optimizer(adam, [{"params": array(4)}, {"params": tree}] if grouped else tree)
    opt.step()
    expect_untouched(opt, error, message, opt.step, [np.ones(4), grads] if grouped else grads)


@pytest.mark.parametrize(
    ("grads", "error", "message"),
    [
        ({"a": np.ones(2)}, ValueError, r"grads must have the keys 'a', 'z'; it has 'a'"),
        ({"a": np.ones(2), "z": [], "y": 1}, ValueError, "it has 'a', 'z', 'y'"),
        ({"a": np.ones(2), "z": [np.ones(3)]}, ValueError, r"grads\['z'\] must be a list of 2; it has 1"),
        ({"a": np.ones(2), "z": np.ones((2, 3))}, TypeError, r"grads\['z'\] must be a list of 2, not an array"),
        ({"a": np.ones(2), "z": None}, TypeError, r"grads\['z'\] must be a list of 2, not None"),
        ([np.ones(2)] * 2, TypeError, "grads must be a dict with the keys"),
        (np.ones(8), TypeError, "grads must be a dict with the keys"),
    ],
)
def test_gradients_of_another_structure(grads, error, message):
    opt = Optimizer(adam, {"a": array(2), "z": [array(3), array(3)]})
    opt.step()
    expect_untouched(opt, error, message, opt.step, grads)


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ([1.0, 2.0], TypeError, "is a NumPy array, changed in place; list is not"),
        (1.0, TypeError, "float is not"),
        (None, TypeError, "must be an array"),
        ("x", TypeError, "must be an array"),
        (np.ones(2, int), TypeError, "is float32 or float64 in native byte order, not int64"),
        (np.ones(2, ">f8"), TypeError, "not >f8"),
        (np.ones(2, np.float16), TypeError, "float16"),
        (np.ones(2, complex), TypeError, "must be real"),
        (np.ones(4)[::2], ValueError, "must be C-contiguous"),
        (np.ones((2, 3), order="F"), ValueError, "must be C-contiguous"),
        (frozen(np.ones(2)), ValueError, "read-only"),
        (np.ma.ones(2), TypeError, "MaskedArray is not"),
        (np.ones(2, np.float32), TypeError, "make two groups"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_parameters_that_cannot_be_changed_in_place(bad, error, message):
    with pytest.raises(error, match=rf"^params\['z'\]\[0\] .*{message}"):
        Optimizer(adam, {"a": array(2), "z": [bad]})


# Other hyperparameters.


def test_set_and_another_rule():
    x = np.zeros(2)
    opt = Optimizer(sgd(lr=1.0), {"x": x})
    opt.step({"x": np.ones(2)})
    opt.set(lr=0.5)
    opt.step({"x": np.ones(2)})
    opt.groups[0].rule = opt.groups[0].rule(lr=schedules.constant(0.25))
    opt.step({"x": np.ones(2)})
    np.testing.assert_array_equal(x, [-1.75, -1.75])
    for wrong, error in (({"rate": 1}, TypeError), ({"lr": -1.0}, ValueError), ({"lr": "x"}, TypeError)):
        expect_untouched(opt, error, "sgd", opt.set, **wrong)


@rule
def same(x, g, m, v, t, lr=1e-3):
    return x - lr * g, m, v


same.name = "adam"  # another method of that name, with slots of the same names


@pytest.mark.parametrize("other", [sgd, "adam", None, chain(adam, box), lamb, same], ids=str)
def test_a_running_group_keeps_its_method(other):
    opt = Optimizer(adam, array(3))
    opt.step(np.ones(3))
    expect_untouched(opt, TypeError, "a running group keeps its method, adam", setattr, opt.groups[0], "rule", other)


def test_slots_that_a_setting_needs_are_kept():
    opt = Optimizer(sgd, array(3))
    expect_untouched(opt, TypeError, "keeps its method, sgd, and its slots", opt.set, momentum=0.9)
    opt = Optimizer(sgd, [{"params": array(2), "momentum": 0.5}, {"params": array(3)}])
    expect_untouched(opt, TypeError, "keeps its method, sgd, and its slots", opt.set, momentum=0.9)


# Saved, copied, gone on with.


def running(each):
    """An optimizer of two groups after three steps, one parameter one step behind."""
    tree = {"w": array(3, 2), "b": array(2)}
    opt = Optimizer(each, [{"params": tree}, {"params": array(4, dtype=np.float32), "lr": 0.25}])
    for k in range(3):
        drive(opt, k, skip=k == 1)
    return opt


def drive(opt, seed, skip=False):
    grads = [mapped(lambda a: array(*a.shape, seed=seed), group.params) for group in opt.groups]
    if skip:
        grads[0]["b"] = None
    opt.step(grads)


@pytest.mark.parametrize("through", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s)), lambda s: s])
@pytest.mark.parametrize("each", RULES, ids=lambda each: f"{each.name}{len(each.slots_of)}")
def test_state_dict_goes_on_with_the_same_bits(each, through):
    opt = running(each)
    saved, params = through(opt.state_dict()), copy.deepcopy(opt.params)
    again = Optimizer(each(lr=0.75), [{"params": p} for p in params])
    again.load_state_dict(saved)
    for k in (3, 4):
        drive(opt, k)
        drive(again, k)
    opt.zero_grad()
    assert everything(opt) == everything(again) and [s.t for s in again.groups[0].states] == [5, 4]
    assert again.groups[1].rule.hyper["lr"] == 0.25


def test_state_dict_is_a_copy():
    opt = running(adam)
    saved = opt.state_dict()
    before = pickle.dumps(saved)
    drive(opt, 5)
    assert pickle.dumps(saved) == before
    opt.load_state_dict(saved)
    saved["groups"][0]["slots"][0]["m"][:] = 99.0
    drive(opt, 6)
    assert not (opt.groups[0].states[0]["m"] > 50).any()


def edited(change):
    def edit(saved):
        change(saved["groups"])
        return saved

    return edit


FOREIGN = {
    "None": (lambda s: None, "not what state_dict"),
    "a list": (lambda s: s["groups"], "not what state_dict"),
    "no key": (edited(lambda g: g[1].pop("t")), "not what state_dict"),
    "one group": (edited(lambda g: g.pop()), "has 1 groups; this optimizer has 2"),
    "method": (edited(lambda g: g[1].update(rule="sgd")), "group 1 of the state is of sgd; here it is adam"),
    "few t": (edited(lambda g: g[0]["t"].pop()), "group 0 of the state is for 1 parameters; here there are 2"),
    "few slots": (edited(lambda g: g[0]["slots"].pop()), "group 0 of the state is for"),
    "no m": (edited(lambda g: g[1]["slots"][0].pop("m")), "group 1 of the state has slots of shapes"),
    "slot more": (edited(lambda g: g[1]["slots"][0].update(z=np.ones(4))), "has slots of shapes"),
    "shape": (edited(lambda g: g[1]["slots"][0].update(m=np.ones(5))), "group 1 of the state has slots of shapes"),
    "negative t": (edited(lambda g: g[1]["t"].__setitem__(0, -1)), "has the step number -1"),
    "fractional t": (edited(lambda g: g[1]["t"].__setitem__(0, 1.5)), "has the step number 1.5"),
    "hyper range": (edited(lambda g: g[1]["hyper"].update(lr=-1.0)), "lr lies in"),
    "hyper unknown": (edited(lambda g: g[1]["hyper"].update(rate=1.0)), "has no hyperparameter 'rate'"),
    "slots as text": (edited(lambda g: g[1]["slots"][0].update(m=np.array(["x"] * 4))), ""),
    "slots no dict": (edited(lambda g: g[1]["slots"].__setitem__(0, [1, 2])), ""),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_load_state_dict_refuses(kind):
    change, message = FOREIGN[kind]
    opt = running(adam)
    saved = change(opt.state_dict())
    drive(opt, 4)
    opt.groups[0].rule = adam(lr=0.5)
    expect_untouched(opt, (ValueError, TypeError), message, opt.load_state_dict, saved)


@pytest.mark.parametrize("through", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("each", [adam, lamb(lr=0.1), sgd(momentum=0.9), chain(adam, box)], ids=lambda e: e.name)
def test_copies_step_their_own_parameters(each, through):
    opt = running(each)
    for view in leaves(opt.grads):
        view += 0.5
    params, again = through((opt.params, opt))
    assert all(a is b for a, b in zip(leaves(again.params), leaves(params), strict=True))
    assert everything(again) == everything(opt)
    alone = everything(opt)
    for view in leaves(again.grads):
        view += 0.5
    again.step()
    assert everything(opt) == alone  # nothing is shared with the original
    for view in leaves(opt.grads):
        view += 0.5
    opt.step()
    assert everything(again) == everything(opt)
    assert all(np.array_equal(a, b) for a, b in zip(leaves(params), leaves(opt.params), strict=True))
    twice = through(again)
    drive(twice, 7)
    drive(again, 7)
    assert everything(twice) == everything(again)


def test_copy_of_one_without_groups():
    params = {"w": array(3)}
    opt = Optimizer(adam(lr=schedules.cosine(0.1, 10)), params)
    opt.step({"w": np.ones(3)})
    other, again = copy.deepcopy((params, opt))
    again.grads["w"][:] = 1.0
    again.step()
    opt.step({"w": np.ones(3)})
    assert again.params is other and np.array_equal(other["w"], params["w"])
