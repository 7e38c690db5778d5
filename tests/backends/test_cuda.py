"""Steps on device arrays against the CPU's, on a device or under Numba's simulator (NUMBA_ENABLE_CUDASIM=1).

Without either these tests are skipped; test_simulator.py starts them under the simulator.
"""

import copy
import math
import operator
import os
import pickle
import re
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from numba import cuda

import numbaopt
from numbaopt import schedules
from numbaopt.backends import cuda as backend
from numbaopt.lowering import writing
from numbaopt.rule import chain, exp, log, max, min, rule, sign, sqrt, sum, where
from numbaopt.transforms import box, clip_by_global_norm, simplex
from tests.rules.test_rules import CASES, assert_close, plain_step, step, valued

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") != "0"
if not SIMULATED and not cuda.is_available():
    pytest.skip("no CUDA device, and no simulator asked for", allow_module_level=True)
pytestmark = pytest.mark.gpu

if SIMULATED:  # what a device has and the simulator lacks
    from numba.cuda import libdevice
    from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray
    from numba.cuda.simulator.kernel import FakeCUDAKernel
    from numba.cuda.simulator.kernelapi import FakeCUDAShared

    def interface_of(array):
        return {**array._ary.__array_interface__, "stream": None}

    def from_interface(interface, owner=None, sync=True):
        described = {key: value for key, value in interface.items() if key != "stream"}
        return FakeCUDAArray(np.asarray(SimpleNamespace(__array_interface__=described)))

    def configured(kernel, configuration, configure=FakeCUDAKernel.__getitem__):
        return configure(copy.copy(kernel), configuration)  # without the copy the last one configured wins

    lock = threading.Lock()

    def shared(self, shape, dtype):
        frame = sys._getframe(1)
        with lock:  # without it two threads may each make one of their own
            array = self._allocations.setdefault((frame.f_code, frame.f_lineno), np.empty(shape, dtype))
        return FakeCUDAArray(array)

    FakeCUDAShared.array = shared
    FakeCUDAArray.__cuda_array_interface__ = property(interface_of)
    FakeCUDAKernel.__getitem__ = configured
    cuda.from_cuda_array_interface = from_interface
    libdevice.fmul_rn = libdevice.dmul_rn = operator.mul
    math.sqrt = np.sqrt  # Python's own makes a double of what is single on a device
    backend.THREADS, backend.CHUNK = 4, 64  # a simulated thread is a thread of the operating system...
    sys.setswitchinterval(1e-5)  # ...that waits for the others by asking again and again

DTYPES = [np.float32, np.float64]
MANY = [300] if SIMULATED else [1000, 3 * backend.CHUNK + 1, 1_000_003]  # several blocks


class Foreign:
    """An array of another library: an interface and nothing else."""

    def __init__(self, array, **changes):
        self.array, self.changes = array, changes

    @property
    def __cuda_array_interface__(self):
        return self.array.__cuda_array_interface__ | self.changes


# Of each rule its defaults, and of those that were written first all recorded settings.
FIRST = {"adam", "adamw", "adagrad", "amsgrad", "lamb", "radam", "rmsprop", "sgd"}
SOME = [case for case in CASES if case.id.endswith("-defaults") or case.values[0].name in FIRST]
# What each library computes in its own way; NumPy's noise counts in 64 bits, and says so where they overflow.
OWN = re.compile(r"\b(exp|log|normal|norm|sum|mean)\(|\*\* (?![234]\b)")
pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("ignore:overflow encountered in scalar:RuntimeWarning")]


def exact(method):
    """Tell whether the device's bits are the CPU's."""
    if not method.elementwise:
        return False
    lines = [line for item in method.program.items for line in writing.statements(item.body)]
    return not any(map(OWN.search, lines))


def gradient(rng, n, dtype):
    return (rng.normal(size=n) * 10.0 ** rng.integers(-4, 3, n)).astype(dtype)


