"""What can be known of the CUDA backend without a GPU: its text, its PTX, and test_cuda.py simulated."""

import functools
import inspect
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from numba import cuda, types

import numbaopt
from numbaopt import schedules
from numbaopt.backends import cuda as backend
from numbaopt.rule import max, min, rule, sign, where

try:
    from numba.cuda.cudadrv import nvvm

    AVAILABLE = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") == "0" and nvvm.is_available()
except Exception:  # whatever a toolkit lacks
    AVAILABLE = False
to_ptx = pytest.mark.skipif(not AVAILABLE, reason="no libNVVM; numba-cuda[cu13] brings it")


@rule
def powers(x, g, t, lr=0.01):
    """Products in all places from which they may be contracted."""
    return x - g**3 + x * g - lr * g**4 + x**2


@rule
def choices(x, g, m, t, lr=0.01):
    """What picks one of two."""
    m = where(g > m, max(m, g) + 1, min(m, g)) * sign(g)
    return x - lr * abs(m), m


# Of each pass: arrays read and arrays written, once an entry. This is all the memory traffic of a step.
TRAFFIC = {
    numbaopt.sgd: [(2, 1)],
    numbaopt.sgd(momentum=0.9): [(3, 2)],
    numbaopt.sgd(momentum=0.9, nesterov=True): [(3, 2)],
    numbaopt.rmsprop: [(3, 2)],
    numbaopt.rmsprop(momentum=0.9, centered=True): [(5, 4)],
    numbaopt.adagrad: [(3, 2)],
    numbaopt.adam: [(4, 3)],
    numbaopt.adam(lr=schedules.cosine(0.1, 100)): [(4, 3)],
    numbaopt.adamw: [(4, 3)],
    numbaopt.amsgrad: [(5, 4)],
    numbaopt.radam: [(4, 3)],
    numbaopt.nadam: [(4, 3)],
    numbaopt.lion(wd=0.1): [(3, 2)],
    numbaopt.adan: [(6, 5)],
    numbaopt.prodigy: [(4, 1), (4, 3)],
    numbaopt.lamb: [(4, 2), (3, 1)],
    numbaopt.lamb(wd=0.1): [(4, 2), (3, 1)],
    powers: [(2, 1)],
    choices: [(3, 2)],
}
DTYPES = ["float32", "float64"]
SWITCHED = pytest.mark.parametrize("method", TRAFFIC, ids=repr)


@pytest.fixture(autouse=True)
def hopper(monkeypatch):
    """Let device functions be compiled for a device that is not there."""
    if AVAILABLE:
        import numba.cuda.dispatcher as dispatcher

        device = SimpleNamespace(compute_capability=(9, 0))
        monkeypatch.setattr(dispatcher, "get_current_device", lambda: device, raising=False)


@functools.cache
def kernels(method, dtype, output="ptx"):
    """Compile all kernels of a rule; return {name: PTX}, or another output."""
    real, compiled = numba.from_dtype(np.dtype(dtype)), {}
    kinds = {"t": types.int64, "size_": types.int64, "h": types.float64[::1], "x": real[::1], "g": real[::1]}
    kinds |= {"slots_": real[:, ::1], "parts_": types.float64[:, ::1], "numbers_": real[::1]}
    step = backend.load.__wrapped__(method.source("cuda"), method.name, np.dtype(dtype))
    for name, kernel in step.__globals__.items():
        if re.fullmatch(r"(sweep|finish)\d|carried", name):
            parameters = inspect.signature(kernel.py_func).parameters
            signature = types.void(*(kinds.get(parameter, real) for parameter in parameters))
            code, _ = cuda.compile(kernel.py_func, signature, cc=(9, 0), device=False, abi="numba", output=output)
            compiled[name] = code
    return compiled


def sweeps(method, dtype):
    """Yield for each pass its PTX from the first instruction on, and its loops that touch global memory."""
    for name, ptx in kernels(method, dtype).items():
        if name.startswith("sweep"):
            body = ptx[ptx.index("\n{") :]
            backwards = re.finditer(r"^(\$L__BB\w+):(?:(?!^\1:)[\s\S])*?bra(?:\.uni)?\s+\1;", body, re.MULTILINE)
            yield body, [loop[0] for loop in backwards if ".global" in loop[0]]


