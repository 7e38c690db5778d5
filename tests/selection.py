"""Which tests run by default, and which run only with ``--all``.

Nearly all the time of a cold run is spent compiling. What is held back needs ``python -m pytest -n auto --all``, which
``.ci/run`` runs:

- tests with the mark ``slow``: they compile or wait for more than two seconds, and a quicker test looks at the same code;
- of a parametrized test, the cases that do not meet its condition in `DEFAULT`. These are cross products: every rule with
  every set of hyperparameters, in each dtype, on each driver. By default each rule is compared once with its oracle
  (`once`: its defaults, in float64), and the cross products are run for one rule of each form (`FORMS`), for what is
  compiled differs by the form of a rule and not by its formula.

All other tests always run.
"""

import re

from tests.paths import PACKAGE

FORMS = {
    "adam": "coordinate by coordinate",
    "lamb": "norms, which need a pass of their own",
    "nadam": "a number that is carried from step to step",
    "prodigy": "sums over all arrays, and numbers that are carried",
    "polyak_sgd": "the value of the objective",
    "noisy_sgd": "noise",
    "muon": "matrices",
    "schedule_free_sgd": "a point to report that is not the iterate",
}


def words(case):
    """Return the words of the name of a case: ``adam.optax-all-float32`` has four."""
    return set(re.split(r"[-.,]", case))


def each_form(case):
    """Cases of one rule of each form."""
    return not FORMS.keys().isdisjoint(words(case))


def once(case):
    """Every rule with its defaults in float64, and one rule of each form in float32, too."""
    return "defaults" in words(case) and ("float64" in words(case) or each_form(case))


def double(case):
    """Cases in float64."""
    return "float64" in words(case)


def only(*wanted):
    """Return a condition: cases with one of these words."""
    return lambda case: not words(case).isdisjoint(wanted)


def both(first, second):
    """Return a condition: cases that meet both."""
    return lambda case: first(case) and second(case)


DEFAULT = {
    # Rules.
    "rules/test_golden.py::test_rule_walks_as_its_reference": once,
    "rules/test_rules.py::test_plain_serial_parallel": both(each_form, both(double, only("defaults"))),
    "rules/test_rules.py::test_zero_gradients": once,
    "rules/test_rules.py::test_only_x_and_the_state_change_and_in_place": both(
        only(*FORMS.keys() - {"muon"}), only("defaults")
    ),
    "rules/test_rules.py::test_a_million_entries_are_stepped_alike_at_every_place": only("adam"),
    "rules/test_rules.py::test_float32_sweeps_are_vectorized_and_hold_no_double": only("adam"),
    "rules/test_rules_special.py::test_zero_gradients": lambda case: {"5", "float64"} <= words(case) or each_form(case),
    "rules/test_rules_special.py::test_pickled_and_copied_states_go_on_alike": each_form,
    "rules/test_rules_special.py::test_minimize_takes_every_rule_down": each_form,
    "rules/test_differential.py::test_rule_walks_as_its_oracle": only("lamb", "noisy_sgd"),
    "rules/test_matrix_rules.py::test_rule_walks_as_its_reference": lambda case: (
        {"defaults", "wide", "float64"} <= words(case) and "optax" not in words(case)
    ),
    "rules/test_matrix_rules.py::test_soaps_bases_are_those_of_its_matrices": only("shape0"),
    "rules/test_matrix_rules.py::test_odd_shapes": both(double, only("shape0")),
    "rules/test_matrix_rules.py::test_gradients_without_rank": double,
    # Drivers: which rule it is matters little to them. Each compiled case compiles an objective of its own.
    "drivers/test_drive.py::test_is_the_loop_that_one_would_write": both(double, only("adam", "lamb", "polyak_sgd")),
    "drivers/test_drive.py::test_both_drivers_see_the_same_batches": both(double, only("adam")),
    "drivers/test_drive.py::test_stops_where_something_is_not_finite": both(only("nan"), only("fun")),
    "drivers/test_checkpoint.py::test_every_rule": each_form,
    "drivers/test_checkpoint.py::test_full_batch": both(only("2"), only("adam")),
    "drivers/test_checkpoint.py::test_minibatches": only("8"),
    "drivers/test_checkpoint.py::test_what_ended_for_good_stays_ended": only("plain"),
    "drivers/test_checkpoint.py::test_simultaneous_perturbation": only("plain"),
    "drivers/test_checkpoint.py::test_finite_differences_between_bounds": only("plain"),
    "drivers/test_checkpoint.py::test_trees_of_arrays": only(*FORMS),
    "drivers/test_meetings.py::test_the_history_of_a_run_taken_up_is_the_rest_of_it": both(only("11"), only("sgd")),
    "drivers/test_meetings.py::test_batches_passed_over_on_both_drivers_and_taken_up_by_the_other": both(
        double, only("sgd")
    ),
    "drivers/test_double_buffer.py::test_same_bits": both(double, only("met", "none", "last")),
    "drivers/test_digest.py::test_a_compiled_objective_has_one": only("None"),
    # Many problems, and calls in compiled code.
    "many/test_minimize_many.py::test_bounds_and_limits": only("scalar"),
    "many/test_closing_up.py::test_interrupted_problems_have_the_results_so_far": only("scalar"),
    "many/test_minimize_many.py::test_callback": both(only("1"), only("compiled")),
    "embedded/test_typing.py::test_same_as_from_python": only("default", "lbfgs"),
    # Objectives.
    "objectives/test_compiled.py::test_the_forms_of_jac": double,
    "objectives/test_compiled.py::test_estimated_gradients": both(double, only("None")),
    "objectives/test_compiled.py::test_functions_of_many_kinds": only("strided", "overwrites"),
    "objectives/test_compiled.py::test_arrays_as_args": only("f8"),
    "objectives/test_compiled.py::test_estimates_allocate_nothing": only("None"),
    "objectives/test_differences.py::test_bits_are_the_same_compiled": only("f8"),
    # SciPy's own tests, with our methods in place of its own.
    "api/test_scipy_suite.py::test_minimum": both(only("adam"), only("ours")),
    "api/test_scipy_suite.py::test_any_method": only("adam"),
    "api/test_scipy_suites.py::test_pointed_at_ours": only("lbfgs"),
    "api/test_scipy_suite.py::test_methods_of_scipy": only("bfgs"),
    "api/test_scipy_defects.py::test_a_complex_start_is_minimized_where_fun_is_real": only("rule"),
    "solvers/test_solvers.py::test_float32_reaches_its_accuracy_then_stalls": only("lbfgs"),
    # Others.
    "common/test_locking.py::test_same_bits_as_alone": only("compiled", "callback", "plain", "step", "optimizer"),
    "backends/test_cuda.py::test_steps_are_the_cpus": both(each_form, only("float32")),
    "backends/test_cuda.py::test_steps_are_the_plain_text": both(each_form, only("float32")),
    "backends/test_ptx.py::test_every_array_is_read_once_and_written_once": each_form,
    "backends/simd/test_simd.py::test_has_no_type": only("is", "not", "round", "view", "dot"),
    "methods/test_rule.py::test_a_copied_state_goes_on_with_the_same_bits": only("5"),
    "schedules/test_schedules.py::test_the_compiled_step_uses_the_same_lr": both(
        double, only("joined", "onecycle", "staircase", "warmup_cosine")
    ),
    "schedules/test_schedules.py::test_schedules_in_other_kinds_of_steps": only("several passes"),
    "transforms/test_transforms.py::test_steps_equal_optax": both(double, only("sgd")),
    "transforms/test_transforms.py::test_before_the_rule": only("sgd"),
    "transforms/test_transforms.py::test_after_the_rule": both(only("sgd"), only("lookahead", "simplex", "l2_ball")),
    "transforms/test_transforms.py::test_projections_equal_optax": only("3"),
    "transforms/test_transforms.py::test_on_matrices": both(only("shape0"), only("ema")),
    "transforms/test_transforms.py::test_plateaus": only("sgd"),
}


