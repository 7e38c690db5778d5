"""Which tests run by default, and which run only with ``--all``.

Nearly all the time of a cold run is spent compiling, and most of it on cross products: every rule with every set of
hyperparameters, in each dtype, on each driver. By default each rule is compared once with its oracle (`golden`, its
defaults, in float64), and the cross products are run for one rule of each form (`FORMS`), for what is compiled
differs by the form of a rule and not by its formula. The rest needs ``python -m pytest -n auto --all``, which
``.ci/run`` runs.

`DEFAULT` is the whole list of what is held back: for a test, or for each case of a parametrized one, the condition
under which it runs by default. Tests that are not listed always run.
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
    """Every rule with its defaults in float64; of one rule of each form all settings, and the defaults in float32."""
    return {"defaults", "float64"} <= words(case) or (
        each_form(case) and not {"defaults", "float64"}.isdisjoint(words(case))
    )


def double(case):
    """Cases in float64."""
    return "float64" in words(case)


def only(*wanted):
    """Return a condition: cases with one of these words."""
    return lambda case: not words(case).isdisjoint(wanted)


def both(first, second):
    """Return a condition: cases that meet both."""
    return lambda case: first(case) and second(case)


def never(case):
    """No case."""
    return False


DEFAULT = {
    # Rules.
    "rules/test_golden.py::test_rule_walks_as_its_reference": once,
    "rules/test_rules.py::test_plain_serial_parallel": once,
    "rules/test_rules.py::test_zero_gradients": once,
    "rules/test_rules.py::test_only_x_and_the_state_change_and_in_place": both(each_form, only("defaults")),
    "rules/test_rules.py::test_blocks_of_the_parallel_step": each_form,
    "rules/test_rules.py::test_a_million_entries_are_stepped_alike_at_every_place": each_form,
    "rules/test_rules.py::test_float32_sweeps_are_vectorized_and_hold_no_double": only("adam"),
    "rules/test_rules_special.py::test_zero_gradients": lambda case: {"5", "float64"} <= words(case) or each_form(case),
    "rules/test_rules_special.py::test_a_million_coordinates": each_form,
    "rules/test_rules_special.py::test_pickled_and_copied_states_go_on_alike": each_form,
    "rules/test_rules_special.py::test_minimize_takes_every_rule_down": each_form,
    "rules/test_differential.py::test_rule_walks_as_its_oracle": each_form,
    "rules/test_differential.py::test_rule_walks_as_its_oracle_on_matrices": only("muon"),
    "rules/test_differential.py::test_scheduled_rule_walks_as_torchs": never,
    "rules/test_differential.py::test_scheduled_rule_walks_as_optaxs": never,
    "rules/test_convergence.py::test_a_method_finds_the_minimum_of_every_problem": only("adam"),
    "rules/test_convergence.py::test_a_method_for_layers_solves_least_squares_for_a_matrix": never,
    "rules/test_matrix_rules.py::test_rule_walks_as_its_reference": lambda case: (
        {"defaults", "wide", "float64"} <= words(case) or {"muon", "all", "tall", "float64"} <= words(case)
    ),
    "rules/test_matrix_rules.py::test_a_step_does_what_the_function_does": both(double, only("shape0")),
    "rules/test_matrix_rules.py::test_soaps_bases_are_those_of_its_matrices": only("shape0"),
    "rules/test_matrix_rules.py::test_in_the_users_own_compiled_code": only("muon"),
    "rules/test_matrix_rules.py::test_odd_shapes": both(double, only("shape0")),
    "rules/test_matrix_rules.py::test_gradients_without_rank": double,
    # Drivers: which rule it is matters little to them.
    "drivers/test_drive.py::test_is_the_loop_that_one_would_write": each_form,
    "drivers/test_drive.py::test_both_drivers_see_the_same_batches": both(double, only("adam", "lamb")),
    "drivers/test_checkpoint.py::test_every_rule": each_form,
    "drivers/test_checkpoint.py::test_full_batch": only("2"),
    "drivers/test_checkpoint.py::test_minibatches": only("7", "8"),
    "drivers/test_meetings.py::test_the_history_of_a_run_taken_up_is_the_rest_of_it": only("11"),
    "drivers/test_double_buffer.py::test_same_bits": double,
    "many/test_minimize_many.py::test_matrices": never,
    "many/test_minimize_many.py::test_methods": only(*FORMS, "lbfgs", "nonlinear_cg", "barzilai_borwein"),
    "drivers/test_killed.py::test_killed_and_taken_up": only("compiled batches"),
    # Processes that begin with an empty cache and compile all they need; test_cpu.py has the plain cases.
    "api/test_bad_input.py::test_damaged_cache_files_are_compiled_again": never,
    "api/test_bad_input.py::test_no_place_for_a_cache": never,
    "backends/test_processes.py::test_eight_processes_at_once_two_of_them_killed": never,
    "backends/test_processes.py::test_what_was_damaged_is_told_and_compiled_again": never,
    "backends/test_processes.py::test_read_only_installation": never,
    "backends/test_processes.py::test_a_disk_that_is_full": never,
    "backends/test_processes.py::test_first_calls_in_sixteen_threads": never,
    "backends/test_processes.py::test_pools": never,
    "backends/test_processes.py::test_warmup": never,
    # Examples.
    "test_examples.py::test_choose_a_method": never,
    "test_examples.py::test_digits": never,  # README's first command, which CI runs
    "test_examples.py::test_gaussian_peaks": never,
    "test_examples.py::test_inside_njit": never,
    # Others.
    "common/test_locking.py::test_same_bits_as_alone": only("compiled", "callback", "plain", "step", "optimizer"),
    "objectives/test_compiled.py::test_tuples_of_arrays": only("inplace"),
    "backends/test_cuda.py::test_steps_are_the_cpus": both(each_form, only("float32")),
    "backends/test_cuda.py::test_steps_are_the_plain_text": both(each_form, only("float32")),
    "methods/test_chain.py::test_box_is_clip_after_the_step": only(*(f"{name}{k}" for name in FORMS for k in range(9))),
    "methods/test_forms.py::test_matrices": both(double, only("shape0", "shape3")),
    "methods/test_forms.py::test_noise_signs_and_numbers_of_matrices": double,
    "schedules/test_schedules.py::test_the_compiled_step_uses_the_same_lr": double,
    "transforms/test_transforms.py::test_accumulated_gradients_are_one_step": only("2"),
    "transforms/test_transforms.py::test_a_long_chain_by_minibatches": never,
    "transforms/test_transforms.py::test_on_matrices": both(
        only("shape0"), only("adaptive_grad_clip", "centralize", "ema")
    ),
    "transforms/test_transforms.py::test_plateaus": only("sgd"),
}


def runs(nodeid):
    """Whether a test runs without ``--all``."""
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
