"""compare runs each method as it runs alone, puts them in order, and says what did not work."""

import math

import numpy as np
import pytest
import scipy.optimize

from numbaopt import Comparison, OptimizationInterrupted, Result, adam, compare, minimize, sgd

X0 = [-1.2, 1.0]
rosen, rosen_der, rosen_hess = scipy.optimize.rosen, scipy.optimize.rosen_der, scipy.optimize.rosen_hess


def both(x):
    return rosen(x), rosen_der(x)


def inplace(x, grad):
    grad[:] = rosen_der(x)
    return rosen(x)


FORMS = {
    "callable": (rosen, rosen_der),
    "pair": (both, True),
    "inplace": (inplace, "inplace"),
    "differences": (rosen, None),
}
OPTIONS = {"maxiter": 60}


@pytest.mark.parametrize("form", FORMS)
def test_each_is_as_it_is_alone(form):
    fun, jac = FORMS[form]
    theirs = ["BFGS", "L-BFGS-B", "Nelder-Mead", "SLSQP"]
    found = compare(fun, X0, ["adam", *theirs], jac=jac, options=OPTIONS)
    assert sorted(found) == sorted(["adam", *theirs]) and not found.errors and not found.unused
    alone = minimize(fun, X0, method="adam", jac=jac, options=OPTIONS)
    assert repr(Result(found["adam"] | {"history": 0})) == repr(Result(alone | {"history": 0}))
    for method in theirs:
        with np.errstate(all="raise"):
            used = None if method == "Nelder-Mead" or jac is None else rosen_der
            alone = scipy.optimize.minimize(rosen, X0, method=method, jac=used, options=OPTIONS)
        assert found[method].nit == alone.nit and found[method].fun == alone.fun
        assert np.array_equal(found[method].x, alone.x)


def structured(p):
    x = np.append(p["a"], p["b"])
    g = rosen_der(x)
    return rosen(x), {"a": g[:1].reshape(1, 1), "b": g[1]}


def test_structures():
    start = {"a": np.array([[-1.2]]), "b": 1.0}
    found = compare(structured, start, ["adam", "BFGS", "TNC", "Nelder-Mead"], jac=True, options={"history": "x"})
    assert not found.errors
    alone = scipy.optimize.minimize(both, X0, method="BFGS", jac=True)
    assert found["BFGS"].x["a"].shape == (1, 1) and found["BFGS"].x["b"] == alone.x[1]
    for method in ("BFGS", "TNC", "Nelder-Mead"):
        history = found[method].history
        assert history.x.shape == (len(history.nit), 2) and history.x[0].tolist() == X0
        assert [rosen(x) for x in history.x] == pytest.approx(history.fun, rel=1e-12)


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "Nelder-Mead", "trust-constr", "Newton-CG", "TNC", "COBYQA"])
def test_scipys_histories(method):
    values, points = [], []

    def told(intermediate_result):
        values.append(intermediate_result.fun)
        points.append(intermediate_result.x.copy())

    def told_x(x):
        points.append(x.copy())

    free = method in ("Nelder-Mead", "COBYQA")
    callback = told_x if method == "TNC" else told
    alone = scipy.optimize.minimize(rosen, X0, method=method, jac=None if free else rosen_der, callback=callback)
    found = compare(rosen, X0, [method], jac=rosen_der, options={"history": "x"}).best
    history = found.history
    assert isinstance(found, Result) and found.nit == alone.nit and np.array_equal(found.x, alone.x)
    assert len({len(column) for column in history.values()}) == 1
    assert history.nit[0] == 0 and history.fun[0] == rosen(X0) and history.x[0].tolist() == X0
    told_of = slice(1, len(points) + 1)
    assert history.x[told_of].tolist() == np.array(points).tolist()
    if values:
        assert history.fun[told_of].tolist() == values
    assert history.fun[-1] == alone.fun
    assert np.isnan(history.lr).all() and np.all(np.diff(history.seconds) >= 0) and history.seconds[0] >= 0
    if free:
        assert np.isnan(history.norm).all()
    else:
        assert history.norm[0] == np.abs(rosen_der(X0)).max()
    if method == "L-BFGS-B":  # which evaluates the gradient at each iterate last
        assert history.norm.tolist() == [np.abs(rosen_der(x)).max() for x in history.x]


