"""Complex parameters: real and imaginary parts as coordinates of their own, to torch's numbers and to those of real x."""

import copy
import pickle

import numpy as np
import pytest
from numba import njit
from scipy import optimize

import numbaopt
from numbaopt import Optimizer, minimize
from numbaopt.common.tree import flatten
from tests.objectives.making import make_objective

rng = np.random.default_rng(5)
A = rng.normal(size=(12, 4)) + 1j * rng.normal(size=(12, 4))
AH = np.ascontiguousarray(A.conj().T)
B = rng.normal(size=12) + 1j * rng.normal(size=12)
Z = rng.normal(size=4) + 1j * rng.normal(size=4)


def residual(z, A=A, AH=AH, B=B):
    r = A @ z - B
    return (np.abs(r) ** 2).mean(), 2 * (AH @ r) / r.size


def value(z):
    return residual(z)[0]


def slope(z):
    return residual(z)[1]


def of_parts(x):
    """Return the same function of real numbers, whose gradient is a closed form of its own."""
    M = np.block([[A.real, -A.imag], [A.imag, A.real]])
    re_im = np.concatenate([x[::2], x[1::2]])
    r = M @ re_im - np.concatenate([B.real, B.imag])
    g = 2 * M.T @ r / len(B)
    return r @ r / len(B), np.ravel(np.column_stack([g[:4], g[4:]]))


TORCH = {
    "adam": (numbaopt.adam(lr=0.02), lambda torch, p: torch.optim.Adam(p, lr=0.02)),
    "adamw": (numbaopt.adamw(lr=0.02, wd=0.1), lambda torch, p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.1)),
    "sgd": (
        numbaopt.sgd(lr=0.02, momentum=0.9, nesterov=True),
        lambda torch, p: torch.optim.SGD(p, lr=0.02, momentum=0.9, nesterov=True),
    ),
    "rmsprop": (numbaopt.rmsprop(lr=0.02), lambda torch, p: torch.optim.RMSprop(p, lr=0.02)),
    "adagrad": (numbaopt.adagrad(lr=0.02), lambda torch, p: torch.optim.Adagrad(p, lr=0.02)),
    "adadelta": (numbaopt.adadelta(lr=1.0), lambda torch, p: torch.optim.Adadelta(p, lr=1.0)),
}


RECORDED = {  # where torch 2.13.0 is after 50 steps
    "adam": [
        (0.9649834369078673 - 0.2232887026228031j),
        (-0.49500417128494784 - 0.5292326860666763j),
        (-0.3708905554581039 + 0.38158647945073443j),
        (-0.19003657236518645 + 0.23490886355709767j),
    ],
    "adamw": [
        (0.848632914214816 - 0.18038672400606642j),
        (-0.43965182199379566 - 0.5065523449188689j),
        (-0.3532540660396742 + 0.35053471224937405j),
        (-0.16735057627142294 + 0.1946538099467855j),
    ],
    "sgd": [
        (0.2418559407376186 + 0.2016679997048836j),
        (-0.10979556168694951 - 0.5245727547547967j),
        (-0.31082003674193576 + 0.14999693800629393j),
        (-0.07884138806788783 - 0.07043437902443324j),
    ],
    "rmsprop": [
        (0.323395522318611 + 0.18250750325870793j),
        (-0.13981084367150334 - 0.5422367716662241j),
        (-0.3172322115713994 + 0.16080141950491927j),
        (-0.09853508170080913 - 0.04613686690965688j),
    ],
    "adagrad": [
        (1.6283865342878003 - 0.8204274364281924j),
        (-0.9792893538102996 - 0.801665987380749j),
        (0.02557916001551547 + 0.20555438450452118j),
        (-0.23208548680746924 + 0.4937546196578915j),
    ],
    "adadelta": [
        (1.6966964623963585 - 0.889794190221231j),
        (-1.045549650023061 - 0.8661863819348555j),
        (0.09158795281615216 + 0.1428414522793299j),
        (-0.235371577306687 + 0.5109256773888324j),
    ],
}


@pytest.mark.parametrize("name", TORCH)
def test_as_torch_stepped(name):
    run = minimize(residual, Z, jac=True, method=TORCH[name][0], options={"maxiter": 50, "return": "last", "gtol": 0})
    assert run.x.dtype == run.jac.dtype == complex and run.nit == 50
    np.testing.assert_allclose(run.x, RECORDED[name], rtol=1e-12)


