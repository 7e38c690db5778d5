"""Packages import only from floors below their own, and importing numbaopt stays cheap."""

import ast
import graphlib
import importlib
import pkgutil
import subprocess
import sys
import types

import pytest

import numbaopt
from tests.paths import PACKAGE

# From the ground up: a package imports from its own modules and from floors below, and from nothing else.
FLOORS = """
common results
lowering
backends schedules
methods objectives data problems
rule matrices solvers drivers plot
rules transforms
api
many embedded comparison adapters
tools hooks
__init__
__main__
"""
FLOOR = {name: floor for floor, names in enumerate(FLOORS.split("\n")) for name in names.split()}
PATHS = sorted(PACKAGE.rglob("*.py"))
FILES = {".".join(p.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): p for p in PATHS}
OUTSIDE = {"numpy", "numba", "llvmlite"}  # beside the standard library, when a module is imported


def imports(path):
    """Yield (module, late) for each import that is done when a program runs; late ones are in functions."""
    tree = ast.parse(path.read_text())
    typing = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    never = {id(node) for test in typing for part in test.body for node in ast.walk(part)}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if id(node) in never:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (
                ((name if name.removeprefix("numbaopt.") in FILES else node.module), id(node) in inside)
                for name in below
            )


@pytest.mark.parametrize("name", FILES)
def test_floors(name):
    home = name.split(".")[0]
    for module, _ in imports(FILES[name]):
        if module.split(".")[0] == "numbaopt":
            other = (module.split(".") + ["__init__"])[1]
            assert other == home or FLOOR[other] < FLOOR[home], f"{name} imports {module}, which is not below it"


def test_no_circles():
    graph = {name: set() for name in FILES}
    for name, path in FILES.items():
        for module, _ in imports(path):
            other = module.removeprefix("numbaopt.")
            graph[name] |= {other} & (set(FILES) - {name})
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


@pytest.mark.parametrize("name", FILES)
def test_outside(name):
    for module, late in imports(FILES[name]):
        root = module.partition(".")[0]
        if not late and root not in sys.stdlib_module_names and root != "numbaopt":
            assert root in OUTSIDE, f"{name} imports {module} when it is imported"
            assert name == "backends.cuda" or not module.startswith("numba.cuda")


def test_no_module_is_hidden_by_a_function():
    # Where a package has a function of the name of one of its modules, ``import package.module as m`` gives the
    # function. Only `numbaopt.rule` is both, and has everything under either name.
    names = [f"numbaopt.{name}" for name, path in FILES.items() if path.name == "__init__.py" and name != "__init__"]
    names.append("numbaopt")
    for package in map(importlib.import_module, names):
        hidden = [
            module.name
            for module in pkgutil.iter_modules(package.__path__)
            if not isinstance(getattr(package, module.name, package), types.ModuleType)
        ]
        assert hidden == (["rule"] if package is numbaopt else []), package.__name__
    module = importlib.import_module("numbaopt.rule")
    assert all(getattr(numbaopt.rule, name) is getattr(module, name) for name in module.__all__)


def modules_after(code):
    script = f"{code}\nimport sys\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True)
    return set(done.stdout.split())


HEAVY = [
    "scipy.optimize",
    "matplotlib",
    "numba.cuda.cudadrv.driver",
    "numba_cuda",
    "numbaopt.backends.cuda",
    "numbaopt.backends.simd",
]
QUADRATIC = """
from numba import njit
from tests.paths import PACKAGE
from numbaopt import minimize
def fun(x, g):
    g[:] = 2 * x
    return (x * x).sum()
for f in (fun, njit(fun)):
    assert minimize(f, [1.0, 2.0], jac="inplace", method="adam", options={"lr": 0.1}).success
"""


@pytest.mark.parametrize("code", ["import numbaopt", "import numbaopt; numbaopt.adam, numbaopt.schedules", QUADRATIC])
def test_nothing_heavy_is_loaded(code):
    loaded = modules_after(code)
    assert "numbaopt" in loaded
    assert not loaded & set(HEAVY)


def test_public_names_are_documented():
    import numbaopt

    for name in [*numbaopt.__all__, *numbaopt.names()]:
        assert (getattr(numbaopt, name).__doc__ or "").strip(), f"{name} has no docstring"


PUBLIC = [
    "numbaopt",
    *(f"numbaopt.{name}" for name in ("adapters", "plot", "problems", "schedules", "solvers", "transforms")),
]


@pytest.mark.parametrize("name", PUBLIC)
def test_completions_are_the_public_names(name):
    module = importlib.import_module(name)
    importlib.import_module("numbaopt.many.minimize_many")  # which binds internal modules in the package
    assert len(set(module.__all__)) == len(module.__all__)
    assert {each for each in dir(module) if not each.startswith("__")} == set(module.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_star_import(name):
    space, module = {}, importlib.import_module(name)
    exec(f"from {name} import *", space)
    assert {each for each in space if each != "__builtins__"} == set(module.__all__)


def test_star_import_has_every_method_and_no_internal_module():
    space = {}
    exec("from numbaopt import *", space)
    methods = [*numbaopt.names(), *numbaopt.names("solvers")]
    assert len(methods) > 60 and {"adam", "sgd", "lbfgs"} < set(methods)
    assert all(space[name] is getattr(numbaopt, name) and space[name].name == name for name in methods)
    modules = {name for name in numbaopt.__all__ if isinstance(space[name], types.ModuleType)}
    assert modules == {"adapters", "hooks", "plot", "problems", "schedules", "solvers", "transforms"}
    assert numbaopt.get("adam") is numbaopt.adam and not {"get", "importlib", "api", "drivers"} & set(dir(numbaopt))
