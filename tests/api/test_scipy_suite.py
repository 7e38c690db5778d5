"""SciPy's own tests of `minimize`, run against ours.

They ship in SciPy's wheel. They call ``optimize.minimize``, a name in their module; here that name stands for
ours, in three ways: a rule through our `minimize`, a rule as a custom method of SciPy's, and SciPy's methods
through our `minimize`.
"""

import itertools
import types
import unittest.mock
import warnings

import pytest
from scipy import optimize

import numbaopt

with unittest.mock.patch.object(pytest.mark, "_config", None):  # the suite has marks of its own, unknown here
    suite = pytest.importorskip("scipy.optimize.tests.test_optimize", reason="this SciPy has no tests inside")

# Rules at learning rates that take the suite's problems to the suite's tolerances; and rules that no constant
# learning rate takes there on all of them, or only after tens of thousands of steps.
CONVERGING = {
    "adam": numbaopt.adam(lr=0.1),
    "amsgrad": numbaopt.amsgrad(lr=0.2),
    "radam": numbaopt.radam(lr=0.1),
    "rmsprop": numbaopt.rmsprop(lr=1e-2),
}
OTHERS = {
    "adagrad": numbaopt.adagrad(lr=1.0),
    "adamw": numbaopt.adamw(lr=0.1),
    "lamb": numbaopt.lamb(lr=0.05),
    "sgd": numbaopt.sgd(lr=1e-3),
}
# What holds for any method, whichever way it goes about it.
ANY_METHOD = [
    "TestOptimizeSimple.test_minimize_callback_copies_array",
    "TestOptimizeSimple.test_no_increase",
    "TestOptimizeSimple.test_respect_maxiter",
    "TestOptimizeSimple.test_nan_values",
    "TestOptimizeSimple.test_callback_stopiteration",
    "TestOptimizeSimple.test_minimize_invalid_bounds",
    "TestOptimizeSimple.test_minimize_warnings_gh1953",
    "TestOptimizeSimple.test_minimize_coerce_args_param",
    "TestOptimizeResultAttributes.test_attributes_present",
    "TestLBFGSBBounds.test_minimize_l_bfgs_b_incorrect_bounds",
    "TestAnnotations.test_callable_annotations",
    "test_result_x_shape_when_len_x_is_one",
    "test_all_bounds_equal",
    "test_minimize_maxiter_noninteger",
]
# What asks for a minimum.
MINIMUM = [
    "TestOptimizeSimple.test_duplicate_evaluations",
    "TestOptimizeSimple.test_minimize_l_bfgs_b",
    "TestOptimizeSimple.test_minimize_tol_parameter",
    "TestOptimizeSimple.test_bfgs_double_evaluations",
    "TestLBFGSBBounds.test_minimize_l_bfgs_b_bounds",
    "TestLBFGSBBounds.test_minimize_l_bfgs_b_bounds_FD",
    "test_minimize_with_scalar",
    "test_bounds_with_list",
    "test_equal_bounds",
    "test_x_overwritten_user_function",
]
# What a rule cannot meet, or need not; SciPy's methods are put to these through our `minimize` all the same.
NOT_FOR_RULES = {
    "TestOptimizeSimple.test_finite_differences_jac": "allows nine minimizations 6000 calls",
    "TestOptimizeSimple.test_bfgs_nan_return": "wants NaN as fun; ours is the best, which was finite",
    "TestOptimizeSimple.test_initial_step_scaling": "is about the first step of a line search",
    "TestOptimizeSimple.test_minimize_automethod": "constraints",
    "TestOptimizeSimple.test_ndim_error": "x0 may have any shape here",
    "TestOptimizeSimple.test_minimize_l_bfgs_b_ftol": "how far a line search gets by a given ftol",
    "TestOptimizeSimple.test_l_bfgs_b_maxiter": "the words of L-BFGS-B's message",
    "test_sparse_hessian": "Hessians",
    "TestWorkers.test_smoke": "options['workers'] is SciPy's",
}
# The suite's other tests are of functions (fmin_cg, brute, ...), of the evaluations that a certain method
# needs, or of things beside `minimize`.


