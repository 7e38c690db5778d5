"""What is done about evaluations that are not finite: ``options={"nonfinite": ...}``."""

import math

import numpy as np
import pytest
from numba import njit

import numbaopt
from numbaopt import minimize, minimize_many

POLICIES = ("skip", "shrink")


def in_python(fun):
    return fun.py_func


drivers = pytest.mark.parametrize("drive", [lambda f: f, in_python], ids=["compiled", "plain"])


@njit
def barrier(x, grad, edge):
    """-log(x - edge) + x, whose domain ends at the edge: the minimum is at edge + 1."""
    f = 0.0
    for i in range(x.size):
        inside = x[i] > edge
        f += x[i] - np.log(x[i] - edge) if inside else np.nan
        grad[i] = 1 - 1 / (x[i] - edge) if inside else np.nan
    return f


def shrinking(x, edge, lr, steps):
    """Descend as documented, in NumPy: after what is not finite half way back to the best point."""
    spoiled, calls = 0, 1
    grad = np.empty_like(x)
    best, least = x.copy(), barrier.py_func(x, grad, edge)
    for _ in range(steps):
        x = x - lr * grad
        f, calls = barrier.py_func(x, grad, edge), calls + 1
        while not (math.isfinite(f) and np.isfinite(grad).all()):
            x, spoiled = best + (x - best) / 2, spoiled + 1
            f, calls = barrier.py_func(x, grad, edge), calls + 1
        if f < least:
            best, least = x.copy(), f
    return best, least, spoiled, calls


@drivers
def test_shrinks_towards_the_best_point(drive):
    x0 = np.array([5.0, 3.0])
    options = {"maxiter": 25, "gtol": None, "nonfinite": "shrink"}
    with np.errstate(invalid="ignore"):
        best, least, spoiled, calls = shrinking(x0, 0.0, 7.0, 25)
    result = minimize(drive(barrier), x0, 0.0, numbaopt.sgd(lr=7.0), "inplace", options=options)
    assert spoiled > 0 and (result.nonfinite, result.nfev, result.njev, result.nit) == (spoiled, calls, calls, 25)
    np.testing.assert_array_equal(result.x, best)
    assert result.fun == least
    stopped = minimize(
        drive(barrier), x0, 0.0, numbaopt.sgd(lr=7.0), "inplace", options=options | {"nonfinite": "stop"}
    )
    assert stopped.status == 3 and "nonfinite" not in stopped


@pytest.mark.slow
def test_each_of_many_problems_shrinks_as_it_does_alone():
    starts, edges = np.array([[5.0, 3.0], [5.5, 4.0], [999.0, 999.0]]), np.array([0.0, 0.25, -1.0])
    given = {"method": numbaopt.sgd(lr=7.0), "jac": "inplace", "options": {"maxiter": 25, "nonfinite": "shrink"}}
    for drive in (lambda f: f, in_python):
        many = minimize_many(drive(barrier), starts, data=edges, **given)
        for b in range(3):
            alone = minimize(drive(barrier), starts[b], edges[b], **given)
            for name in ("x", "jac", "fun", "nit", "nfev", "njev", "status", "nonfinite"):
                np.testing.assert_array_equal(many[b][name], alone[name])
        assert many.nonfinite.tolist()[0] > 0 and many.nonfinite[2] == 0


def test_a_random_function_is_asked_again():
    def fun(x, random):
        return (np.nan if random.random() < 0.3 else float(x @ x)), 2 * x

    rule, options = numbaopt.sgd(lr=0.1), {"maxiter": 40, "gtol": None, "nonfinite": "skip"}
    result = minimize(fun, np.ones(2), np.random.default_rng(1), rule, True, options=options)
    draws = np.random.default_rng(1).random(200) < 0.3
    assert not draws[0]
    calls = int(np.flatnonzero(np.cumsum(~draws) == 41)[0]) + 1
    assert (result.nit, result.nfev, result.nonfinite) == (40, calls, draws[:calls].sum())
    x = np.ones(2)
    for _ in range(40):
        x = x - 0.1 * (2 * x)
    np.testing.assert_allclose(result.x, x, rtol=1e-14)


@njit
def squares(x, grad, X, y):
    f = 0.0
    grad[:] = 0
    for i in range(y.size):
        r = -y[i]
        for j in range(x.size):
            r += X[i, j] * x[j]
        f += r * r / y.size
        for j in range(x.size):
            grad[j] += 2 * r * X[i, j] / y.size
    return f


def rows(n=40, bad=(5, 6, 23)):
    random = np.random.default_rng(0)
    X = random.standard_normal((n, 3))
    y = X @ [1.0, -2.0, 3.0] + random.standard_normal(n)
    y[list(bad)] = np.nan
    return X, y


@drivers
@pytest.mark.parametrize("rule", [numbaopt.adam(lr=0.05), numbaopt.sgd(lr=numbaopt.schedules.linear(0.1, 0.0, 40))])
def test_a_bad_batch_is_passed_over(drive, rule):
    X, y = rows()
    feed = {"data": (X, y), "batch_size": 4, "epochs": 3, "shuffle": False, "jac": "inplace"}
    result = minimize(drive(squares), np.zeros(3), method=rule, options={"nonfinite": "skip"}, **feed)
    x, grad, losses = np.zeros(3), np.empty(3), []
    state = rule.init(x)
    for epoch in range(3):
        for lo in range(0, 40, 4):
            f = squares(x, grad, X[lo : lo + 4], y[lo : lo + 4])
            if np.isfinite(f):
                rule.step(x, grad, state)
                losses += [f] * (epoch == 2)
    assert (result.status, result.nit, result.nfev, result.nonfinite) == (0, 30, 30, 6)
    np.testing.assert_array_equal(result.x, x)
    assert result.fun == pytest.approx(np.mean(losses), rel=1e-14)


