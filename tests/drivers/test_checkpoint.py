"""A run that is broken off anywhere goes on to the bits of one that never was; and files are whole or refused."""

import functools
import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.optimize
from numba import njit

import numbaopt
from numbaopt import minimize
from numbaopt.common import array_file
from numbaopt.schedules import cosine
from numbaopt.transforms import clip_by_global_norm, plateau, sam
from tests.functions import in_python

UNSET = np.full(1, 2**62)


@njit
def valley(x, grad, left):
    """Rosenbrock's function in pairs; raises at the evaluation that `left` counts down to."""
    left[0] -= 1
    if left[0] < 0:
        raise ArithmeticError("pulled the plug")
    f = 0.0
    for i in range(0, x.size, 2):
        p, q = 1 - x[i], x[i + 1] - x[i] ** 2
        f += p * p + 10 * q * q
        grad[i], grad[i + 1] = -2 * p - 40 * x[i] * q, 20 * q
    return f


@njit
def bowl(x, left):
    """Without a gradient of its own."""
    left[0] -= 1
    if left[0] < 0:
        raise ArithmeticError("pulled the plug")
    return ((x - np.arange(x.size)) ** 2).sum() + 0.1 * x[0] ** 4


@njit
def squares(w, grad, X, y, left):
    """Mean squared error of a linear model."""
    left[0] -= 1
    if left[0] < 0:
        raise ArithmeticError("pulled the plug")
    f = 0.0
    grad[:] = 0
    for i in range(y.size):
        r = -y[i]
        for j in range(w.size):
            r += X[i, j] * w[j]
        f += r * r
        for j in range(w.size):
            grad[j] += 2 * r * X[i, j] / y.size
    return f / y.size


def network(p, left):
    """A tree of arrays, and a gradient that is returned."""
    left[0] -= 1
    if left[0] < 0:
        raise ArithmeticError("pulled the plug")
    r = np.tanh(p["w"]) @ np.array([1.0, -2.0, 0.5]) + p["b"] - 1
    slope = 2 * (1 - np.tanh(p["w"]) ** 2) * np.outer(r, [1.0, -2.0, 0.5])
    return float(r @ r), {"w": slope, "b": 2 * r}


def assert_same(a, b):
    assert list(a) == list(b)
    for name in a:
        if isinstance(a[name], dict):
            assert_same(a[name], b[name])
        else:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)
            assert np.asarray(a[name]).dtype == np.asarray(b[name]).dtype


RNG = np.random.default_rng(5)
DATA = RNG.normal(size=(50, 4)), RNG.normal(size=50)
FEED = {"data": DATA, "batch_size": 8, "epochs": 3, "seed": 11}
START = np.array([-1.2, 1.0, 0.5, 2.0])
TREE = {"w": np.linspace(-1, 1, 6).reshape(2, 3), "b": np.array([0.5, -0.5])}


def broken_off(path, drive, at, fun, x0, options=None, **given):
    """Minimize once as it is; once more, breaking off at evaluation `at` and taking up; return both results."""
    options = {} if options is None else options
    if given.get("jac") is None and fun is not bowl:
        given["jac"] = "inplace"
    whole = minimize(drive(fun), x0, (UNSET.copy(),), options=options, **given)
    assert whole.nfev > at
    given |= {"checkpoint": path, "checkpoint_every": 0}
    with pytest.raises(ArithmeticError, match="pulled the plug") as caught:
        minimize(drive(fun), x0, (np.full(1, at),), options=options, **given)
    assert caught.value.result.nfev <= at + 1
    again = minimize(drive(fun), x0, (UNSET.copy(),), options=options, resume=True, **given)
    assert_same(whole, again)
    return whole, again


compiled_and_plain = pytest.mark.parametrize("drive", [lambda f: f, in_python], ids=["compiled", "plain"])


@compiled_and_plain
@pytest.mark.parametrize("method", ["adam", "lbfgs", "nonlinear_cg", "barzilai_borwein", "polyak_sgd"])
@pytest.mark.parametrize("at", [1, 2, 7])
def test_full_batch(tmp_path, drive, method, at):
    broken_off(tmp_path / "run", drive, at, valley, START, {"maxiter": 40}, method=method)


@pytest.mark.parametrize("method", numbaopt.names())
def test_every_rule(tmp_path, method):
    with np.errstate(over="ignore", invalid="ignore"):  # some default steps are long
        broken_off(tmp_path / "run", in_python, 4, valley.py_func, START, {"maxiter": 12}, method=method)