def runs(nodeid):
    """Whether a test that has no mark ``slow`` runs without ``--all``."""
    test, _, case = nodeid.removeprefix("tests/").partition("[")
    return test not in DEFAULT or DEFAULT[test](case.removesuffix("]"))


# What is also run with the lowest versions of NumPy, SciPy and Numba (``pytest -m lowest``), besides tests with that
# mark: what uses most of Numba's internals, and one case of everything else.
LOWEST = (
    "tests/backends/simd/test_simd.py",
    "tests/backends/test_cpu.py::test_two_processes_compile_at_once",
    "tests/backends/test_cpu.py::test_a_second_process_compiles_nothing_and_adds_no_file",
    "tests/drivers/test_drive.py::test_both_drivers_agree_for_each_rule",
    "tests/embedded/test_typing.py::test_same_as_from_python",
    "tests/many/test_minimize_many.py::test_side_by_side",
    "tests/objectives/test_compiled.py::test_the_forms_of_jac",
    "tests/rules/test_golden.py::test_rule_walks_as_its_reference[adam-defaults",
    "tests/rules/test_golden.py::test_rule_walks_as_its_reference[lamb-defaults",
)


def lowest(nodeid):
    """Whether a test is run with the lowest versions, too."""
    return nodeid.startswith(LOWEST)


# How tests are shared between processes.

RULES = {path.stem for path in (PACKAGE / "rules").glob("[a-z]*.py")}
BY_RULE = ("tests/rules/", "tests/drivers/test_drive.py", "tests/drivers/test_checkpoint.py")
# Each test compiles much of its own here: all of a file would make a process too large.
BY_TEST = ("tests/lowering/", "tests/methods/", "tests/schedules/", "tests/transforms/")
# The first says what is missing in the installed version of Numba. The others take longest, so they begin early; that
# they come at the end would leave the other processes idle.
FIRST = (
    "tests/backends/test_numba_internals.py",
    "tests/backends/test_simulator.py",
    "tests/many/",
    "tests/transforms/",
    "tests/backends/test_processes.py",
    "tests/methods/",
    "tests/drivers/",
    "tests/embedded/",
)


def group(nodeid):
    """Return the name of the group that a test belongs to, all of which runs in one process."""
    path, _, test = nodeid.partition("::")
    if path.startswith(BY_TEST):
        return nodeid.partition("[")[0]
    rules = sorted(words(test.partition("[")[2].removesuffix("]")) & RULES) if path.startswith(BY_RULE) else []
    return rules[0] if rules else path


def rank(nodeid):
    """Return the place of a test in the order of the run: a number, the smaller the sooner."""
    return next((k for k, path in enumerate(FIRST) if nodeid.startswith(path)), len(FIRST))
