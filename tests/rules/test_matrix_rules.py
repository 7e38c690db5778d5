"""Rules for matrices: recorded iterates, undecorated functions, several arrays, and degenerate matrices."""

import json

import numba
import numpy as np
import pytest

import numbaopt
from numbaopt import Optimizer, minimize
from tests import paths

GOLDEN = paths.GOLDEN / "matrices"
NAMES = ["adafactor", "muon", "shampoo", "sm3", "soap"]
RULES = [getattr(numbaopt, name) for name in NAMES]
SLOTS = {  # of a matrix of five rows and three columns
    "adafactor": {"r": (5, 1), "c": (1, 3)},
    "muon": {"m": (5, 3)},
    "shampoo": {"left": (5, 5), "right": (3, 3), "p": (5, 5), "q": (3, 3)},
    "sm3": {"m": (5, 3), "r": (5, 1), "c": (1, 3)},
    "soap": {"m": (5, 3), "v": (5, 3), "left": (5, 5), "right": (3, 3), "p": (5, 5), "q": (3, 3)},
}
DTYPES = [np.float64, np.float32]
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
BFLOAT = 1e-3  # torch's Muon iterates in bfloat16, of eight bits


def load(file):
    with np.load(GOLDEN / f"{file}.npz") as arrays:
        arrays = dict(arrays)
    return json.loads(str(arrays.pop("about"))), arrays


FILES = {path.stem: load(path.stem)[0] for path in sorted(GOLDEN.glob("*.npz"))}
CASES = [(file, name, shape) for file in FILES for name in FILES[file]["sets"] for shape in ("wide", "tall", "square")]
STEPS = [*range(9), *range(9, 100, 10)]


def walk(rule, x0, g):
    x, state, path = x0.copy(), rule.init(x0), []
    for gradient in g:
        rule.step(x, gradient, state)
        path.append(x.copy())
    return np.array(path), state


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("file", "name", "shape"), CASES)
def test_rule_walks_as_its_reference(file, name, shape, dtype):
    # An entry of a product of matrices is as exact as the largest one: that is the scale, so far, x0 included. From
    # zero it is one of the steps alone.
    about, arrays = load(file)
    x0 = (arrays[f"{shape}.x0"] * (name != "from_zero")).astype(dtype)
    rule = getattr(numbaopt, about["rule"])(**about["sets"][name])
    ours, reference = walk(rule, x0, arrays[f"{shape}.g"].astype(dtype))[0][STEPS], arrays[f"{name}.{shape}.{dtype}"]
    scale = np.maximum.accumulate(np.maximum(abs(reference).max((1, 2)), abs(x0).max()))
    off = abs(ours.astype(float) - reference).max((1, 2))
    assert ours.dtype == reference.dtype and ours.shape == reference.shape
    room = BFLOAT if file == "muon.torch" else TOLERANCE[dtype]
    assert (off <= room * scale).all(), f"step {STEPS[np.argmax(off > room * scale)] + 1}: {off.max() / scale.max()}"


@pytest.mark.parametrize("name", NAMES)
def test_recordings_are_whole(name):
    about, arrays = load(name)
    usual = getattr(numbaopt, name).hyper
    assert about["sets"]["defaults"] == dict(usual)
    still = [key for key, value in usual.items() if all(own[key] == value for own in about["sets"].values())]
    still = set(still) - {"b1", "b2"} if name == "muon" else still  # of its vectors
    assert not still, f"at its default in every set: {', '.join(still)}"
    for key in about["sets"]:
        for shape in ("wide", "tall", "square"):
            for dtype in TOLERANCE:
                path = arrays[f"{key}.{shape}.{dtype}"]
                assert path.dtype == dtype and np.isfinite(path).all()
                assert (path[-1] != arrays[f"{shape}.x0"].astype(dtype)).all(), "an entry that never moves"