@to_ptx
@SWITCHED
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_array_is_read_once_and_written_once(method, dtype):
    kind = dtype.replace("float", "f")
    found = list(sweeps(method, dtype))
    assert len(found) == len(TRAFFIC[method])
    for (_, loops), (reads, writes) in zip(found, TRAFFIC[method], strict=True):
        counts = [(loop.count(f"ld.global.{kind}"), loop.count(f"st.global.{kind}")) for loop in loops]
        # An `if` on scalars makes two loops of one, and one arm may need less; NVVM has no reason to unroll.
        assert [read for read, _ in counts if read > reads] == []
        assert reads in [read for read, _ in counts] and {write for _, write in counts} == {writes}


@pytest.mark.slow
@to_ptx
@pytest.mark.parametrize("name", numbaopt.names())
def test_every_rule_compiles(name):
    method = numbaopt.get(name)
    keys = {key for key, kind in method.program.kind.items() if kind == "key"}
    if not keys:  # noise is made of whole numbers, in float64
        assert any(re.search(r"\.(f32|f64)", ptx) for ptx in kernels(method, "float32").values())


@pytest.mark.slow
@to_ptx
@SWITCHED
def test_float32_is_float32(method):
    for body, loops in sweeps(method, "float32"):
        for loop in loops:
            assert ".f64" not in loop
        if ".f64" in body:  # each block leaves its sums, made in float32
            assert body.count("st.global.f64") == body.count("cvt.f64.f32") == body.count("f64.f32") > 0
            assert not re.search(r"(add|sub|mul|div|fma|sqrt)\.(rn\.)?f64", body)


@pytest.mark.slow
@to_ptx
@SWITCHED
@pytest.mark.parametrize("dtype", DTYPES)
def test_arithmetic_is_the_cpus(method, dtype):
    kind = dtype.replace("float", "f")
    for body, _ in sweeps(method, dtype):
        assert "fma" not in body
        assert not re.search(rf"\smul\.{kind}", body)  # only mul.rn, which ptxas does not contract either
        assert not re.search(r"(sqrt|div)\.(approx|full)|\.ftz|rcp|rsqrt", body)
        assert all(instruction == f"{kind}" for instruction in re.findall(r"(?:sqrt|div)\.rn\.(\w+)", body))


@pytest.mark.slow
@to_ptx
@SWITCHED
def test_indices_are_64_bits_wide(method):
    for _, loops in sweeps(method, "float32"):
        assert loops
        for loop in loops:
            assert re.search(r"setp\.\w+\.u64", loop) and not re.search(r"\.[usb]32", loop)


@pytest.mark.slow
@to_ptx
@SWITCHED
@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_is_called_and_nothing_spilled(method, dtype):
    for name, ptx in kernels(method, dtype).items():
        body = ptx[ptx.index("\n{") :]
        assert ".local" not in body
        assert not re.search(r"\bcall\b", body) or name.startswith("finish"), name


@to_ptx
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", [numbaopt.rmsprop(centered=True), numbaopt.lamb, powers], ids=repr)
def test_arithmetic_is_the_cpus_after_linking(method, dtype):
    # numba-cuda optimizes once more when it links, with contraction on by default.
    nvjitlink = pytest.importorskip("cuda.bindings.nvjitlink")
    for name, code in kernels(method, dtype, "ltoir").items():
        if name.startswith("sweep"):
            linker = nvjitlink.create(3, ["-arch=sm_90", "-lto", "-ptx"])
            nvjitlink.add_data(linker, nvjitlink.InputType.LTOIR, code, len(code), name)
            nvjitlink.complete(linker)
            linked = bytearray(nvjitlink.get_linked_ptx_size(linker))
            nvjitlink.get_linked_ptx(linker, linked)
            nvjitlink.destroy(linker)
            assert b"mul.rn.f" in linked and b"fma." not in linked


# The text, for which nothing has to be installed.


def test_text_is_readable():
    text = numbaopt.adam.source("cuda")
    compile(text, "adam", "exec")
    for line in (
        "m1 = b1 * m[i] + c1 * g[i]",
        "x1 = x[i] - lr * mhat / (sqrt(vhat) + eps)",
        "i = uint64(cuda.grid(1))",
    ):
        assert f"    {line}\n" in text
    assert text == numbaopt.adam.source("cuda")
    assert "block_sum" not in text and "block_sum" in numbaopt.lamb.source("cuda")


def test_text_needs_no_cuda():
    code = "numbaopt.lamb.source('cuda'); sys.exit('numba.cuda.cudadrv.driver' in sys.modules)"
    code = f"import sys, numbaopt; {code}"
    assert subprocess.run([sys.executable, "-c", code], timeout=300).returncode == 0
