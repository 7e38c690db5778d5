"""What becomes of processes: forked, spawned, killed, without a home, a disk or a cache that can be read.

Programs run as in test_cpu, which has the plain cases: two processes at once, empty and truncated files, a cache below
a file, a forked child, one to four threads, workqueue.
"""

import ctypes
import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import numbaopt
from numbaopt.__main__ import main
from numbaopt.backends.cache_files import Files, checked
from numbaopt.tools import info, warmup
from tests.backends.test_cpu import PACKAGE, PRELUDE, finish, start
from tests.paths import TESTS

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="written for POSIX")

# Two methods of two dtypes: functions with two signatures each.
STEPS = """
import numbaopt
ends = {}
for name in ("sgd", "adam"):
    for dtype in (np.float64, np.float32):
        rule, x = getattr(numbaopt, name), np.linspace(-1, 1, 5).astype(dtype)
        state = rule.init(x)
        for _ in range(3):
            rule.step(x, x + 1, state)
        ends[name + x.dtype.name] = digest(x, state.s)
told["ends"] = ends
"""
ONE = STEPS.replace('("sgd", "adam")', '("sgd",)').replace("(np.float64, np.float32)", "(np.float64,)")


def several(*programs):
    """Run several programs at once; return what each told."""
    return [finish(process) for process in programs]


# A cache that many write to at once.


@pytest.fixture(scope="module")
def raced(tmp_path_factory):
    """A cache that eight processes have filled at once, two of which were killed while they compiled."""
    cache = tmp_path_factory.mktemp("raced")
    processes = [start(STEPS, cache) for _ in range(6)]
    doomed = [start("print('go', flush=True)\n" + STEPS, cache) for _ in range(2)]
    for k, process in enumerate(doomed):
        process.stdout.readline()
        deadline = time.monotonic() + 60
        while not any(cache.rglob("*.nb*" if k else "*.py")) and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    for process in doomed:
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    return cache, several(*processes)


@pytest.mark.slow
def test_eight_processes_at_once_two_of_them_killed(raced):
    cache, told = raced
    assert all(each["ends"] == told[0]["ends"] for each in told)
    before = sorted(cache.rglob("*"))
    again = finish(start(STEPS, cache))
    assert again["ends"] == told[0]["ends"]
    assert again["compiled"] == [], "the index of one process has not replaced that of another"
    assert sorted(cache.rglob("*")) == before


def codes(cache, name, kind):
    found = sorted(path for path in cache.rglob(f"{name}_*step*.{kind}"))
    assert len(found) == 2, "one for each dtype"
    return found


@pytest.mark.slow
def test_what_was_damaged_is_told_and_compiled_again(raced, monkeypatch):
    cache, told = raced
    # Bits that are flipped in machine code, which would be run as it is; code of another function in its place.
    flipped, foreign = codes(cache, "sgd", "nbc")[0], codes(cache, "adam", "nbc")[0]
    data = bytearray(flipped.read_bytes())
    for at in range(len(data) // 3, len(data) // 2):
        data[at] ^= 0xFF
    flipped.write_bytes(data)
    foreign.write_bytes(pickle.dumps({"foreign": "pickle"}))
    # Indexes: of another version; of another program.
    old, strange = codes(cache, "sgd", "nbi")[1], codes(cache, "adam", "nbi")[1]
    old.write_bytes(pickle.dumps("0.1") + b"what only that version can read")
    strange.write_bytes(pickle.dumps([1, 2]))
    left = flipped.with_name(f"{flipped.name}.tmp.0123")
    left.write_bytes(b"left by a process that was killed")
    os.utime(left, (0, 0))
    text = next((cache / "numbaopt").glob("sgd_*.py"))
    kept = text.read_bytes()
    text.write_bytes(b"\xff\x00 no text")
    folders = sorted(path for path in cache.iterdir() if path.name != "numbaopt")
    monkeypatch.setattr(info, "places", lambda: (cache / "numbaopt", folders))
    faults = []
    lines = info._cache(faults)
    assert len(faults) == 1 and faults[0].startswith("2 files of the cache cannot be read. Delete them;")
    assert str(flipped) in faults[0] and str(foreign) in faults[0]
    # An index of another kind is one of another version, as far as one can tell.
    assert lines[-1][1] == "2 indexes of other versions of Numba, 0 texts without code, 1 remainders"

    again = finish(start(STEPS, cache))
    assert again["ends"] == told[0]["ends"] and again["compiled"].count("step") == 4
    assert text.read_bytes() == kept
    left.unlink()
    faults.clear()
    assert "compiled code" in info._cache(faults)[-1][1] and not faults
    assert finish(start(STEPS, cache))["compiled"] == []


def test_files(tmp_path):
    files = Files(tmp_path, "base", "stamp")
    assert files.load("a") is None
    files.save("a", [1])
    files.save("b", [2])
    assert (files.load("a"), files.load("b")) == ([1], [2])
    assert len(list(tmp_path.glob("*.nbi"))) == len(list(tmp_path.glob("*.nbc"))) == 2
    assert Files(tmp_path, "base", "later").load("a") is None, "the source has changed since"
    for path in tmp_path.glob("*.nbi"):
        path.write_bytes(b"")
    with pytest.raises(EOFError):
        files.load("a")
    files.save("a", [3])
    assert files.load("a") == [3]
    for path in tmp_path.glob("*.nbc"):
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(pickle.UnpicklingError, match="is damaged"):
            checked(path)


# Places that cannot be written to.


def powerless():
    """Give up, in a new process of root's, what lets root write whatever the permissions say."""
    if os.getuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


NO_HOME = """
import pwd
def nobody(uid):
    raise KeyError(uid)
pwd.getpwuid = nobody  # a user without an entry, as in a container that is run under any number
"""


def start_as(code, package, cwd, **env):
    """Start a process that may write only where permissions say so."""
    drop = ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS")
    env = {k: v for k, v in os.environ.items() if k not in drop} | {"PYTHONPATH": str(package.parent)} | env
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", NO_HOME + PRELUDE + code],
        env=env | {"PYTHONDONTWRITEBYTECODE": "1"},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=powerless,
    )