def both(method, n, dtype):
    """Return a start on the host, on the device, and a state for each."""
    x = (3 * np.random.default_rng(n).normal(size=n)).astype(dtype)
    on_device = cuda.to_device(x)
    return x, on_device, method.init(x), method.init(on_device)


def assert_same_steps(method, n, dtype, steps, exact=True):
    """Step on both sides: equal bits, except for sums, and functions that each library computes its own way."""
    rng, rtol = np.random.default_rng(0), 0 if exact else 20 * np.finfo(dtype).eps
    x, x_device, state, state_device = both(method, n, dtype)
    np.testing.assert_array_equal(state_device.s.copy_to_host(), state.s)
    state.t = state_device.t = steps[0] - 1
    for t in steps:
        g = gradient(rng, n, dtype)
        g_device = cuda.to_device(g)
        step(method, x, g, state)
        assert step(method, x_device, g_device, state_device) is None
        for ours, theirs in ((x_device, x), (state_device.s, state.s)):
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(ours.copy_to_host(), theirs, rtol, rtol, err_msg=f"{method} n={n} t={t}")
        np.testing.assert_array_equal(g_device.copy_to_host(), g)
        assert state_device.t == t


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", SOME)
def test_steps_are_the_cpus(method, dtype):
    if dtype is np.float64 and method.name not in FIRST:
        return
    assert_same_steps(method, 1, dtype, range(1, 3), exact(method))
    assert_same_steps(method, 5, dtype, range(1, 8), exact(method))  # at t = 6 RAdam begins to rectify
    if SIMULATED and method.elementwise and method.name not in FIRST:
        return  # to coordinates that know nothing of each other, blocks are nothing new
    for n in MANY:
        assert_same_steps(method, n, dtype, range(6, 8), exact(method))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", [case for case in SOME if case.values[0].name in FIRST])
def test_steps_are_the_plain_text(method, dtype):
    x, x_device, _, state = both(method, 99, dtype)
    rng = np.random.default_rng(1)
    for t in (1, 6):
        g, s, before = gradient(rng, 99, dtype), state.s.copy_to_host(), x
        plain_x, plain_s, _ = plain_step(method, t, x, g, s, valued(method))
        state.t = t - 1
        method.step(x_device, cuda.to_device(g), state)
        x, scale = x_device.copy_to_host(), np.maximum(np.abs(before), np.abs(plain_x - before))
        assert_close(x, plain_x, scale if exact(method) else scale.max(), 0 if exact(method) else 16, f"{method} t={t}")
        assert_close(state.s.copy_to_host(), plain_s, 0, 0, f"{method} t={t}")


# Rules of other forms than those in the package.


@rule
def three_passes(x, g, m, t, lr=0.1, b=0.5):
    """The direction is made of unit length, mixed with x, and made of unit length again."""
    m = b * m + g
    u = m / sqrt(sum(m**2)) + x
    w = u / sqrt(sum(u**2) + sum(x**2))
    return x - lr * w, m


@rule
def clipped(x, g, m, t, lr=0.1, limit=1.0):
    """A gradient beyond a length is made that long, and only then remembered."""
    norm = sqrt(sum(g**2))
    if norm > limit:
        g = g * (limit / norm)
        m = m + g
    return x - lr * g - lr * m, m


@rule
def everything(x, g, z: "0.5 * x", t, lr=0.01, p=3.0):  # noqa: F821
    """What the language has, and every function that is computed to the last bit."""
    a = where(x > z, g**2, -g) + where(t > 2, g**3, g**4)
    b = max(min(a, 2.0), -1.0) * sign(g - 0.5) + sqrt(abs(x * z + a))
    return x - lr * b / (abs(b) + p), z + 0.25 * b * x - g * g


