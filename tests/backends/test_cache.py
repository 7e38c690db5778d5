"""Under which key compiled code is kept: stale code is never run, and what cannot have changed is not compiled again."""

import ast
import importlib.util
import os
import shutil

import numpy as np
import pytest
from numba import config

from numbaopt.backends import cache, cpu, host
from numbaopt.methods.registry import get, names
from numbaopt.rule import rule, sum
from tests.backends.test_cpu import PACKAGE, run

compiled = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")

STEP_AND_DRIVER = """
from numbaopt import adam, minimize
x = np.ones(3)
adam.step(x, x, adam.init(x))
assert minimize(lambda x: (x @ x, 2 * x), [1.0], jac=True, method="adam", options={"maxiter": 2}).nit == 2
"""


def edit(path):
    path.write_text(path.read_text() + "\n# edited\n")


@pytest.mark.slow
@compiled
def test_what_an_edit_compiles_again(tmp_path):
    copy, kept = tmp_path / "numbaopt", tmp_path / "cache"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))

    def compiled():
        return set(run(STEP_AND_DRIVER, kept, package=copy)["compiled"])

    first = compiled()
    assert "step" in first and compiled() == set()
    # The step's text imports nothing from the drivers, and a help text is compiled into nothing.
    edit(copy / "methods" / "glossary.py")
    edit(copy / "api" / "minimize.py")
    assert compiled() == set()
    edit(copy / "drivers" / "options.py")  # not the file of a compiled function, which Numba itself looks at
    drivers = compiled()
    assert drivers and "step" not in drivers and drivers < first
    (copy / "backends" / "simd" / "extra.py").write_text("# a new module of a sub-package\n")
    assert compiled() == first


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of the package."""
    copy = tmp_path_factory.mktemp("copied") / "numbaopt"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def fingerprints(copy):
    """Return the fingerprints that a copy of the package has."""
    spec = importlib.util.spec_from_file_location("copied_cache", copy / "backends" / "cache.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [module.fingerprint(name) for name in module.COMPILED]


@pytest.mark.parametrize(
    ("file", "lowest"),
    [
        ("methods/glossary.py", None),
        ("api/minimize.py", None),
        ("results/history.py", None),
        ("schedules/curves.py", None),  # its text is part of a step's text
        ("plot/figures.py", None),
        ("common/suggest.py", "common"),
        ("lowering/grammar.py", "lowering"),
        ("backends/simd/kinds.py", "backends"),
        ("objectives/check/probe.py", "objectives"),
        ("problems/closed_form.py", "problems"),
        ("drivers/options.py", "drivers"),
        ("embedded/codegen.py", "embedded"),
    ],
)
def test_which_fingerprints_an_edit_changes(copied, file, lowest):
    before = fingerprints(copied)
    assert before == fingerprints(copied) and len(set(before)) == len(before)
    edit(copied / file)
    same = [one == other for one, other in zip(before, fingerprints(copied), strict=True)]
    unchanged = len(before) if lowest is None else cache.COMPILED.index(lowest)
    assert same == [True] * unchanged + [False] * (len(before) - unchanged)


def test_a_module_that_is_added_or_renamed_changes_the_fingerprints(copied):
    before = fingerprints(copied)
    new = copied / "backends" / "simd" / "extra.py"
    new.write_text("")
    added = fingerprints(copied)
    new.rename(new.with_name("other.py"))
    at = cache.COMPILED.index("backends")
    assert added[:at] == before[:at] and added[at] != before[at] and fingerprints(copied)[at] != added[at]


# What makes functions that Numba compiles and keeps, or that are compiled into such.
COMPILING = {"jit", "njit", "load", "intrinsic", "overload", "overload_method", "overload_classmethod", "lower_builtin"}


def is_call_of_cpu(node):
    """Tell whether a node is a call such as ``cpu.load(...)``."""
    attribute = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func
    return bool(attribute) and isinstance(attribute.value, ast.Name) and attribute.value.id == "cpu"


def test_every_package_with_compiled_functions_is_in_the_list():
    found = {}
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        sources = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        sources = [
            node for node in sources if node.module.split(".")[0] == "numba" or node.module == "numbaopt.backends.cpu"
        ]
        compiling = {alias.name for node in sources for alias in node.names} & COMPILING
        calls = {node.func.attr for node in ast.walk(tree) if is_call_of_cpu(node)} & COMPILING
        if compiling | calls:
            found[path.relative_to(PACKAGE).with_suffix("").parts[0]] = path.name
    assert {"backends", "solvers", "drivers", "problems"} <= set(found)
    assert set(found) <= set(cache.COMPILED), found


def test_the_list_is_in_the_order_of_the_floors():
    from tests.test_imports import FLOOR

    floors = [FLOOR[name] for name in cache.COMPILED]
    assert floors == sorted(floors)


@compiled
def test_home_of():
    lamb, muon = (host.compiled_step(r.name, r.program, False) for r in (get("lamb"), get("muon").shaped((2, 2))))
    assert [cache.home_of(step.py_func) for step in (lamb, muon)] == ["backends", "backends"]
    assert cache.home_of(get("lbfgs").jit.py_func) == "solvers"
    assert cache.home_of(edit) == "embedded", "a function from elsewhere may call anything"
    text = "from numbaopt.api.minimize import minimize\n\n@step\ndef step(t, x, g, s, h):\n    pass\n"
    with pytest.raises(ValueError):
        cache.home_of(cpu.load(text, "unlisted").py_func)


# Serial and parallel steps.


@rule
def user_written(x, g, t, d, lr=0.1):
    """Pass over memory once, for a sum: the serial and the parallel step have the same text."""
    d1 = 0.5 * d + sum(g * g)
    return x - lr * d1 * g, d1


def place_and_key(step, dtype=np.float64):
    """Return where the code of a step is kept, and under which key."""
    kinds = cpu.signature(np.dtype(dtype))
    return step._cache._impl.filename_base, step._cache._index_key(kinds, step.targetctx.codegen())


@compiled
@pytest.mark.parametrize("name", [*names(), "user_written"])
def test_serial_and_parallel_steps_have_entries_of_their_own(name):
    method = user_written if name == "user_written" else get(name)
    serial, parallel = (host.compiled_step(method.name, method.program, kind) for kind in (False, True))
    assert cpu.is_cached(serial) and cpu.is_cached(parallel)
    assert place_and_key(serial) != place_and_key(parallel)
    assert place_and_key(serial) == place_and_key(serial)


@compiled
def test_steps_of_the_same_text_differ_in_their_options_only():
    (one, key), (other, second) = (
        place_and_key(host.compiled_step("swats", get("swats").program, kind)) for kind in (False, True)
    )
    assert one == other and sum_of_differences(key, second) == 1


def sum_of_differences(key, other):
    return len(key) - len([1 for a, b in zip(key, other, strict=True) if a == b])


WRITTEN = """
from numbaopt.rule import rule, sum