@pytest.mark.parametrize("name", TORCH)
def test_as_torch_steps_complex_tensors(name):
    torch = pytest.importorskip("torch")
    rule, reference = TORCH[name]
    tensor = torch.tensor(Z, requires_grad=True)
    theirs = reference(torch, [tensor])
    matrix, right = torch.tensor(A), torch.tensor(B)
    mine, params = Z.copy(), {"z": Z.copy()}
    state, optimizer = rule.init(mine), Optimizer(rule, params)
    for _ in range(50):
        theirs.zero_grad()
        ((matrix @ tensor - right).abs() ** 2).mean().backward()
        np.testing.assert_allclose(slope(tensor.detach().numpy()), tensor.grad.numpy(), rtol=1e-12)
        theirs.step()
        rule.step(mine, slope(mine), state)
        optimizer.step({"z": slope(params["z"])})
    expected = tensor.detach().numpy()
    assert abs(expected - Z).max() > 0.1
    np.testing.assert_allclose(mine, expected, rtol=1e-12)
    np.testing.assert_array_equal(params["z"], mine)
    run = minimize(residual, Z, jac=True, method=rule, options={"maxiter": 50, "return": "last", "gtol": 0})
    assert run.x.dtype == run.jac.dtype == complex and run.nit == 50
    np.testing.assert_array_equal(run.x, mine)


@pytest.mark.parametrize("method", ["adam", "lamb", "lbfgs"])
def test_a_run_is_that_of_the_real_parts(method):
    options = {"maxiter": 12, "return": "last"}
    run = minimize(residual, Z, jac=True, method=method, options=options)
    real = minimize(of_parts, Z.view(float), jac=True, method=method, options=options)
    assert (run.nit, run.nfev, run.status) == (real.nit, real.nfev, real.status)
    np.testing.assert_allclose(run.x, real.x.view(complex), rtol=1e-9)
    np.testing.assert_allclose(run.jac, real.jac.view(complex), rtol=1e-9, atol=1e-9)


def fills(z, grad):
    f, grad[:] = residual(z)
    return f


@pytest.mark.parametrize("kind", ["c8", "c16"])
@pytest.mark.parametrize(
    ("fun", "jac", "exact"),
    [
        (residual, True, True),
        (value, slope, True),
        (fills, "inplace", True),
        (value, "3-point", False),
        (value, None, False),
    ],
    ids=str,
)
def test_every_form_of_jac(fun, jac, exact, kind):
    objective = make_objective(fun, Z.astype(kind), (), jac)
    assert objective.x0.dtype == np.dtype(kind).type(0).real.dtype
    g = np.empty_like(objective.x0)
    f = objective(objective.x0, g)
    single = kind == "c8"
    assert f == pytest.approx(value(Z), rel=1e-5 if single else 1e-14)
    tolerance = 2e-2 if single and not exact else 1e-5 if single or not exact else 1e-14
    np.testing.assert_allclose(objective.restore(g), slope(Z), rtol=tolerance, atol=tolerance)
    assert objective.nfev == (1 if exact else 17 if jac else 9)


def test_spsa_shifts_both_parts():
    run = minimize(value, Z, jac="spsa", method="sgd", seed=0, options={"lr": 0.02, "maxiter": 3000, "spsa_c": 1e-3})
    np.testing.assert_allclose(run.x, np.linalg.lstsq(A, B)[0], atol=0.02)


def mixed(p):
    w, z, s = p["w"], p["z"], p["s"]
    r = z * s - (1 + 2j)
    f = (np.abs(r) ** 2).sum() + (w**2).sum()
    gs = 2 * (np.conj(z) * r).sum()
    return f, {"w": 2 * w, "z": 2 * np.conj(s) * r, "s": gs}


def test_structures_hold_complex_beside_real():
    start = {"w": np.ones((1, 2)), "z": np.full((2, 3), 1j, "c8"), "s": 1 + 1j}
    structure, flat = flatten(start)
    assert flat.dtype == np.float64 and flat.size == 2 + 12 + 2
    assert structure.shapes == [(1, 2), (2, 3), ()] and structure.real_shapes == [(1, 2), (2, 6), (2,)]
    assert [structure.where(i) for i in (1, 2, 13, 15)] == [
        "['w'][0, 1]",
        "['z'][0, 0].real",
        "['z'][1, 2].imag",
        "['s'].imag",
    ]
    views = structure.views(flat)
    assert views["z"].dtype == complex and np.shares_memory(views["z"], flat) and views["s"].shape == ()
    run = minimize(mixed, start, jac=True, method="lbfgs")
    assert run.success and run.x["w"].dtype == float and run.jac["z"].dtype == complex
    np.testing.assert_allclose(run.x["z"] * run.x["s"], np.full((2, 3), 1 + 2j), atol=1e-5)
    again = minimize(lambda p: mixed(p)[0], start, jac="3-point", method="lbfgs")
    np.testing.assert_allclose(again.fun, run.fun, atol=1e-9)


