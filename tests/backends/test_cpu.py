"""Compiled once, kept on disk, safe beside other threads and processes: in processes of their own."""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import numbaopt
from numbaopt.backends import cache, cpu

PACKAGE = Path(numbaopt.__file__).parent

# Every program below begins so: it counts what Numba compiles, and tells at its end.
PRELUDE = """
import atexit, hashlib, json, os, threading, warnings
from numba.core import event

class Listener(event.Listener):
    compiled = []
    def on_start(self, e):
        self.compiled.append(e.data["dispatcher"].py_func.__name__)
    def on_end(self, e):
        pass

event.register("numba:compile", Listener())
told = {}
me = os.getpid()
atexit.register(lambda: os.getpid() == me and print(json.dumps(told | {"compiled": Listener.compiled})))
import numpy as np

def digest(*arrays):
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()
"""


def start(code, cache, package=PACKAGE, **env):
    """Start a Python process with a cache of its own; warnings are errors there, too."""
    drop = (
        "NUMBA_CACHE_DIR",
        "NUMBA_NUM_THREADS",
        "NUMBA_THREADING_LAYER",
        "NUMBA_BOUNDSCHECK",
        "NUMBA_DISABLE_JIT",
        "NUMBA_ENABLE_CUDASIM",
    )
    whole = {k: v for k, v in os.environ.items() if k not in drop}
    whole |= {"PYTHONPATH": str(package.parent), "NUMBA_CACHE_DIR": str(cache), "PYTHONDONTWRITEBYTECODE": "1"} | env
    command = [sys.executable, "-W", "error", "-c", PRELUDE + code]
    return subprocess.Popen(
        command, env=whole, cwd=package.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process, timeout=240):
    """Wait for a process, which has to succeed; return what it told."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 0, f"exit status {process.returncode}\n{out}\n{err}"
    return json.loads(out.splitlines()[-1])


def run(code, cache, **rest):
    return finish(start(code, cache, **rest))


def files(cache):
    return {path: path.stat().st_mtime_ns for path in Path(cache).rglob("*") if path.is_file()}


# The disk cache.

STEPS = """
import numbaopt
ends = {}
for name in ("sgd", "adam", "rmsprop", "adagrad", "adamw"):
    rule = getattr(numbaopt, name)
    x = np.linspace(-1, 1, 5)
    state = rule.init(x)
    for _ in range(3):
        rule.step(x, x + 1, state)
    ends[name] = digest(x, state.s)