def test_what_it_costs():
    calls = []

    def fun(x):
        calls.append(1)
        return both(x)

    found = compare(fun, X0, ["adam", "BFGS"], jac=True, options={"maxiter": 20})
    counted = sum(result.nfev for result in found.values())
    assert counted < len(calls) <= counted + 2 * 3


def line(label, fun, nfev, start=1.0):
    history = Result(nit=np.arange(2), fun=np.array([start, fun]))
    result = Result(x=np.zeros(2), fun=fun, jac=np.zeros(2), nit=1, nfev=nfev, njev=nfev, success=True, status=0)
    return {"method": label, "seconds": 0.5, "result": result | {"message": "Done.", "history": history}}


def as_results(rows):
    return [row | {"result": Result(row["result"])} for row in rows]


def test_order():
    rows = [line("nan", math.nan, 1), line("far", 1e-3, 5), line("slow", 0.0, 90), line("quick", 1e-9, 10)]
    rows += [line("near", 1e-7, 2)]
    found = Comparison(as_results(rows), {}, None, 5)
    assert list(found) == ["quick", "slow", "near", "far", "nan"]
    assert [row["above_best"] for row in found.table()] == pytest.approx([1e-9, 0, 1e-7, 1e-3, math.nan], nan_ok=True)
    scaled = [
        line(label, 1e-20 * f, n, 1e-20) for label, f, n in (("slow", 0.0, 90), ("quick", 1e-9, 10), ("near", 1e-7, 2))
    ]
    assert list(Comparison(as_results(scaled), {}, None, 3)) == ["quick", "slow", "near"]
    negative = [line(label, f - 5, n, -4) for label, f, n in (("slow", 0.0, 90), ("quick", 1e-9, 10), ("far", 1e-7, 2))]
    assert list(Comparison(as_results(negative), {}, None, 3)) == ["quick", "slow", "far"]


def test_a_failure_has_its_row():
    def raises(fun, x0, args=(), **given):
        raise ZeroDivisionError("divided by\nzero")

    found = compare(both, X0, ["sgd", raises, "BFGS"], jac=True, bounds=[(-2, 2), (-1, 0.5)], options={"maxiter": 9})
    assert list(found) == ["sgd"] and len(found) == 1 and list(found.errors) == ["raises", "BFGS"]
    assert isinstance(found.errors["raises"], ZeroDivisionError)
    with pytest.raises(KeyError, match="there is no method 'nope'; the results are of: sgd"):
        found["nope"]
    with pytest.raises(KeyError, match=r"errors\['BFGS'\]"):
        found["BFGS"]
    rows = found.table()
    assert [row["method"] for row in rows] == ["sgd", "raises", "BFGS"]
    assert rows[2]["message"] == "ValueError: SciPy's BFGS takes no bounds; L-BFGS-B does"
    text = repr(found).splitlines()
    assert text[0] == "1 of 3 methods returned a result, 2 raised an exception."
    assert text[1].split() == ["method", "fun", "above", "best", "|g|", "nit", "nfev", "seconds", "ended"]
    assert text[3].split(maxsplit=1) == ["raises", "ZeroDivisionError: divided by zero"]
    assert len({row.index(cell) for row, cell in zip(text[1:4], ["ended", "Max", "Zero"], strict=True)}) == 1


def test_all_failed():
    found = compare(lambda x: [], X0, ["sgd", "BFGS"])
    assert not found and len(found.errors) == 2 and len(found.table()) == 2
    with pytest.raises(ValueError, match="0 of 2 methods"):
        assert found.best
    with pytest.raises(ValueError, match="nothing to plot"):
        found.plot()


def test_norm_with_bounds():
    bounds = [(-2, 2), (-1, 0.5)]
    found = compare(rosen, X0, ["L-BFGS-B", "TNC"], jac=rosen_der, bounds=bounds)
    for row in found.table():
        x, g = found[row["method"]].x, rosen_der(found[row["method"]].x)
        assert x[1] == 0.5 and g[1] < -0.4
        assert row["norm"] == pytest.approx(abs(g[0]))
        assert found[row["method"]].history.norm[-1] == pytest.approx(abs(g[0]), abs=1e-4)