@drivers
def test_a_batch_that_spoils_the_point_is_answered_by_a_shorter_step(drive):
    X, y = rows(bad=())

    @njit
    def fenced(x, grad, X, y):
        f = squares(x, grad, X, y)
        return f if x[2] < 1.0 else np.inf

    feed = {"data": (X, y), "batch_size": 8, "epochs": 4, "shuffle": False, "jac": "inplace"}
    rule = numbaopt.sgd(lr=0.3)
    result = minimize(drive(fenced), np.zeros(3), method=rule, options={"nonfinite": "shrink"}, **feed)
    x, last, grad, spoiled = np.zeros(3), np.zeros(3), np.empty(3), 0
    for k in range(20):
        lo = k % 5 * 8
        if np.isfinite(fenced(x, grad, X[lo : lo + 8], y[lo : lo + 8])):
            last = x.copy()
            x = x - 0.3 * grad
        else:
            x, spoiled = last + (x - last) / 2, spoiled + 1
    assert spoiled > 0 and result.nonfinite == spoiled and result.nit == 20
    np.testing.assert_array_equal(result.x, x)


@drivers
@pytest.mark.parametrize("policy", POLICIES)
def test_what_stays_bad_stops_in_the_end(drive, policy):
    @njit
    def fun(x, grad):
        grad[:] = 1
        return 1.0 if x[0] >= 1 else np.inf

    result = minimize(drive(fun), [1.0], (), numbaopt.sgd(lr=1.0), "inplace", options={"nonfinite": policy})
    assert result.success is False and result.x == [1.0]
    if policy == "skip":
        assert (result.status, result.nonfinite, result.nfev) == (3, 50, 52)
        assert "inf after 1 step, and 50 evaluations before it were not finite either; no step" in result.message
    limited = minimize(
        drive(fun), [1.0], (), numbaopt.sgd(lr=1.0), "inplace", options={"nonfinite": "skip", "maxfev": 7}
    )
    assert (limited.nfev, limited.status) == (7, 3)
    start = minimize(drive(fun), [0.0], (), "sgd", "inplace", options={"nonfinite": policy})
    assert (start.status, start.nfev, start.nonfinite) == (3, 1, 0)  # there is no better point


def test_x_that_overflows_goes_back_to_the_best_point():
    def fun(x):
        return float(x[0] ** 2), 2 * x

    with np.errstate(over="ignore"):
        options = {"nonfinite": "shrink", "maxiter": 1, "return": "last"}
        result = minimize(fun, [1e10], (), numbaopt.sgd(lr=1e300), True, options=options)
    assert (result.x, result.nonfinite) == ([1e10], 1)


def test_what_cannot_be():
    with pytest.raises(ValueError, match=r"nonfinite must be one of 'stop', 'skip', 'shrink', not 'shrnk'.*shrink"):
        minimize(lambda x: (x @ x, 2 * x), [1.0], jac=True, options={"nonfinite": "shrnk"})
    with pytest.raises(ValueError, match="not None"):
        minimize(lambda x: (x @ x, 2 * x), [1.0], jac=True, options={"nonfinite": None})
    with pytest.raises(ValueError, match="is for rules; lbfgs takes shorter steps"):
        minimize(lambda x: (x @ x, 2 * x), [1.0], jac=True, method="lbfgs", options={"nonfinite": "skip"})
    sam = numbaopt.chain(numbaopt.transforms.sam, numbaopt.sgd)
    with pytest.raises(ValueError, match="takes 2 gradients of each"):
        minimize(squares, np.zeros(3), method=sam, jac="inplace", data=rows(), options={"nonfinite": "skip"})


@njit
def slopes(x, grad):
    """A plane, whose gradient is (3, -4) everywhere: its largest entry is 4, its norm 5."""
    grad[0], grad[1] = 3.0, -4.0
    return 3 * x[0] - 4 * x[1]


@drivers
@pytest.mark.parametrize(("gtol", "stops"), [(4.0, True), (np.nextafter(4.0, 0.0), False)])
def test_gtol_is_compared_with_the_largest_entry_of_the_gradient(drive, gtol, stops):
    options = {"gtol": gtol, "maxiter": 3}
    result = minimize(drive(slopes), np.zeros(2), jac="inplace", method="sgd", options=options)
    assert (result.nit, result.status) == ((0, 0) if stops else (3, 1))
    many = minimize_many(drive(slopes), np.zeros((2, 2)), jac="inplace", method="sgd", options=options)
    assert many.nit.tolist() == [result.nit] * 2
    bounds = [(0.0, None), (None, None)]  # the first entry of the projected gradient is 0
    result = minimize(drive(slopes), np.zeros(2), jac="inplace", method="sgd", bounds=bounds, options=options)
    assert (result.nit == 0) == stops
