"""Optimizer: the rule on every parameter, whatever holds them; states that go on; errors that name the leaf."""

import copy
import io
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numbaopt
from numbaopt import Optimizer, adam, lamb, rmsprop, schedules, sgd


def tree(dtype=np.float64):
    """Parameters of a small network, and gradients for them."""
    rng = np.random.default_rng(0)
    params = {"w": [rng.normal(size=(3, 4)), rng.normal(size=(4, 2))], "b": (rng.normal(size=4), rng.normal(size=()))}
    params = {"w": [a.astype(dtype) for a in params["w"]], "b": tuple(np.asarray(a, dtype) for a in params["b"])}
    return params, copy.deepcopy(params)


def leaves(params):
    return [*params["w"], *params["b"]]


def gradients(like, seed):
    rng = np.random.default_rng(seed)
    return {k: type(v)(rng.normal(size=a.shape).astype(a.dtype) for a in v) for k, v in like.items()}


def by_hand(rule, arrays, grads_of_steps):
    """Each array stepped by the rule on its own."""
    for i, x in enumerate(arrays):
        state = rule.init(x)
        for grads in grads_of_steps:
            if grads[i] is not None:
                rule.step(x, grads[i], state)


# What it takes.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", [adam(lr=0.1), lamb(lr=0.1, wd=0.1), sgd], ids=lambda rule: rule.name)
def test_every_parameter_is_stepped_by_the_rule_on_its_own(rule, dtype):
    # For lamb, whose step is as long as the parameter, that is one trust ratio for each.
    params, other = tree(dtype)
    opt, before = Optimizer(rule, params), leaves(params)
    steps = [gradients(params, seed) for seed in range(3)]
    for grads in steps:
        assert opt.step(grads) is None
    by_hand(rule, leaves(other), [leaves(grads) for grads in steps])
    for a, b, c in zip(leaves(params), leaves(other), before, strict=True):
        assert np.array_equal(a, b) and a is c and a.dtype == dtype
    assert opt.params is params


@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3), (2, 1, 2)])
def test_a_single_array(shape):
    x = np.ones(shape, np.float32)
    opt = Optimizer("sgd", x)
    assert opt.grads.dtype == np.float32 and opt.grads.size == x.size
    opt.grads[...] = 1
    opt.step()
    opt.step(np.full(shape, 2.0))
    np.testing.assert_allclose(x, 1 - 3e-3, rtol=1e-6)


def test_a_rule_by_name_and_the_wrong_ones():
    assert Optimizer("Adam", np.ones(2)).groups[0].rule == adam
    with pytest.raises(ValueError, match="unknown method 'adma'; .* Did you mean 'adam'"):
        Optimizer("adma", np.ones(2))
    with pytest.raises(TypeError, match="a name or a rule"):
        Optimizer(0.1, np.ones(2))


def test_groups():
    a, b, c = np.ones(2), np.ones((2, 2)), np.ones(3)
    opt = Optimizer(
        sgd(lr=0.5), [{"params": a}, {"params": {"b": b}, "lr": 0.25}, {"params": [c], "rule": "adam", "lr": 0.1}]
    )
    assert [group.rule for group in opt.groups] == [sgd(lr=0.5), sgd(lr=0.25), adam(lr=0.1)]
    assert opt.params == [a, {"b": b}, [c]] or opt.params[0] is a
    opt.step([np.ones(2), {"b": np.ones((2, 2))}, [np.ones(3)]])
    np.testing.assert_allclose([a[0], b[0, 0], c[0]], [0.5, 0.75, 0.9])
    opt.grads[1]["b"][:] = 1
    opt.step()
    np.testing.assert_allclose([a[0], b[0, 0]], [0.5, 0.5])
    opt.step([None, None, None])
    with pytest.raises(ValueError, match="grads is a list of 3, one for each group, not "):
        opt.step([np.ones(2), None])
    for key, error in (("learning_rate", TypeError), ("b1", TypeError)):
        with pytest.raises(error, match=f"sgd has no hyperparameter '{key}'"):
            Optimizer(sgd, [{"params": a, key: 0.1}])