def test_options_go_to_who_knows_them():
    steps = {"mine": sgd(lr=1e-4), "sgd": "sgd", "BFGS": "BFGS", "trust-constr": "trust-constr"}
    found = compare(both, X0, steps, jac=True, options={"lr": 1e-3, "maxiter": 7})
    assert found.unused == {"mine": ("lr",), "BFGS": ("lr",), "trust-constr": ("lr",)}
    assert "Option lr was not used by mine, BFGS, trust-constr." in repr(found)
    for label, lr in (("mine", 1e-4), ("sgd", 1e-3)):
        alone = minimize(both, X0, method=sgd(lr=lr), jac=True, options={"maxiter": 7})
        assert found[label].nit == 7 and np.array_equal(found[label].x, alone.x)
    assert found["BFGS"].nit == 7


@pytest.mark.parametrize(
    "methods, given, error, text",
    [
        ([], {}, ValueError, "no methods"),
        ("adam", {}, TypeError, "list of methods, or a dict of label to method, not 'adam'"),
        (["adam", "adam"], {}, ValueError, "adam is listed twice"),
        ([adam(lr=0.1), adam(lr=0.1)], {}, ValueError, r"adam\(lr=0.1\) is listed twice"),
        (["adem"], {}, ValueError, "Did you mean 'adam'"),
        (["BFGS", 3], {}, TypeError, "method is a name or a rule, not 3"),
        (["BFGS", "sgd"], {"options": {"lrr": 1}}, ValueError, "sgd has no option 'lrr'.*Did you mean 'lr'"),
        (["BFGS"], {"options": {"lr": 1}}, ValueError, "none of the methods takes the option 'lr'"),
        (["sgd"], {"options": {"lr": -1}}, ValueError, "lr"),
        (["sgd"], {"options": 3}, TypeError, "options is a mapping"),
        (["sgd"], {"bounds": [(1, 0)]}, ValueError, "upper bound is less"),
    ],
)
def test_what_cannot_be(methods, given, error, text):
    def fun(x):
        raise AssertionError("it was evaluated")

    with pytest.raises(error, match=text):
        compare(fun, X0, methods, **given)


def test_an_objective_is_a_function():
    with pytest.raises(TypeError, match="fun must be callable"):
        compare(3, X0, ["adam"])


def test_the_same_batches_for_all():
    X, seen = np.arange(40.0), []

    def loss(w, rows):
        seen.append(rows.tolist())
        return float(np.mean((w[0] - rows) ** 2)), np.array([2 * np.mean(w[0] - rows)])

    found = compare(loss, [0.0], ["adam", "sgd", "BFGS"], jac=True, data=X, batch_size=8, epochs=2)
    assert len(seen) == 2 * (1 + 10) and seen[1:11] == seen[12:]
    assert found["adam"].seed == found["sgd"].seed
    assert "SciPy's BFGS takes no minibatches" in str(found.errors["BFGS"])


@pytest.mark.parametrize("methods, kept", [(["BFGS", "adam", "sgd"], ["BFGS", "adam"]), (["sgd", "BFGS"], ["sgd"])])
def test_ctrl_c_keeps_what_is_there(methods, kept):
    left = 45 if methods[0] == "BFGS" else 25

    def fun(x):
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return both(x)

    with pytest.raises(OptimizationInterrupted) as caught:
        compare(fun, X0, methods, jac=True, options={"maxiter": 20})
    found = caught.value.result
    assert sorted(found) == sorted(kept)
    assert ("adam" not in kept) or found["adam"].status == 4
    assert "did not run" in str(caught.value) and "did not run" in repr(found)


def test_data_frame():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(compare(both, X0, ["BFGS", "sgd"], jac=True, options={"maxiter": 9}).table())
    assert frame.method.tolist() == ["BFGS", "sgd"] and frame.above_best[0] == 0 and frame.nit.tolist() == [9, 9]


def test_histories_of_ours():
    found = compare(both, X0, ["adam", "lbfgs", "BFGS"], jac=True, options={"maxiter": 20})
    assert all(result.history.fun[0] == rosen(X0) for result in found.values())
    ax = found.plot(x="seconds")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(found)
