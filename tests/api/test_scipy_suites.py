"""SciPy's tests of other modules than test_optimize.py, and with solvers, run against our methods.

As in test_scipy_suite.py: in a module of SciPy's tests, ``minimize`` (or ``basinhopping``, ``dual_annealing``) is a
name, and stands here for one that takes our method, whichever the test asks for. What cannot be pointed at a method
is listed with the reason; a test counts, so that none of this version of SciPy is forgotten.
"""

import ast
import inspect
import itertools
import types
import unittest.mock
import warnings

import pytest
import scipy
from scipy import optimize

import numbaopt
from tests.api import test_scipy_suite

LOOKED_THROUGH = "1.17."  # the version of SciPy whose tests the lists below are of
HOME = "scipy.optimize.tests"
SOLVERS = {
    "barzilai_borwein": numbaopt.barzilai_borwein,
    "lbfgs": numbaopt.lbfgs,
    "nonlinear_cg": numbaopt.nonlinear_cg,
}
RULES = {"adam": numbaopt.adam(lr=0.1), "radam": numbaopt.radam(lr=0.1)}
FOREIGN = {"maxfun", "return_all", "maxls", "maxcor", "eps"}  # options of SciPy's methods that ours have not


def module(name):
    with unittest.mock.patch.object(pytest.mark, "_config", None):  # the suite has marks of its own, unknown here
        return pytest.importorskip(f"{HOME}.{name}", reason="this SciPy has no tests inside")


def point(monkeypatch, suite, method, way, gtol):
    """Let whatever in a module of tests minimizes do it by this method."""

    def by_method(fun, x0, *args, **kwargs):
        options = {k: v for k, v in (kwargs.get("options") or {}).items() if k not in FOREIGN}
        kwargs["options"] = ({"gtol": gtol} if kwargs.get("tol") is None else {}) | options
        return way(fun, x0, *args, **kwargs | {"method": method})

    def within(search):
        def by_method_within(*args, **kwargs):
            inner = dict(kwargs.get("minimizer_kwargs") or {})
            inner["method"] = method
            if search is optimize.basinhopping:
                inner["options"] = {"gtol": gtol} | (inner.get("options") or {})
            return search(*args, **kwargs | {"minimizer_kwargs": inner})

        return by_method_within

    searches = {name: within(getattr(optimize, name)) for name in ("basinhopping", "dual_annealing")}
    names = {"minimize": by_method} | searches
    everything = {name: getattr(optimize, name) for name in dir(optimize)} | {"minimize": by_method}
    for name, stand_in in (names | {"optimize": types.SimpleNamespace(**everything)}).items():
        if hasattr(suite, name):
            monkeypatch.setattr(suite, name, stand_in)


def arguments(test):
    """List the arguments that pytest would call a test with: of its one list of parameters, if it has one."""
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "parametrize":
            names = [name.strip() for name in mark.args[0].split(",")]
            return [dict(zip(names, values if len(names) > 1 else [values], strict=True)) for values in mark.args[1]]
    return [{}]