def test_hyperparameters_on_the_way():
    x = np.zeros(2)
    opt = Optimizer(sgd(lr=1.0, momentum=0.5), x)
    opt.step(np.ones(2))
    opt.set(lr=0.1)
    opt.step(np.ones(2))
    np.testing.assert_allclose(x, -1 - 0.15)
    opt.groups[0].rule = opt.groups[0].rule(nesterov=True)
    opt.step(np.ones(2))  # the buffer is 1.75 now, and the step 1 + 0.5 * 1.75
    np.testing.assert_allclose(x, -1.15 - 0.1 * 1.875)
    opt.set(lr=schedules.constant(2.0), nesterov=False)
    opt.step(np.zeros(2))
    np.testing.assert_allclose(x, -1.3375 - 2 * 0.875)
    before = opt.groups[0].rule
    for wrong in (adam, sgd, "sgd", None):
        with pytest.raises(TypeError, match="a running group keeps its method, sgd, and its slots; "):
            opt.groups[0].rule = wrong
    with pytest.raises(TypeError, match="sgd has no hyperparameter 'b1'"):
        opt.set(b1=0.1)
    with pytest.raises(ValueError, match="lr must be finite and lie in"):
        opt.set(lr=-1)
    assert opt.groups[0].rule is before


def test_set_is_for_all_groups_or_none():
    opt = Optimizer(sgd, [{"params": np.ones(2)}, {"params": np.ones(2), "rule": adam}])
    opt.set(lr=0.5)
    assert [group.rule.hyper["lr"] for group in opt.groups] == [0.5, 0.5]
    with pytest.raises(TypeError):
        opt.set(lr=0.25, momentum=0.9)
    assert [group.rule.hyper["lr"] for group in opt.groups] == [0.5, 0.5]


# The gradient buffer.


def test_grads_are_views_of_one_buffer_to_accumulate_into():
    params, other = tree()
    opt = Optimizer(adam(lr=0.1), params)
    assert opt.grads.keys() == params.keys() and type(opt.grads["b"]) is tuple
    flat = [g.base if g.base is not None else g for g in leaves(opt.grads)]
    assert all(np.shares_memory(g, opt.groups[0]._flat) for g in flat)
    assert all(
        (g == 0).all() and g.shape == p.shape for g, p in zip(leaves(opt.grads)[:3], leaves(params)[:3], strict=True)
    )
    halves = [gradients(params, 1), gradients(params, 2)]
    for half in halves:
        for view, part in zip(leaves(opt.grads), leaves(half), strict=True):
            view += part
    opt.step()
    by_hand(adam(lr=0.1), leaves(other), [[a + b for a, b in zip(*map(leaves, halves), strict=True)]])
    assert all(np.array_equal(a, b) for a, b in zip(leaves(params), leaves(other), strict=True))
    assert any((g != 0).any() for g in leaves(opt.grads)), "step leaves the gradients"
    opt.zero_grad()
    assert all((g == 0).all() for g in leaves(opt.grads))


def test_nothing_is_copied_from_the_buffer_nor_from_what_fits(monkeypatch):
    params, _ = tree()
    opt = Optimizer(adam, params)
    fitting = gradients(params, 0)
    seen = []
    step = type(adam).step
    monkeypatch.setattr(
        type(adam), "step", lambda self, x, g, state, *f: (seen.append((x, g)), step(self, x, g, state, *f))[1]
    )
    opt.step()
    opt.step(opt.grads)
    opt.step(fitting)
    buffers = [*leaves(opt.grads), *leaves(opt.grads), *leaves(fitting)]
    assert len(seen) == 12
    for (x, g), buffer, param in zip(seen, buffers, leaves(params) * 3, strict=True):
        assert np.shares_memory(g, buffer) and np.shares_memory(x, param)


def test_no_gradient_leaves_a_parameter_and_its_state_alone():
    params, other = tree()
    opt = Optimizer(adam(lr=0.1), params)
    one, two, three = (gradients(params, seed) for seed in range(3))
    two["w"][0], two["b"] = None, (two["b"][0], None)
    for grads in (one, two, three):
        before = copy.deepcopy(leaves(params))
        opt.step(grads)
        for a, b, g in zip(leaves(params), before, leaves(grads), strict=True):
            assert np.array_equal(a, b) == (g is None)
    assert [state.t for state in opt.groups[0].states] == [2, 3, 3, 2]
    by_hand(adam(lr=0.1), leaves(other), [leaves(grads) for grads in (one, two, three)])
    assert all(np.array_equal(a, b) for a, b in zip(leaves(params), leaves(other), strict=True))
    single = np.ones(2)
    opt = Optimizer(adam, single)
    opt.step([None][0])  # nothing at all means the buffer
    assert opt.groups[0].states[0].t == 1


