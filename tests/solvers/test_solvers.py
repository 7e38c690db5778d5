"""Solvers compared with recorded iterates of PyTorch, with SciPy and with closed forms; and on impossible problems."""

import copy
import inspect
import json
import math
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.optimize

from numbaopt import problems
from numbaopt.solvers import line_search as ls
from numbaopt.solvers.barzilai_borwein import barzilai_borwein
from numbaopt.solvers.lbfgs import lbfgs
from numbaopt.solvers.nonlinear_cg import nonlinear_cg
from tests.paths import GOLDEN

CASES = sorted(path.stem.removeprefix("lbfgs_") for path in GOLDEN.glob("lbfgs_*.npz"))
SOLVERS = [lbfgs, lbfgs(line_search=False), nonlinear_cg, nonlinear_cg(beta="HZ"), barzilai_borwein]
SEARCHING = [lbfgs, nonlinear_cg, nonlinear_cg(beta="HZ"), barzilai_borwein]
DTYPES = ["float64", "float32"]


def run(solver, fun, x0, gtol=1e-10, most=20_000, bounds=None):
    """Run a solver in a simple loop and return its history.

    `fun` returns f and g. The history has all evaluated points, values and gradients, and the indices of the evaluations
    at which an iteration was accepted.
    """
    x = np.array(x0)
    lower, upper = (None, None) if bounds is None else bounds
    s = solver.slots(x) if bounds is None else solver.slots(x, lower=lower, upper=upper)
    h, step = solver.h, solver.kernel(x)
    history = SimpleNamespace(walk=[], values=[], slopes=[], accepted=[], status="most")
    for t in range(1, most + 1):
        f, g = fun(x)
        g = np.asarray(g, x.dtype)
        history.walk.append(x.copy())
        history.values.append(f)
        history.slopes.append(g)
        stationary = g if bounds is None else x - np.clip(x - g, lower, upper)
        if abs(stationary).max() <= gtol:
            history.status = "gtol"
            break
        h[-1] = f
        before = solver.iterations(h)
        step(t, x, g, s, h)
        if solver.iterations(h) > before:
            history.accepted.append(t - 1)
        if math.isnan(h[-1]):
            history.status = "stalled"
            break
    history.x, history.fun, history.jac, history.nfev, history.nit = (
        x,
        fun(x)[0],
        g,
        len(history.values),
        solver.iterations(h),
    )
    return history


def of(problem):
    """Return a problem's objective as a function of x alone, which returns f and g, for any dtype."""

    def fun(x):
        g = np.empty_like(x)
        return problem.fun(x, g, *(np.asarray(a, x.dtype) for a in problem.args)), g

    return fun


def separable(scale, center):
    """Return a quadratic with these curvatures along the coordinates."""
    return lambda x: (float(scale @ (x - center) ** 2) / 2, scale * (x - center))


# L-BFGS of PyTorch.


def recorded(case):
    with np.load(GOLDEN / f"lbfgs_{case}.npz") as file:
        arrays = dict(file)
    about = json.loads(str(arrays.pop("about")))
    options = about["options"]
    hyper = {"history": options["history_size"], "lr": options.get("lr", 1.0)}
    return about, lbfgs(line_search=options["line_search_fn"] is not None, **hyper), arrays


def test_cases_were_recorded():
    assert len(CASES) == 12
    assert {recorded(case)[0]["version"] for case in CASES} == {"2.13.0"}
    assert sum(not recorded(case)[1].hyper["line_search"] for case in CASES) == 3


@pytest.mark.parametrize("case", CASES)
def test_lbfgs_evaluates_the_same_points_as_torch(case):
    """With the recorded values and gradients, so that rounding errors do not accumulate."""
    _, solver, torch = recorded(case)
    x = torch["x"][0].copy()
    s, h, step = solver.slots(x), solver.h, solver.kernel(x)
    for t, (f, g) in enumerate(zip(torch["f"][:-1], torch["g"][:-1], strict=True)):
        h[-1] = f
        step(t + 1, x, g.copy(), s, h)
        reference = torch["x"][t + 1]
        assert abs(x - reference).max() <= 1e-9 * abs(reference).max(), f"evaluation {t + 1}"