def call(suite, path, case):
    owner, _, name = path.rpartition(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as marks on the suite's tests do
        if not owner:
            return getattr(suite, name)(**case)
        instance = getattr(suite, owner)()
        if hasattr(instance, "setup_method"):
            instance.setup_method()
        return getattr(instance, name)(**case)


HOPPING = "TestBasinHopping.test_"
ANNEALING = "TestDualAnnealing.test_"
TNC, SLSQP, CONSTR = "TestTnc.test_", "TestSLSQP.test_", "TestTrustRegionConstr.test_"
BOX = "TestBoundedNelderMead.test_"
NELDER = ("rosen_brock_with_bounds", "equal_all_bounds", "equal_one_bounds", "invalid_bounds")
# What any method is put to; and what asks for one that heeds bounds.
FREE = {
    "test_optimize": [
        "TestNewtonCg.test_rosenbrock",
        "TestNewtonCg.test_himmelblau",
        "TestNewtonCg.test_finite_difference",
        "TestNewtonCg.test_hessian_update_strategy",
    ],
    "test__basinhopping": [
        f"{HOPPING}TypeError",
        f"{HOPPING}input_validation",
        f"{HOPPING}1d_grad",
        f"{HOPPING}2d",
        f"{HOPPING}njev",
        f"{HOPPING}jac",
        f"{HOPPING}2d_nograd",
        f"{HOPPING}pass_takestep",
        f"{HOPPING}pass_simple_takestep",
        f"{HOPPING}pass_accept_test",
        f"{HOPPING}pass_callback",
        f"{HOPPING}minimizer_fail",
        f"{HOPPING}niter_zero",
        f"{HOPPING}rng_reproducibility",
        f"{HOPPING}random_gen",
        f"{HOPPING}monotonic_basin_hopping",
    ],
    "test__dual_annealing": [
        f"{ANNEALING}low_dim",
        f"{ANNEALING}nb_fun_call",
        f"{ANNEALING}max_reinit",
        f"{ANNEALING}reproduce",
        f"{ANNEALING}rand_gen",
        f"{ANNEALING}bounds_integrity",
        f"{ANNEALING}bound_validity",
        f"{ANNEALING}maxiter",
        f"{ANNEALING}fun_args_ls",
        f"{ANNEALING}callback_stop",
        f"{ANNEALING}wrong_restart_temp",
        f"{ANNEALING}gradient_gnev",
    ],
    "test_tnc": [f"{TNC}raising_exceptions"],
    "test_slsqp": [
        f"{SLSQP}minimize_unbounded_approximated",
        f"{SLSQP}minimize_unbounded_given",
        f"{SLSQP}minimize_unbounded_combined",
        f"{SLSQP}callback",
        f"{SLSQP}gh_6676",
        f"{SLSQP}invalid_bounds",
    ],
    "test_lbfgsb_setulb": ["test_gh_issue18730"],
}
BOUNDED = {
    "test_tnc": [f"{TNC}minimize_tnc{i}" for i in (1, "1b", "1c", 2, 3, 4, 5, 45)],
    "test_slsqp": [
        f"{SLSQP}minimize_bounded_approximated",
        f"{SLSQP}bounds_clipping",
        f"{SLSQP}new_bounds_type",
        f"{SLSQP}parameters_stay_within_bounds",
    ],
    "test_minimize_constrained": [f"{CONSTR}{name}" for name in ("default_jac_and_hess", "default_hess", "issue_15093")]
    + [f"{BOX}{name}" for name in NELDER],
}
# What a solver does in a moment, and a rule at one learning rate after a long while or not at all.
FOR_SOLVERS = {
    "test_optimize": ["TestOptimizeSimple.test_finite_differences_jac"],
    "test__basinhopping": [f"{HOPPING}all_minimizers"],
    "test_tnc": [f"{TNC}minimize_tnc38", f"{TNC}callback_shouldnt_affect_minimization"],
    "test_minimize_constrained": [f"{CONSTR}no_constraints"],
}
CONSTRAINTS = "constraints, which none of ours takes"
OWN = "options, messages, evaluations or status numbers of the method that it is written for"
CANNOT = {
    "test__basinhopping": {
        f"{HOPPING}all_nograd_minimizers": "the same as 2d_nograd when pointed at one method",
        "Test_Metropolis.test_gh7799": CONSTRAINTS,
        "Test_Metropolis.test_reject_all_gh7799": CONSTRAINTS,
    },
    "test__dual_annealing": {
        f"{ANNEALING}high_dim": "low_dim again, of 30 coordinates: seconds of annealing",
        f"{ANNEALING}from_docstring": "seconds of annealing",
        f"{ANNEALING}bounds_class": "seconds of annealing",
        f"{ANNEALING}low_dim_no_ls": "uses no local search",
        f"{ANNEALING}high_dim_no_ls": "uses no local search",
        f"{ANNEALING}nb_fun_call_no_ls": "uses no local search",
        f"{ANNEALING}max_fun_no_ls": "uses no local search",
        f"{ANNEALING}fun_args_no_ls": "uses no local search",
        f"{ANNEALING}deprecated_local_search_options_bounds": "wants the warning of CG",
        f"{ANNEALING}minimizer_kwargs_bounds": "wants the warning of CG",
        f"{ANNEALING}max_fun_ls": OWN,
        f"{ANNEALING}multi_ls_minimizer": "the same as low_dim when pointed at one method",
        f"{ANNEALING}callable_jac_hess_with_args_gh11052": "seconds of annealing, and wants bounds heeded unasked",
    },
    "test_slsqp": {f"{SLSQP}nested_minimization": "limits the evaluations to what SLSQP needs"},
    "test_lbfgsb_hessinv": dict.fromkeys(["test_1", "test_2", "test_3"], "hess_inv, which first-order methods lack"),
    "test_cobyla": {
        "TestCobyla.test_f_target": OWN,
        "TestBounds.test_basic": "minimizes from a start that NaN surrounds, by comparing values",
        "TestBounds.test_unbounded": OWN,
    },
    "test_minimize_constrained": {
        f"{CONSTR}raise_exception": OWN,
        f"{CONSTR}issue_9044": OWN,
        f"{BOX}outside_bounds_warning": "wants a warning; here a start outside is moved to the bounds, as is documented",
        "test_gh20665_too_many_constraints": CONSTRAINTS,
    },
}
# The other tests of these modules that minimize give constraints: test_the_others_give_constraints sees to that.


def pointed(lists, methods):
    for name, paths in lists.items():
        for path, (method, way) in itertools.product(paths, methods):
            if name in ("test__basinhopping", "test__dual_annealing") and way is OURS:
                continue  # they call SciPy's
            label = f"{path.rpartition('.')[2]}-{method.name}-{way.__module__[:5]}"
            yield pytest.param(name, path, method, way, id=label)


OURS, CUSTOM = numbaopt.minimize, optimize.minimize
SOLVED = [(SOLVERS["barzilai_borwein"], CUSTOM), (SOLVERS["lbfgs"], CUSTOM), (SOLVERS["lbfgs"], OURS)]
HEEDING = [(SOLVERS["barzilai_borwein"], OURS), (SOLVERS["barzilai_borwein"], CUSTOM), (RULES["adam"], CUSTOM)]
CASES = [
    *pointed(FREE, [*SOLVED, (RULES["adam"], CUSTOM)]),
    *pointed(BOUNDED, HEEDING),
    *pointed(FOR_SOLVERS, HEEDING[1:2]),
]


@pytest.mark.parametrize("name, path, method, way", CASES)
def test_pointed_at_ours(monkeypatch, name, path, method, way):
    suite = module(name)
    owner, _, test = path.rpartition(".")
    home = getattr(suite, owner, None) if owner else suite
    if not hasattr(home, test):
        pytest.skip("not in this version of SciPy")
    point(monkeypatch, suite, method, way, 1e-8)
    for case in arguments(getattr(home, test)):
        call(suite, path, case)


SEARCHES = {"minimize", "basinhopping", "dual_annealing"}


def minimizing(suite):
    """List the tests of a module that minimize."""
    for node in ast.parse(inspect.getsource(suite)).body:
        tests = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for test in tests:
            if isinstance(test, ast.FunctionDef) and test.name.startswith("test"):
                names = {getattr(part, "attr", getattr(part, "id", "")) for part in ast.walk(test)}
                if names & SEARCHES:
                    yield prefix + test.name


@pytest.mark.skipif(not scipy.__version__.startswith(LOOKED_THROUGH), reason="lists of another SciPy's tests")
@pytest.mark.parametrize("name", sorted({*FREE, *BOUNDED, *CANNOT, "test_cobyqa"} - {"test_optimize"}))
def test_the_others_give_constraints(monkeypatch, name):
    suite = module(name)
    listed = {path for lists in (FREE, BOUNDED, FOR_SOLVERS, CANNOT) for path in lists.get(name, ())}
    found = set(minimizing(suite))
    assert listed <= found
    for path in found - listed:
        owner, _, test = path.rpartition(".")
        source = inspect.getsource(getattr(getattr(suite, owner) if owner else suite, test))
        assert "constraint" in source, f"{name}.{path} is in none of the lists"


# test_optimize.py: what test_scipy_suite.py runs with rules, with solvers.

BOUNDS = ("_bounds", "bounds_FD", "bounds_equal", "equal_bounds", "bounds_with_list", "minimize_with_scalar")


def solver_cases():
    for name, solver in SOLVERS.items():
        for case in test_scipy_suite.rule_cases([*test_scipy_suite.ANY_METHOD, *test_scipy_suite.MINIMUM]):
            path = case.values[0]
            if solver.bounded or not path.endswith(BOUNDS) or "ncorrect" in path or "nvalid" in path:
                yield pytest.param(*case.values, solver, id=f"{name}-{case.id}")


@pytest.mark.parametrize("way", [numbaopt.minimize, optimize.minimize], ids=["ours", "custom"])
@pytest.mark.parametrize("path, case, solver", [*solver_cases()])
def test_solvers(monkeypatch, path, case, solver, way):
    test_scipy_suite.put_to_the_suite(monkeypatch, path, case, solver, way)