@compiled_and_plain
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("at", [1, 7, 8, 12])
def test_minibatches(tmp_path, drive, shuffle, at):
    method = numbaopt.adam(lr=cosine(0.1, 21))
    feed = FEED | {"shuffle": shuffle, "seed": 11 if shuffle else None}
    whole, _ = broken_off(tmp_path / "run", drive, at, squares, np.zeros(4), method=method, **feed)
    assert whole.nit == 21 and ("seed" in whole) == shuffle


@pytest.mark.parametrize("at", [3, 6, 9, 10])
@pytest.mark.parametrize("stream", [False, True])
def test_steps_in_twos_and_streams(tmp_path, at, stream):
    batches = [tuple(column[lo : lo + 10] for column in DATA) for lo in range(0, 50, 10)]
    feed = {"data": batches, "epochs": 2} if stream else FEED
    method = numbaopt.chain(sam(rho=0.1), numbaopt.sgd(lr=0.01))
    broken_off(tmp_path / "run", in_python, at, squares.py_func, np.zeros(4), method=method, **feed)


@compiled_and_plain
@pytest.mark.parametrize("minibatch", [False, True], ids=["full", "minibatch"])
def test_simultaneous_perturbation(tmp_path, drive, minibatch):
    @njit
    def noisy(x, *more):
        left = more[-1]
        left[0] -= 1
        if left[0] < 0:
            raise ArithmeticError("pulled the plug")
        return ((x - 1) ** 2).sum() + (more[0][0] if len(more) > 1 else 0.0)

    feed = {"data": DATA[1], "batch_size": 5, "epochs": 2, "seed": 3} if minibatch else {"seed": 3}
    broken_off(tmp_path / "run", drive, 9, noisy, np.zeros(3), {"maxiter": 15}, jac="spsa", method="adam", **feed)


@compiled_and_plain
@pytest.mark.parametrize("jac", ["2-point", "3-point"])
def test_finite_differences_between_bounds(tmp_path, drive, jac):
    given = {"jac": jac, "bounds": [(-1, 0.5), (None, 0.7), (2, 2), (0, None)], "method": "adam"}
    broken_off(tmp_path / "run", drive, 33, bowl, np.zeros(4), {"maxiter": 20, "lr": 0.1}, **given)


@pytest.mark.parametrize("method", ["muon", "lamb", "schedule_free_adamw", "chain"])
def test_trees_of_arrays(tmp_path, method):
    if method == "chain":
        method = numbaopt.chain(clip_by_global_norm(max_norm=0.5), numbaopt.lamb, plateau(patience=2))
    broken_off(tmp_path / "run", in_python, 5, network, TREE, {"maxiter": 15}, jac=True, method=method)


@pytest.mark.slow
def test_single_precision(tmp_path):
    whole, _ = broken_off(tmp_path / "run", lambda f: f, 5, valley, START.astype("f4"), {"maxiter": 15}, method="adam")
    assert whole.x.dtype == np.float32


@pytest.mark.parametrize("minibatch", [False, True], ids=["full", "minibatch"])
@pytest.mark.parametrize(
    "first, second", [(lambda f: f, in_python), (in_python, lambda f: f)], ids=["to plain", "to compiled"]
)
def test_the_driver_may_be_another(tmp_path, minibatch, first, second):
    fun, x0, feed = (squares, np.zeros(4), FEED) if minibatch else (valley, START, {})
    given = {"jac": "inplace", "method": "adam", "checkpoint": tmp_path / "run"} | feed
    whole = minimize(fun, x0, (UNSET,), options={"maxiter": 17}, **given)
    minimize(first(fun), x0, (UNSET,), options={"maxiter": 9}, **given)
    assert_same(whole, minimize(second(fun), x0, (UNSET,), options={"maxiter": 17}, resume=True, **given))


@compiled_and_plain
def test_a_finished_run_goes_on_where_more_is_asked(tmp_path, drive):
    path, fun, given = tmp_path / "run", drive(valley), {"jac": "inplace", "method": "adam"}
    longer = [
        {"maxiter": 8},
        {"maxiter": 8, "maxfev": 1000},
        {"maxiter": 30, "maxfev": 12},
        {"maxiter": 3000, "lr": 1e-3},
    ]
    longer += [{"maxiter": 3000, "gtol": 0.5}, {"maxiter": 3000, "gtol": 0.1}, {"maxiter": 3000, "ftol": 1e-9}]
    longer += [{"maxiter": 3000, "ftol": 0.0, "gtol": 0.01}]
    for options in longer:
        whole = minimize(fun, START, (UNSET,), options={"lr": 1e-3} | options, **given)
        again = minimize(fun, START, (UNSET,), options={"lr": 1e-3} | options, checkpoint=path, resume=True, **given)
        assert_same(whole, again)
        left = np.full(1, 0)  # not an evaluation
        assert_same(whole, minimize(fun, START, (left,), options={"lr": 1e-3} | options, resume=path, **given))
    assert whole.status == 1 or whole.success