# Gradients of every kind.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_that_fit_after_conversion(dtype):
    values = np.array([[1.0, -2.0, 0.5], [0.0, 4.0, 8.0]])
    readonly = values.astype(dtype)
    readonly.flags.writeable = False
    kinds = [
        values.tolist(),
        tuple(map(tuple, values.tolist())),
        values.astype(">f8"),
        values.astype("<f4"),
        np.asfortranarray(values),
        np.repeat(values, 2, axis=1)[:, ::2],
        values[::-1][::-1],
        readonly,
        np.broadcast_to(values, (2, 3)),
    ]
    expected = np.ones((2, 3), dtype)
    adam.step(expected, values.astype(dtype), adam.init(expected))
    for grads in kinds:
        x, before = np.ones((2, 3), dtype), copy.deepcopy(grads)
        Optimizer(adam, {"x": x}).step({"x": grads})
        assert np.array_equal(x, expected), grads
        assert np.array_equal(np.asarray(grads), np.asarray(before))
    x = np.ones((2, 3), dtype)
    Optimizer(sgd(lr=1.0), x).step(np.arange(6, dtype=np.int16).reshape(2, 3))
    assert np.array_equal(x, 1 - np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda g: g["w"].__setitem__(1, np.ones((2, 4))), ValueError, r"grads\['w'\]\[1\] has shape \(2, 4\), but"),
        (lambda g: g["w"].__setitem__(1, np.ones(3)), ValueError, r"grads\['w'\]\[1\] has shape \(3,\)"),
        (lambda g: g["w"].__setitem__(0, np.ones((3, 4), complex)), TypeError, r"grads\['w'\]\[0\] must be real"),
        (lambda g: g["w"].__setitem__(0, "text"), TypeError, r"grads\['w'\]\[0\] must be an array of real numbers"),
        (lambda g: g["w"].__setitem__(1, np.full((4, 2), None)), TypeError, r"grads\['w'\]\[1\] must be an array"),
        (lambda g: g["w"].__setitem__(1, [[1.0], [2.0, 3.0]]), ValueError, r"grads\['w'\]\[1\]"),
        (lambda g: g["w"].append(np.ones(1)), ValueError, r"grads\['w'\] must be a list of 2; it has 3"),
        (lambda g: g.__setitem__("w", np.ones(2)), TypeError, r"grads\['w'\] must be a list of 2"),
        (lambda g: g.__setitem__("b", None), TypeError, r"grads\['b'\] must be a tuple of 2"),
        (lambda g: g.pop("b"), ValueError, "grads must have the keys 'w', 'b'; it has 'w'"),
        (lambda g: g.__setitem__("c", 0), ValueError, "grads must have the keys 'w', 'b'; it has 'w', 'b', 'c'"),
        (
            lambda g: g["w"].__setitem__(1, np.ma.array(np.ones((4, 2)), mask=np.eye(4, 2))),
            ValueError,
            r"grads\['w'\]\[1\] has masked entries",
        ),
    ],
)
def test_gradients_that_do_not_fit_name_their_leaf_and_change_nothing(change, error, message):
    params, before = tree()
    opt = Optimizer(adam, params)
    opt.step(gradients(params, 0))
    before, state = copy.deepcopy(leaves(params)), opt.state_dict()
    grads = gradients(params, 1)
    change(grads)
    with pytest.raises(error, match=message):
        opt.step(grads)
    assert all(np.array_equal(a, b) for a, b in zip(leaves(params), before, strict=True))
    assert_same_state(opt.state_dict(), state)


def test_a_later_group_that_does_not_fit_leaves_the_first_alone():
    a, b = np.ones(2), np.ones(3)
    opt = Optimizer(adam, [{"params": a}, {"params": b}])
    with pytest.raises(ValueError, match="grads has shape"):
        opt.step([np.ones(2), np.ones(2)])
    assert (a == 1).all() and opt.groups[0].states[0].t == 0


def test_a_replaced_view_of_the_buffer_is_not_passed_over():
    params, before = tree()
    opt = Optimizer(adam, params)
    opt.grads["w"][1] = np.ones((4, 2))
    with pytest.raises(ValueError, match=r"grads\['w'\]\[1\] was replaced: fill it"):
        opt.step()
    assert all(np.array_equal(a, b) for a, b in zip(leaves(params), leaves(before), strict=True))
    with pytest.raises(ValueError, match=r"params\[1\]\['b'\] shares memory with params\[0\]"):
        a = np.ones(4)
        Optimizer(adam, [a, {"b": a[2:]}])


