"""What a run writes down of itself, step by step, and what it shows of itself on a terminal."""

import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from numba import njit

from numbaopt import OptimizationInterrupted, adam, chain, minimize, minimize_many, problems, schedules, transforms
from numbaopt.drivers.progress import Bar
from numbaopt.results.result import Result

ROSENBROCK = problems.get("rosenbrock", n=2)
COLUMNS = ["nit", "fun", "norm", "lr", "seconds"]


def plainly(x, grad):
    """Call the same compiled function from Python: the same bits, on the plain driver."""
    return ROSENBROCK.fun(x, grad)


@njit(error_model="numpy")
def loss(w, X, y):
    r = X @ w - y
    return (r @ r) / r.size, 2 * X.T @ r / r.size


def loss_plainly(w, X, y):
    return loss(w, X, y)


def recorded(fun, x0, **given):
    """Return what a callback saw at each step, and the result."""
    seen = []

    def callback(intermediate_result):
        seen.append((intermediate_result.nit, intermediate_result.fun, intermediate_result.x))

    return seen, minimize(fun, x0, callback=callback, **given)


def check_form(history, result, first=0):
    assert all(len(column) == len(history.nit) for column in history.values())
    np.testing.assert_array_equal(history.nit, np.arange(first, result.nit + 1))
    assert history.nit.dtype == np.int64
    assert all(history[name].dtype == np.float64 for name in COLUMNS[1:])
    assert np.all(np.diff(history.seconds) >= 0) and history.seconds[0] >= 0


def same(one, other):
    """Tell whether two histories are the same to the bit, but for the time."""
    assert list(one) == list(other)
    for name in one:
        if name != "seconds":
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_every_step_is_there_as_a_callback_sees_it():
    options = {"lr": schedules.cosine(0.1, 50), "maxiter": 300, "gtol": 0, "history": "x"}
    seen, plain = recorded(plainly, ROSENBROCK.x0, jac="inplace", options=options)
    compiled = minimize(ROSENBROCK.fun, ROSENBROCK.x0, jac="inplace", options=options)
    quiet = minimize(ROSENBROCK.fun, ROSENBROCK.x0, jac="inplace", options=options | {"history": False})
    history = plain.history
    check_form(history, plain)
    check_form(compiled.history, compiled)
    same(history, compiled.history)
    assert "history" not in quiet and quiet.fun == compiled.fun and quiet.x.tolist() == compiled.x.tolist()
    assert [nit for nit, _, _ in seen] == history.nit[1:].tolist()
    np.testing.assert_array_equal(history.fun[1:], [f for _, f, _ in seen])
    np.testing.assert_array_equal(history.x[1:], [x for _, _, x in seen])
    grad = np.empty(2)
    for x, f, norm in zip(history.x, history.fun, history.norm, strict=True):
        assert ROSENBROCK.fun(x, grad) == f and abs(grad).max() == norm
    assert np.isnan(history.lr[0])
    np.testing.assert_allclose(history.lr[1:], [options["lr"](k) for k in range(300)], rtol=1e-14, atol=1e-17)


@pytest.mark.slow
def test_a_reactive_rate_is_the_one_of_the_step():
    options = {"maxiter": 60, "gtol": 0, "history": "x"}
    method = chain(adam(lr=0.05), transforms.plateau(patience=2, threshold=0.0))
    both = [
        minimize(f, ROSENBROCK.x0, jac="inplace", method=method, options=options) for f in (plainly, ROSENBROCK.fun)
    ]
    same(both[0].history, both[1].history)
    # ReduceLROnPlateau by itself: it is told the value before each step.
    best, bad, rate, rates = np.inf, 0, 0.05, []
    for f in both[0].history.fun[:-1]:
        rates.append(rate)
        bad = 0 if f < best else bad + 1
        best = min(best, f)
        if bad > 2:
            rate, bad = rate * 0.1, 0
    assert len(set(rates)) > 2
    np.testing.assert_allclose(both[0].history.lr[1:], rates, rtol=1e-12)