@pytest.fixture
def read_only(tmp_path):
    """A copy of the package that cannot be written to, and a directory that can."""
    home, work = tmp_path / "site", tmp_path / "work"
    shutil.copytree(PACKAGE, home / "numbaopt", ignore=shutil.ignore_patterns("__pycache__"))
    work.mkdir()
    for path in [home, *home.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield home / "numbaopt", work
    for path in [home, *home.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.mark.slow
def test_read_only_installation(read_only):
    package, work = read_only
    probe = start_as("told['may'] = os.access(os.environ['THERE'], os.W_OK)", package, work, THERE=str(package))
    if finish(probe)["may"]:
        pytest.skip("permissions stop nobody here")
    shut, whole, file = work / "shut", work / "home", work / "file"
    for path in (shut, whole):
        path.mkdir()
    file.write_text("")
    shut.chmod(0o555)
    missing = work / "made" / "of" / "nothing"
    whose = {
        "no home": {},
        "a home to read": {"HOME": str(shut)},
        "a home that is not there": {"HOME": str(shut / "nobody")},  # nor can be made, even by root
        "a cache to read": {"HOME": str(shut), "NUMBA_CACHE_DIR": str(shut)},
        "a cache that is a file": {"HOME": str(shut), "NUMBA_CACHE_DIR": str(file)},
        "a cache to be made": {"HOME": str(shut), "NUMBA_CACHE_DIR": str(missing)},
        "a home": {"HOME": str(whole)},
    }
    told = dict(zip(whose, several(*(start_as(ONE, package, work, **env) for env in whose.values())), strict=True))
    assert all(each["ends"] == told["a home"]["ends"] and "step" in each["compiled"] for each in told.values())
    assert {path.name for path in work.iterdir()} == {"shut", "home", "file", "made"}, "no folder named ~"
    assert not list(shut.iterdir()) and any(missing.rglob("*.nbc")) and any(whole.rglob("*.nbc"))
    again = several(*(start_as(ONE, package, work, **whose[name]) for name in ("a cache to be made", "a home")))
    assert [each["compiled"] for each in again] == [[], []]


@pytest.mark.slow
def test_a_disk_that_is_full(tmp_path):
    # No file may grow beyond so many bytes: none at all; texts, but no code.
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))\n"
    caches = [tmp_path / str(size) for size in (0, 3000)]
    sizes = [(limit.format(cache.name), cache) for cache in caches]
    told = several(*(start(code + ONE, cache) for code, cache in sizes), start(ONE, tmp_path / "whole"))
    assert all(each["ends"] == told[-1]["ends"] and "step" in each["compiled"] for each in told)
    for cache in caches:
        assert not [path for path in cache.rglob("*tmp*") if path.is_file()], "nothing half written stays"
    assert not list(caches[0].rglob("*.py")) and list(caches[1].rglob("*.py"))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 0, "that was for the others"
    assert finish(start(ONE, caches[1]))["ends"] == told[-1]["ends"]


# Threads that all begin at once; settings of Numba.

