"""The drivers: the same walk on both, as a loop written by hand takes it; interrupts, limits, threads."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from numba import njit

import numbaopt
from numbaopt import minimize
from tests.functions import in_python

RULES = [numbaopt.get(name) for name in numbaopt.names() if name != "schedule_free_sgd"]
RULES += [numbaopt.schedule_free_sgd(lr=1e-3)]  # by default it goes too far here
DTYPES = [np.float32, np.float64]


@njit
def rosen(x, grad, a):
    """Rosenbrock with its gradient in place."""
    f = 0.0
    grad[:] = 0
    for i in range(x.size - 1):
        p, q = 1 - x[i], x[i + 1] - x[i] ** 2
        f += p**2 + a * q**2
        grad[i] += -2 * p - 4 * a * x[i] * q
        grad[i + 1] += 2 * a * q
    return f


@njit
def squares(w, grad, X, y):
    """Mean squared error of a linear model, with its gradient in place."""
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


def regression(dtype, rows=50, n=5):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(rows, n)).astype(dtype)
    return X, (X @ np.arange(n) + 0.1 * rng.normal(size=rows)).astype(dtype)


def assert_same(a, b):
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key)
    assert a.x.dtype == b.x.dtype


# The oracle: a loop of nothing but NumPy and the rule's own step.


SOME = ("adam", "lamb", "sgd", "nadam", "prodigy", "polyak_sgd", "schedule_free_sgd", "sm3")
# A driver is compiled for each rule and dtype: in float64 for some.
EACH = [(rule, dtype) for rule in RULES for dtype in DTYPES if dtype is np.float64 or rule.name in SOME]


@pytest.mark.parametrize(("rule", "dtype"), EACH, ids=lambda value: getattr(value, "name", value.__name__))
def test_is_the_loop_that_one_would_write(rule, dtype):
    x = np.array([-1.2, 1.0, 0.5], dtype)
    g, state, fs = np.empty_like(x), rule.init(x), []
    for _ in range(30):
        fs.append(rosen(x, g, 3.0))
        rule.step(x, g, state, fs[-1])
    x = rule.reported(x, state.s, state.h, state.t)
    more = int(rule.has_reported_point)  # the point to report is looked at, too
    for fun in (rosen, in_python(rosen)):
        options = {"maxiter": 30, "return": "last"}
        result = minimize(fun, np.array([-1.2, 1.0, 0.5], dtype), 3.0, rule, "inplace", options=options)
        np.testing.assert_array_equal(result.x, x)
        assert result.x.dtype == dtype
        assert (result.nit, result.nfev, result.njev, result.status) == (30, 31 + more, 31 + more, 1)
        assert result.fun == rosen(x, g, 3.0)
        np.testing.assert_array_equal(result.jac, g)


def test_adam_in_plain_numpy():
    x, m, v = np.array([-1.2, 1.0]), np.zeros(2), np.zeros(2)
    best = np.inf
    for t in range(1, 102):
        f, g = rosen_pair(x)
        if f < best:
            best, at = f, x.copy()
        m, v = 0.9 * m + (1 - 0.9) * g, 0.999 * v + (1 - 0.999) * g**2
        x = x - 0.5 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    result = minimize(rosen_pair, [-1.2, 1.0], jac=True, options={"lr": 0.5, "maxiter": 100})
    assert result.nit == 100
    np.testing.assert_allclose(result.x, at, rtol=1e-12)
    np.testing.assert_allclose(result.fun, best, rtol=1e-11)


def rosen_pair(x):
    g = np.empty(2)
    return rosen(x, g, 100.0), g


# Plain against compiled.


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bounds", [None, [(None, 0.7), (-1, 0.4), (None, None)]], ids=["free", "bounds"])
@pytest.mark.parametrize(
    "options",
    [
        {"maxiter": 300},
        {"maxiter": 300, "return": "last"},
        {"lr": 0.02, "gtol": 1e-2},
        {"ftol": 1e-5},
        {"maxfev": 40},
        {"maxiter": 0},
        {"lr": 1e30},
    ],
    ids=str,
)
def test_both_drivers_give_equal_results(options, bounds, dtype):
    x0 = np.array([-1.2, 1.0, 0.5], dtype)
    a = minimize(rosen, x0, 100.0, "adam", "inplace", bounds=bounds, options=options)
    b = minimize(in_python(rosen), x0, 100.0, "adam", "inplace", bounds=bounds, options=options)
    assert_same(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.name in SOME], ids=lambda rule: rule.name)
def test_both_drivers_agree_for_each_rule(rule):
    kwargs = {"method": rule, "jac": "inplace", "args": (100.0,), "options": {"maxiter": 200}}
    kwargs["bounds"] = [(-1.0, 1.0)]
    assert_same(minimize(rosen, np.zeros(4), **kwargs), minimize(in_python(rosen), np.zeros(4), **kwargs))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", ["adam", "lamb", "sgd"])
@pytest.mark.parametrize(
    "feed",
    [
        {"batch_size": 8, "epochs": 3, "seed": 1},
        {"batch_size": 8, "epochs": 3, "seed": 1, "drop_last": True},
        {"batch_size": 7, "epochs": 2, "shuffle": False},
        {"batch_size": 50, "epochs": 2, "seed": 0},
        {"batch_size": 8, "epochs": 3, "seed": 1, "options": {"maxiter": 17}},
        {"batch_size": 8, "epochs": 3, "seed": 1, "options": {"maxfev": 7}},
        {"batch_size": 8, "epochs": 2, "seed": 1, "options": {"maxiter": 14}},
        {"batch_size": 8, "epochs": 2, "seed": 1, "bounds": [(0, 2)]},
    ],
    ids=str,
)
def test_both_drivers_see_the_same_batches(feed, rule, dtype):
    data, w0 = regression(dtype), np.zeros(5, dtype)
    a = minimize(squares, w0, method=rule, jac="inplace", data=data, **feed)
    b = minimize(in_python(squares), w0, method=rule, jac="inplace", data=data, **feed)
    assert_same(a, b)
    told = []
    minimize(squares, w0, method=rule, jac="inplace", data=data, **feed, callback=lambda x: told.append(x))
    np.testing.assert_array_equal(told[-1], a.x)
    assert len(told) == a.nit


@njit
def overwrites(w, grad, X, y, k):
    """Least squares that leaves nothing of its batch."""
    for i in range(y.size):
        for j in range(w.size):
            X[i, j] += k[i]
        y[i] -= 0.5 * k[i]
    f = squares(w, grad, X, y)
    X[:] = np.nan
    y[:] = np.nan
    k[:] = 100
    return f


LAYOUTS = {
    "C": lambda a, path: a,
    "Fortran": lambda a, path: np.asfortranarray(a),
    "swapped": lambda a, path: a.astype(a.dtype.newbyteorder()),
    "strided": lambda a, path: np.repeat(a, 3, axis=0)[::-3],
    "memmap": lambda a, path: mapped(a, path),
}


def mapped(a, path):
    np.save(path, a)
    return np.load(path, mmap_mode="r")


@pytest.mark.parametrize("options", [{}, {"maxiter": 1111}, {"maxfev": 1234}], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_many_epochs_of_any_layout_whatever_is_done_to_a_batch(layout, options, tmp_path):
    X, y = regression(np.float64)
    data = *(LAYOUTS[layout](a, tmp_path / f"{a.ndim}.npy") for a in (X, y)), np.arange(50, dtype=np.int8)
    before = [a.copy() for a in data]
    kwargs = {"data": data, "batch_size": 16, "epochs": 400, "seed": 2**70, "jac": "inplace", "options": options}
    a, b = minimize(overwrites, np.zeros(5), **kwargs), minimize(in_python(overwrites), np.zeros(5), **kwargs)
    assert_same(a, b)
    assert a.nit == a.nfev == next(iter(options.values()), 1600)
    assert all((was == now).all() for was, now in zip(before, data, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["nan", "raises"])
def test_an_end_within_a_later_epoch_is_the_same_on_both_drivers(kind):
    @njit
    def fun(w, grad, rows, count, kind):
        count[0] += 1
        grad[:] = 2 * (w - rows.mean())
        if count[0] == 31 and kind == 1:
            raise ArithmeticError("enough")
        return np.nan if count[0] == 31 else ((w - rows.mean()) ** 2).sum()

    found = []
    for drive in (fun, in_python(fun)):
        args, feed = (np.zeros(1), float(kind == "raises")), {"data": np.arange(50.0), "batch_size": 8, "seed": 1}
        try:
            found.append(minimize(drive, np.zeros(2), args, jac="inplace", epochs=9, **feed))
        except ArithmeticError as error:
            found.append(error.result)
    assert_same(*found)
    assert (found[0].nit, found[0].nfev) == (30, 31) and np.isfinite(found[0].fun)


def test_minibatches_against_a_loop_by_hand():
    X, y = regression(np.float64)
    w, g, rule = np.zeros(5), np.empty(5), numbaopt.adam(lr=0.05)
    state, losses = rule.init(w), []
    for _ in range(3):
        losses = []
        for lo in range(0, 50, 8):
            batch = X[lo : lo + 8], y[lo : lo + 8]
            losses.append((squares(w, g, *batch), len(batch[1])))
            rule.step(w, g, state)
    kwargs = {"data": (X, y), "batch_size": 8, "epochs": 3, "shuffle": False}
    result = minimize(squares, np.zeros(5), method=rule, jac="inplace", **kwargs)
    np.testing.assert_array_equal(result.x, w)
    np.testing.assert_array_equal(result.jac, g)
    values, weights = zip(*losses, strict=True)
    assert result.fun == pytest.approx(np.average(values, weights=weights), rel=1e-14)
    assert (result.nit, result.nfev, result.success) == (21, 21, True)
    assert "last epoch" in result.message


# A rule that takes a norm takes it of each array of x0.


def test_lamb_steps_each_array_alone():
    rule = numbaopt.lamb(lr=0.1)
    start = {"w": np.array([[1.0, 2.0], [3.0, -1.0]]), "b": np.array([0.1, 0.2])}

    def fun(p):
        return float((p["w"] ** 2).sum() + 3 * (p["b"] ** 2).sum()), {"w": 2 * p["w"], "b": 6 * p["b"]}

    kwargs = {"method": rule, "jac": True, "options": {"maxiter": 5, "return": "last"}}
    result = minimize(fun, start, **kwargs)
    x = {key: value.copy() for key, value in start.items()}
    states = {key: rule.init(value) for key, value in x.items()}
    for _ in range(5):
        for key, g in fun(x)[1].items():
            rule.step(x[key], g, states[key])
    for key in x:
        np.testing.assert_array_equal(result.x[key], x[key])
    bounded = minimize(fun, start, bounds=(-1, 1), **kwargs)
    assert all(np.all(abs(value) <= 1) for value in bounded.x.values())


# What is not finite stops before the step.


@pytest.mark.parametrize("where", ["fun", "jac"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("drive", [lambda f: f, in_python], ids=["compiled", "plain"])
def test_stops_where_something_is_not_finite(drive, value, where):
    @njit
    def fun(x, grad, bad_fun, bad_jac):
        grad[:] = 2 * x
        if x[0] < 0.95:
            grad[1] += bad_jac
            return bad_fun
        return x[0] ** 2 + x[1] ** 2

    bad = (value, 0.0) if where == "fun" else (0.0, value)
    result = minimize(drive(fun), [1.0, 1.0], bad, numbaopt.sgd(lr=0.01), "inplace")
    assert (result.status, result.success, result.nit, result.nfev) == (3, False, 3, 4)
    assert str(value) in result.message and "3 steps" in result.message
    assert result.x == pytest.approx([0.98**2] * 2)  # the last finite one is the best
    assert np.isfinite(result.fun) and np.isfinite(result.jac).all()
    at_once = minimize(drive(fun), [0.5, 1.0], bad, numbaopt.sgd(lr=0.01), "inplace")
    assert (at_once.status, at_once.nit, at_once.nfev) == (3, 0, 1)
    np.testing.assert_array_equal(at_once.x, [0.5, 1.0])
    assert where == "jac" or not np.isfinite(at_once.fun)


@pytest.mark.parametrize("drive", [lambda f: f, in_python], ids=["compiled", "plain"])
def test_a_bad_batch_stops_before_the_step(drive):
    X, y = regression(np.float64)
    y[20] = np.nan
    kwargs = {"data": (X, y), "batch_size": 8, "epochs": 5, "shuffle": False, "jac": "inplace"}
    result = minimize(drive(squares), np.zeros(5), **kwargs)
    assert (result.status, result.nit, result.nfev, result.success) == (3, 2, 3, False)
    before = minimize(drive(squares), np.zeros(5), **kwargs, options={"maxiter": 1})
    np.testing.assert_array_equal(result.x, before.x)  # at the second iterate the loss was nan
    assert "nan after 2 steps" in result.message
    assert "x is the last iterate with a finite loss" in result.message


def test_overflow_in_the_objective_is_caught():
    result = minimize(lambda x: (x.item() * x.item(), 2 * x), [1.0], jac=True, method=numbaopt.sgd(lr=1e200))
    assert result.status == 3 and result.x == 1 and "inf after 1 step;" in result.message


@pytest.mark.parametrize("drive", [lambda f: f, in_python], ids=["compiled", "plain"])
def test_a_step_that_divides_by_zero_is_caught(drive):
    @njit
    def fun(x, grad, *rows):
        grad[0] = 2 * x[0]
        grad[1] = 0
        return x[0] ** 2

    rule = numbaopt.adam(eps=0.0)  # 0 / 0 in the entry that has no gradient, which fun does not look at
    result = minimize(drive(fun), [1.0, 1.0], jac="inplace", method=rule)
    assert (result.status, result.success) == (3, False) and result.message.startswith("x is not finite")
    feed = {"data": np.arange(4), "batch_size": 4}  # nothing is evaluated after the only step
    result = minimize(drive(fun), [1.0, 1.0], jac="inplace", method=rule, **feed)
    assert (result.status, result.success) == (3, False) and result.message.startswith("x is not finite")
    np.testing.assert_array_equal(result.x, [1.0, 1.0])


# Interrupts and errors: the best so far is not lost.


@njit
def slow(x, grad):
    """Take a while."""
    f = 0.0
    for _ in range(2000):
        f = 0.0
        for i in range(x.size):
            grad[i] = 2 * x[i]
            f += x[i] ** 2
    return f


@njit
def slow_batch(x, grad, rows):
    """Take a while for a batch."""
    return slow(x, grad)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
@pytest.mark.parametrize("drive", [lambda f: f, in_python], ids=["compiled", "plain"])
@pytest.mark.parametrize("minibatch", [False, True], ids=["full", "minibatch"])
def test_ctrl_c_keeps_the_best_so_far(drive, minibatch):
    x0 = np.full(20, 3.0)
    fun, options = (slow_batch, {}) if minibatch else (slow, {"gtol": 0, "maxiter": 1e9})
    feed = {"data": (np.arange(1000.0),), "batch_size": 1, "epochs": 10**6} if minibatch else {}
    minimize(drive(fun), x0, jac="inplace", options={"maxiter": 1}, **feed)  # compiled before the clock starts
    earlier = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    began = time.perf_counter()
    try:
        with pytest.raises(numbaopt.OptimizationInterrupted) as caught:
            minimize(drive(fun), x0, jac="inplace", options=options, **feed)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)
    assert time.perf_counter() - began < 5
    result = caught.value.result
    assert isinstance(caught.value, KeyboardInterrupt)
    assert result.nit > 10 and not result.success and np.all(abs(result.x) < 3)
    assert f"after {result.nit} steps" in result.message
    assert result.nfev >= result.nit


@pytest.mark.parametrize("drive", [lambda f: f, in_python], ids=["compiled", "plain"])
@pytest.mark.parametrize("minibatch", [False, True], ids=["full", "minibatch"])
def test_what_fun_raises_passes_with_the_best_so_far(drive, minibatch):
    @njit
    def fun(x, grad, *rows):
        if x[0] < 0.5:
            raise ArithmeticError("too low")
        grad[:] = 2 * x
        return x[0] ** 2

    feed = {"data": np.arange(100), "batch_size": 1, "epochs": 10} if minibatch else {}
    with pytest.raises(ArithmeticError, match="too low") as caught:
        minimize(drive(fun), [1.0], jac="inplace", method=numbaopt.sgd(lr=0.05), **feed)
    result = caught.value.result
    assert result.nit == 7 and result.nfev == 8
    assert result.x == pytest.approx(0.9 ** (7 if minibatch else 6))
    assert "after step 7;" in caught.value.__notes__[0]


def test_what_a_callback_raises_passes_with_the_best_so_far():
    def callback(x):
        if x[0] < 0.9:
            raise LookupError("enough")

    with pytest.raises(LookupError) as caught:
        minimize(lambda x: (x @ x, 2 * x), [1.0], jac=True, method=numbaopt.sgd(lr=0.03), callback=callback)
    assert caught.value.result.x == pytest.approx(0.94**2)


# Limits.


@pytest.mark.parametrize("drive", [lambda f: f, in_python], ids=["compiled", "plain"])
@pytest.mark.parametrize("minibatch", [False, True], ids=["full", "minibatch"])
def test_maxtime(drive, minibatch):
    fun, options = (slow_batch, {}) if minibatch else (slow, {"gtol": -1, "maxiter": np.inf})
    feed = {"data": (np.arange(1000.0),), "batch_size": 1, "epochs": 10**6} if minibatch else {}
    minimize(fun, np.ones(20), jac="inplace", options={"maxiter": 1}, **feed)
    began = time.perf_counter()
    result = minimize(drive(fun), np.ones(20), jac="inplace", options={"maxtime": 0.2} | options, **feed)
    assert 0.2 <= time.perf_counter() - began < 5
    assert (result.status, result.success) == (2, False) and "0.2 s" in result.message and result.nit > 1


def test_two_threads_at_once():
    def work(k):
        options = {"maxiter": 3000, "lr": 0.01, "gtol": 0}
        fun = rosen if k % 2 else in_python(rosen)
        results[k] = minimize(fun, np.zeros(3), 50.0, jac="inplace", options=options)

    results = [None] * 8
    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results[1:]:
        assert_same(result, results[0])


PROGRAM = """
import numpy as np
from numba import njit
from numbaopt import minimize
from tests.functions import in_python

@njit
def fun(x, grad, *rows):
    grad[:] = 2 * x
    return (x**2).sum()

minimize(fun, np.ones(3), jac="inplace", bounds=[(0, 1)])
minimize(fun, np.ones(3), jac="inplace", data=np.arange(4))
"""


@pytest.mark.slow
def test_a_second_process_compiles_only_the_objective(tmp_path):
    environ = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    states = []
    for _ in range(2):
        subprocess.run([sys.executable, "-c", PROGRAM], env=environ, check=True, timeout=300)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        states.append({path.name: path.stat().st_mtime_ns for path in files})
    assert states[0] == states[1] and len(states[0]) > 4