READ_ONLY = np.ones(2)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("leaf", "error", "message"),
    [
        ([1.0, 2.0], TypeError, "not list: use"),
        (1.0, TypeError, "not float: use"),
        (np.float64(1.0), TypeError, "not float64: use"),
        (np.array([1, 2]), TypeError, "must be float32 or float64 in native byte order, not int64"),
        (np.ones(2, ">f8"), TypeError, "not >f8"),
        (np.ones(4)[::2], ValueError, "must be C-contiguous"),
        (READ_ONLY, ValueError, "this array is read-only"),
        (np.ones(2, np.complex64), TypeError, "is complex64, but its group is float64"),
        (np.ones(2, np.float32), TypeError, r"is float32, but its group is float64: make two groups"),
        (None, TypeError, "must be an array of real numbers, not None"),
        ("text", TypeError, "must be an array of real numbers, not 'text'"),
    ],
)
def test_parameters_that_cannot_be_stepped_in_place_are_named(leaf, error, message):
    with pytest.raises(error, match=message) as info:
        Optimizer(adam, {"w": np.ones(3), "deep": [np.ones(1), leaf]})
    assert "params['deep'][1]" in str(info.value)


# States saved.


def assert_same_state(one, other):
    assert repr(one) == repr(other) and pickle.dumps(one) == pickle.dumps(other)


def through_npz(state):
    file = io.BytesIO()
    np.savez(file, state=np.array(state, dtype=object))
    file.seek(0)
    with np.load(file, allow_pickle=True) as saved:
        return saved["state"].item()


ROUTES = {
    "as it is": lambda s: s,
    "pickle": lambda s: pickle.loads(pickle.dumps(s)),
    "deepcopy": copy.deepcopy,
    "npz": through_npz,
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "rule",
    [adam(lr=0.1), rmsprop(lr=schedules.cosine(0.1, 9), centered=True, momentum=0.9)],
    ids=lambda rule: rule.name,
)
def test_a_saved_state_goes_on_with_the_same_bits(rule, route):
    params, other = tree(np.float32)
    opt = Optimizer(rule, params)
    early, late = [gradients(params, seed) for seed in range(3)], [gradients(params, seed) for seed in range(3, 6)]
    for grads in early:
        opt.step(grads)
    middle, saved = copy.deepcopy(params), ROUTES[route](opt.state_dict())
    frozen = copy.deepcopy(saved)
    for grads in late:
        opt.step(grads)
    assert_same_state(saved, frozen)  # a copy: what follows does not change it
    again = Optimizer(type(rule)(rule._stages, dict(rule(lr=7.0).hyper)), middle)
    again.load_state_dict(saved)
    assert again.groups[0].rule == rule, "hyperparameters come back, too"
    for grads in late:
        again.step(grads)
    assert all(np.array_equal(a, b) for a, b in zip(leaves(params), leaves(middle), strict=True))
    assert_same_state(again.state_dict(), opt.state_dict())


@pytest.mark.parametrize(
    "how", [copy.deepcopy, lambda opt: pickle.loads(pickle.dumps(opt))], ids=["deepcopy", "pickle"]
)
def test_a_copied_optimizer_goes_on_with_the_same_bits(how):
    params, _ = tree()
    opt = Optimizer(adam(lr=0.1), [{"params": params}, {"params": np.ones(3), "lr": 0.5}])
    opt.grads[1][:] = 1
    for view in leaves(opt.grads[0]):
        view[...] = 0.5
    opt.step()
    again = how(opt)
    assert np.array_equal(again.grads[1], opt.grads[1]) and np.array_equal(again.grads[0]["w"][0], opt.grads[0]["w"][0])
    for each in (opt, again):
        each.step()
    for a, b in zip(leaves(opt.params[0]), leaves(again.params[0]), strict=True):
        assert np.array_equal(a, b) and not np.shares_memory(a, b)
    assert np.array_equal(opt.params[1], again.params[1])
    assert_same_state(opt.state_dict(), again.state_dict())
    again.grads[1][:] = 2
    again.step()
    assert not np.array_equal(opt.params[1], again.params[1]), "its views are its own"


