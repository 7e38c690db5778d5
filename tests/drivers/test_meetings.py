"""Where features meet: histories of runs taken up again, what is not finite, counts that both drivers must share."""

import numpy as np
import pytest
from numba import njit

import numbaopt
from numbaopt import compare, minimize, minimize_many, schedules, transforms
from tests.functions import in_python


@njit
def valley(x, grad):
    """Rosenbrock's function."""
    f = 0.0
    grad[:] = 0.0
    for i in range(x.size - 1):
        a, b = x[i + 1] - x[i] ** 2, 1 - x[i]
        f += 100 * a * a + b * b
        grad[i] += -400 * a * x[i] - 2 * b
        grad[i + 1] += 200 * a
    return f


@njit
def misfit(w, A, b):
    f = 0.0 * w[0]
    for i in range(b.size):
        r = A[i, 0] * w[0] + A[i, 1] * w[1] - b[i]
        f = f + r * r / b.size
    return f


@njit
def slope(w, A, b):
    grad = np.zeros_like(w)
    for i in range(b.size):
        r = A[i, 0] * w[0] + A[i, 1] * w[1] - b[i]
        grad += 2 * r * A[i] / b.size
    return grad


def samples(dtype=float, bad=(7, 23)):
    A = np.random.default_rng(0).normal(size=(40, 2)).astype(dtype)
    b = A @ np.array([1, 2], dtype)
    b[list(bad)] = np.nan
    return A, b


def junk():
    """Leave memory behind that is not zero."""
    del [np.full((6, 4096), 7e77) for _ in range(4)][:]


START = np.array([-1.2, 1.0, 0.5])
PLATEAU = numbaopt.chain(numbaopt.sgd(lr=1e-3), transforms.plateau(patience=2))
SCHEDULED = numbaopt.sgd(lr=schedules.linear(0.1, 0.0, 60))


@pytest.mark.parametrize("drive", [lambda f: f, in_python], ids=["compiled", "plain"])
@pytest.mark.parametrize("method", ["prodigy", PLATEAU, numbaopt.sgd(lr=schedules.linear(1e-3, 0.0, 60)), "lbfgs"])
@pytest.mark.parametrize("at", [0, 1, 11])
def test_the_history_of_a_run_taken_up_is_the_rest_of_it(tmp_path, drive, method, at):
    fun, path = drive(valley), tmp_path / "run"
    given = {"x0": START, "jac": "inplace", "method": method}
    options = {"history": "x", "maxiter": 30, "gtol": 0.0}
    whole = minimize(fun, options=options, **given).history
    minimize(fun, options=options | {"maxiter": at}, checkpoint=path, **given)
    junk()
    rest = minimize(fun, options=options, resume=path, **given).history
    for name in ("nit", "fun", "norm", "x"):
        np.testing.assert_array_equal(rest[name], whole[name][at:])
    np.testing.assert_array_equal(rest.lr, [np.nan, *whole.lr[at + 1 :]])
    assert (np.diff(rest.seconds) >= 0).all() and 0 <= rest.seconds[0] <= rest.seconds[-1] < 60


@pytest.mark.slow
@pytest.mark.parametrize("drive", [lambda f: f, in_python], ids=["compiled", "plain"])
def test_a_solver_taken_up_amid_its_first_search_begins_with_the_start(tmp_path, drive):
    fun, path, x0 = drive(valley), tmp_path / "run", [-20.0, 30.0]
    given = {"jac": "inplace", "method": "lbfgs"}
    options = {"history": "x", "maxiter": 5, "gtol": 0.0}
    whole = minimize(fun, x0, options=options, **given)
    broken = minimize(fun, x0, options=options | {"maxfev": 2}, checkpoint=path, **given)
    assert broken.nit == 0
    junk()
    rest = minimize(fun, x0, options=options, resume=path, **given)
    for name in ("nit", "fun", "norm", "x"):
        np.testing.assert_array_equal(rest.history[name], whole.history[name])