def find(path):
    owner, _, name = path.rpartition(".")
    owner = getattr(suite, owner, None) if owner else suite
    return owner, getattr(owner, name, None)


def cases(path):
    """List the arguments that pytest would call one of the suite's tests with."""
    owner, test = find(path)
    marks = [*getattr(test, "pytestmark", ()), *getattr(owner, "pytestmark", ())]
    axes = [[(mark.args[0], value) for value in mark.args[1]] for mark in marks if mark.name == "parametrize"]
    return [dict(case) for case in itertools.product(*axes)]


def call(path, case):
    owner, test = find(path)
    if test is None:
        pytest.skip("not in this version of SciPy")
    for mark in getattr(owner, "pytestmark", ()):
        if mark.name == "skipif" and mark.args[0]:
            pytest.skip(mark.kwargs["reason"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as marks on the suite's tests do
        if owner is suite:
            return test(**case)
        instance = owner()
        if hasattr(instance, "setup_method"):
            instance.setup_method()
        return test(instance, **case)


def rule_cases(paths):
    """List cases for a rule: it stands in for whatever method the test names."""
    for path in paths:
        seen = []
        for case in cases(path):
            if constraints := case.get("constraints"):  # test_equal_bounds
                if constraints[0]:
                    continue
            if "method" in case:
                case["method"] = "a rule"
            if case not in seen:
                seen.append(case)
                yield pytest.param(path, case, id=f"{path.rpartition('.')[2]}-{len(seen)}")


def stand_in(monkeypatch, minimize):
    """Let ``optimize.minimize`` in the suite mean this."""
    names = {name: getattr(optimize, name) for name in dir(optimize)}
    monkeypatch.setattr(suite, "optimize", types.SimpleNamespace(**names | {"minimize": minimize}))


def put_to_the_suite(monkeypatch, path, case, rule, way):
    def minimize_by_rule(*args, **kwargs):
        kwargs["method"] = rule
        if kwargs.get("tol") is None:  # who converges linearly stops where gtol is met, not far beyond it
            kwargs["options"] = {"gtol": 1e-6} | (kwargs.get("options") or {})
        return way(*args, **kwargs)

    stand_in(monkeypatch, minimize_by_rule)
    monkeypatch.setattr(suite, "MINIMIZE_METHODS", ["a rule"])
    call(path, case)


ways = pytest.mark.parametrize("way", [numbaopt.minimize, optimize.minimize], ids=["ours", "custom"])


@ways
@pytest.mark.parametrize("rule", (CONVERGING | OTHERS).values(), ids=(CONVERGING | OTHERS).keys())
@pytest.mark.parametrize("path, case", [*rule_cases(ANY_METHOD)])
def test_any_method(monkeypatch, path, case, rule, way):
    put_to_the_suite(monkeypatch, path, case, rule, way)


@ways
@pytest.mark.parametrize("rule", CONVERGING.values(), ids=CONVERGING.keys())
@pytest.mark.parametrize("path, case", [*rule_cases(MINIMUM)])
def test_minimum(monkeypatch, path, case, rule, way):
    put_to_the_suite(monkeypatch, path, case, rule, way)


def scipy_cases():
    for path in [*ANY_METHOD, *MINIMUM, *NOT_FOR_RULES]:
        for i, case in enumerate(cases(path) if find(path)[1] else ()):
            method = case.get("method", "")
            functions = method.startswith("fmin")  # not a method of minimize
            constrained = case.get("constraints", [None])[0] and method != "SLSQP"
            by_design = path.endswith(("automethod", "ndim_error"))
            if not (functions or constrained or by_design or case.get("workers")):
                yield pytest.param(path, case, id=f"{path.rpartition('.')[2]}-{method}-{i}")


@pytest.mark.parametrize("path, case", [*scipy_cases()])
def test_methods_of_scipy(monkeypatch, path, case):
    def minimize(fun, x0, args=(), method=None, **kwargs):
        method = method or ("L-BFGS-B" if "bounds" in kwargs else "BFGS")
        return numbaopt.minimize(fun, x0, args, method, **kwargs)

    stand_in(monkeypatch, minimize)
    call(path, case)