@compiled_and_plain
def test_more_epochs(tmp_path, drive):
    given = {"jac": "inplace", "method": "adam", "checkpoint": tmp_path / "run"}
    fun, left = drive(squares), np.full(1, 21)
    for epochs in (1, 1, 2, 3, 3):
        again = minimize(fun, np.zeros(4), (left,), resume=True, **given | FEED | {"epochs": epochs})
        assert again.message.startswith("The epoch is" if epochs == 1 else f"All {epochs} epochs are")
    assert_same(minimize(fun, np.zeros(4), (UNSET,), jac="inplace", method="adam", **FEED), again)
    assert left[0] == 0  # evaluated once each


@compiled_and_plain
@pytest.mark.parametrize("bad", ["fun", "jac"])
def test_what_ended_for_good_stays_ended(tmp_path, drive, bad):
    @njit
    def fun(x, grad, left, wrong):
        left[0] -= 1
        if left[0] < 0:
            raise ArithmeticError("pulled the plug")
        grad[:] = 2 * x
        if x[0] < 0.9:
            grad[1] = wrong
        return x @ x + (0.0 if x[0] >= 0.9 or wrong > 0 else np.nan)

    wrong = np.inf if bad == "jac" else np.nan
    given = {"jac": "inplace", "method": "adam", "checkpoint": tmp_path / "run", "options": {"lr": 0.03}}
    first = minimize(drive(fun), [1.0, 1.0], (UNSET.copy(), wrong), **given)
    assert first.status == 3
    assert_same(first, minimize(drive(fun), [1.0, 1.0], (np.zeros(1, int), wrong), resume=True, **given))


def test_a_callback_that_stopped_may_stop_again(tmp_path):
    given = {"jac": "inplace", "options": {"maxiter": 30}, "checkpoint": tmp_path / "run"}
    for method in ("adam", "lbfgs"):
        seen = []

        def stop(intermediate_result):
            seen.append(intermediate_result.nit)  # noqa: B023
            if len(seen) % 4 == 0:  # noqa: B023
                raise StopIteration

        alone = minimize(valley, START, (UNSET,), method=method, **given)
        (tmp_path / "run").unlink()
        for _ in range(12):
            result = minimize(valley, START, (UNSET,), method=method, callback=stop, resume=True, **given)
            if result.status != 99:
                break
        assert_same(alone, result)
        assert seen == sorted(set(seen)) and seen[0] == 1  # told of each once
        (tmp_path / "run").unlink()


def test_through_scipy(tmp_path):
    path, fun = tmp_path / "run", in_python(valley)
    jac = lambda x, left: [fun(x, g := np.empty(4), left), g][1]  # noqa: E731
    value = lambda x, left: fun(x, np.empty(4), left)  # noqa: E731
    solve = functools.partial(scipy.optimize.minimize, value, START, (UNSET,), jac=jac, method=numbaopt.adam)
    whole = solve(options={"maxiter": 20})
    solve(options={"maxiter": 7, "checkpoint": path})
    assert_same(whole, solve(options={"maxiter": 20, "checkpoint": path, "resume": True}))
    with pytest.raises(ValueError, match="checkpoint is for rules and solvers of numbaopt; SciPy's bfgs"):
        minimize(value, START, (UNSET,), "bfgs", checkpoint=path)
    with pytest.raises(ValueError, match="resume is for rules"):
        minimize(value, START, (UNSET,), "bfgs", resume=path)


def test_a_seed_that_was_drawn_is_drawn_once(tmp_path):
    given = {"jac": "inplace", "method": "adam", "checkpoint": tmp_path / "run"} | FEED | {"seed": None}
    first = minimize(squares, np.zeros(4), (UNSET,), options={"maxiter": 9}, **given)
    second = minimize(squares, np.zeros(4), (UNSET,), resume=True, **given)
    assert second.seed == first.seed
    whole = minimize(squares, np.zeros(4), (UNSET,), jac="inplace", method="adam", **FEED | {"seed": first.seed})
    assert_same(whole, second)


def test_fewer_epochs_than_are_done(tmp_path):
    given = {"args": (UNSET,), "jac": "inplace", "method": "adam", "checkpoint": tmp_path / "run", "resume": True}
    for epochs in (3, 2):
        result = minimize(squares, np.zeros(4), **given, **FEED | {"epochs": epochs})
        assert result.message.startswith("All 3 epochs are done."), epochs