FOREIGN = {
    "None": lambda s: None,
    "empty": lambda s: {},
    "a list": lambda s: [],
    "no groups": lambda s: {"groups": []},
    "more groups": lambda s: {"groups": s["groups"] * 2},
    "groups of numbers": lambda s: {"groups": [1, 2]},
    "another method": lambda s: Optimizer("radam", tree()[0]).state_dict(),
    "other slots": lambda s: Optimizer("amsgrad", tree()[0]).state_dict(),
    "fewer parameters": lambda s: Optimizer(adam, {"w": tree()[0]["w"]}).state_dict(),
    "other shapes": lambda s: Optimizer(adam, [np.ones(3) for _ in range(4)]).state_dict(),
    "slots of numbers": lambda s: s["groups"][0]["slots"].__setitem__(0, 5) or s,
    "a slot missing": lambda s: s["groups"][0]["slots"][2].pop("v") is None or s,
    "a slot too many": lambda s: s["groups"][0]["slots"][2].update(w=np.ones(4)) or s,
    "slots of text": lambda s: s["groups"][0]["slots"][3].update(v=np.array(["x"])) or s,
    "a slot that is None": lambda s: s["groups"][0]["slots"][3].update(v=None) or s,
    "a complex slot": lambda s: s["groups"][0]["slots"][0].update(v=s["groups"][0]["slots"][0]["v"] * 1j) or s,
    "a negative step": lambda s: s["groups"][0]["t"].__setitem__(3, -1) or s,
    "half a step": lambda s: s["groups"][0]["t"].__setitem__(3, 1.5) or s,
    "a step of text": lambda s: s["groups"][0]["t"].__setitem__(3, "1") or s,
    "too few steps": lambda s: s["groups"][0]["t"].pop() is None or s,
    "an unknown hyperparameter": lambda s: s["groups"][0]["hyper"].update(beta=1.0) or s,
    "a hyperparameter out of range": lambda s: s["groups"][0]["hyper"].update(lr=-1.0) or s,
    "no hyperparameters": lambda s: s["groups"][0].pop("hyper") and s,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_state_is_refused_and_changes_nothing(kind):
    params, _ = tree()
    opt = Optimizer(adam(lr=0.1), params)
    opt.step(gradients(params, 0))
    other = Optimizer(adam(lr=0.3), tree()[0])
    for seed in range(4):
        other.step(gradients(params, seed))
    saved = FOREIGN[kind](other.state_dict())
    before, state, rule = copy.deepcopy(leaves(params)), opt.state_dict(), opt.groups[0].rule
    with pytest.raises(ValueError) as info:
        opt.load_state_dict(saved)
    assert str(info.value)
    assert all(np.array_equal(a, b) for a, b in zip(leaves(params), before, strict=True))
    assert_same_state(opt.state_dict(), state)
    assert opt.groups[0].rule is rule


def test_a_state_in_another_precision_is_converted():
    x, y = np.ones(3), np.ones(3, np.float32)
    wide, narrow = Optimizer(adam, x), Optimizer(adam, y)
    wide.step(np.full(3, 0.1))
    narrow.load_state_dict(wide.state_dict())
    assert narrow.groups[0].states[0].s.dtype == np.float32
    np.testing.assert_allclose(narrow.groups[0].states[0].s, wide.groups[0].states[0].s, rtol=1e-7)


# Whatever the structure.

shapes = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple)
trees = st.recursive(
    shapes,
    lambda t: st.one_of(st.lists(t, min_size=1, max_size=3), st.dictionaries(st.text(max_size=2), t, max_size=3)),
)


def grow(plan, make):
    if isinstance(plan, tuple):
        return make(plan)
    if isinstance(plan, list):
        return [grow(child, make) for child in plan]
    return {key: grow(child, make) for key, child in plan.items()}


def flat(node):
    if isinstance(node, np.ndarray):
        return [node]
    children = node.values() if isinstance(node, dict) else node
    return [leaf for child in children for leaf in flat(child)]


@given(trees)
def test_every_structure(plan):
    rng = np.random.default_rng(0)
    params, grads = (grow(plan, lambda shape: rng.normal(size=shape)) for _ in range(2))
    expected = [x - 0.5 * g for x, g in zip(flat(params), flat(grads), strict=True)]
    opt = Optimizer(sgd(lr=0.5), params)
    opt.step(grads)
    for a, b in zip(flat(params), expected, strict=True):
        np.testing.assert_array_equal(a, b)
    for view, g in zip(flat(opt.grads), flat(grads), strict=True):
        view[...] = g.reshape(view.shape)
    opt.step()
    for a, b, g in zip(flat(params), expected, flat(grads), strict=True):
        np.testing.assert_array_equal(a, b - 0.5 * g)
    assert repr(opt).startswith("Optimizer(sgd(")


def test_repr():
    opt = Optimizer(adam, [{"params": np.ones((2, 3))}, {"params": np.ones(4), "lr": 0.5}])
    opt.step()
    assert repr(opt) == f"Optimizer({adam!r} on 6 entries, {adam(lr=0.5)!r} on 4 entries; t=1)"
    assert numbaopt.Optimizer is Optimizer
