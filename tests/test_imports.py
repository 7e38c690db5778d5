"""The arrows between modules point one way, and importing numbaopt stays cheap."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "numbaopt"
FILES = {".".join(p.relative_to(PACKAGE).with_suffix("").parts): p for p in sorted(PACKAGE.rglob("*.py"))}

# The backbone: what these modules may import of the package. Those not named are free, but make no circle.
CORE = {"lower", "matrix", "parse", "passes", "words"}  # text in, text out: no compiler, no arrays
MAY = {
    "words": set(),
    "lower": {"words"},
    "parse": {"words"},
    "passes": {"words"},
    "matrix": {"passes", "words"},
    "functions": {"noise", "passes"},
    "memory": {"coordinates", "hyper", "matrix", "passes"},
    "matrices": {"cpu"},
    "noise": set(),
    "differences": {"cpu", "threads"},
    "spsa": {"cpu", "noise"},
    "coordinates": set(),
    "interrupts": set(),
    "threads": set(),
    "files": set(),
    "glossary": set(),
    "helptext": {"hyper"},
    "cpu": CORE | {"files", "interrupts", "threads"},
    "checks": set(),
    "hyper": {"checks", "coordinates"},
    "state": set(),
    "method": set(),
    "rule": CORE | {"coordinates", "cpu", "functions", "helptext", "hyper", "memory", "method", "remade", "state"},
    "remade": {"functions", "parse", "threads"},
    "registry": {"hyper", "method"},
    "cuda": CORE | {"cpu", "state"},
    "schedules.decorator": CORE,
    "schedules.combined": {"schedules.decorator"},
    "schedules.curves": {"schedules.decorator"},
    "schedules.recipes": {"schedules.decorator", "schedules.combined", "schedules.curves"},
    **{name: {"rule", "matrices"} for name in FILES if name.startswith("transforms.") and name != "transforms.__init__"},
    "result": set(),
    "problems": {"cpu", "hyper"},
    "group": {"coordinates", "rule", "state", "structure"},
    "optimizer": {"group", "registry", "state", "checks"},
    **{name: {"rule", "matrices"} for name in FILES if name.startswith("rules.") and name != "rules.__init__"},
}
# What may be imported inside a function, when needed: the other direction, or what is costly to import.
LATE = {
    "__init__": {"comparing", "comparison", "gradient_check", "hooks", "many", "plot", "problems", "results"}
    | {"schedules", "solvers", "transforms", "warm"},
    "__main__": {"info"},
    "helptext": {"glossary", "rule", "rules.sgd"},
    "inside": {"entry"},
    "method": {"minimize"},
    "rule": {"cuda", "cpu"},
    "registry": {"rules"},
    "group": {"cuda"},
    "objective": {"autodiff", "compiled_objective", "estimates"},
    "estimates": {"compiled_objective"},
    "minimize": {"transforms"},
    "through_scipy": {"gradient_check"},
    "many": {"gradient_check"},
    "comparison": {"plot"},
    "pooled": {"lanes"},
}
OUTSIDE = {"numpy", "numba", "llvmlite"}  # beside the standard library, at import


def imports(tree):
    """Yield (module, late) for every import statement in a tree: late ones are in functions."""
    functions = (f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef))
    inside = {id(node) for function in functions for node in ast.walk(function)}
    tests = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    typing = {id(node) for test in tests for part in test.body for node in ast.walk(part)}  # never run
    for node in ast.walk(tree):
        if id(node) in typing:
            continue
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [name if name.removeprefix("numbaopt.") in FILES else node.module for name in below]
        else:
            continue
        yield from ((name, id(node) in inside) for name in found)


GRAPH = {name: sorted(set(imports(ast.parse(path.read_text())))) for name, path in FILES.items()}


def internal(name, late):
    return {
        m.removeprefix("numbaopt.")
        for m, is_late in GRAPH[name]
        if is_late == late and m.startswith("numbaopt.")
    }


@pytest.mark.parametrize("name", [name for name in MAY if name in FILES])
def test_backbone(name):
    assert internal(name, late=False) <= MAY[name]


@pytest.mark.parametrize("name", FILES)
def test_late_imports(name):
    assert internal(name, late=True) <= LATE.get(name, set()) | MAY.get(name, set())


def test_no_circles():
    order = graphlib.TopologicalSorter({name: internal(name, late=False) for name in FILES})
    list(order.static_order())  # raises CycleError, which names the circle


@pytest.mark.parametrize("name", FILES)
def test_outside(name):
    for module, late in GRAPH[name]:
        root = module.partition(".")[0]
        if late or root in sys.stdlib_module_names or root == "numbaopt":
            continue
        assert root in OUTSIDE, f"{name} imports {module} when it is imported"
        assert name == "cuda" or not module.startswith("numba.cuda")


def modules_after(code):
    script = f"{code}\nimport sys\nprint(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True
    )
    return set(done.stdout.split())


HEAVY = ["scipy.optimize", "matplotlib", "numba.cuda.cudadrv.driver", "numba_cuda", "numbaopt.backends.cuda", "numbaopt.backends.simd"]
QUADRATIC = """
from numba import njit
from numbaopt import minimize
def fun(x, g):
    g[:] = 2 * x
    return (x * x).sum()
for f in (fun, njit(fun)):
    assert minimize(f, [1.0, 2.0], jac="inplace", method="adam", options={"lr": 0.1}).success
"""


@pytest.mark.parametrize(
    "code", ["import numbaopt", "import numbaopt; numbaopt.adam, numbaopt.schedules", QUADRATIC]
)
def test_nothing_heavy_is_loaded(code):
    loaded = modules_after(code)
    assert "numbaopt" in loaded
    assert not loaded & set(HEAVY)


def test_public_names_are_documented():
    import numbaopt

    for name in [*numbaopt.__all__, *numbaopt.names()]:
        assert (getattr(numbaopt, name).__doc__ or "").strip(), f"{name} has no docstring"
