"""Backends: each has the face of the protocol, and a new one is a module and a line; the dtypes of slots."""

import inspect
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from numba import config

import numbaopt
from numbaopt import Optimizer, adam
from numbaopt.backends import dispatch, host, protocol
from numbaopt.backends.protocol import Backend
from tests.backends import toy_backend
from tests.backends.toy_backend import Toy

pytestmark = pytest.mark.lowest

MEMBERS = [name for name, value in vars(Backend).items() if inspect.isfunction(value) and not name.startswith("_")]


@pytest.fixture
def toy(monkeypatch):
    """The line that adds a backend."""
    monkeypatch.setitem(dispatch.REGISTERED, "toy", ("__toy_array__", "tests.backends.toy_backend"))


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("name", ["cpu", "cuda", "toy"])
def test_a_backend_has_the_functions_of_the_protocol(name):
    backend = dispatch.named(name)
    assert isinstance(backend.picklable, bool) and len(MEMBERS) == 12
    for member in MEMBERS:
        function = getattr(backend, member)
        expected = list(inspect.signature(getattr(Backend, member)).parameters)[1:]
        assert list(inspect.signature(function).parameters)[: len(expected)] == expected, member


@pytest.mark.usefixtures("toy")
def test_the_array_chooses():
    assert dispatch.of(np.ones(2)) is dispatch.of([1.0]) is dispatch.of(None) is host
    assert dispatch.of(Toy(np.ones(2))) is toy_backend
    device = SimpleNamespace(__cuda_array_interface__={})
    assert dispatch.of(device) is dispatch.named("cuda")
    with pytest.raises(ValueError, match=r"backend is 'cpu', 'cuda' or 'toy', not 'tpu'"):
        adam.source("tpu")
    assert adam.source("toy") == adam.source("cpu") != adam.source("cuda")


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("method", [adam, numbaopt.prodigy, numbaopt.momo], ids=lambda method: method.name)
def test_steps_of_another_backend(method):
    x = np.linspace(-1, 1, 6).reshape(2, 3)
    mine = Toy(x.copy())
    state, other = method.init(x), method.init(mine)
    value = {"f": 3.0} if method.needs_value else {}
    for _ in range(3):
        g = x + 0.5
        method.step(x, g, state, **value)
        method.step(mine, Toy(g), other, **value)
        np.testing.assert_array_equal(mine.values, x)
    assert other.t == 3 and [other[n] for n in method.numbers_of] == [state[n] for n in method.numbers_of]
    method(lr=0.5).step(mine, Toy(g), other, **value)
    method(lr=0.5).step(x, g, state, **value)
    np.testing.assert_array_equal(mine.values, x)
    with pytest.raises(TypeError, match="x is a toy, not ndarray"):
        method.step(x, g, other, **value)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(other)


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("method", [adam, numbaopt.prodigy], ids=lambda method: method.name)
def test_an_optimizer_on_another_backend(method):
    start = {"w": np.linspace(-1, 1, 6).reshape(2, 3), "b": np.ones(2)}
    params, mine = ({k: wrap(v.copy()) for k, v in start.items()} for wrap in (np.asarray, Toy))
    opt, other = Optimizer(method, params), Optimizer(method, mine)
    for _ in range(2):
        opt.step({k: v + 1 for k, v in params.items()})
        other.step({k: Toy(v.values + 1) for k, v in mine.items()})
    other.grads["w"][:] = opt.grads["w"][:] = 2.0
    opt.step()
    other.step()
    for name in params:
        np.testing.assert_array_equal(mine[name].values, params[name])
    saved = other.state_dict()
    np.testing.assert_array_equal(saved["groups"][0]["slots"][0][method.slots_of[0]], opt.groups[0].states[0].s[0])
    opt.load_state_dict(saved)
    with pytest.raises(TypeError, match="must be all NumPy arrays or all device arrays"):
        Optimizer(method, [Toy(np.ones(2)), np.ones(2)])


# Slots of another dtype than x.


def adam_with_rounded_slots(x, steps, kind, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    """Return what Adam does whose slots are rounded when they are stored."""
    m, v = np.zeros(x.size, kind), np.zeros(x.size, kind)
    for t in range(1, steps + 1):
        g = x + 1
        m, v = m.astype(float), v.astype(float)  # Python's b1 times a float32 array would be a float32 array
        m1, v1 = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        x = x - lr * (m1 * (1 / (1 - b1**t))) / (np.sqrt(v1 * (1 / (1 - b2**t))) + eps)
        m, v = m1.astype(kind), v1.astype(kind)
    return x, m, v


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="NumPy's functions keep the dtype of what they are given")
@pytest.mark.parametrize("shape", [(5,), (5, 1)])
def test_slots_of_another_dtype(monkeypatch, shape):
    single = np.dtype(np.float32)
    monkeypatch.setattr(protocol, "slot_dtypes", lambda rule, dtype: dict.fromkeys(rule.slots_of, single))
    x = np.linspace(-1, 2, 5).reshape(shape)
    state = adam.init(x)
    assert state.s.dtype == single and adam.slots(x.reshape(-1)).dtype == single
    for _ in range(50):
        adam.step(x, x + 1, state)
    expected, m, v = adam_with_rounded_slots(np.linspace(-1, 2, 5), 50, np.float32)
    double, *_ = adam_with_rounded_slots(np.linspace(-1, 2, 5), 50, np.float64)
    np.testing.assert_allclose(x.reshape(-1), expected, rtol=1e-13)
    assert abs(expected - double).max() > 1e-11, "the rounding is seen"
    np.testing.assert_allclose(state["m"].reshape(-1), m, rtol=1e-7)
    np.testing.assert_allclose(state["v"].reshape(-1), v, rtol=1e-7)
    again = pickle.loads(pickle.dumps(state))
    y, g = x.copy(), x + 1
    adam.step(x, g, state)
    adam.step(y, g, again)
    np.testing.assert_array_equal(x, y)
    with pytest.raises(TypeError, match="x is float32; this state is for float64"):
        adam.step(x.astype("f4"), g.astype("f4"), state)


def test_slots_of_several_dtypes_are_refused(monkeypatch):
    kinds = {"m": np.dtype(np.float32), "v": np.dtype(np.float64)}
    monkeypatch.setattr(protocol, "slot_dtypes", lambda rule, dtype: kinds)
    with pytest.raises(TypeError, match=r"adam: .*keeps all slots in one array.*; not m float32, v float64"):
        adam.init(np.ones(2))
