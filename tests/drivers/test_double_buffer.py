"""Steps from row to row, which save copying the best point: every bit as where it is copied."""

import importlib
import itertools

import numpy as np
import pytest
from numba import njit

import numbaopt
from numbaopt import minimize
from numbaopt.backends import cpu
from numbaopt.drivers import compiled_loop, double_buffer, specialize
from numbaopt.drivers.stopping import BEST_G, BEST_X, MAXITER, G, X
from numbaopt.lowering import emit_cpu

N = 3 * emit_cpu.BLOCK + 5
NAMES = ("x", "jac", "fun", "nit", "nfev", "njev", "status", "message")


@njit
def wells(x, grad, calls, limit):
    """Squares and waves, which large steps miss the way down in; after so many calls it is too much."""
    f = 0.0
    calls[0] += 1
    if calls[0] > limit:
        raise ArithmeticError("enough")
    for i in range(x.size):
        f += x[i] ** 2 + np.sin(5 * x[i])
        grad[i] = 2 * x[i] + 5 * np.cos(5 * x[i])
    return f


@pytest.fixture
def both(monkeypatch):
    """Return a function that minimizes twice: from row to row, and with the best point copied."""
    used = []

    class Counted(double_buffer.DoubleBuffer):
        def __init__(self, run):
            super().__init__(run)
            used.append(self)

    monkeypatch.setattr(compiled_loop, "DoubleBuffer", Counted)
    monkeypatch.setattr(cpu, "PARALLEL_FROM", N)

    def twice(method, dtype=np.float64, limit=10**9, run=minimize, **given):
        def one():
            x0, args = np.linspace(-3, 3, N).astype(dtype), (np.zeros(1, int), limit)
            return run(wells, x0, args, method, "inplace", **given)

        rows = one()
        assert len(used) == 1
        with monkeypatch.context() as patch:
            patch.setattr(compiled_loop, "suits", lambda run: False)
            copies = one()
        assert len(used) == 1
        used.clear()
        return rows, copies

    return twice


pays = pytest.mark.skipif(not cpu.parallel_pays(cpu.PARALLEL_FROM), reason="steps are serial here")
CASES = {
    "down": (numbaopt.adam(lr=1e-3), {}),
    "to and fro": (numbaopt.adam(lr=0.7), {"maxiter": 30}),
    "last": (numbaopt.adam(lr=0.7), {"maxiter": 31, "return": "last"}),
    "evaluations": (numbaopt.adam(lr=0.7), {"maxfev": 8}),
    "met": (numbaopt.adam(lr=0.2), {"ftol": 1e-3}),
    "norms": (numbaopt.lamb(lr=0.1), {"maxiter": 20}),
    "none": (numbaopt.adam, {"maxiter": 0}),
}


@pays
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_same_bits(both, case, dtype):
    method, options = CASES[case]
    rows, copies = both(method, dtype, options={"maxiter": 25, "gtol": None, "history": "x"} | options)
    for name in NAMES:
        np.testing.assert_array_equal(rows[name], copies[name], strict=name in ("x", "jac"))
    for name in ("nit", "fun", "norm", "x"):
        np.testing.assert_array_equal(rows.history[name], copies.history[name])
    assert (case == "down") == (np.diff(rows.history.fun) < 0).all() or case in ("met", "none")


@pytest.mark.slow
@pays
@pytest.mark.parametrize("limit", [1, 2, 5, 6, 7, 8])
def test_what_is_raised_amid_a_slice_leaves_the_best_so_far(both, limit):
    errors = []

    def caught(*args, **given):
        with pytest.raises(ArithmeticError, match="enough") as error:
            minimize(*args, **given)
        errors.append(error.value)
        return error.value.result

    rows, copies = both(numbaopt.adam(lr=0.7), limit=limit, run=caught, options={"gtol": None})
    for name in NAMES:
        np.testing.assert_array_equal(rows[name], copies[name])
    assert errors[0].__notes__ == errors[1].__notes__ and rows.nfev == limit + 1


@pytest.mark.slow
@pays
def test_taken_up_again(both, tmp_path):
    options = {"maxiter": 40, "gtol": None}
    whole, _ = both(numbaopt.adam(lr=0.7), options=options)
    both(numbaopt.adam(lr=0.7), options=options | {"maxiter": 17}, checkpoint=tmp_path / "run")
    rest, copies = both(numbaopt.adam(lr=0.7), options=options, resume=tmp_path / "run")
    for name in NAMES:
        np.testing.assert_array_equal(rest[name], whole[name])
        np.testing.assert_array_equal(copies[name], whole[name])


@pytest.mark.slow
@pays
def test_with_the_objective_inside_the_driver(both, monkeypatch):
    made = []

    def specialize_(self):
        before = self._driver
        earlier(self)
        made.append(self._driver is not before)

    earlier = specialize.Driver._specialize
    monkeypatch.setattr(specialize, "PATIENCE", 0.0)
    monkeypatch.setattr(specialize.Driver, "_specialize", specialize_)
    # No other test's driver keeps this much of a history: none was specialized before.
    first, _ = both(
        numbaopt.adam(lr=0.6), options={"maxiter": 20, "gtol": None, "history": True}
    )  # changes over on the way
    rows, copies = both(numbaopt.adam(lr=0.6), options={"maxiter": 20, "gtol": None, "history": True})
    assert made and all(made)
    for name in NAMES:
        np.testing.assert_array_equal(rows[name], first[name])
        np.testing.assert_array_equal(rows[name], copies[name])


def test_rows_that_have_changed_their_parts_are_put_in_their_places():
    """All orders that there can be, the best point being the latest or not."""
    for points, slopes, kept in itertools.product(itertools.permutations(range(3)), [(0, 1), (1, 0)], [0, 1]):
        block = np.arange(24.0).reshape(4, 6)
        rows = object.__new__(double_buffer.DoubleBuffer)
        rows._points, rows._slopes = (block[X], block[BEST_X], np.arange(24.0, 30)), (block[G], block[BEST_G])
        rows._row_of, rows._is_best = np.array([*points, *slopes]), np.array([[kept], [1]])
        wanted = [rows._points[points[0]], rows._slopes[slopes[0]]]
        wanted += wanted if kept else [rows._points[points[1]], rows._slopes[slopes[1]]]
        wanted = np.array(wanted)
        for _ in range(2):  # the second time nothing is left to do
            rows.restore_rows()
            np.testing.assert_array_equal(block[[X, G, BEST_X, BEST_G]], wanted)
        assert rows._row_of.tolist() == [0, 1, 2, 0, 1] and rows._is_best[0] == 0


@pays
def test_what_does_not_suit(monkeypatch):
    seen = []

    def drive(run, callback):
        seen.append(double_buffer.suits(run))
        return MAXITER

    def suits(method, n=cpu.PARALLEL_FROM, **given):
        minimize(wells, np.ones(n), (np.zeros(1, int), 1), method, "inplace", **given)
        return seen.pop()

    monkeypatch.setattr(importlib.import_module("numbaopt.api.minimize"), "drive", drive)
    assert suits(numbaopt.sgd)
    assert not suits(numbaopt.sgd, cpu.PARALLEL_FROM - 1)
    assert not suits(numbaopt.sgd, bounds=(0, 1))
    assert not suits(numbaopt.sgd, options={"nonfinite": "skip"})
    assert not suits(numbaopt.polyak_sgd)
    assert not suits("lbfgs")