# Of another problem.
@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "run"
    given = {"jac": "inplace", "method": numbaopt.adam(lr=0.1), "bounds": [(-1, 2)] * 4, **FEED}
    minimize(squares, np.zeros(4), (UNSET,), checkpoint=path, **given)
    return path, given


@pytest.mark.parametrize(
    "other, said",
    [
        ({"method": "sgd"}, "another problem: the method is adam in the checkpoint and sgd in this call. Omit"),
        ({"method": numbaopt.adam(lr=0.2)}, "hyperparameter lr is 0.1 in the checkpoint and 0.2 in this call. Omit"),
        ({"method": numbaopt.adam(lr=np.linspace(0.1, 0.2, 4))}, "hyperparameter lr is 0.1 in the checkpoint and [0.1"),
        ({"bounds": [(-1, 2)] * 3 + [(-1, 3)]}, "upper[3] of the bounds is 2.0 in the checkpoint and 3.0 in this call"),
        ({"bounds": None}, "another problem: bounds is 'given' in the checkpoint and None in this call. Omit"),
        ({"seed": 12}, "seed is 11 in the checkpoint and 12 in this call"),
        ({"batch_size": 9}, "batch_size is 8 in the checkpoint and 9 in this call"),
        ({"drop_last": True}, "the rows of an epoch is 50 in the checkpoint and 48 in this call"),
        ({"shuffle": False}, "shuffle is True in the checkpoint and False in this call"),
        ({"data": (DATA[0][:49], DATA[1][:49])}, "data is 50 rows in the checkpoint and 49 rows in this call"),
        (
            {"data": [DATA], "batch_size": None, "seed": None},
            "data is 50 rows in the checkpoint and a stream in this call",
        ),
        ({"jac": "2-point"}, "jac is inplace in the checkpoint and 2-point in this call"),
        ({"x0": np.zeros(4, "f4")}, "the dtype of x0 is float64 in the checkpoint and float32 in this call"),
        (
            {"x0": np.zeros((2, 2))},
            "the structure of x0 is ['x0: (4,)'] in the checkpoint and ['x0: (2, 2)'] in this call",
        ),
        ({"x0": np.zeros(5), "bounds": [(-1, 2)] * 5}, "the size of x0 is 4 in the checkpoint and 5 in this call"),
    ],
)
def test_another_problem(saved, other, said):
    path, given = saved
    given = {"x0": np.zeros(4)} | given | other

    def never(*args):
        raise AssertionError("was called")

    before = path.read_bytes()
    with pytest.raises(ValueError) as caught:
        minimize(never, given.pop("x0"), checkpoint=path, resume=True, **given)
    for part in (str(path), "of another problem", said, "Omit resume"):
        assert part.replace("'given'", "given") in str(caught.value)
    assert path.read_bytes() == before