@pytest.mark.parametrize("case", [case for case in CASES if "stiff" not in case])
def test_lbfgs_follows_the_iterates_of_torch(case):
    about, solver, torch = recorded(case)
    p = problems.get(about["problem"], **about["parameters"])
    history = run(solver, of(p), p.x0)
    n = min(30, len(torch["x"]))
    np.testing.assert_allclose(history.walk[:n], torch["x"][:n], rtol=1e-9, atol=1e-9 * abs(torch["x"]).max())


@pytest.mark.parametrize("case", ["rosenbrock", "quadratic_fixed"])
def test_lbfgs_ends_where_the_installed_torch_ends(case):
    """Both run to the same gradient tolerance."""
    torch = pytest.importorskip("torch")
    about, solver, _ = recorded(case)
    p = problems.get(about["problem"], **about["parameters"])
    parameter = torch.nn.Parameter(torch.tensor(p.x0))

    def closure():
        f, g = of(p)(parameter.detach().numpy().copy())
        parameter.grad = torch.tensor(g)
        return torch.tensor(f, dtype=torch.float64)

    ends = {"max_iter": 500, "tolerance_grad": 1e-7, "tolerance_change": 1e-15}
    torch.optim.LBFGS([parameter], **ends, **about["options"]).step(closure)
    history = run(solver, of(p), p.x0, gtol=1e-7)
    np.testing.assert_allclose(history.x, parameter.detach().numpy(), atol=1e-7)


# Known minima, to the accuracy of the gradients.

EVERY = [(name, {}) for name in problems.names()]
EVERY += [("rosenbrock", {"n": 10}), ("rosenbrock", {"n": 100}), ("styblinski_tang", {"n": 10})]
EVERY += [("quadratic", {"n": 50, "cond": 1e4})]


def name(value):
    return "_".join(map(str, value.values())) if isinstance(value, dict) else str(getattr(value, "name", value))


@pytest.mark.parametrize(("problem", "parameters"), EVERY, ids=name)
@pytest.mark.parametrize("solver", SEARCHING[:2] + SEARCHING[3:], ids=name)
def test_reaches_gtol_1e_10(solver, problem, parameters):
    p = problems.get(problem, **parameters)
    history = run(solver, of(p), p.x0)
    assert history.status == "gtol", (history.status, history.fun, abs(history.jac).max())
    if solver is barzilai_borwein and (problem, parameters) == ("rosenbrock", {"n": 10}):
        # The chained form has another local minimum (Shang & Qiu 2006), with x[0] near -1.
        assert history.fun == pytest.approx(3.98658, abs=1e-5)
        return
    # The minimum is of fourth order along a line, so that a gradient of 1e-10 allows an error of 1e-3 in x.
    tolerance = 1e-3 if problem == "powell_singular" else 1e-8
    assert min(abs(history.x - x).max() for x in p.minimizers) <= tolerance * max(1, abs(p.minimizers).max())


@pytest.mark.parametrize("beta", ["FR", "HS", "DY", "HZ"])
@pytest.mark.parametrize("problem", ["beale", "rosenbrock", "quadratic", "logistic_regression"])
def test_every_beta_converges(beta, problem):
    p = problems.get(problem)
    history = run(nonlinear_cg(beta=beta), of(p), p.x0)
    assert history.status == "gtol"
    assert abs(history.x - p.minimizers[0]).max() <= 1e-8


@pytest.mark.parametrize("problem", ["rosenbrock", "beale", "quadratic", "logistic_regression"])
def test_lbfgs_without_a_line_search_converges(problem):
    p = problems.get(problem)
    history = run(lbfgs(line_search=False), of(p), p.x0)
    assert history.status == "gtol"
    assert history.nfev == history.nit + 2  # one for each iteration, one at the start, one that meets gtol
    assert abs(history.x - p.minimizers[0]).max() <= 1e-8


