"""A report on the installation, for bug reports: versions, threads, the cache and its condition, CUDA."""

import importlib.metadata
import os
import pickle
import platform
import subprocess
import sys
import time
from pathlib import Path

import numba

from numbaopt.backends import cache, cpu
from numbaopt.backends.cache_files import checked
from numbaopt.drivers.stopping import check_from_python
from numbaopt.methods.registry import get

NEEDED = "numba", "llvmlite", "numpy", "scipy"
OPTIONAL = "numba-cuda", "tbb", "tqdm", "rich", "matplotlib", "autograd", "scikit-learn", "torch", "jax"
SETTINGS = "NUMBA_", "NUMBAOPT_", "OMP_", "KMP_", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "XDG_CACHE_HOME"
LEFT = 3600  # seconds after which a temporary file is taken to be from a process that was killed
# Run in a separate process, because a broken driver may end the process.
DEVICE = """
from numba import cuda, config
if config.ENABLE_CUDASIM:
    print("simulator")
elif cuda.is_available():
    device = cuda.get_current_device()
    name = device.name.decode() if isinstance(device.name, bytes) else device.name
    print(name + ", compute capability " + ".".join(map(str, device.compute_capability)))
    try:
        print("runtime " + ".".join(map(str, cuda.runtime.get_version())))
    except Exception as error:
        print("runtime not known: " + type(error).__name__)
    try:
        print("driver " + ".".join(map(str, cuda.cudadrv.driver.driver.get_version())))
    except Exception as error:
        print("driver not known: " + type(error).__name__)
else:
    error = cuda.cuda_error()
    print("no device" + (": " + " ".join(str(error).split()) if error else ""))
"""


def report():
    """Examine the installation.

    Returns
    -------
    lines : list of (str, str)
        The findings, by name.
    faults : list of str
        What is wrong, and how to fix it.
    """
    faults = []
    lines = [("numbaopt", f"{_version('numbaopt') or 'not installed'}, {Path(__file__).parents[1]}")]
    lines += [("Python", f"{platform.python_version()} ({platform.python_implementation()}), {platform.platform()}")]
    found = [(name, _version(name)) for name in (*NEEDED, *OPTIONAL)]
    lines += [(name, version or "not installed") for name, version in found if version or name in NEEDED]
    lines += [("not installed", ", ".join(name for name, version in found[len(NEEDED) :] if version is None) or "-")]
    lines += _processor(faults) + _cache(faults) + [("CUDA", _device())]
    given = {name: value for name, value in sorted(os.environ.items()) if name.startswith(SETTINGS)}
    lines += [("environment", ", ".join(f"{name}={value}" for name, value in given.items()) or "-")]
    return lines, faults


def text():
    """Return the report as text, and the number of faults."""
    lines, faults = report()
    width = max(len(name) for name, _ in lines)
    rows = [f"{name:<{width}}  {value}" for name, value in lines]
    rows += ["", *(f"WRONG: {fault}" for fault in faults)] if faults else ["", "Nothing is wrong."]
    return "\n".join(rows), len(faults)


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor(faults):
    """Return the lines about the processor and its threads."""
    from llvmlite import binding

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = f"{platform.machine()} {binding.get_host_cpu_name()}, {os.cpu_count()} cores, {allowed} for this process"
    if numba.config.DISABLE_JIT:
        return [("processor", cores), ("threads", "1: NUMBA_DISABLE_JIT is set, nothing is compiled")]
    layer, threads, wanted = cpu.threading_layer(), numba.get_num_threads(), numba.config.THREADING_LAYER
    lines = [("processor", cores), ("threads", f"{threads} for Numba, threading layer {layer}")]
    if layer == "none":
        faults.append(
            f"the threading layer {wanted!r} cannot be loaded: unset NUMBA_THREADING_LAYER, or install it "
            "(pip install tbb, or your system's libgomp). Until then steps are serial."
        )
    elif threads == 1:
        lines += [("", "one thread: large steps are serial")]
    elif layer == "workqueue":
        lines += [("", "workqueue is not thread-safe: large steps are serial; with libgomp or tbb they are parallel")]
    return lines


def places():
    """Return the directory of the texts and those of compiled code, or none if nothing can be cached."""
    jitted = get("adam").jit, check_from_python, get("lbfgs").jit
    found = [getattr(getattr(function, "_cache", None), "cache_path", None) for function in jitted]
    return cache.directory(), [Path(path) for path in dict.fromkeys(found) if path]


def _cache(faults):
    """Return the lines about the cache."""
    if numba.config.DISABLE_JIT:
        return []
    texts, folders = places()
    if texts is None or len(folders) < 1:
        asked = os.environ.get("NUMBA_CACHE_DIR")
        faults.append(
            f"nothing can be kept in NUMBA_CACHE_DIR={asked}: " if asked else "no place to keep compiled code: "
        )
        faults[-1] += "set NUMBA_CACHE_DIR to a directory that you may write to, or every process compiles anew."
        return [("cache", f"none that can be written to; NUMBA_CACHE_DIR is {asked or 'not set'}")]
    sizes, damaged, old, left, codes = [], [], 0, [], set()
    for folder in folders:
        for path in sorted(folder.glob("*.nb[ic]*")):
            try:
                state = _state(path)
                sizes.append(path.stat().st_size)
            except FileNotFoundError:  # another process has replaced it
                continue
            codes.add(path.name.partition(".")[0])
            old += state == "old"
            damaged += [path] * (state == "damaged")
            left += [path] * (state == "left")
    kept = sorted(texts.glob("*.py"))
    idle = sum(path.stem not in codes for path in kept)
    left += [path for path in texts.glob("tmp*") if _state(path) == "left"]
    lines = [("cache", "writable")] + [("", str(folder)) for folder in dict.fromkeys([texts, *folders])]
    lines += [("", f"{len(sizes)} files of compiled code, {sum(sizes) / 2**20:.1f} MiB; {len(kept)} texts of kernels")]
    if old or idle or left:
        lines += [("", f"{old} indexes of other versions of Numba, {idle} texts without code, {len(left)} remainders")]
    if damaged:
        shown = "\n       ".join(map(str, damaged[:10])) + "\n       ..." * (len(damaged) > 10)
        faults.append(
            f"{len(damaged)} files of the cache cannot be read. Delete them; otherwise their code is compiled again "
            f"and they are rewritten when they are needed:\n       {shown}"
        )
    return lines


def _state(path):
    """Return what is wrong with a file of the cache: ``"damaged"``, ``"old"``, ``"left"``, or None."""
    if path.suffix not in (".nbi", ".nbc"):
        return "left" if time.time() - path.stat().st_mtime > LEFT else None
    try:
        if path.suffix == ".nbc":
            return checked(path) and None
        with open(path, "rb") as file:
            if pickle.load(file) != numba.__version__:
                return "old"
            pickle.load(file)
    except FileNotFoundError:
        raise
    except Exception:  # a file that is no pickle may raise anything
        return "damaged"
    return None


def _device():
    """Return what is known of CUDA, which is imported in a separate process, and only if it is installed."""
    simulated = bool(getattr(numba.config, "ENABLE_CUDASIM", 0))
    if _version("numba-cuda") is None and not simulated:
        return 'not installed (pip install "numbaopt[cuda]")'
    try:
        done = subprocess.run(
            [sys.executable, "-c", DEVICE], capture_output=True, text=True, errors="replace", timeout=120, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"cannot be asked: {type(error).__name__}"
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        return f"cannot be used: {last[0]}"
    return ", ".join(done.stdout.split("\n")).strip(", ")
