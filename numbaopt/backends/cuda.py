"""The backend of arrays on CUDA devices: one kernel for each pass, and what launches them.

It is imported when a device array is first seen. An elementwise rule gives the bits of the CPU: the lines are the same,
scalars are computed on the host, and no product is contracted with a sum. (The exceptions are exp, log, and powers
other than 2, 3 and 4.) Kernels are queued on the stream that the interface of x names, or else on the default stream,
and the host does not wait for them.
"""

import ast
import contextlib
import functools
import linecache
import math
import sys
import warnings
from types import ModuleType

import numpy as np

from numbaopt.backends import cache, cpu
from numbaopt.backends.protocol import Prepared
from numbaopt.common.random import GOLDEN
from numbaopt.lowering import passes
from numbaopt.lowering.emit_cuda import Exact, emit
from numbaopt.lowering.runtime import FUNCTIONS, rebind

picklable = False  # see `numbaopt.backends.protocol.Backend`
THREADS = 256  # in a block, a power of two; at 32 registers a thread, eight blocks fill a multiprocessor
BLOCKS = 8  # to a multiprocessor, at most
CHUNK = 2048  # entries to a block where a sum is taken: fixed, so that sums do not depend on the device


@functools.cache
def load(text, name, dtype):
    """Run a text for the host and, with its loops made exact, for the device; return ``step``, which uses both."""
    cuda, kernels = toolkit(), {}
    filename, key = cache.text_file(text, name)
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    device = {"__name__": f"numbaopt_{key}", "__file__": filename, "cuda": cuda, "THREADS": THREADS}
    numbers = {"real": dtype.type, "float64": np.float64, "int64": np.int64, "uint64": np.uint64}
    device |= {**numbers, "real_": dtype.type, "jit": cuda.jit(device=True)}
    device["mul"] = cuda.libdevice.fmul_rn if dtype == np.float32 else cuda.libdevice.dmul_rn
    device["kernel"] = lambda function: kernels.setdefault(function.__name__, cuda.jit(function))
    device |= {name: getattr(math, name) for name in ("cos", "exp", "log", "pi", "sqrt")} | {"GOLDEN": GOLDEN}
    device |= {name: device["jit"](rebind(function, device)) for name, function in FUNCTIONS.items()}
    tree = ast.parse(text)
    tree.body = [node for node in tree.body if getattr(node, "module", None) != "numbaopt.backends.runtime"]
    for node in ast.walk(tree):
        if isinstance(node, ast.While):
            Exact().visit(node)
    exec(compile(ast.fix_missing_locations(tree), filename, "exec"), device)

    module = sys.modules[f"numbaopt_{key}"] = ModuleType(f"numbaopt_{key}")  # Numba's cache asks for it
    host = vars(module)
    host |= {"__file__": filename, "jit": cpu.jit, "kernel": lambda function: None, **numbers}
    exec(compile(text, filename, "exec"), host)
    host.update(kernels)
    return host["step"]


@functools.cache
def toolkit():
    """Import numba.cuda: that of numba-cuda if it is installed, or else the one in Numba."""
    from numba import cuda
    from numba.cuda import libdevice  # noqa: F401

    return cuda


@contextlib.contextmanager
def quiet():
    """Silence Numba's warnings about small grids."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Step:
    """The step of a rule for x of one shape, with everything that its launches need."""

    def __init__(self, rule, shape, dtype):
        cuda, n, sweeps = toolkit(), int(np.prod(shape)), passes.passes(rule.program)
        self.shape, self.dtype, self.needs_value = shape, dtype, rule.needs_value
        self.step = load(emit(rule.name, rule.program), rule.name, dtype)
        processors = getattr(cuda.current_context().device, "MULTIPROCESSOR_COUNT", 1)
        self.blocks = max(1, min(-(-n // THREADS), BLOCKS * processors))
        self.chunks = max(1, -(-n // CHUNK))
        sums = sum(len(sweep.sums) for sweep in sweeps)
        self.carries = bool(rule.program.carried and sums)
        if sums:
            self.parts = cuda.device_array((sums, self.chunks))
            self.numbers = cuda.device_array(max(len(sweep.numbers + sweep.tests) for sweep in sweeps), dtype)
        self.seen, self.configured, self.h = {}, {}, (None, None)

    def __call__(self, t, x, g, s, h):
        """Check the arguments and queue one step."""
        x, g = self.view(x, "x"), self.view(g, "g")
        self.number, other = (self.seen[name][0].get("stream") or 0 for name in "xg")
        self.stream = toolkit().external_stream(self.number) if self.number else 0
        if other not in (0, self.number):  # g is computed on another stream
            toolkit().external_stream(other).synchronize()
        self.step(t, x, g, s, h, self)

    def view(self, array, name):
        """Return x or g as a flat array of Numba's, made anew only if its interface has changed."""
        interface = getattr(array, "__cuda_array_interface__", None)
        if interface is None:
            raise TypeError(f"the state lies on a CUDA device, and so must {name}: {type(array).__name__} does not")
        seen, view = self.seen.get(name, (None, None))
        if interface != seen:
            view = flat(array, name, sync=False)
            if tuple(interface["shape"]) != self.shape or view.dtype != self.dtype:
                given = f"{name} has shape {tuple(interface['shape'])} and dtype {view.dtype}"
                raise ValueError(f"{given}; the state is for shape {self.shape} and dtype {self.dtype}")
            self.seen[name] = interface, view
        return view

    def run(self, kernel, blocks):
        """Return a kernel that is configured for its launch."""
        key = kernel, blocks, self.number
        if key not in self.configured:
            with quiet():
                self.configured[key] = kernel[blocks, THREADS, self.stream]
        return self.configured[key]

    def copy(self, h):
        """Return h on the device."""
        if h is not self.h[0]:
            self.h = h, toolkit().to_device(h, stream=self.stream)
        elif self.needs_value:
            self.h[1][-1:].copy_to_device(h[-1:], stream=self.stream)
        return self.h[1]

    def fetch(self, h):
        """Copy the carried numbers back from the device."""
        if self.carries and h is self.h[0]:
            value = h[-1]
            self.h[1].copy_to_host(h, stream=self.stream)
            if self.stream:
                self.stream.synchronize()
            if self.needs_value:
                h[-1] = value