@pytest.mark.parametrize("factor", [1e-9, 1e9])
@pytest.mark.parametrize("solver", SEARCHING, ids=name)
def test_units_of_f_do_not_matter(solver, factor):
    """With the thresholds of PyTorch, no pair would be stored for 1e-9 f."""
    p = problems.get("rosenbrock")
    fun = of(p)
    history = run(solver, lambda x: tuple(factor * part for part in fun(x)), p.x0, gtol=factor * 1e-9)
    assert history.status == "gtol"
    assert history.nfev <= 2 * run(solver, fun, p.x0, gtol=1e-9).nfev
    assert abs(history.x - 1).max() <= 1e-8


@pytest.mark.parametrize("problem", ["beale", "rosenbrock", "quadratic", "logistic_regression"])
@pytest.mark.parametrize("solver", SEARCHING, ids=name)
def test_slopes_decide_where_values_are_equal_up_to_rounding(solver, problem):
    """With 1e8 added, f does not change for gradients of 1e-4."""
    p = problems.get(problem)
    fun = of(p)
    history = run(solver, lambda x: (fun(x)[0] + 1e8, fun(x)[1]), p.x0)
    assert history.status == "gtol"
    assert abs(history.x - p.minimizers[0]).max() <= 1e-8
    assert history.nfev <= 5 * run(solver, fun, p.x0).nfev


@pytest.mark.parametrize(("solver", "method"), [(lbfgs, "L-BFGS-B"), (nonlinear_cg, "CG")], ids=name)
@pytest.mark.parametrize(("problem", "parameters"), EVERY, ids=name)
def test_needs_at_most_half_more_evaluations_than_scipy(solver, method, problem, parameters):
    p = problems.get(problem, **parameters)
    options = {"gtol": 1e-6, "maxiter": 20_000}
    options |= {"ftol": 0, "maxcor": 10, "maxfun": 20_000} if method == "L-BFGS-B" else {}
    theirs = scipy.optimize.minimize(of(p), p.x0, jac=True, method=method, options=options)
    ours = run(solver, of(p), p.x0, gtol=1e-6)
    assert ours.status == "gtol"
    assert ours.nfev <= 1.5 * theirs.nfev
    if theirs.success and problem not in ("himmelblau", "powell_singular"):
        np.testing.assert_allclose(ours.x, theirs.x, atol=1e-4)


# Closed forms.


@pytest.mark.parametrize("beta", ["PR+", "FR", "HS", "DY", "HZ"])
def test_with_exact_steps_every_beta_is_linear_cg(beta):
    """Linear CG minimizes a quadratic in n steps (Hestenes & Stiefel 1952)."""
    p = problems.get("quadratic", n=8, cond=30.0)
    A, center = p.args
    x, r = p.x0.copy(), A @ (center - p.x0)
    d, walk = r.copy(), []
    for _ in range(8):
        alpha = r @ r / (d @ A @ d)
        x = x + alpha * d
        new = r - alpha * A @ d
        d, r = new + new @ new / (r @ r) * d, new
        walk.append(x)
    # Cubic interpolation finds the minimum of a quadratic exactly: each step takes two or three evaluations.
    history = run(nonlinear_cg(beta=beta, c1=1e-9, c2=1e-8), of(p), p.x0, gtol=1e-7)
    assert history.nit <= 9
    iterates = np.array(history.walk)[history.accepted]
    assert len(iterates) >= 7
    np.testing.assert_allclose(iterates[:7], walk[:7], atol=1e-6)
    np.testing.assert_allclose(history.x, center, atol=1e-7)


@pytest.mark.parametrize("formula", ["BB1", "BB2", "ABB"])
def test_barzilai_borwein_follows_its_formula(formula):
    """Computed directly on the quadratic of two variables for which Barzilai & Borwein prove superlinear convergence."""
    scale, center = np.array([1.0, 7.0]), np.array([0.3, -0.2])
    x = np.array([1.0, 1.0])
    length, walk = 1 / abs(scale * (x - center)).max(), []
    for _ in range(8):
        walk.append(x)
        s = -length * scale * (x - center)
        x, y = x + s, scale * s
        long, short = s @ s / (s @ y), s @ y / (y @ y)
        length = short if formula == "BB2" or (formula == "ABB" and short < 0.2 * long) else long
    solver = barzilai_borwein(formula=formula, memory=100)  # f may increase without limit
    history = run(solver, separable(scale, center), walk[0], gtol=0, most=8)
    np.testing.assert_allclose(history.walk, walk, rtol=1e-9, atol=1e-12)