# Files.
def test_files_hold_what_was_given(tmp_path):
    path = str(tmp_path / "file")
    arrays = {"a": np.array([[1.5, np.nan], [np.inf, -0.0]]), "b": np.arange(3, dtype="f4"), "c": np.empty((0, 4))}
    about = {"seed": 2**127 + 1, "f": 0.1, "none": None, "text": "\n\u00e9", "inf": -np.inf}
    array_file.write(path, about, arrays)
    again, back = array_file.read(path)
    assert again == about and list(back) == list(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype and back[name].tobytes() == array.tobytes()
        assert back[name].shape == array.shape
    assert os.listdir(tmp_path) == ["file"]


def test_every_truncation_and_every_flipped_byte_is_refused(tmp_path):
    path = str(tmp_path / "broken")
    array_file.write(path, {"stop": 0}, {"block": np.arange(6.0).reshape(3, 2)})
    with open(path, "rb") as file:
        whole = file.read()

    def refused(content):
        with open(path, "wb") as file:
            file.write(content)
        with pytest.raises(ValueError, match="truncated|damaged|not a checkpoint|format") as caught:
            array_file.read(path)
        assert path in str(caught.value) and "omit resume to start from the beginning" in str(caught.value)

    for length in range(len(whole)):
        refused(whole[:length])
    for at in range(len(whole)):
        refused(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
    refused(whole + b"\0")
    refused(whole + whole)
    refused(whole.replace(b"checkpoint 2", b"checkpoint 1"))
    refused(whole.replace(b"checkpoint 2", b"checkpoint 3"))


def test_what_is_not_a_checkpoint_is_neither_read_nor_overwritten(tmp_path):
    path = tmp_path / "thesis.tex"
    for content in (b"", b"\\documentclass{article}", b"\x80\x04K\x01."):
        path.write_bytes(content)
        for given in ({"checkpoint": path}, {"checkpoint": path, "resume": True}, {"resume": path}):
            with pytest.raises(ValueError, match="no checkpoint of numbaopt|not a checkpoint|truncated") as caught:
                minimize(valley, START, (np.zeros(1),), jac="inplace", **given)
            assert str(path) in str(caught.value)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["thesis.tex"]


@pytest.mark.parametrize(
    "given, error, said",
    [
        ({"resume": "nowhere"}, FileNotFoundError, "there is no checkpoint '.*nowhere' to resume from"),
        ({"resume": "nowhere", "checkpoint": "other"}, FileNotFoundError, "there is no checkpoint"),
        ({"resume": True}, ValueError, "resume=True needs checkpoint"),
        ({"resume": 3.5}, TypeError, "resume must be a path, or True to resume from checkpoint, not 3.5"),
        ({"checkpoint": 3.5}, TypeError, "checkpoint must be a path, not 3.5"),
        ({"checkpoint": "no/where"}, FileNotFoundError, "cannot be written: no file can be created in its directory"),
        ({"checkpoint": "."}, ValueError, "is not a regular file and will not be overwritten"),
        ({"checkpoint": "run", "checkpoint_every": -1}, ValueError, "checkpoint_every, in seconds, must be at least 0"),
        (
            {"checkpoint": "run", "checkpoint_every": np.nan},
            ValueError,
            "checkpoint_every, in seconds, must be at least 0",
        ),
        ({"checkpoint": "run", "checkpoint_every": "1"}, TypeError, "checkpoint_every must be a number of seconds"),
        ({"checkpoint_every": 1}, ValueError, "checkpoint_every has no effect without checkpoint"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(tmp_path, monkeypatch, given, error, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=said):
        minimize(valley, START, (np.zeros(1),), jac="inplace", **given)
    assert os.listdir(tmp_path) == []


def test_data_that_can_be_gone_through_once(tmp_path):
    with pytest.raises(ValueError, match="data can be iterated over only once, so the run could not be resumed"):
        minimize(squares, np.zeros(4), (UNSET,), jac="inplace", data=iter([DATA]), checkpoint=tmp_path / "run")


def test_a_stream_that_has_become_shorter(tmp_path):
    given = {"jac": "inplace", "method": "adam", "checkpoint": tmp_path / "run"}
    minimize(squares, np.zeros(4), (UNSET,), options={"maxiter": 3}, data=[DATA] * 5, **given)
    with pytest.raises(
        ValueError, match="data yielded only 2 batches in epoch 1, of which the resumed run has already used 3"
    ):
        minimize(squares, np.zeros(4), (UNSET,), resume=True, data=[DATA] * 2, **given)


def test_between_temporary_and_rename(tmp_path, monkeypatch):
    path, arrays = str(tmp_path / "run"), {"a": np.zeros(3)}
    array_file.write(path, {"n": 1}, arrays)

    class Killed(BaseException):
        pass

    def killed(*args):
        raise Killed

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(os, name, killed)
            array_file.write(path, {"n": 2}, arrays)
        assert array_file.read(path)[0] == {"n": 1}
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.skipif(importlib.util.find_spec("resource") is None, reason="needs POSIX limits")
def test_a_disk_that_fills_up_is_a_warning(tmp_path):
    # A real refusal by the kernel: files may be no longer than what is written of the first checkpoint.
    script = f"""
import resource, signal, warnings
import numpy as np
from numbaopt import minimize
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
def fun(x):
    fun.calls += 1
    if fun.calls == 5:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    return float(x @ x), 2 * x
fun.calls = 0
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    result = minimize(fun, np.ones(3), jac=True, checkpoint={str(tmp_path / "run")!r}, checkpoint_every=0,
                      options={{"maxiter": 9}})
assert result.nit == 9 and len(seen) >= 5, (result, seen)
assert all(w.category is RuntimeWarning and "could not be written" in str(w.message) for w in seen)
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
fun.calls = 100
again = minimize(fun, np.ones(3), jac=True, resume={str(tmp_path / "run")!r}, options={{"maxiter": 9}})
assert again.nit == 9 and again.nfev == 10 and again.fun == result.fun and fun.calls == 106, fun.calls
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
    assert os.listdir(tmp_path) == ["run"]


def test_what_a_killed_process_left_is_removed(tmp_path):
    path = str(tmp_path / "run")
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead, ours = (tmp_path / f".run.{pid}.1.tmp" for pid in (int(child.stdout), os.getpid()))
    dead.write_bytes(b"half")
    ours.write_bytes(b"half")
    array_file.prepare(path)
    assert os.listdir(tmp_path) == [ours.name]