def test_adafactor_is_torchs_in_float32_with_the_resolution_of_float32():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 3)).astype(np.float32)
    g = (1e-4 * rng.normal(size=(30, 4, 3))).astype(np.float32)  # so small that it matters
    theirs = torch.nn.Parameter(torch.tensor(x))
    optimizer = torch.optim.Adafactor([theirs])
    for gradient in g:
        theirs.grad = torch.tensor(gradient)
        optimizer.step()
    theirs = theirs.detach().numpy()
    ours, usual = (walk(numbaopt.adafactor(eps1=e), x, g)[0][-1] for e in (2.0**-23, 2.0**-52))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * abs(theirs - x).max())
    assert abs(usual - theirs).max() > 1e-2 * abs(theirs - x).max(), "the test could not tell"


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 3), (2, 6), (3, 3)])
@pytest.mark.parametrize("rule", [*RULES, numbaopt.muon(nesterov=False, match_rms=True), numbaopt.shampoo(every=3)])
def test_a_step_does_what_the_function_does(rule, shape, dtype):
    # Step by step, each from the state of the compiled one: so that no basis of SOAP's, which rounding may turn where
    # a matrix has not full rank, comes between them.
    rng = np.random.default_rng(3)
    x, state = rng.normal(size=shape).astype(dtype), None
    state = rule.init(x)
    every = [name for name in rule._stages[0][0].slots]
    for t in range(1, 13):
        g = rng.normal(size=shape).astype(dtype)
        slots = {name: state[name].copy() for name in state.rule.slots_of}
        filled = [slots.get(name, np.zeros(shape, dtype)) for name in every]
        new_x, *new = rule.math(x.copy(), g, *filled, t, *rule.hyper.values())
        rule.step(x, g, state)
        room = 100 * np.finfo(dtype).eps
        np.testing.assert_allclose(x, new_x, rtol=0, atol=room * abs(new_x).max(), err_msg=f"x, t={t}")
        for name, value in zip(every, new, strict=True):
            if name in slots:
                scale = max(abs(value).max(), abs(slots[name]).max())
                np.testing.assert_allclose(state[name], value, rtol=0, atol=room * scale, err_msg=f"{name}, t={t}")


@pytest.mark.parametrize("shape", [(3, 3), (5, 2), (2, 5)])
def test_soaps_bases_are_those_of_its_matrices(shape):
    # What orthogonal iteration is to reach, whatever the first basis was: at a constant gradient of full rank it
    # settles at the eigenvectors, those of what is zero among them.
    rng = np.random.default_rng(4)
    x, g = rng.normal(size=shape), rng.normal(size=(4, *shape))
    rule = numbaopt.soap(every=1, b3=0.5)
    state = rule.init(x)
    for t in range(80):
        rule.step(x, g[min(t, 3)], state)
        for basis in (state["p"], state["q"]):
            np.testing.assert_allclose(basis.T @ basis, np.eye(len(basis)), rtol=0, atol=1e-13)
    for basis, matrix in ((state["p"], state["left"]), (state["q"], state["right"])):
        turned = basis.T @ matrix @ basis
        np.testing.assert_allclose(turned, np.diag(np.diag(turned)), rtol=0, atol=1e-9 * np.linalg.norm(matrix))
        assert (np.diff(np.diag(turned)) <= 1e-9 * np.linalg.norm(matrix)).all()


def test_shampoo_is_invariant_to_rotations():
    rng = np.random.default_rng(5)
    (u, _), (v, _) = np.linalg.qr(rng.normal(size=(4, 4))), np.linalg.qr(rng.normal(size=(3, 3)))
    x, g, rule = rng.normal(size=(4, 3)), rng.normal(size=(20, 4, 3)), numbaopt.shampoo(lr=0.1, eps=1e-3)
    ours, turned = walk(rule, x, g)[0], walk(rule, u @ x @ v, u @ g @ v)[0]
    np.testing.assert_allclose(turned, u @ ours @ v, rtol=0, atol=1e-12)


# Arrays as they come.


@pytest.mark.parametrize("rule", RULES)
def test_shapes_of_the_state(rule):
    state = rule.init(np.ones((5, 3)))
    assert {name: state[name].shape for name in state.rule.slots_of} == SLOTS[rule.name]
    flat = rule.init(np.ones(15))
    assert all(flat[name].shape == (15,) for name in flat.rule.slots_of)
    assert rule.shaped((5, 3)) is rule.shaped((5, 3)) and rule.shaped((15,)) is rule
    assert rule.shaped((5, 3, 2)).shape == (5, 6)