def test_barzilai_borwein_decreases_the_maximum_of_its_memory():
    p = problems.get("quadratic", n=20, cond=1e3)
    for memory in (1, 5):
        history = run(barzilai_borwein(formula="BB1", memory=memory, c1=1e-4), of(p), p.x0, gtol=1e-6)
        values = np.array([history.values[0], *np.array(history.values)[history.accepted]])
        reference = [values[max(0, k + 1 - memory) : k + 1].max() for k in range(len(values) - 1)]
        assert (values[1:] < reference).all()
        assert (np.diff(values) > 0).any() == (memory > 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_barzilai_borwein_finds_the_minimum_within_bounds(dtype):
    """The minimum of a separable quadratic is its clipped center."""
    scale, center = np.array([1.0, 5.0, 30.0, 2.0], dtype), np.array([3.0, -2.0, 0.5, 0.1], dtype)
    lower, upper = np.array([0.0, -1.0, 0.0, 0.25], dtype), np.array([1.0, np.inf, 1.0, 0.25], dtype)
    x0 = np.array([0.5, 4.0, 1.0, 0.25], dtype)
    history = run(barzilai_borwein, separable(scale, center), x0, gtol=1e-6, bounds=(lower, upper))
    assert history.status == "gtol"
    np.testing.assert_allclose(history.x, np.clip(center, lower, upper), atol=1e-6)
    assert all((lower <= x).all() and (x <= upper).all() for x in history.walk)


def test_barzilai_borwein_solves_nonnegative_least_squares():
    rng = np.random.default_rng(5)
    A, b = rng.standard_normal((30, 12)), rng.standard_normal(30)
    expected, residual = scipy.optimize.nnls(A, b)
    assert 2 < (expected == 0).sum() < 10

    def fun(x):
        r = A @ x - b
        return float(r @ r) / 2, A.T @ r

    history = run(barzilai_borwein, fun, np.ones(12), bounds=(np.zeros(12), np.full(12, np.inf)))
    assert history.status == "gtol"
    np.testing.assert_allclose(history.x, expected, atol=1e-9)
    assert history.fun == pytest.approx(residual**2 / 2)


# The line search, on the functions and first trial steps of Moré & Thuente (1994), Section 5.


def more_thuente(a, b1=0.001, b2=0.001):
    """Return functions 4 to 6, by Yanai, Ozawa & Kaneko, with their derivatives."""

    def gamma(b):
        return math.sqrt(1 + b * b) - b

    def phi(t):
        one, two = math.hypot(1 - t, b2), math.hypot(t, b1)
        f = gamma(b1) * one + gamma(b2) * two
        return f, gamma(b1) * (t - 1) / one + gamma(b2) * t / two

    return phi


def first(t, beta=2.0):
    return -t / (t * t + beta), (t * t - beta) / (t * t + beta) ** 2


def second(t, beta=0.004):
    return (t + beta) ** 5 - 2 * (t + beta) ** 4, 5 * (t + beta) ** 4 - 8 * (t + beta) ** 3


PHI = [first, second, more_thuente(0, 0.001, 0.001), more_thuente(0, 0.01, 0.001), more_thuente(0, 0.001, 0.01)]


@pytest.mark.parametrize("phi", PHI, ids=["first", "second", "fourth", "fifth", "sixth"])
@pytest.mark.parametrize("t0", [1e-3, 1e-1, 1e1, 1e3])
@pytest.mark.parametrize(("c1", "c2"), [(1e-4, 0.9), (1e-4, 0.1), (1e-3, 1e-3)])
def test_line_search_ends_where_both_conditions_hold(phi, t0, c1, c2):
    w = np.zeros(ls.NUMBERS)
    f0, slope0 = phi(0.0)
    ls.begin(w, f0, slope0, t0, 2.2e-16)
    trials = 0
    status = ls.CONTINUE
    while status == ls.CONTINUE:
        trials += 1
        t = w[ls.T]
        f, slope = phi(t)
        status = ls.advance(w, f, slope, c1, c2, 25)
    if phi is first and t0 == 1e3:
        # At the first trial f is lower than at 0, but not sufficiently. Like PyTorch, and unlike Algorithm 3.6, the search
        # makes it the low end of the bracket and stays on that plateau.
        assert status == ls.ACCEPT_LOW
        assert w[ls.F_LO] < f0
        return
    assert status == ls.ACCEPT
    assert f <= f0 + c1 * t * slope0
    assert abs(slope) <= c2 * abs(slope0)
    assert trials <= 20


@pytest.mark.parametrize("solver", [lbfgs, nonlinear_cg], ids=name)
def test_accepted_steps_satisfy_the_strong_wolfe_conditions(solver):
    p = problems.get("rosenbrock", n=10)
    history = run(solver, of(p), p.x0, gtol=1e-3)
    here = 0
    assert len(history.accepted) > 20
    for there in history.accepted:
        d = history.walk[there] - history.walk[here]
        slope0, slope = history.slopes[here] @ d, history.slopes[there] @ d
        assert history.values[there] <= history.values[here] + solver.hyper["c1"] * slope0
        assert abs(slope) <= solver.hyper["c2"] * abs(slope0) * (1 + 1e-9)
        here = there


# Impossible and difficult problems.


@pytest.mark.parametrize("problem", problems.names())
@pytest.mark.parametrize("solver", [lbfgs, nonlinear_cg, nonlinear_cg(beta="HZ")], ids=name)
def test_float32_reaches_its_accuracy_then_stalls(solver, problem):
    p = problems.get(problem)
    history = run(solver, of(p), p.x0.astype("float32"), most=5000)
    assert history.x.dtype == "float32"
    assert history.status in ("gtol", "stalled")
    if problem not in ("brown_badly_scaled", "powell_singular"):
        assert min(abs(history.x - x).max() for x in p.minimizers) <= 3e-4


def test_float32_barzilai_borwein():
    p = problems.get("quadratic")
    history = run(barzilai_borwein, of(p), p.x0.astype("float32"))
    assert history.status == "stalled"
    assert history.nfev < 2000
    assert abs(history.x - p.minimizers[0]).max() <= 1e-6


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", SOLVERS, ids=name)
def test_one_variable(solver, dtype):
    history = run(solver, lambda x: (float(x[0]) ** 4 - float(x[0]), 4 * x**3 - 1), np.array([2.0], dtype), gtol=1e-6)
    assert history.status == "gtol"
    assert history.x[0] == pytest.approx(0.25 ** (1 / 3), abs=1e-6)


@pytest.mark.parametrize("solver", SOLVERS, ids=name)
def test_start_at_the_minimum(solver):
    """Drivers stop there; a solver that is called nevertheless reports that it cannot continue."""
    x0 = np.array([2.0, -1.0])
    history = run(solver, separable(np.ones(2), x0), x0, gtol=-1)
    assert (history.status, history.nfev, history.nit) == ("stalled", 1, 0)
    assert (history.x == x0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", SEARCHING, ids=name)
@pytest.mark.parametrize("power", [1, 2, 4])
def test_unbounded_below_ends(solver, power, dtype):
    def fun(x):
        with np.errstate(over="ignore", invalid="ignore"):
            return -float((x**power).sum()), -power * x ** (power - 1)

    history = run(solver, fun, np.array([2.0, 3.0], dtype), most=3000)
    assert history.status == "stalled"
    assert history.fun < -1e6
    assert np.isfinite(history.x).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", SEARCHING, ids=name)
@pytest.mark.parametrize("beyond", [np.nan, np.inf])
def test_log_barrier(solver, dtype, beyond):
    """The minimum of x - mu log x is mu; x <= 0, where the first steps lead, is outside the domain."""
    mu = np.array([0.01, 0.1], dtype)

    def fun(x):
        if (x <= 0).any():
            return beyond, np.full_like(x, np.nan)
        return float((x - mu * np.log(x)).sum()), 1 - mu / x

    history = run(solver, fun, np.array([0.5, 0.9], dtype), gtol=1e-10 if dtype == "float64" else 1e-4)
    assert not np.isfinite(history.values).all()
    assert history.status == "gtol"
    np.testing.assert_allclose(history.x, mu, rtol=1e-8 if dtype == "float64" else 1e-3)


@pytest.mark.parametrize("solver", SOLVERS, ids=name)
@pytest.mark.parametrize("fun", [lambda x: (math.nan, x), lambda x: (1.0, x * math.nan)], ids=["value", "gradient"])
def test_not_finite_at_the_start(solver, fun):
    history = run(solver, fun, np.ones(2))
    assert (history.status, history.nfev) == ("stalled", 1)
    assert (history.x == 1).all()


@pytest.mark.parametrize("solver", [lbfgs, nonlinear_cg], ids=name)
def test_a_gradient_of_the_wrong_sign_stalls(solver):
    history = run(solver, lambda x: (float(x @ x), -2 * x), np.array([1.0, 2.0]))
    assert (history.status, history.nit) == ("stalled", 0)
    assert history.nfev <= 1 + solver.hyper["max_ls"] + 1
    assert (history.x == [1, 2]).all()


@pytest.mark.parametrize("solver", SEARCHING, ids=name)
def test_restarts_after_a_stall(solver):
    x = np.array([1.0, 2.0])
    state = solver.init(x)
    solver.step(x, np.zeros(2), state, f=3.0)
    assert state.stalled
    fun = separable(np.array([1.0, 3.0]), np.zeros(2))
    for _ in range(100):
        f, g = fun(x)
        if abs(g).max() < 1e-9:
            break
        solver.step(x, g, state, f=f)
        assert not state.stalled
    assert abs(x).max() < 1e-9


# Solver objects.


@pytest.mark.parametrize("solver", SOLVERS, ids=name)
def test_copies_and_pickles_are_equal(solver):
    again = pickle.loads(pickle.dumps(solver))
    assert again == solver == copy.deepcopy(solver)
    assert hash(again) == hash(solver)
    assert eval(repr(solver), {s.name: s for s in SEARCHING}) == solver
    assert solver(max_ls=7) != solver
    assert solver(max_ls=7).hyper["max_ls"] == 7
    assert solver.hyper["max_ls"] == 25
    assert list(inspect.signature(solver).parameters) == list(solver.hyper)
    assert solver.text.startswith(("L-BFGS (", "Nonlinear conjugate gradients (", "Spectral projected gradients ("))


def test_attributes_used_by_drivers():
    for solver in SOLVERS:
        x = np.ones(5, "float32")
        s, h = solver.slots(x), solver.h
        assert s.shape == (len(solver.slots_of), 5)
        assert (s.dtype, h.dtype) == ("float32", "float64")
        assert h is not solver.h
        assert not s.any()
        assert (solver.elementwise, solver.needs_norms, solver.program, solver.needs_value) == (
            False,
            False,
            None,
            True,
        )
        assert solver.handles_nonfinite
        assert solver.bounded == (solver is barzilai_borwein)
        assert solver.iterations(h) == 0
        with pytest.raises((TypeError, ValueError)):
            solver.kernel(x)(1, x, x[:3].copy(), s, h)
        with pytest.raises((TypeError, ValueError)):
            solver.kernel(x)(1, x, x, s, h[:-1].copy())
    assert lbfgs(history=3).slots(x).shape == (10, 5)
    with pytest.raises(ValueError, match="lbfgs takes no bounds"):
        lbfgs.slots(x, lower=x, upper=x)
    assert (barzilai_borwein.slots(x, upper=x)[3:] == [[-np.inf], [1]]).all()


@pytest.mark.parametrize(
    ("solver", "wrong", "text"),
    [
        (lbfgs, {"memory": 3}, "lbfgs has no hyperparameter 'memory'; it has lr, history"),
        (lbfgs, {"histori": 3}, "Did you mean 'history'?"),
        (lbfgs, {"history": 2.5}, "history must be a whole number, not 2.5"),
        (lbfgs, {"history": math.inf}, "history must be a whole number"),
        (lbfgs, {"history": True}, "history must be a whole number, not True"),
        (lbfgs, {"history": np.timedelta64(5)}, "history must be a whole number"),
        (lbfgs, {"history": 0}, r"history must be finite and lie in \[1, inf\), not 0"),
        (lbfgs, {"lr": 0}, r"lr must be finite and lie in \(0, inf\), not 0"),
        (lbfgs, {"lr": math.nan}, "lr must be finite and lie in .*, not nan"),
        (lbfgs, {"lr": "1"}, "lr must be a real number, not '1'"),
        (lbfgs, {"line_search": 1}, "line_search must be True or False, not 1"),
        (lbfgs, {"c1": 0.95}, "c1 must be less than c2, not c1=0.95 and c2=0.9"),
        (
            nonlinear_cg,
            {"beta": "XY"},
            "beta must be one of 'PR+', 'FR', 'HS', 'DY', 'HZ', not 'XY'".replace("+", r"\+"),
        ),
        (barzilai_borwein, {"formula": 1}, "formula must be one of 'ABB', 'BB1', 'BB2', not 1"),
    ],
)
def test_invalid_hyperparameters(solver, wrong, text):
    with pytest.raises((TypeError, ValueError), match=text):
        solver(**wrong)


def test_calls_with_wrong_arguments():
    with pytest.raises(TypeError, match="hyperparameters are keywords"):
        lbfgs(0.1)
    with pytest.raises(TypeError, match="from x0, which is missing"):
        lbfgs(of(problems.get("beale")))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", SOLVERS, ids=name)
def test_a_custom_loop(solver, dtype):
    """In the shape of x, with a pickled state, and with the same points as the compiled step."""
    scale, center = np.array([1.0, 4.0, 9.0, 2.0], dtype), np.array([1.0, 2.0, 3.0, 4.0], dtype)
    fun = separable(scale, center)
    reference = run(solver, fun, np.zeros(4, dtype), gtol=1e-4)
    x = np.zeros((2, 2), dtype)
    state = solver.init(x)
    walk = []
    for _ in range(100):
        f, g = fun(x.reshape(-1))
        walk.append(x.reshape(-1).copy())
        if abs(g).max() <= 1e-4 or state.stalled:
            break
        solver.step(x, g.reshape(2, 2), state, f=f)
        state = pickle.loads(pickle.dumps(state))
    assert (np.array(walk) == reference.walk).all()
    assert state.iterations == reference.nit
    assert state.t == reference.nfev - 1
    assert not state.stalled
    assert state["g0"].shape == (2, 2)


def test_step_with_other_hyperparameters():
    fun, x = separable(np.ones(2), np.zeros(2)), np.array([3.0, 4.0])
    state = lbfgs.init(x)
    lbfgs(lr=0.5).step(x, fun(x)[1], state, f=fun(x)[0])
    np.testing.assert_allclose(x, np.array([3.0, 4.0]) * (1 - 0.5 / 7))  # lr min(1, 1 / |g|_1)
    assert state.rule == lbfgs(lr=0.5)


def test_step_rejects_arguments_that_do_not_fit():
    x, g = np.ones(3), np.ones(3)
    state = lbfgs.init(x)
    before = state.h.copy()
    for arguments, keywords in [
        ((x, g[:2], state), {"f": 1.0}),
        ((x, g, state), {}),
        ((x, g, state), {"f": "1"}),
        ((x, g, state), {"f": g}),
        ((x, g, state), {"f": 1j}),
        ((x.astype("float32"), g, state), {"f": 1.0}),
        ((x, g, nonlinear_cg.init(x)), {"f": 1.0}),
        ((x, g, lbfgs(history=3).init(x)), {"f": 1.0}),
        ((list(x), g, state), {"f": 1.0}),
    ]:
        with pytest.raises((TypeError, ValueError)):
            lbfgs.step(*arguments, **keywords)
    assert (x == 1).all()
    assert (state.h == before).all()
    assert state.t == 0
    with pytest.raises(TypeError):
        lbfgs.init([1.0, 2.0])