@rule
def awkward(x, g, s, slots, parts, numbers, t, on=0.1, n=0.5, k=0.25, b=0.9):
    """Names that the kernels and the step that launches them use as well, or nearly."""
    real = n * s + b**t * g
    slots = slots + k * parts
    return x - on * real, real, slots, parts + numbers, numbers - g


@rule
def transcendental(x, g, t, lr=0.01, p=1.5):
    """Functions that the device computes in its own way."""
    return x - lr * exp(-abs(g)) * log(1 + g**2) * abs(x) ** p


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", [three_passes, clipped, everything, awkward, transcendental], ids=lambda m: m.name)
def test_rules_of_other_forms(method, dtype):
    for n in (1, *MANY):
        assert_same_steps(method, n, dtype, range(1, 4), exact=method in (everything, awkward))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_stage_is_fused(dtype):
    x, x_device, state, state_device = both(chain(numbaopt.adam(lr=1.0), box), 7, dtype)
    lower, upper = x - dtype(0.5), x + dtype(0.25)
    for s, put in (
        (state, lambda row, values: np.copyto(row, values)),
        (state_device, lambda row, v: row.copy_to_device(v)),
    ):
        put(s["lower"], lower)
        put(s["upper"], upper)
    for k in range(3):
        g = gradient(np.random.default_rng(k), 7, dtype)
        state.rule.step(x, g, state)
        state.rule.step(x_device, cuda.to_device(g), state_device)
    np.testing.assert_array_equal(x_device.copy_to_host(), x)
    assert set(x) <= {*lower, *upper}


@pytest.mark.parametrize("name", ["adam", "lamb"])
def test_schedules(name):
    lr = schedules.joined([schedules.linear(0, 0.1, 3), schedules.cosine(0.1, 4)], [3])
    method = numbaopt.get(name)(lr=lr)
    assert_same_steps(method, 5, np.float32, range(1, 9), method.elementwise)


@pytest.mark.parametrize("name", ["adam", "lamb"])
def test_hyperparameters_may_change_between_steps(name):
    method = numbaopt.get(name)
    x, x_device, state, state_device = both(method, 5, np.float64)
    for lr in (0.1, 0.1, 0.5):
        method = method(lr=lr)
        method.step(x, x / 2, state)
        method.step(x_device, cuda.to_device(x_device.copy_to_host() / 2), state_device)
        np.testing.assert_allclose(x_device.copy_to_host(), x, 1e-14)


def test_switches_may_change_between_steps():
    x, x_device, state, state_device = both(numbaopt.sgd(momentum=0.9), 5, np.float64)
    for nesterov in (False, True):
        method = numbaopt.sgd(momentum=0.9, nesterov=nesterov)
        g = x + 1
        method.step(x, g, state)
        method.step(x_device, cuda.to_device(g), state_device)
    np.testing.assert_array_equal(x_device.copy_to_host(), x)


def test_kernels_are_made_once():
    first, second = (numbaopt.adam.init(cuda.to_device(np.ones(n))) for n in (5, 300))
    assert first._step.step is second._step.step
    assert numbaopt.adam(lr=1.0).init(cuda.to_device(np.ones(5)))._step.step is first._step.step


# Arrays of any shape and origin.


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 5), (1,)])
def test_shapes(shape):
    x = np.random.default_rng(0).normal(size=shape)
    x_device = cuda.to_device(x)
    state, state_device = numbaopt.adam.init(x), numbaopt.adam.init(x_device)
    numbaopt.adam.step(x, x + 1, state)
    numbaopt.adam.step(x_device, cuda.to_device(x_device.copy_to_host() + 1), state_device)
    np.testing.assert_array_equal(x_device.copy_to_host(), x)
    assert state_device["m"].shape == state_device.shape == shape
    np.testing.assert_array_equal(state_device["m"].copy_to_host(), state["m"])


def test_nothing_in_nothing_out():
    x = cuda.to_device(np.zeros(0))
    state = numbaopt.lamb.init(x)
    numbaopt.lamb.step(x, cuda.to_device(np.zeros(0)), state)
    assert state.t == 1