@rule
def user_written(x, g, t, d, lr=0.1):
    d1 = 0.5 * d + sum(g * g)
    return x - lr * d1 * g, d1
"""
RULES = """
import sys
sys.path.insert(0, os.environ["WRITTEN"])
from written import user_written
from numbaopt.methods.registry import get
methods = [get("swats"), get("dadapt_adamw"), user_written]

def walk(rule, n):
    x = np.linspace(-1, 1, n)
    state = rule.init(x)
    rule.step(x, x + 1, state)
    return digest(x, state.s)
"""
LARGE = RULES + "told['ends'] = [walk(rule, 120_001) for rule in methods]\n"
SMALL = """
told["ends"] = [walk(rule, 4) for rule in methods]
"""
FORK = """
from numbaopt import adam
walk(adam, 60_000)  # starts the threads
told["ends"] = [walk(rule, 4) for rule in methods]
pid = os.fork()
if pid == 0:
    os._exit(0 if [walk(rule, 4) for rule in methods] == told["ends"] else 1)
told["status"] = os.waitpid(pid, 0)[1]
"""


@pytest.mark.slow
@compiled
@pytest.mark.skipif(not hasattr(os, "fork"), reason="written for POSIX")
def test_small_steps_after_large_ones_of_another_process(tmp_path):
    """A child that is forked while OpenMP's threads run dies in a parallel step, and so do two threads in workqueue."""
    (tmp_path / "written.py").write_text(WRITTEN)
    env = {"NUMBA_NUM_THREADS": "2", "WRITTEN": str(tmp_path)}
    large = run(LARGE, tmp_path, **env)
    forked = run(RULES + FORK, tmp_path, **env)
    assert forked["status"] == 0 and forked["compiled"].count("step") >= 3, "the serial steps are compiled anew"
    serial = run(RULES + SMALL, tmp_path, **env, NUMBA_THREADING_LAYER="workqueue")
    assert serial["ends"] == forked["ends"] and serial["compiled"] == []
    again = run(LARGE, tmp_path, **env)
    assert again["ends"] == large["ends"] and again["compiled"] == []