told["ends"] = ends
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache that two processes have filled at once, and what they told."""
    cache = tmp_path_factory.mktemp("cache")
    return cache, [finish(process) for process in [start(STEPS, cache) for _ in range(2)]]


@pytest.mark.slow
def test_two_processes_compile_at_once(filled):
    _, (one, two) = filled
    assert one["ends"] == two["ends"] and one["compiled"] and two["compiled"]


def test_a_second_process_compiles_nothing_and_adds_no_file(filled):
    cache, (first, _) = filled
    before = files(cache)
    assert before
    again = run(STEPS, cache)
    assert again["ends"] == first["ends"]
    assert again["compiled"] == []
    assert files(cache) == before


@pytest.mark.slow
def test_damaged_cache_files_are_compiled_again(filled):
    # An empty or truncated file raises EOFError or UnpicklingError in Numba; each rule meets another damage.
    cache, (first, _) = filled
    damages = {
        "sgd": ("nbi", lambda data: b""),
        "adam": ("nbi", lambda data: data[: len(data) // 2]),
        "rmsprop": ("nbc", lambda data: b""),
        "adagrad": ("nbc", lambda data: data[: len(data) // 2]),
        "adamw": ("nbi", lambda data: data[:40] + b"\x80garbage" + data[40:]),
    }
    done = 0
    for name, (kind, damage) in damages.items():
        for path in cache.rglob(f"{name}_*step*.{kind}"):
            path.write_bytes(damage(path.read_bytes()))
            done += 1
    assert done >= len(damages)
    again = run(STEPS, cache)
    assert again["ends"] == first["ends"]
    assert again["compiled"].count("step") == len(damages)
    assert run(STEPS, cache)["compiled"] == [], "mended by the way"


def test_a_kept_text_that_was_changed_is_put_right(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    filename, key = cache.text_file("text α\n", "r")
    assert Path(filename).read_bytes() == "text α\n".encode() and key.startswith("r_")
    assert Path(filename).parent == tmp_path / "numbaopt" and cache.text_file("text α\n", "r") == (filename, key)
    for damage in (b"", b"\xff\xfe", b"another"):
        Path(filename).write_bytes(damage)
        cache.text_file("text α\n", "r")
        assert Path(filename).read_bytes() == "text α\n".encode()
    assert len(list((tmp_path / "numbaopt").iterdir())) == 1, "nothing temporary stays"


def test_another_text_is_another_file(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    text = numbaopt.adam.source()
    one, other = cache.text_file(text, "adam"), cache.text_file(text.replace("sqrt(vhat)", "sqrt(vhat) "), "adam")
    assert one != other and Path(one[0]).exists() and Path(other[0]).exists()
    monkeypatch.setattr(cpu.numba, "__version__", "0.0")
    assert cache.text_file(text, "adam") != one, "nor are texts shared between versions of Numba"


@pytest.mark.slow
@pytest.mark.parametrize("place", ["file", "proc"])
def test_no_place_to_write(tmp_path, place):
    # Permissions do not stop root: a path below a file, and one where the kernel makes no directories.
    (tmp_path / "file").write_text("")
    nowhere = tmp_path / "file" / "cache" if place == "file" else Path("/proc/self/cache")
    if place == "proc" and not Path("/proc/self").exists():
        pytest.skip("no /proc here")
    code = STEPS.replace('("sgd", "adam", "rmsprop", "adagrad", "adamw")', '("sgd", "adam")')
    told = run(code, nowhere, HOME=str(nowhere), XDG_CACHE_HOME=str(nowhere))
    assert "step" in told["compiled"] and not nowhere.exists()
    assert len(told["ends"]) == 2


def test_importing_compiles_nothing(tmp_path):
    modules = [path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py")]
    names = [".".join(module.parts) for module in modules if module.stem not in ("__init__", "__main__")]
    code = f"import numbaopt, importlib\nfor name in {names}:\n    importlib.import_module(name)\n"
    told = run(code + "numbaopt.adam(lr=0.1)\nnumbaopt.lamb.source()", tmp_path)
    assert told["compiled"] == [] and not files(tmp_path)


# Threads and forks.

LARGE = """
from numbaopt import adam, lamb, sgd
from numbaopt.backends import cpu
n = 200_003
told["parallel"] = cpu.parallel_pays(n)
rng = np.random.default_rng(0)
start, gradient = rng.normal(size=n), rng.normal(size=n)

def walk(rule, dtype, steps=3):
    x, g = start.astype(dtype), gradient.astype(dtype)
    state = rule.init(x)
    for _ in range(steps):
        rule.step(x, g, state)
    return digest(x, state.s)

def work():
    return [walk(adam, np.float64), walk(lamb, np.float32)]

told["one"] = work()
"""

TWO_AT_ONCE = """
ends, barrier = {}, threading.Barrier(2)

def thread(k):
    barrier.wait()
    ends[k] = [work() for _ in range(4)]

threads = [threading.Thread(target=thread, args=(k,)) for k in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
told["two"] = [ends[k] for k in range(2)]
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    cache = tmp_path_factory.mktemp("large")
    return cache, run(LARGE + TWO_AT_ONCE, cache, NUMBA_NUM_THREADS="2")


@pytest.mark.slow
def test_two_threads_step_at_once(large):
    _, told = large
    assert told["two"] == [[told["one"]] * 4] * 2


@pytest.mark.slow
def test_two_threads_step_at_once_under_workqueue(large):
    # There two threads in a parallel kernel abort the process: steps are serial.
    cache, first = large
    told = run(LARGE + TWO_AT_ONCE, cache, NUMBA_NUM_THREADS="2", NUMBA_THREADING_LAYER="workqueue")
    assert not told["parallel"]
    assert told["two"] == [[told["one"]] * 4] * 2 and told["one"] == first["one"]


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 4])
def test_the_number_of_threads_changes_no_bit(large, threads):
    cache, first = large
    told = run(LARGE, cache, NUMBA_NUM_THREADS=str(threads))
    assert told["one"] == first["one"]
    assert not (threads == 1 and told["parallel"])
    assert threads == 1 or told["parallel"] == first["parallel"]