def test_an_array_may_move_and_may_be_foreign():
    # Interfaces are compared at every step: a state belongs to a shape, not to a buffer.
    x, here, state, state_device = both(numbaopt.adam, 5, np.float64)
    there = cuda.to_device(np.zeros(5))
    for k, (given, other) in enumerate([(here, there), (Foreign(here), there), (Foreign(there), here), (there, here)]):
        if k == 2:
            there.copy_to_device(here.copy_to_host())
        untouched = other.copy_to_host()
        g = gradient(np.random.default_rng(k), 5, np.float64)
        numbaopt.adam.step(x, g, state)
        numbaopt.adam.step(given, Foreign(cuda.to_device(g)), state_device)
        np.testing.assert_array_equal((here if k < 2 else there).copy_to_host(), x)
        np.testing.assert_array_equal(other.copy_to_host(), untouched)


@pytest.mark.skipif(SIMULATED, reason="needs a device")
@pytest.mark.parametrize("library", ["cupy", "torch"])
def test_arrays_of_other_libraries(library):
    module = pytest.importorskip(library)
    if library == "torch" and not module.cuda.is_available():
        pytest.skip("torch without CUDA")
    to_device = module.asarray if library == "cupy" else lambda array: module.as_tensor(array, device="cuda")
    x, _, state, _ = both(numbaopt.adam, 1001, np.float32)
    x_device = to_device(x.copy())
    state_device = numbaopt.adam.init(x_device)
    for k in range(5):
        g = gradient(np.random.default_rng(k), 1001, np.float32)
        numbaopt.adam.step(x, g, state)
        numbaopt.adam.step(x_device, to_device(g), state_device)
    np.testing.assert_array_equal(x_device.get() if library == "cupy" else x_device.cpu().numpy(), x)


# Bad input: an error before anything is launched.


def on_device(values, dtype=np.float32):
    return cuda.to_device(np.asarray(values, dtype))


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (lambda: on_device([1, 2], np.int32), TypeError, "float32 or float64"),
        (lambda: on_device([1, 2], np.float16), TypeError, "not float16"),
        (lambda: on_device([1, 2], np.complex64), TypeError, "not complex64"),
        (lambda: Foreign(on_device([1, 2]), typestr=">f4"), TypeError, "byte order"),
        (lambda: on_device([1, 2, 3, 4])[::2], ValueError, r"C-contiguous.*strides \(8,\)"),
        (lambda: Foreign(on_device([1, 2]), data=(0, True)), ValueError, "read-only"),
    ],
)
def test_bad_start(x, error, message):
    with pytest.raises(error, match=message):
        numbaopt.adam.init(x())


@pytest.mark.parametrize(
    ("x", "g", "error", "message"),
    [
        (None, lambda: np.ones(3, np.float32), TypeError, "so must g: ndarray does not"),
        (lambda: np.ones(3, np.float32), None, TypeError, "so must x: ndarray does not"),
        (None, lambda: None, TypeError, "so must g: NoneType does not"),
        (None, lambda: on_device([1, 2]), ValueError, r"g has shape \(2,\) and dtype float32; .* \(3,\)"),
        (None, lambda: on_device([[1, 2, 3]]), ValueError, r"g has shape \(1, 3\)"),
        (None, lambda: on_device([1, 2, 3], np.float64), ValueError, "dtype float64; .* float32"),
        (None, lambda: on_device([1, 2, 3], np.int64), TypeError, "g must be float32 or float64 .* not int64"),
        (None, lambda: on_device([1, 2, 3, 4, 5, 6])[::2], ValueError, "g must be C-contiguous"),
        (lambda: on_device([1, 2, 3, 4]), None, ValueError, r"x has shape \(4,\)"),
    ],
)
def test_bad_step(x, g, error, message):
    good_x, good_g = on_device([1, 2, 3]), on_device([1, 1, 1])
    state = numbaopt.adam.init(good_x)
    numbaopt.adam.step(good_x, good_g, state)
    before, s = good_x.copy_to_host(), state.s.copy_to_host()
    with pytest.raises(error, match=message):
        numbaopt.adam.step(good_x if x is None else x(), good_g if g is None else g(), state)
    assert state.t == 1
    np.testing.assert_array_equal(good_x.copy_to_host(), before)
    np.testing.assert_array_equal(state.s.copy_to_host(), s)
    numbaopt.adam.step(good_x, good_g, state)  # goes on