@pytest.mark.parametrize(
    ("tree", "dtype"),
    [
        (np.ones(2, "c8"), "f4"),
        (np.ones(2, ">c8"), "f4"),
        ([1j, 2], "f8"),
        (1j, "f8"),
        ({"w": np.ones(2, "f4"), "z": 1j}, "f4"),
        ({"w": np.ones(2, "f4"), "z": np.ones(2, "c16")}, "f8"),
        ({"w": np.ones(2), "z": np.ones(2, "c8")}, "f8"),
    ],
    ids=str,
)
def test_precision(tree, dtype):
    assert flatten(tree)[1].dtype == np.dtype(dtype)


def test_a_number_and_single_precision_come_back_as_such():
    run = minimize(lambda z: abs(z[0] - 2j) ** 2, 1 + 1j, method="lbfgs")
    np.testing.assert_allclose(run.x, [2j], atol=1e-6)
    run = minimize(residual, Z.astype("c8"), jac=True, tol=1e-2, options={"lr": 0.02})
    assert run.success and run.x.dtype == run.jac.dtype == np.complex64


jitted = njit(residual)


@njit
def jitted_pair(p, A, AH, B):
    f, g = jitted(p[0], A, AH, B)
    return f + p[1][0, 0] ** 2, (g, 2 * p[1])


@njit
def jitted_value(z, A, B):
    return (np.abs(A @ z - B) ** 2).mean()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["c8", "c16"])
def test_jitted_objectives_stay_in_the_compiled_driver(kind):
    data = A.astype(kind), AH.astype(kind), B.astype(kind)
    assert make_objective(jitted, Z.astype(kind), data, True).compiled() is not None
    given = {"args": data, "jac": True, "method": "adam", "options": {"lr": 0.05, "maxiter": 40, "return": "last"}}
    run, plain = (minimize(fun, Z.astype(kind), **given) for fun in (jitted, residual))
    assert run.x.dtype == np.dtype(kind) and run.nfev == plain.nfev == 41
    np.testing.assert_allclose(run.x, plain.x, rtol=1e-5 if kind == "c8" else 1e-12)


@pytest.mark.slow
def test_jitted_structures_and_differences():
    start = Z, np.ones((1, 1))
    assert make_objective(jitted_pair, start, (A, AH, B), True).compiled() is not None
    run = minimize(jitted_pair, start, (A, AH, B), jac=True, method="lbfgs")
    np.testing.assert_allclose(run.x[0], np.linalg.lstsq(A, B)[0], atol=1e-5)
    assert make_objective(jitted_value, Z, (A, B), "3-point").compiled() is not None
    run = minimize(jitted_value, Z, (A, B), jac="3-point", method="lbfgs")
    np.testing.assert_allclose(run.x, np.linalg.lstsq(A, B)[0], atol=1e-5)


def test_minibatches():
    def batch_loss(z, A, B):
        return residual(z, A, A.conj().T, B)

    run = minimize(
        batch_loss, Z, data=(A, B), batch_size=4, epochs=400, jac=True, method="adam", seed=1, options={"lr": 0.01}
    )
    assert run.x.dtype == complex
    np.testing.assert_allclose(batch_loss(run.x, A, B)[0], value(np.linalg.lstsq(A, B)[0]), rtol=0.2)


def test_scipys_methods_and_scipys_minimize():
    best = np.linalg.lstsq(A, B)[0]
    for jac, fun in ((True, residual), (None, value)):
        run = minimize(fun, Z, jac=jac, method="BFGS")
        assert run.x.dtype == run.jac.dtype == complex
        np.testing.assert_allclose(run.x, best, atol=1e-4)
    run = optimize.minimize(residual, Z, jac=True, method=numbaopt.lbfgs)
    np.testing.assert_allclose(run.x, best, atol=1e-4)


def test_callbacks_see_complex_x():
    seen = []
    minimize(
        residual,
        Z,
        jac=True,
        callback=lambda intermediate_result: seen.append(intermediate_result.x),
        options={"maxiter": 2},
    )
    assert [x.dtype for x in seen] == [complex, complex]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"jac": "cs"}, "x0 is complex: use '3-point'"),
        ({"bounds": [(0, 1)] * 4}, "bounds need an order"),
        ({"bounds": optimize.Bounds(), "method": "L-BFGS-B"}, "bounds need an order"),
        ({"method": "BFGS", "hess": lambda z: 1}, "require a real x0"),
    ],
)
def test_what_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        minimize(lambda z: pytest.fail("evaluated"), Z, **given)


def test_a_real_gradient_of_a_complex_parameter_is_one_without_imaginary_part():
    run = minimize(lambda z: ((z.real**2).sum(), 2 * z.real), Z, jac=True, method="lbfgs")
    np.testing.assert_allclose(run.x, 1j * Z.imag, atol=1e-5)