FIRST_CALLS = """
import numbaopt, warnings
from numba import njit
from numbaopt import minimize

@njit
def bowl(x, grad):
    grad[:] = 2 * (x - 1.5)
    return ((x - 1.5) ** 2).sum()

def work(k):
    x = np.linspace(-1, 1, 60_000)
    state = numbaopt.sgd.init(x)
    numbaopt.sgd.step(x, x + 1, state)
    one = minimize(bowl, [3.0, k], jac="inplace", method="sgd", options={"lr": 0.1, "maxiter": 60})
    return digest(x, state.s, one.x, one.jac)

ends, barrier = [None] * THREADS, threading.Barrier(THREADS)

def thread(k):
    barrier.wait()
    ends[k] = work(k % 4)

threads = [threading.Thread(target=thread, args=(k,)) for k in range(THREADS)]
for t in threads:
    t.start()
for t in threads:
    t.join()
told["ends"] = ends[:4]
told["same"] = ends == ends[:4] * (THREADS // 4)
"""


@pytest.mark.slow
def test_first_calls_in_sixteen_threads(tmp_path):
    code = FIRST_CALLS.replace("THREADS", "16")
    settings = [
        {"NUMBA_NUM_THREADS": "2", "NUMBA_THREADING_LAYER": "omp"},
        {"NUMBA_NUM_THREADS": "2", "NUMBA_THREADING_LAYER": "workqueue"},
        {"NUMBA_NUM_THREADS": "1"},
        {"NUMBA_DISABLE_JIT": "1"},
    ]
    first, *rest = settings
    told = [finish(start(code, tmp_path, **first)), *several(*(start(code, tmp_path, **env) for env in rest))]
    assert all(each["same"] for each in told)
    # Without the compiler sums of NumPy's are taken in another order: the last bit may be another.
    assert told[0]["ends"] == told[1]["ends"] == told[2]["ends"] and told[3]["compiled"] == []
    for each in told[:3]:
        assert each["compiled"].count("bowl") <= 1 and each["compiled"].count("objective") <= 1, "once, for all"
        assert each["compiled"].count("step") <= 2


# Pools of processes.

JOBS = TESTS / "jobs.py"


@pytest.mark.slow
def test_pools():
    # The script is a file: a spawned process imports it. Of joblib's processes loky's do not know it.
    names = ["fork", "spawn", "forkserver", "executor"]
    try:
        import joblib  # noqa: F401

        names += ["loky", "threading"]
    except ImportError:
        pass
    env = os.environ | {"PYTHONPATH": str(PACKAGE.parent), "NUMBA_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, str(JOBS), *names], env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told.pop("parallel") in (True, False)
    assert told == {name: [True, True, True] for name in names}


FORK_WHILE_COMPILING = """
import signal
import numbaopt, warnings
warnings.simplefilter("ignore")  # Python warns of forks beside threads; this is such a fork
going = threading.Event()
signal.alarm(200)  # a deadlock ends, too

class Wait(event.Listener):
    def on_start(self, e):
        going.set()
    def on_end(self, e):
        pass

def compiling():
    x = np.ones(3)
    numbaopt.adam.init(x)

event.register("numba:compile", Wait())
thread = threading.Thread(target=compiling)
thread.start()
going.wait(60)
child = os.fork()
if child == 0:
    signal.alarm(60)
    x = np.ones(3)
    state = numbaopt.sgd.init(x)  # compiled here
    numbaopt.sgd.step(x, x, state)
    os._exit(7 if x[0] < 1 else 1)
told["status"] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
thread.join()
"""


@pytest.mark.slow
def test_a_fork_while_a_thread_compiles(tmp_path):
    told = finish(start(FORK_WHILE_COMPILING, tmp_path))
    assert told["status"] == 7 and "step" in told["compiled"]


# python -m numbaopt.

SECOND = """
from numba import njit
from numbaopt import minimize, minimize_many

@njit
def bowl(x, grad):
    f = 0.0
    for i in range(x.size):
        grad[i] = 2 * (x[i] - 1.5)
        f += grad[i] ** 2 / 4
    return f

@njit
def rows(x, grad, row):
    return bowl(x, grad)

few = {"maxiter": 5}
for x0 in (np.ones(3), np.ones(3, np.float32)):
    minimize(bowl, x0, jac="inplace", method="sgd", options=few)
    minimize(lambda x: ((x * x).sum(), 2 * x), x0, jac=True, method="sgd", options=few)
    minimize(rows, x0, data=np.ones((4, 2)), jac="inplace", epochs=2, method="sgd")
    minimize_many(rows, np.stack([x0] * 3), data=np.ones((3, 2)), jac="inplace", method="sgd", options=few)
"""


def command(cache, *words):
    env = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(PACKAGE.parent)}
    env.pop("NUMBA_DISABLE_JIT", None)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "numbaopt", *words],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told_by(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


@pytest.mark.slow
def test_warmup(tmp_path):
    status, out, err = told_by(
        command(tmp_path, "warmup", "--methods", "sgd", "--dtypes", "float64", "float32", "--jobs", "2")
    )
    assert (status, err) == (0, "")
    first, second, last = out.splitlines()
    assert first.startswith("[1/2] sgd float64: ") and second.startswith("[2/2] sgd float32: ")
    assert int(last.removesuffix(" kernels compiled.")) > 10
    told = finish(start(SECOND, tmp_path))
    assert set(told["compiled"]) == {"bowl", "rows", "objective"}, "nothing but objectives"
    words = "warmup", "--methods", "sgd", "--dtypes", "float64", "float32"
    for status, out, err in map(told_by, [command(tmp_path, *words) for _ in range(2)]):
        assert (status, err) == (0, "") and out.endswith("Everything was in the cache: nothing had to be compiled.\n")


def test_info(tmp_path):
    status, out, err = told_by(command(tmp_path, "info"))
    assert (status, err) == (0, "")
    for part in (f"numbaopt       {numbaopt.__version__}, ", "numba  ", "threading layer", str(tmp_path), "CUDA  "):
        assert part in out
    assert f"NUMBA_CACHE_DIR={tmp_path}" in out and out.endswith("Nothing is wrong.\n")
    assert not any(tmp_path.rglob("*.nbc")), "looking compiles nothing"


def test_info_tells_what_is_wrong(monkeypatch, capsys):
    monkeypatch.setattr(info, "places", lambda: (None, []))
    monkeypatch.setattr(info.cpu, "threading_layer", lambda: "none")
    monkeypatch.setattr(info, "_device", lambda: "not installed")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/proc/nowhere")
    assert main(["info"]) == 1
    wrong = [line for line in capsys.readouterr().out.splitlines() if line.startswith("WRONG: ")]
    assert len(wrong) == 2
    assert "unset NUMBA_THREADING_LAYER" in wrong[0]
    assert "NUMBA_CACHE_DIR=/proc/nowhere" in wrong[1] and "that you may write to" in wrong[1]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("print('one', end=''); raise SystemExit(3)", "cannot be used: exit status 3"),
        ("import os; os.abort()", "cannot be used: exit status -6"),
        ("raise OSError('libcuda is broken')", "cannot be used: OSError: libcuda is broken"),
        (
            "print('A device, compute capability 9.0'); print('driver 13.0')",
            "A device, compute capability 9.0, driver 13.0",
        ),
    ],
)
def test_info_survives_a_broken_driver(monkeypatch, code, expected):
    monkeypatch.setattr(info, "_version", lambda name: "0")
    monkeypatch.setattr(info, "DEVICE", code)
    assert info._device() == expected


