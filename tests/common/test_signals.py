"""Ctrl-C and exceptions, from wherever they come: what was found so far is not lost, and nothing is left in pieces."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from numba import njit
from numba.core.registry import cpu_target

import numbaopt
from numbaopt import minimize, minimize_many
from numbaopt.backends import cpu
from numbaopt.common.signals import interrupts_deferred
from numbaopt.drivers import specialize

SCRIPT = """
import os, signal, sys, time
import numpy as np
from numba import njit
from numbaopt import OptimizationInterrupted, minimize, minimize_many

@njit
def slope(x, grad):
    f = 0.0
    for i in range(x.size):
        grad[i] = 2e-9 * x[i]
        f += 1e-9 * x[i] * x[i]
    return f

@njit
def row_slope(x, grad, row):
    return slope(x, grad)

ones, rows, count = np.ones(4), np.zeros(1000), 2000
def solve(kind, much):
    given = {"jac": "inplace", "options": {"lr": 1e-12, "maxiter": 10**9 if much else 40}}
    many = {"jac": "inplace", "options": given["options"] | {"gtol": 0}}
    if kind == "compiled":
        return minimize(slope, ones, **many)
    if kind == "plain":
        return minimize(lambda *args: slope(*args), ones, **many)
    if kind == "epochs":
        return minimize(row_slope, ones, data=rows, batch_size=10, epochs=10**7, **given)
    if kind == "plain epochs":
        return minimize(lambda *args: row_slope(*args), ones, data=rows, batch_size=10, epochs=10**7, **given)
    return minimize_many(row_slope, np.ones((count, 4)), data=np.zeros(count), **many)

for kind in ("compiled", "plain", "epochs", "plain epochs", "many"):
    solve(kind, False)
    reader, writer = os.pipe()
    killer = os.fork()
    if killer == 0:
        time.sleep(0.4)
        now = time.monotonic()
        os.kill(os.getppid(), signal.SIGINT)
        os.write(writer, repr(now).encode())
        os._exit(0)
    try:
        solve(kind, True)
    except OptimizationInterrupted as error:
        late, result = time.monotonic() - float(os.read(reader, 100)), error.result
    os.waitpid(killer, 0)
    assert np.isfinite(result.x).all()
    assert np.all(result.status == 4) if kind == "many" else result.status == 4 and result.nit > 100, result
    print(f"{1000 * late:.0f} ms: {kind}", flush=True)
os._exit(0)  # a thread may still be compiling
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_real_signal():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    waits = [float(line.split()[0]) for line in done.stdout.splitlines()]
    assert len(waits) == 5 and max(waits) < 2000, done.stdout  # 50 of them by design; the rest is a busy machine


def test_a_signal_while_numba_registers_waits(monkeypatch):
    refresh, done = cpu_target.typing_context.refresh, []

    def interrupted():
        monkeypatch.undo()  # it calls itself
        signal.raise_signal(signal.SIGINT)
        refresh()
        done.append("all of it")

    monkeypatch.setattr(cpu_target.typing_context, "refresh", interrupted)
    fun = njit(lambda x, grad: 0.0 * grad[0])
    with pytest.raises(numbaopt.OptimizationInterrupted):
        minimize(fun, np.ones(3), jac="inplace")
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_while_a_function_is_loaded_at_its_first_call_waits(monkeypatch):
    function = cpu.load("@step\ndef half(x):\n    return x / 2\n", "waits")
    refresh, done = cpu_target.typing_context.refresh, []

    def interrupted():
        monkeypatch.undo()
        signal.raise_signal(signal.SIGINT)
        refresh()
        done.append("all of it")

    monkeypatch.setattr(cpu_target.typing_context, "refresh", interrupted)
    with pytest.raises(KeyboardInterrupt):
        function(3.0)
    assert done == ["all of it"] and function(3.0) == 1.5


def test_held_in_another_thread_is_nothing():
    earlier, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with interrupts_deferred():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [earlier]


@njit
def counting_down(x, grad, *more):
    """Raises after as many evaluations as the last argument holds."""
    left = more[-1]
    left[0] -= 1
    if left[0] < 0:
        raise ArithmeticError("pulled the plug")
    grad[:] = 1e-3 * x
    return 5e-4 * (x * x).sum()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["adam", "lamb"])
def test_an_exception_after_the_driver_of_its_own_has_taken_over(monkeypatch, method):
    monkeypatch.setattr(specialize, "PATIENCE", 0.0)
    monkeypatch.setattr(specialize, "digest", lambda function: None)  # nothing comes from the disk
    taken = []
    original = specialize.Driver._specialize
    monkeypatch.setattr(specialize.Driver, "_specialize", lambda tier: (original(tier), taken.append(tier)))
    given = {"jac": "inplace", "method": method, "options": {"maxiter": 10**7, "gtol": 0, "lr": 1e-8}}
    fun = njit(counting_down.py_func)  # a tier of its own
    with pytest.raises(ArithmeticError, match="pulled the plug") as caught:
        minimize(fun, np.ones(4), (np.full(1, 200_000),), **given)
    result = caught.value.result
    assert taken and taken[0].exact
    assert result.status == 4 and result.nit == 200_000 and result.nfev == 200_001
    assert caught.value.__notes__ == [f"Raised after step 200000; the best fun so far is {result.fun!r}: see .result"]
    alone = minimize(
        fun, np.ones(4), (np.full(1, 10**9),), **given | {"options": given["options"] | {"maxiter": 199_999}}
    )
    np.testing.assert_array_equal(result.x, alone.x)
    assert result.fun == alone.fun


def test_an_exception_in_one_of_many():
    left = np.full(1, 30)
    result = minimize_many(
        counting_down, np.ones((3, 4)), (left,), data=np.zeros(3), jac="inplace", threads=1,
        options={"maxiter": 20, "gtol": 0},
    )  # fmt: skip
    assert sorted(result.errors) == [1, 2] and list(result.status) == [1, 7, 7]
    assert all(type(error) is ArithmeticError for error in result.errors.values())
