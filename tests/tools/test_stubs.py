"""The stub files, from which editors and type checkers know the methods, are up to date."""

import ast
import inspect
from pathlib import Path

import pytest

import numbaopt
from numbaopt import transforms
from numbaopt.tools.stubs import stubs

HOME = Path(numbaopt.__file__).parent


@pytest.mark.parametrize("path", stubs())
def test_the_files_are_current(path):
    assert (HOME / path).read_text() == stubs()[path], "run: python -m numbaopt.tools.stubs"


@pytest.mark.parametrize("module", [numbaopt, transforms], ids=lambda module: module.__name__)
def test_the_files_describe_the_methods(module):
    path = Path(module.__file__).parent / "typed.pyi"
    tree = ast.parse(path.read_text())
    kinds = {node.target.id: node.annotation.id for node in tree.body if isinstance(node, ast.AnnAssign)}
    methods = [*numbaopt.names(), *numbaopt.names("solvers")] if module is numbaopt else transforms.__all__
    assert sorted(kinds) == sorted(methods) and len(set(kinds.values())) == len(kinds)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for name, kind in kinds.items():
        rebind, minimize = classes[kind].body
        keywords = {
            arg.arg: ast.literal_eval(d) for arg, d in zip(rebind.args.kwonlyargs, rebind.args.kw_defaults, strict=True)
        }
        signature = inspect.signature(getattr(module, name))
        assert keywords == {p.name: p.default for p in signature.parameters.values()}
        assert [arg.arg for arg in minimize.args.posonlyargs] == ["self", "fun", "x0"] and minimize.args.kwarg


def test_the_package_is_marked_as_typed():
    assert (HOME / "py.typed").exists()