def test_serial_where_parallel_does_not_pay(monkeypatch):
    assert not cpu.parallel_pays(cpu.PARALLEL_FROM - 1)
    monkeypatch.setattr(cpu, "threading_layer", lambda: "omp")
    monkeypatch.setattr(cpu.numba, "get_num_threads", lambda: 2)
    assert cpu.parallel_pays(cpu.PARALLEL_FROM)
    monkeypatch.setattr(cpu, "forked", lambda: True)
    assert not cpu.parallel_pays(cpu.PARALLEL_FROM)
    monkeypatch.setattr(cpu, "forked", lambda: False)
    for layer in ("workqueue", "none"):
        monkeypatch.setattr(cpu, "threading_layer", lambda layer=layer: layer)
        assert not cpu.parallel_pays(10**9)
    monkeypatch.setattr(cpu, "threading_layer", lambda: "tbb")
    monkeypatch.setattr(cpu.numba, "get_num_threads", lambda: 1)
    assert not cpu.parallel_pays(10**9)


FORK = """
x, g = start.copy(), gradient
state = adam.init(x)
adam.step(x, g, state)
read, write = os.pipe()
warnings.simplefilter("ignore")  # Python warns of forks beside threads; this is such a fork
child = os.fork()
if child == 0:
    try:
        adam.step(x, g, state)   # a state from before the fork, whose kernel is parallel
        again = work()           # states of its own
        os.write(write, json.dumps([digest(x, state.s), again, cpu.parallel_pays(n)]).encode())
    finally:
        os._exit(0)
os.close(write)
with os.fdopen(read) as pipe:
    text = pipe.read()
told["status"] = os.waitpid(child, 0)[1]
told["child"] = json.loads(text or "null")
adam.step(x, g, state)
told["parent"] = [digest(x, state.s), work()]
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_steps_serially_and_lives(large):
    cache, first = large
    told = run(LARGE + FORK, cache, NUMBA_NUM_THREADS="2")
    assert told["status"] == 0, "the child died"
    assert told["child"] == [*told["parent"], False]
    assert told["parent"][1] == first["one"]


# Without the compiler.

WITHOUT = """
import numbaopt
told["worst"] = {}
for name in numbaopt.names():
    rule = getattr(numbaopt, name)
    x, g = np.linspace(-1, 1, 5), np.linspace(2, 3, 5)
    state, text, y = rule.init(x), rule._stages[0][0], x.copy()
    kept = {k: np.zeros(5) for k in text.slots} | dict.fromkeys(text.numbers, 0.0) | dict(rule.hyper)
    kept |= {k: np.array(state[k]) for k in rule.slots_of} | {k: state[k] for k in rule.numbers_of}
    value = {"f": 3.0} if rule.needs_value else {}
    with np.errstate(over="ignore"):  # the noise counts in 64 bits
        for t in range(1, 8):
            rule.step(x, g, state, **value)
            out = rule.math(x=y, g=g, t=t, **value, **kept)
            y, *more = out if isinstance(out, tuple) else (out,)
            kept |= dict(zip([*text.slots, *text.numbers], more))
    told["worst"][name] = float(abs(x - y).max())
params = {"w": np.ones((2, 2)), "b": np.ones(3)}
opt = numbaopt.Optimizer("lamb", params)
opt.grads["w"][:] = 1
opt.step()
told["type"] = type(numbaopt.adam.kernel(x)).__name__
"""


BEYOND = """
from numbaopt.embedded.objective import free
try:
    free(np.zeros((1, 3)))  # it has two rows
    told["raised"] = None
except IndexError as error:
    told["raised"] = str(error)
"""


@pytest.mark.slow
def test_what_was_kept_without_bounds_checks_is_not_taken_with_them(tmp_path):
    assert run(BEYOND, tmp_path)["raised"] is None
    assert "out of bounds" in run(BEYOND, tmp_path, NUMBA_BOUNDSCHECK="1")["raised"]


def test_disabled_jit(tmp_path):
    told = run(WITHOUT, tmp_path, NUMBA_DISABLE_JIT="1")
    assert told["type"] == "function" and told["compiled"] == []
    assert max(told["worst"].values()) < 1e-14


def test_options():
    @cpu.jit
    def half(x):
        return x / 0.0 if x > 0 else np.nan

    assert half(1.0) == np.inf, "division as in NumPy"
    assert half.targetoptions["nogil"] and not half.targetoptions.get("fastmath")
    assert cpu.jit(fastmath={"contract"})(half.py_func).targetoptions["fastmath"] == {"contract"}


def test_the_source_of_a_compiled_text_can_be_inspected():
    text = "@step\ndef double(x):\n    return 2 * x\n"
    function = cpu.load(text, "inspected").py_func
    assert inspect.getsource(function) == text and function(3) == 6