@pytest.mark.parametrize("rule", RULES)
def test_each_array_is_stepped_in_its_own_form(rule):
    rng = np.random.default_rng(6)
    params = {"w": rng.normal(size=(5, 3)), "b": rng.normal(size=3)}
    gradients = [{"w": rng.normal(size=(5, 3)), "b": rng.normal(size=3)} for _ in range(12)]
    alone = {name: walk(rule, params[name], np.array([g[name] for g in gradients]))[0][-1] for name in params}
    optimizer = Optimizer(rule, params)
    for g in gradients:
        optimizer.step(g)
    for name in params:
        np.testing.assert_array_equal(params[name], alone[name])

    target = {"w": rng.normal(size=(5, 3)), "b": rng.normal(size=3)}

    def fun(p):
        return sum(np.sum((p[k] - target[k]) ** 2) for k in p) / 2, {k: p[k] - target[k] for k in p}

    x0, seen = {"w": np.zeros((5, 3)), "b": np.zeros(3)}, []
    result = minimize(fun, x0, method=rule, jac=True, options={"maxiter": 12, "gtol": 0.0, "return": "last"})
    points = {name: value.copy() for name, value in x0.items()}
    states = {name: rule.init(points[name]) for name in points}
    for _ in range(12):
        g = fun(points)[1]
        for name in points:
            rule.step(points[name], g[name], states[name])
        seen.append(fun(points)[0])
    assert result.nit == 12 and seen[-1] < fun(x0)[0]
    for name in points:
        np.testing.assert_allclose(result.x[name], points[name], rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("rule", RULES)
def test_a_state_goes_on_where_it_was_saved(rule):
    rng = np.random.default_rng(7)
    params = {"w": rng.normal(size=(5, 3)), "b": rng.normal(size=3)}
    g = [{"w": rng.normal(size=(5, 3)), "b": rng.normal(size=3)} for _ in range(24)]
    first = Optimizer(rule, params)
    for gradients in g[:12]:
        first.step(gradients)
    copy, saved = {name: value.copy() for name, value in params.items()}, first.state_dict()
    second = Optimizer(rule, copy)
    second.load_state_dict(saved)
    for gradients in g[12:]:
        first.step(gradients)
        second.step(gradients)
    for name in params:
        np.testing.assert_array_equal(params[name], copy[name])


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_in_the_users_own_compiled_code(rule):
    rng = np.random.default_rng(8)
    x, g = rng.normal(size=(5, 3)), rng.normal(size=(12, 5, 3))
    own = rule.shaped((5, 3))
    step = own.jit

    @numba.njit
    def loop(x, g, s, h):
        for t in range(g.shape[0]):
            step(t + 1, x, g[t], s, h)

    flat = x.reshape(-1).copy()
    loop(flat, g.reshape(12, 15), own.slots(flat), own.h)
    np.testing.assert_array_equal(flat.reshape(5, 3), walk(rule, x, g)[0][-1])


# What breaks decompositions.


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 4), (4, 1), (1, 1), (2, 3, 2)])
@pytest.mark.parametrize("rule", RULES)
def test_odd_shapes(rule, shape, dtype):
    g = np.random.default_rng(9).normal(size=(12, *shape)).astype(dtype)
    x0 = np.full(shape, 0.5, dtype)
    path, _ = walk(rule, x0, g)
    matrices, _ = walk(rule, x0.reshape(shape[0], -1), g.reshape(12, shape[0], -1))
    assert np.isfinite(path).all() and (path[-1] != x0).all()
    np.testing.assert_array_equal(path.reshape(matrices.shape), matrices)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
def test_gradients_without_rank(rule, dtype):
    x0 = np.linspace(-1, 1, 12).reshape(4, 3).astype(dtype)
    still, state = walk(rule, x0, np.zeros((25, 4, 3), dtype))
    shrunk = (1 - rule.hyper["lr"] * rule.hyper.get("wd", 0.0)) ** (25 - (rule.name == "soap"))
    np.testing.assert_allclose(still[-1], shrunk * x0, rtol=1e-5 if dtype == np.float32 else 1e-13)
    assert np.isfinite(state.s).all()
    # One row of gradients, repeated: every step stays in what it spans, up to rounding against the longest one.
    rng = np.random.default_rng(10)
    way = np.outer([1, 1, 1, 1], [3, 4, 0]).astype(dtype) / 5
    quiet = rule(wd=0.0) if "wd" in rule.hyper else rule
    if rule.name == "soap":  # Adam makes long steps of rounding errors, where eps is not above them
        quiet = quiet(eps=1e-3)
    path, state = walk(quiet, np.zeros((4, 3), dtype), way * rng.normal(size=(25, 1, 1)).astype(dtype))
    assert np.isfinite(path).all() and np.isfinite(state.s).all()
    room = 1e-3 if dtype == np.float32 else 1e-7
    longest = abs(path).max()
    assert longest > 0
    assert abs(path - path[:, :1]).max() <= room * longest, "all rows alike"
    assert abs(path[:, :, 2]).max() <= room * longest, "nothing beside"


@pytest.mark.parametrize("rule", RULES)
def test_a_gradient_that_is_not_finite_leaves_no_half_done_step(rule):
    x = np.ones((3, 2))
    state = rule.init(x)
    rule.step(x, np.array([[1.0, 2.0], [3.0, 5.0], [-1.0, 0.5]]), state)
    before, slots = x.copy(), state.s.copy()
    try:
        rule.step(x, np.full((3, 2), np.nan), state)
    except ValueError:  # a decomposition refuses: nothing has changed
        np.testing.assert_array_equal(x, before)
        np.testing.assert_array_equal(state.s, slots)
        assert state.t == 1
    else:
        assert np.isnan(x).all()
