"""The backend of NumPy arrays, stepped on the CPU on one thread or on several."""

import functools

import numpy as np

from numbaopt.backends import cpu
from numbaopt.backends.protocol import Prepared
from numbaopt.lowering.emit_cpu import emit

# What `numbaopt.backends.protocol.Backend` asks for is this, `emit`, and the public functions from `prepare` on.
picklable = True

_STEPPED = (np.float32, np.float64, np.complex64, np.complex128)


@functools.lru_cache(512)
def compiled_step(name, program, parallel):
    """Return the serial or the parallel step of a lowered rule, compiled when it is first called or by `cpu.kernel`."""
    return cpu.load(emit(name, program, parallel), name, parallel)


@functools.lru_cache(512)
def inlined_step(name, program):
    """Return the step of a lowered rule for calls from jitted code, which compiles it for any types."""
    return cpu.load.__wrapped__(emit(name, program), name)


def kernel(name, program, size, dtype, slot_dtype=None):
    """Return the step of a lowered rule compiled for x of a dtype and size."""
    return cpu.kernel(compiled_step(name, program, cpu.parallel_pays(size)), dtype, slot_dtype)


def _fork_safe_kernel(rule, size, dtype, slot_dtype):
    """Return `kernel` for calls from Python: in a forked child it is the serial one, which works there."""
    step = kernel(rule.name, rule.program, size, dtype, slot_dtype)
    serial = compiled_step(rule.name, rule.program, False)
    if step is serial:
        return step
    return lambda *args: (cpu.kernel(serial, dtype, slot_dtype) if cpu.forked() else step)(*args)


def prepare(rule, x):
    """Return what the state of a rule for a NumPy array x starts from."""
    flat, shape = contiguous(x, "x", writable=True), parts(x).shape
    rule = rule.shaped(shape)
    return prepared(rule, rule.slots(flat), shape, flat.dtype)


def prepared(rule, s, shape, dtype):
    """Return the same for slots that exist already; the rule is the one for this shape."""
    step = _fork_safe_kernel(rule, s.shape[1], dtype, s.dtype)
    # The dtype objects themselves are compared: once Numba has seen an unaligned array, it takes arrays in foreign
    # byte order for native ones.
    direct = np.dtype(dtype.char) if len(shape) == 1 else None
    return Prepared(rule, s, shape, dtype, step, direct)


def arguments(x, g, shape, dtype):
    """Return x and g flat, as a compiled step takes them, or raise an error that says why they do not fit."""
    if np.iscomplexobj(x):
        contiguous(x, "x", writable=True)
        x, g = parts(x), parts(np.require(_numbers(g, "fiubc", "numbers"), x.dtype, "C"))
    if np.shape(x) != shape or np.shape(g) != shape:
        raise ValueError(f"x has shape {np.shape(x)} and g {np.shape(g)}; this state is for shape {shape}")
    flat = contiguous(x, "x", writable=True)
    if flat.dtype != dtype:
        raise TypeError(f"x is {flat.dtype}; this state is for {dtype}: make one for x with init(x)")
    g = _numbers(g, "fiub", "real numbers")
    return flat, np.require(g.reshape(-1), flat.dtype, ["C", "A", "W"])


def _numbers(g, kinds, what):
    """Return a gradient as an array of these kinds of numbers, or raise an error that says what it should hold."""
    array = np.asarray(g)
    if array.dtype.kind not in kinds:
        raise TypeError(f"g holds {what}, not {array.dtype}")
    if np.ma.is_masked(g):
        raise ValueError("g has masked entries: fill them, for example with zeros by g.filled(0)")
    return array


def contiguous(x, name, writable=False):
    """Return an array flat and real, as a view, or raise an error that says why it cannot be stepped in place."""
    if not isinstance(x, np.ndarray) or isinstance(x, np.ma.MaskedArray):
        kind = type(x).__name__
        raise TypeError(
            f"{name} must be a NumPy array, to be changed in place, not {kind}: use numpy.array({name}, float)"
        )
    if x.dtype not in _STEPPED or not x.dtype.isnative:
        raise TypeError(
            f"{name} must be float32 or float64 in native byte order, not {x.dtype}: use {name}.astype(float)"
        )
    if not x.flags.c_contiguous:
        raise ValueError(f"{name} is changed in place and must be C-contiguous: use numpy.ascontiguousarray({name})")
    if writable and not x.flags.writeable:
        raise ValueError(f"{name} is changed in place and this array is read-only: use {name}.copy()")
    return parts(x).reshape(-1)


def parts(x):
    """View complex numbers as their real and imaginary parts, in turn along the last axis; others as an array."""
    x = np.asarray(x)
    return np.atleast_1d(x).view(x.real.dtype) if x.dtype.kind == "c" else x


def fetch(step, h):
    """Do nothing: a compiled step writes its numbers into h itself."""


def check_parameter(x, name):
    """Raise TypeError or ValueError if an array cannot be stepped in place."""
    contiguous(x, name, writable=True)


def stand_in(x):
    """Return x itself."""
    return x


def stepped_view(x):
    """Return a contiguous array flat and real."""
    return parts(x).reshape(-1)


def gradient(g, x, name, step, convert):
    """Return the gradient of x flat, real and of x's dtype."""
    return np.require(parts(np.ascontiguousarray(convert(g, name))).reshape(-1), x.dtype, ["C", "A", "W"])


def zeros(n, dtype):
    """Return a flat array of zeros."""
    return np.zeros(n, dtype)


def assign(array, values):
    """Write values, or one value everywhere, into an array."""
    array[:] = values


def copy(source, target):
    """Copy an array into another one of the same size."""
    target[:] = source


def to_host(array):
    """Return a copy of an array."""
    return np.array(array)