@pytest.mark.parametrize("method", ["lbfgs", "barzilai_borwein"])
def test_a_solver_has_an_entry_for_each_iteration(method):
    given = {"jac": "inplace", "method": method, "options": {"history": "x"}}
    if method == "barzilai_borwein":
        given["bounds"] = [(-2, 0.8), (-2, 2)]
    plain, compiled = (minimize(f, ROSENBROCK.x0, **given) for f in (plainly, ROSENBROCK.fun))
    same(plain.history, compiled.history)
    for result in (plain, compiled):
        history, grad = result.history, np.empty(2)
        check_form(history, result)
        assert result.success and np.isnan(history.lr).all()
        for x, f, norm in zip(history.x, history.fun, history.norm, strict=True):
            assert ROSENBROCK.fun(x, grad) == f
            if "bounds" in given:
                lower, upper = np.transpose(given["bounds"])
                projected = abs(np.clip(x - grad, lower, upper) - x).max()
                np.testing.assert_allclose(norm, projected, rtol=0, atol=1e-15)  # x - grad is rounded
            else:
                assert abs(grad).max() == norm
        assert history.fun[-1] == result.fun and history.x[-1].tolist() == result.x.tolist()


@pytest.mark.slow
def test_minibatches_have_the_loss_of_each_step():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 3)), rng.normal(size=50)
    given = {"data": (X, y), "batch_size": 16, "epochs": 3, "seed": 0, "jac": True}
    options = {"lr": schedules.linear(0.1, 0.01, 12), "history": "x"}
    seen, plain = recorded(loss_plainly, np.zeros(3), options=options, **given)
    compiled = minimize(loss, np.zeros(3), options=options, **given)
    assert plain.nit == 12
    for result in (plain, compiled):
        check_form(result.history, result, first=1)
    same(plain.history, compiled.history)
    np.testing.assert_array_equal(plain.history.fun, [f for _, f, _ in seen])
    np.testing.assert_array_equal(plain.history.x, [x for _, _, x in seen])
    np.testing.assert_allclose(plain.history.lr, [options["lr"](k) for k in range(12)], rtol=1e-14)


def test_long_plain_runs_go_round_the_ring():
    options = {"lr": 1e-3, "maxiter": 1500, "gtol": 0, "history": True}
    seen, result = recorded(plainly, ROSENBROCK.x0, jac="inplace", options=options)
    check_form(result.history, result)
    np.testing.assert_array_equal(result.history.fun[1:], [f for _, f, _ in seen])


def test_structured_x0_and_seconds():
    def fun(p):
        time.sleep(0.002)
        return float(p["a"] @ p["a"] + p["b"] ** 2)

    options = {"maxiter": 5, "history": "x", "gtol": 0}
    result = minimize(fun, {"a": np.ones(2), "b": 2.0}, method="lamb", options=options)
    check_form(result.history, result)
    assert result.history.x.shape == (6, 3) and result.history.x[0].tolist() == [1, 1, 2]
    assert np.diff(result.history.seconds).min() > 0.002  # a step evaluates at least once


def test_what_is_not_finite_is_the_last_entry():
    def fun(x):
        return (np.nan if x[0] < 0.5 else float(x @ x)), 2 * x

    result = minimize(fun, np.ones(1), jac=True, options={"lr": 0.2, "history": True})
    assert result.status == 3
    check_form(result.history, result)
    assert np.isnan(result.history.fun[-1]) and np.isfinite(result.history.fun[:-1]).all()
    assert 0 < result.history.norm[-1] < result.history.norm[-2]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_an_exception_carries_the_history_so_far(error):
    calls = []

    def fun(x):
        calls.append(float(x @ x))
        if len(calls) == 8:
            raise error
        return calls[-1], 2 * x

    with pytest.raises(OptimizationInterrupted if error is KeyboardInterrupt else error) as caught:
        minimize(fun, np.ones(2), jac=True, options={"history": "x"})
    history = caught.value.result.history
    np.testing.assert_array_equal(history.fun, calls[:7])
    assert [float(x @ x) for x in history.x] == calls[:7]


def test_a_history_is_a_dict_that_prints_short():
    history = minimize(plainly, ROSENBROCK.x0, jac="inplace", options={"maxiter": 7, "history": True}).history
    assert list(history) == COLUMNS and isinstance(history, dict)
    assert repr(history) == "History of 7 steps: nit, fun, norm, lr, seconds"
    assert repr(history) in repr(Result(fun=1.0, history=history)).splitlines()[1]
    again = pickle.loads(pickle.dumps(history))
    assert type(again) is type(history)
    same(history, again)
    with pytest.raises(AttributeError, match="gradient"):
        history.gradient()