@pytest.mark.parametrize("policy", ["skip", "shrink"])
@pytest.mark.parametrize("method", [SCHEDULED, PLATEAU])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batches_passed_over_on_both_drivers_and_taken_up_by_the_other(tmp_path, policy, method, dtype):
    counts, columns = ("fun", "nit", "nfev", "njev", "nonfinite", "message"), ("nit", "fun", "norm", "lr", "x")
    path = tmp_path / "run"
    given = {"x0": np.zeros(2, dtype), "method": method, "data": samples(dtype), "batch_size": 4, "epochs": 3}
    given |= {"seed": 1, "options": {"history": "x", "nonfinite": policy}}
    compiled, plain = (minimize(drive(misfit), jac=drive(slope), **given) for drive in (lambda f: f, in_python))
    assert [compiled[name] for name in counts] == [plain[name] for name in counts]
    for name in columns:
        np.testing.assert_array_equal(compiled.history[name], plain.history[name])
    for at, drive in ((1, in_python), (13, lambda f: f)):
        path.unlink(missing_ok=True)
        first = given | {"options": given["options"] | {"maxiter": at}}
        minimize(misfit, jac=slope, checkpoint=path, **first)
        junk()
        rest = minimize(drive(misfit), jac=drive(slope), resume=path, **given)
        assert [rest[name] for name in counts] == [plain[name] for name in counts]
        for name in columns:
            np.testing.assert_array_equal(rest.history[name], plain.history[name][at:])


