"""The files of rules are short and uniform, and README.md contains the table that is generated from the registry."""

import ast
import re

import numpy as np
import pytest

import numbaopt
from numbaopt.tools import method_table
from tests.paths import ROOT

RULES = {path.stem: path for path in sorted((ROOT / "numbaopt" / "rules").glob("[a-z]*.py"))}


def test_the_readme_contains_the_table():
    assert method_table.table() in (ROOT / "README.md").read_text(), (
        "python -m numbaopt.tools.method_table prints the current table"
    )


@pytest.mark.parametrize("name", RULES)
def test_the_file_of_a_rule_is_short_and_contains_only_the_method(name):
    text = RULES[name].read_text()
    tree = ast.parse(text)
    assert text.count("\n") <= 40
    code = re.sub(r'""".*?"""', "", text, flags=re.DOTALL)
    assert not re.search(r"numba\b|numpy|cuda|float32|float64|dtype|njit", code)
    kinds = (ast.For, ast.While, ast.ClassDef, ast.comprehension, ast.Import)
    assert not any(isinstance(node, kinds) for node in ast.walk(tree))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules <= {"numbaopt.rule", "numbaopt.backends.linalg"}
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert functions == [name], "each file must contain one rule of the same name"
    label, source, slots, size, use = method_table.row(name)
    assert label == f"`{name}`" and re.search(r"(19|20)\d\d", source) and use.strip() and slots[0].isdigit()


def test_traffic_is_minimal():
    # An elementwise rule that uses all its slots reads and writes x, reads g, and reads and writes each slot.
    for name in ("sgd", "adam", "adagrad", "lion", "amsgrad"):
        rule = getattr(numbaopt, name)
        assert method_table.traffic(rule) == 3 + 2 * len(rule.slots_of)
    assert (
        method_table.traffic(numbaopt.lamb) == 10
    )  # two passes: reads x, g, m, v and writes m, v; then reads x, m, v and writes x
    assert method_table.traffic(numbaopt.muon.shaped((3, 3))) is None
    assert np.all([int(method_table.row(name)[3]) >= 12 for name in RULES])