def test_state_of_another_rule():
    x = on_device([1, 2, 3])
    with pytest.raises(TypeError, match="a state made by adam"):
        numbaopt.adam.step(x, x, numbaopt.radam.init(x))


def test_read_only_gradients_are_read():
    x = on_device([1, 2])
    rule, g = numbaopt.sgd(lr=0.5), on_device([1, -3])
    rule.step(x, Foreign(g, data=(g.__cuda_array_interface__["data"][0], True)), rule.init(x))
    np.testing.assert_array_equal(x.copy_to_host(), [0.5, 3.5])
    np.testing.assert_array_equal(g.copy_to_host(), [1, -3])


def test_no_device(monkeypatch):
    x = on_device([1, 2])
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="Numba finds none"):
        numbaopt.adam.init(x)


# The Optimizer.


def parameters(put, dtype=np.float32):
    rng = np.random.default_rng(3)
    return {"w": put(rng.normal(size=(4, 3)).astype(dtype)), "b": [put(rng.normal(size=3).astype(dtype))]}


def optimizers(method):
    return [numbaopt.Optimizer(method, parameters(put)) for put in (np.array, cuda.to_device)]


def assert_same_parameters(host, device):
    np.testing.assert_array_equal(device.params["w"].copy_to_host(), host.params["w"])
    np.testing.assert_array_equal(device.params["b"][0].copy_to_host(), host.params["b"][0])


def test_optimizer_steps_with_gradients_given():
    host, device = optimizers(numbaopt.adamw(lr=0.1))
    for k in range(3):
        w, b = (gradient(np.random.default_rng(k), n, np.float32) for n in (12, 3))
        w, b = w.reshape(4, 3), None if k == 1 else b
        host.step({"w": w, "b": [b]})
        device.step({"w": cuda.to_device(w), "b": [None if b is None else cuda.to_device(b)]})
    assert_same_parameters(host, device)
    assert [state.t for state in device.groups[0].states] == [3, 2]


def test_optimizer_steps_with_its_own_gradients():
    host, device = optimizers(numbaopt.adam(lr=0.1))
    for k in range(3):
        w, b = (gradient(np.random.default_rng(k), n, np.float32) for n in (12, 3))
        host.grads["w"][:], host.grads["b"][0][:] = w.reshape(4, 3), b
        device.grads["w"].copy_to_device(w.reshape(4, 3))
        device.grads["b"][0].copy_to_device(b)
        for optimizer in (host, device):
            optimizer.step()
    assert_same_parameters(host, device)
    device.zero_grad()
    np.testing.assert_array_equal(device.grads["w"].copy_to_host(), 0)


def test_optimizer_checks_all_before_it_steps():
    _, device = optimizers(numbaopt.adam)
    good = {"w": on_device(np.ones((4, 3))), "b": [on_device(np.ones(3))]}
    before = parameters(np.array)
    for bad in (np.ones(3, np.float32), on_device(np.ones(4)), on_device(np.ones(3), np.float64)):
        with pytest.raises((TypeError, ValueError)):
            device.step({"w": good["w"], "b": [bad]})
        np.testing.assert_array_equal(device.params["w"].copy_to_host(), before["w"])
        assert [state.t for state in device.groups[0].states] == [0, 0]