def test_a_batch_passed_over_has_no_rate_and_the_schedule_waits():
    given = {"data": samples(), "batch_size": 4, "epochs": 3, "seed": 1, "method": SCHEDULED, "jac": slope}
    result = minimize(misfit, np.zeros(2), options={"history": True, "nonfinite": "skip"}, **given)
    made, rate = np.isfinite(result.history.fun), SCHEDULED.hyper["lr"]
    assert np.isnan(result.history.lr[~made]).all() and (~made).sum() == result.nonfinite > 0
    np.testing.assert_allclose(result.history.lr[made], [rate(t) for t in range(made.sum())], rtol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("jac", ["2-point", "spsa"])
@pytest.mark.parametrize("bad, maxfev, status", [(range(8, 80), None, 3), (range(20, 80), 18, 1)])
def test_counts_where_what_is_not_finite_ends_a_run(jac, bad, maxfev, status):
    A, b = np.random.default_rng(0).normal(size=(80, 2)), np.ones(80)
    b[bad] = np.nan
    given = {"x0": np.zeros(2), "jac": jac, "data": (A, b), "batch_size": 1 if maxfev is None else 4, "shuffle": False}
    given |= {"seed": 1, "method": "sgd", "options": {"nonfinite": "skip", "maxfev": maxfev}}
    compiled, plain = minimize(misfit, **given), minimize(in_python(misfit), **given)
    counts = ("status", "nit", "nfev", "njev", "nonfinite", "message")
    assert [compiled[name] for name in counts] == [plain[name] for name in counts]
    assert plain.status == status


@njit
def seldom(x, grad, calls):
    calls[0] += 1
    grad[:] = 2 * x
    return np.nan if calls[0] % 3 == 0 else (x**2).sum()


@pytest.mark.slow
@pytest.mark.parametrize("maxfev", [5, 6, 7])
def test_evaluations_again_keep_to_maxfev(maxfev):
    counts = ("status", "nit", "nfev", "njev", "nonfinite", "fun", "message")
    results = [
        minimize(
            drive(seldom), np.ones(2), (np.zeros(1, int),), "sgd", "inplace",
            options={"nonfinite": "skip", "maxfev": maxfev},
        )
        for drive in (lambda f: f, in_python)
    ]  # fmt: skip
    assert results[0].nfev == maxfev
    assert [results[0][name] for name in counts] == [results[1][name] for name in counts]


@njit
def walled(x, grad):
    """No step of length 5 ends where this is finite."""
    grad[:] = 1.0
    return x[0] if x[0] > 0 else np.nan


@pytest.mark.slow
@pytest.mark.parametrize(
    "first, second", [(lambda f: f, in_python), (in_python, lambda f: f)], ids=["to plain", "to compiled"]
)
def test_what_was_over_has_its_counts_on_the_other_driver(tmp_path, first, second):
    given = {"x0": [3.0], "jac": "inplace", "method": "sgd"}
    given["options"] = {"lr": 5.0, "nonfinite": "skip"}
    broken = minimize(first(walled), checkpoint=tmp_path / "run", **given)
    again = minimize(second(walled), resume=tmp_path / "run", **given)
    assert broken.status == 3
    for name in ("nit", "nfev", "njev", "nonfinite", "fun", "message"):
        assert again[name] == broken[name], name


@njit
def uphill(x, grad):
    """A gradient of the wrong sign: no search finds a lower point."""
    grad[:] = -2 * x
    return (x**2).sum()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lbfgs", "nonlinear_cg"])
def test_a_search_that_finds_nothing_counts_alike_everywhere(method):
    compiled, plain = (minimize(fun, np.ones(2), method=method, jac="inplace") for fun in (uphill, in_python(uphill)))
    many = minimize_many(uphill, np.ones((1, 2)), method=method, jac="inplace")
    assert plain.status == compiled.status == many.status[0] == 6
    assert plain.nfev == plain.njev == compiled.njev == many.njev[0] == compiled.nfev == many.nfev[0]


def squares(tree):
    return sum((abs(part) ** 2).sum() for part in tree.values()), {name: 2 * part for name, part in tree.items()}


def test_a_checkpoint_tells_complex_arrays_from_real_ones(tmp_path):
    real, both = np.ones(2), np.ones(2) + 0j
    given = {"jac": True, "options": {"maxiter": 2}}
    minimize(squares, {"a": both, "b": real}, checkpoint=tmp_path / "run", **given)
    with pytest.raises(ValueError, match="of another problem.*complex"):
        minimize(squares, {"a": real, "b": both}, resume=tmp_path / "run", **given)


def test_what_is_done_about_batches_that_are_not_finite_is_part_of_the_problem(tmp_path):
    given = {"data": samples(), "batch_size": 4, "seed": 0, "jac": slope}
    minimize(misfit, np.zeros(2), options={"nonfinite": "skip", "maxiter": 3}, checkpoint=tmp_path / "run", **given)
    with pytest.raises(ValueError, match="nonfinite is skip in the checkpoint and stop in this call"):
        minimize(misfit, np.zeros(2), resume=tmp_path / "run", **given)


def test_of_many_problems_the_gradient_check_counts_as_of_one():
    given = {"jac": "inplace", "method": "lbfgs", "options": {"check_grad": True}}
    one, many = minimize(valley, START, **given), minimize_many(valley, START[None], **given)
    assert (one.nfev, one.njev) == (many.nfev[0], many.njev[0])


def test_compare_checks_the_gradient_once_and_apart():
    calls = []

    def bowl(x, half=1):
        calls.append(1)
        return (x**2).sum(), 2 * x / half

    given = {"methods": ["lbfgs", "BFGS"], "jac": True}
    plain = compare(bowl, np.ones(3), **given)
    spent, checked = len(calls), compare(bowl, np.ones(3), options={"check_grad": True}, **given)
    assert {name: found.nfev for name, found in checked.items()} == {name: found.nfev for name, found in plain.items()}
    assert 6 < len(calls) - 2 * spent < 20 and not checked.unused
    with pytest.raises(ValueError, match="differs from central differences"):
        compare(bowl, np.ones(3), args=(2,), options={"check_grad": True}, **given)


def test_compare_takes_no_data_that_is_used_up_by_the_first_method():
    rows = (np.ones(2) for _ in range(3))
    with pytest.raises(ValueError, match="data can be iterated only once"):
        compare(lambda x, row: (((x - row) ** 2).sum(), 2 * (x - row)), np.zeros(2), ["adam"], jac=True, data=rows)
    assert len(list(rows)) == 3


def test_a_checkpoint_is_refused_before_the_gradient_is_checked(tmp_path):
    calls = []

    def fun(x):
        calls.append(1)
        return float(x @ x), 2 * x

    path = tmp_path / "run"
    minimize(fun, np.ones(2), jac=True, method="sgd", options={"maxiter": 2}, checkpoint=path)
    calls.clear()
    with pytest.raises(ValueError, match="another problem"):
        minimize(fun, np.ones(2), jac=True, method="adam", options={"check_grad": True}, resume=path)
    assert not calls