def test_info_without_cuda_asks_nothing(monkeypatch):
    monkeypatch.setattr(info, "_version", lambda name: None)
    monkeypatch.setattr(info.subprocess, "run", None)
    monkeypatch.setattr(info.numba.config, "ENABLE_CUDASIM", 0, raising=False)
    assert info._device() == 'not installed (pip install "numbaopt[cuda]")'


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ({"methods": ["adamm"]}, ValueError, "unknown method 'adamm'.*Did you mean 'adam'"),
        ({"dtypes": ["float16"]}, ValueError, "float64 and float32, not 'float16'"),
        ({"methods": ["BFGS"]}, ValueError, "BFGS is a method of SciPy, which is not compiled"),
        ({"methods": []}, ValueError, "nothing to compile"),
        ({"methods": ["sgd"], "jobs": 0}, ValueError, "jobs"),
        ({"methods": [numbaopt.sgd, "adam"], "jobs": 2}, TypeError, "methods are names"),
    ],
)
def test_warmup_refuses(given, error, match, monkeypatch):
    monkeypatch.setattr(warmup, "_compile", None)
    with pytest.raises(error, match=match):
        numbaopt.warmup(**given)


def test_warmup_where_nothing_can_be_kept(monkeypatch, capsys):
    monkeypatch.setattr(warmup, "_compile", None)
    monkeypatch.setattr(warmup.cache, "directory", lambda: None)
    with pytest.raises(OSError, match="set NUMBA_CACHE_DIR"):
        numbaopt.warmup()
    assert main(["warmup"]) == 2 and "set NUMBA_CACHE_DIR" in capsys.readouterr().err
    monkeypatch.setattr(warmup.numba.config, "DISABLE_JIT", 1)
    with pytest.raises(ValueError, match="NUMBA_DISABLE_JIT"):
        numbaopt.warmup()


def test_all_methods():
    tasks = warmup._tasks("all", "float32")
    assert {method for method, _ in tasks} == {*numbaopt.names(), *numbaopt.names("solvers")}
    assert {np.dtype(dtype) for _, dtype in tasks} == {np.dtype("float32")}