def test_optimizer_goes_on_from_its_state():
    host, device = optimizers(numbaopt.adam(lr=0.1))
    for optimizer, put in ((host, np.array), (device, cuda.to_device)):
        optimizer.step({"w": put(np.ones((4, 3), np.float32)), "b": [put(np.ones(3, np.float32))]})
    saved = device.state_dict()
    for name in "mv":
        np.testing.assert_array_equal(saved["groups"][0]["slots"][0][name], host.groups[0].states[0][name])
    again = numbaopt.Optimizer(numbaopt.adam, parameters(cuda.to_device))
    again.load_state_dict(saved)
    assert again.groups[0].states[0].t == 1
    np.testing.assert_array_equal(
        again.groups[0].states[0].s.copy_to_host(), device.groups[0].states[0].s.copy_to_host()
    )


def test_optimizer_does_not_mix():
    with pytest.raises(TypeError, match="must be all NumPy arrays or all device arrays"):
        numbaopt.Optimizer("adam", [np.ones(3), on_device(np.ones(3), np.float64)])


@pytest.mark.parametrize("name", ["adafactor", "muon", "shampoo", "sm3", "soap"])
def test_matrix_rules_go_through_the_host(name):
    method, rng = getattr(numbaopt, name), np.random.default_rng(0)
    x = rng.normal(size=(4, 3))
    on_device = cuda.to_device(x)
    state, other = method.init(x), method.init(on_device)
    for _ in range(4):
        g = rng.normal(size=(4, 3))
        method.step(x, g, state)
        method.step(on_device, cuda.to_device(g), other)
    np.testing.assert_array_equal(on_device.copy_to_host(), x)
    np.testing.assert_array_equal(other.s, state.s)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(other)


def test_a_projection_that_sorts_goes_through_the_host():
    method, x = chain(numbaopt.sgd(lr=0.1), simplex), np.random.default_rng(0).normal(size=9)
    on_device, g = cuda.to_device(x), np.ones(9)
    method.step(x, g, method.init(x))
    method.step(on_device, cuda.to_device(g), method.init(on_device))
    np.testing.assert_array_equal(on_device.copy_to_host(), x)


@pytest.mark.parametrize("name", ["nadam", "prodigy", "polyak_sgd", "schedule_free_adamw", "momo"])
def test_carried_numbers_are_those_of_the_cpu(name):
    method, rng = getattr(numbaopt, name), np.random.default_rng(1)
    x = rng.normal(size=300)
    on_device = cuda.to_device(x)
    state, other = method.init(x), method.init(on_device)
    for k in range(4):
        g, f = rng.normal(size=300), [100.0 - k] * method.needs_value
        method.step(x, g, state, *f)
        method.step(on_device, cuda.to_device(g), other, *f)
    for number in method.numbers_of:
        np.testing.assert_allclose(other[number], state[number], rtol=1e-12)
    again = method(**{k: v for k, v in method.hyper.items()})
    again.step(on_device, cuda.to_device(g), other, *f)  # the numbers go on under hyperparameters given anew
    again.step(x, g, state, *f)
    np.testing.assert_allclose(on_device.copy_to_host(), x, rtol=1e-12)


def test_sums_over_several_device_arrays():
    arrays = [np.arange(1.0, 4.0), np.ones((2, 2))]
    grads = [np.ones(3), np.full((2, 2), 2.0)]
    for method in (numbaopt.prodigy(d0=0.1), chain(clip_by_global_norm(max_norm=0.5), numbaopt.lamb(lr=0.1))):
        params, theirs = [a.copy() for a in arrays], [cuda.to_device(a) for a in arrays]
        mine, other = numbaopt.Optimizer(method, params), numbaopt.Optimizer(method, theirs)
        for _ in range(3):
            mine.step(grads)
            other.step([cuda.to_device(g) for g in grads])
        for a, b in zip(params, theirs, strict=True):
            np.testing.assert_allclose(b.copy_to_host(), a, rtol=1e-12)