def test_a_complex_value_is_refused_with_a_hint():
    with pytest.raises(TypeError, match="must return a real number, not .*use .real"):
        minimize(lambda z: np.vdot(z, z), Z)


def test_a_complex_gradient_of_a_real_parameter_is_refused():
    with pytest.raises(TypeError, match=r"the gradient\['w'\] must be real"):
        minimize(lambda p: (0.0, {"w": 1j * p["w"], "z": p["z"]}), {"w": np.ones(2), "z": Z}, jac=True)


# In a loop of one's own.


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
@pytest.mark.parametrize("kind", ["c8", "c16"])
def test_steps_in_place_on_arrays_of_every_shape(shape, kind):
    x = np.asarray(rng.normal(size=shape) + 1j, kind)
    real = np.atleast_1d(x.copy()).view(x.real.dtype)
    state, twin = numbaopt.adam.init(x), numbaopt.adam.init(real)
    for g in (np.full(shape, 3 + 0.1j, kind), np.full(shape, 2j), np.ones(shape)):
        numbaopt.adam.step(x, g, state)
        numbaopt.adam.step(real, np.atleast_1d(g.astype(kind)).view(real.dtype), twin)
    np.testing.assert_array_equal(np.atleast_1d(x), real.view(kind))
    assert state["m"].view(kind).shape == (shape or (1,)) and state["m"].dtype == real.dtype
    again = pickle.loads(pickle.dumps(state))
    numbaopt.adam.step(x, np.ones(shape, kind), again)
    assert again.t == 4


def test_the_first_step_of_adam_is_torchs():
    x = np.zeros(1, complex)
    numbaopt.adam(lr=0.1).step(x, np.array([3 + 0.1j]), numbaopt.adam.init(x))
    np.testing.assert_allclose(x, [-0.1 - 0.1j], rtol=1e-6)  # conventions: optax has -(.0999 + .0033j)


def test_matrix_rules_see_rows_of_parts():
    for shape, seen in {(3, 2): (3, 4), (3, 2, 5): (3, 20), (4,): None}.items():
        assert numbaopt.muon.shaped(flatten(np.ones(shape, complex))[0].real_shapes[0]).shape == seen


@pytest.mark.parametrize(
    ("x", "g", "error", "words"),
    [
        (Z, Z[:3], ValueError, "g "),
        (Z, ["a"] * 4, TypeError, "g holds numbers, not <U1"),
        (Z, np.ma.array(Z, mask=[1, 0, 0, 0]), ValueError, "masked"),
        (np.repeat(Z, 2)[::2], Z, ValueError, "C-contiguous"),
        (Z.astype("c8"), Z, TypeError, "x is float32; this state is for float64"),
    ],
)
def test_what_a_step_refuses(x, g, error, words):
    state, x = numbaopt.adam.init(Z.copy()), x if not x.flags.c_contiguous else x.copy()
    before = x.copy()
    with pytest.raises(error, match=words):
        numbaopt.adam.step(x, g, state)
    np.testing.assert_array_equal(x, before)
    assert state.t == 0


def test_an_optimizer_of_both_kinds():
    params = {"w": np.ones((2, 2)), "z": np.full((2, 2), 1 + 1j)}
    optimizer = Optimizer(numbaopt.lamb(lr=0.1), params)
    assert optimizer.grads["z"].dtype == complex
    optimizer.grads["z"][:] = 2 - 1j
    optimizer.grads["w"][:] = 1.0
    optimizer.step()
    twin = {"w": np.ones((2, 2)), "z": np.full((2, 2), 1 + 1j).view(float)}
    Optimizer(numbaopt.lamb(lr=0.1), twin).step({"w": np.ones((2, 2)), "z": np.full((2, 2), 2 - 1j).view(float)})
    np.testing.assert_array_equal(params["z"], twin["z"].view(complex))
    np.testing.assert_array_equal(params["w"], twin["w"])
    other = copy.deepcopy(optimizer)
    for one in (optimizer, other):
        one.step({"w": None, "z": np.ones((2, 2))})
    np.testing.assert_array_equal(params["z"], other.params["z"])
    assert optimizer.reported()["z"].dtype == complex


def test_phase_retrieval():
    rows = rng.normal(size=(24, 4)) + 1j * rng.normal(size=(24, 4))
    b = abs(rows @ Z) ** 2

    def intensities(z):
        y = rows @ z
        r = abs(y) ** 2 - b
        return (r**2).mean(), 4 * rows.conj().T @ (r * y) / len(b)

    run = minimize(intensities, np.ones(4, complex), jac=True, method="lbfgs", tol=1e-8)
    phase = np.vdot(run.x, Z) / abs(np.vdot(run.x, Z))
    np.testing.assert_allclose(run.x * phase, Z, atol=1e-6)