def test_refused():
    with pytest.raises(ValueError, match="history must be True, False, or 'x'"):
        minimize(plainly, ROSENBROCK.x0, jac="inplace", options={"history": "points"})
    with pytest.raises(TypeError, match="progress must be True or False"):
        minimize(plainly, ROSENBROCK.x0, jac="inplace", options={"progress": "bar"})
    with pytest.raises(ValueError, match="history is an option of minimize only"):
        minimize_many(plainly, np.zeros((3, 2)), jac="inplace", options={"history": True})
    with pytest.raises(ValueError, match="history is for rules and solvers of numbaopt"):
        minimize(plainly, ROSENBROCK.x0, jac="inplace", method="BFGS", options={"history": True})
    # A number is lbfgs's own.
    given = {"jac": "inplace", "method": "lbfgs", "options": {"history": 3, "maxiter": 2}}
    assert "history" not in minimize(plainly, ROSENBROCK.x0, **given)


@pytest.mark.parametrize("fun", [ROSENBROCK.fun, plainly])
def test_a_run_taken_up_again(fun, tmp_path):
    given = {"jac": "inplace", "method": adam(lr=0.05), "checkpoint": tmp_path / "run", "resume": True}
    first, second = (
        minimize(fun, ROSENBROCK.x0, options={"history": "x", "maxiter": n}, **given).history for n in (10, 25)
    )
    assert repr(first).startswith("History of 10 steps:") and repr(second).startswith("History of steps 10 to 25:")
    for name in ("fun", "norm", "x"):
        np.testing.assert_array_equal(second[name][0], first[name][-1])


SLOW = """
import sys, time
import numpy as np
from numbaopt import minimize
def fun(x):
    time.sleep(0.01)
    if {raises} and x[0] < 0.9:
        raise ValueError("enough")
    return float(x @ x), 2 * x
options = dict(gtol=0, maxiter=60, lr=0.01, {options})
try:
    minimize(fun, np.ones(2), jac=True, options=options)
except (ValueError, KeyboardInterrupt) as error:
    print("ended", type(error).__name__)
"""


def on_terminal(interrupted=False, raises=False, **options):
    """Return what a program writes to a terminal."""
    pty = pytest.importorskip("pty")
    given = ", ".join(f"{name}={value!r}" for name, value in options.items())
    outer, inner = pty.openpty()
    command = [sys.executable, "-c", SLOW.format(raises=raises, options=given)]
    process = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner)
    os.close(inner)
    out = b""
    while True:
        try:
            chunk = os.read(outer, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not chunk:
            break
        out += chunk
        if interrupted and b"f=" in out:
            process.send_signal(signal.SIGINT)
            interrupted = False
    assert process.wait() == 0
    os.close(outer)
    return out.decode()


def test_a_bar_on_a_terminal():
    pytest.importorskip("tqdm")
    text = on_terminal(progress=True, maxtime=50.0)
    drawn = text.split("\r")
    assert 4 <= len(drawn) <= 20  # by time, not at each of 60 steps
    assert "100%" in drawn[-2] and "60/60" in drawn[-2] and text.endswith("\r\n")
    assert any("f=" in line and "|g|=" in line and "lr=0.01" in line for line in drawn)


def test_a_bar_of_a_method_without_a_learning_rate(monkeypatch):
    pytest.importorskip("tqdm")
    words = []
    monkeypatch.setattr(Bar, "__init__", lambda self, wanted: vars(self).update(_bar=None, is_shown=True))
    monkeypatch.setattr(Bar, "draw", lambda self, done, total, unit, say, last=False: words.append(say()))
    given = {"jac": "inplace", "options": {"progress": True, "maxiter": 5}}
    for method in ("lbfgs", adam(lr=np.array([0.1, 0.2]))):
        minimize(plainly, np.array([-1.2, 1.0]), method=method, **given)
        assert words[-1].startswith("f=") and "lr=" not in words[-1]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["interrupted", "raises"])
def test_a_bar_is_closed_whatever_ends_the_run(how):
    pytest.importorskip("tqdm")
    text = on_terminal(progress=True, **{how: True})
    before, ended = text.rstrip().rsplit("\r\n", 1)
    assert ended == f"ended {'OptimizationInterrupted' if how == 'interrupted' else 'ValueError'}"
    assert "f=" in before.split("\r")[-1]


def test_no_terminal_no_bar(capfd):
    pytest.importorskip("tqdm")
    minimize(plainly, ROSENBROCK.x0, jac="inplace", options={"maxiter": 50, "progress": True})
    assert capfd.readouterr() == ("", "")


def test_without_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)

    def never(x):
        raise AssertionError("this was to be refused before")

    with pytest.raises(ImportError, match=r'pip install "numbaopt\[progress\]"'):
        minimize(never, np.ones(2), options={"progress": True})
    assert minimize(plainly, ROSENBROCK.x0, jac="inplace", method="lbfgs", options={"progress": False}).success
