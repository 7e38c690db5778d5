"""What is held back for ``--all`` is there, and something of each test is left for every run."""

import ast

import pytest

from tests import selection
from tests.paths import TESTS


@pytest.mark.parametrize("test", [*selection.DEFAULT, *(test.removeprefix("tests/") for test in selection.LOWEST)])
def test_each_test_named_exists(test):
    file, _, name = test.partition("[")[0].partition("::")
    functions = [node.name for node in ast.parse((TESTS / file).read_text()).body if isinstance(node, ast.FunctionDef)]
    assert name in functions or not name


def test_every_rule_meets_its_oracle_in_every_run():
    name = "tests/rules/test_golden.py::test_rule_walks_as_its_reference"
    assert selection.runs(f"{name}[rprop-defaults-float64]") and not selection.runs(f"{name}[rprop-defaults-float32]")
    assert selection.runs(f"{name}[lamb-defaults-float32]") and not selection.runs(f"{name}[lamb-all-float64]")
    assert set(selection.FORMS) <= selection.RULES


def test_tests_of_one_rule_share_a_process():
    tests = [
        "tests/rules/test_golden.py::test_rule_walks_as_its_reference[adam.optax-all-float64]",
        "tests/rules/test_rules.py::test_zero_gradients[adam-defaults-float32]",
        "tests/drivers/test_drive.py::test_is_the_loop_that_one_would_write[adam-float64]",
    ]
    assert {selection.group(test) for test in tests} == {"adam"}
    assert selection.group("tests/data/test_batches.py::test_what_cannot_be[adam]") == "tests/data/test_batches.py"