class Hosted(Step):
    """The step for device arrays of a rule whose linear algebra or sorting runs on the host."""

    def __init__(self, rule, shape, dtype):
        self.shape, self.dtype, self.seen, self.carries = shape, dtype, {}, False
        self.kernel = rule.kernel(np.empty(int(np.prod(shape)), dtype))

    def __call__(self, t, x, g, s, h):
        """Copy x and g to the host, do one step there, and copy x back."""
        x, g = self.view(x, "x"), self.view(g, "g")
        toolkit().synchronize()  # x and g may be computed on any stream
        flat = x.copy_to_host()
        self.kernel(t, flat, g.copy_to_host(), s, h)
        x.copy_to_device(flat)


def prepare(rule, x):
    """Return what the state of a rule for a device array x starts from; the slots are on the device."""
    view, shape = flat(x), tuple(x.__cuda_array_interface__["shape"])
    rule = rule.shaped(shape)
    if rule.shape is not None or any(sweep.whole for sweep in passes.passes(rule.program)):
        return Prepared(rule, rule.slots(view.copy_to_host()), shape, view.dtype, Hosted(rule, shape, view.dtype))
    s = toolkit().to_device(rule.slots(view.copy_to_host()))
    toolkit().synchronize()
    return Prepared(rule, s, shape, view.dtype, Step(rule, shape, view.dtype))


def arguments(x, g, shape, dtype):
    """Return x and g: the step checks them itself, and keeps the views that it makes of them."""
    return x, g


def fetch(step, h):
    """Copy the carried numbers of a step from the device into h."""
    step.fetch(h)


def check_parameter(x, name):
    """Raise TypeError if a device array is complex; everything else is checked when a state is made for it."""
    dtype = np.dtype(x.__cuda_array_interface__["typestr"])
    if dtype.kind == "c":
        raise TypeError(f"{name} is {dtype}, but parameters on a device must be real")


def stand_in(x):
    """Return a NumPy array with the shape and dtype of a device array that takes no memory."""
    interface = x.__cuda_array_interface__
    return np.broadcast_to(np.zeros((), interface["typestr"]), interface["shape"])


def stepped_view(x):
    """Return x itself: a step makes its view."""
    return x


def gradient(g, x, name, step, convert):
    """Return g, after checking that it is a device array that fits the parameter x."""
    try:
        if step is not None:
            step.view(g, "g")
        else:
            _check_like(g, x)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None
    return g


def _check_like(g, x):
    """Raise TypeError or ValueError unless a gradient has the shape and dtype of its parameter."""
    if not hasattr(g, "__cuda_array_interface__"):
        raise TypeError(f"the parameters lie on a CUDA device, and so must gradients: {type(g).__name__} does not")
    (shape, dtype), expected = ((a["shape"], np.dtype(a["typestr"])) for a in (_interface(g), _interface(x)))
    if (shape, dtype) != expected:
        raise ValueError(f"shape {shape}, dtype {dtype}; the parameter has {expected[0]}, {expected[1]}")


def _interface(array):
    return array.__cuda_array_interface__


def flat(array, name="x", sync=True):
    """Return a device array as a flat view of Numba's; raise an error if it cannot be stepped in place."""
    cuda, interface = toolkit(), array.__cuda_array_interface__
    if not cuda.is_available():
        raise RuntimeError(f"{name} claims to be on a CUDA device, but Numba finds none: {cuda.cuda_error()}")
    dtype = np.dtype(interface["typestr"])
    if dtype not in (np.float32, np.float64) or not dtype.isnative:
        raise TypeError(f"{name} must be float32 or float64 in native byte order, not {dtype}")
    if name == "x" and interface["data"][1]:
        raise ValueError("x is changed in place, but this array is read-only")
    view = cuda.from_cuda_array_interface(interface, sync=sync)
    if not view.is_c_contiguous():
        raise ValueError(f"{name} must be C-contiguous, but this array has strides {interface['strides']}")
    return view if view.ndim == 1 else view.reshape(view.size)


def zeros(n, dtype):
    """Return a flat device array of zeros."""
    return toolkit().to_device(np.zeros(n, dtype))


def assign(array, values):
    """Write values, or one value everywhere, into a device array."""
    with quiet():
        array[:] = values


def copy(source, target):
    """Copy a device array into another one of the same size."""
    flat(target, sync=False).copy_to_device(flat(source, "g", sync=False))


def to_host(array):
    """Return a copy of a device array, or of slots that are in host memory, as a NumPy array."""
    if isinstance(array, np.ndarray):
        return np.array(array)
    return flat(array).copy_to_host().reshape(_interface(array)["shape"])
