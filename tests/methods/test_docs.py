"""Every public name is documented completely: parameters, returned values, attributes and an example that runs."""

import doctest
import importlib
import inspect
import re
import types

import pytest

import numbaopt
from numbaopt import problems, schedules, transforms
from numbaopt.drivers.outcome import OUTSIDE
from numbaopt.drivers.termination import OVERSHOT, STATUS
from numbaopt.many.result import ENDED
from numbaopt.methods.docs import entries, sections
from numbaopt.methods.glossary import GLOSSARY
from numbaopt.rule import Rule, rule

METHODS = {name: getattr(numbaopt, name) for name in [*numbaopt.names(), *numbaopt.names("solvers")]}
STAGES = {name: getattr(transforms, name) for name in transforms.__all__}
MODULES = {numbaopt: [name for name in numbaopt.__all__ if name not in METHODS]}
MODULES |= {schedules: schedules.__all__, problems: problems.__all__}
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module, names in MODULES.items()
    for name in names
    if not isinstance(getattr(module, name), types.ModuleType)
}
FUNCTIONS = {name: value for name, value in PUBLIC.items() if not inspect.isclass(value)}
CLASSES = {name: value for name, value in PUBLIC.items() if inspect.isclass(value)}
# Members inherited from these bases are documented by Python.
FOREIGN = {name for base in (dict, tuple, SyntaxError, KeyboardInterrupt) for name in dir(base)}
MEMBERS = {
    f"{where}.{name}": value
    for where, cls in CLASSES.items()
    for name, value in inspect.getmembers_static(cls)
    if not name.startswith("_") and name not in FOREIGN and (callable(value) or isinstance(value, property))
}
# Classes that users do not instantiate, whose docstrings list attributes instead of parameters.
MADE_BY_OTHERS = {"Comparison", "State", "Schedule", "Combined", "Joined"}
MADE_BY_OTHERS |= {"Result", "ManyResult", "OptimizationInterrupted", "RuleError"}
MADE_BY_OTHERS |= {"Rule", "Problem"}


def run_examples(text, name):
    """Run the doctest of a text; return how many examples it has."""
    test = doctest.DocTestParser().get_doctest(text, {}, name, None, 0)
    report = []
    doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert not report, "".join(report)
    return len(test.examples)


def undocumented(function):
    """Return the parameters of a function that its docstring does not explain."""
    found = entries(sections(function.__doc__)[1].get("Parameters", ""))
    described = {name.lstrip("*") for name in found}
    return [name for name in inspect.signature(function).parameters if name not in (*described, "self")]


def test_all_lists_public_names_only():
    for module, listed in MODULES.items():
        assert len(listed) == len(set(listed)) and set(listed) <= set(dir(module))
    known = {*MODULES[numbaopt], *METHODS}
    others = {name for name in dir(numbaopt) if not name.startswith("_")} - known
    # Besides these, dir() lists submodules, imported names and private tables.
    extra = {name for name in others if not isinstance(getattr(numbaopt, name), types.ModuleType)}
    assert extra <= {"LATER", "MODULES", "TYPE_CHECKING", "get"}, extra


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    function = FUNCTIONS[name]
    head, parts = sections(function.__doc__)
    assert head and head.splitlines()[0].rstrip().endswith((".", ":", ",")) or len(head.splitlines()) > 1
    assert not undocumented(function)
    assert "Returns" in parts, f"{name} does not say what it returns"
    assert run_examples(parts.get("Examples", ""), name), f"{name} has no example"


@pytest.mark.parametrize("name", CLASSES)
def test_classes(name):
    cls = CLASSES[name]
    head, parts = sections(cls.__doc__)
    assert head
    if cls.__name__ not in MADE_BY_OTHERS:
        missing = [p for p in list(inspect.signature(cls).parameters) if p not in entries(parts.get("Parameters", ""))]
        assert not missing
    annotated = [field for field in inspect.get_annotations(cls) if not field.startswith("_")]
    described = entries(parts.get("Attributes", "")) | entries(parts.get("Parameters", ""))
    assert not [field for field in annotated if field not in described]
    assert run_examples(parts.get("Examples", ""), name), f"{name} has no example"


@pytest.mark.parametrize("name", MEMBERS)
def test_members(name):
    member = MEMBERS[name]
    assert inspect.getdoc(member), f"{name} has no docstring"
    if isinstance(member, property):
        return
    function = getattr(member, "__func__", member)
    _, parts = sections(function.__doc__)
    assert not undocumented(function), f"{name} does not explain {undocumented(function)}"
    returned = inspect.signature(function).return_annotation
    assert "Returns" in parts or returned in (None, "None"), f"{name} does not say what it returns"


@pytest.mark.slow
@pytest.mark.parametrize("name", [*METHODS, *STAGES])
def test_methods(name):
    method = (METHODS | STAGES)[name]
    text = inspect.getdoc(method)
    head, parts = sections(text)
    signature, summary = head.split("\n\n")[:2]
    assert " ".join(signature.split()) == f"{name}{inspect.signature(method)}"
    assert re.search(r"\b(19|20)\d\d\b|arXiv|optax|torch", head) or name in STAGES, f"{name} names no source"
    described = entries(parts["Parameters"])
    assert list(described) == [*method.hyper, "fun", "x0", "args", "**options"]
    assert all(described.values()) and "No description" not in parts["Parameters"]
    assert {"Returns", "Raises", "Notes", "Examples"} <= set(parts)
    assert all(slot in parts["Notes"] for slot in method.slots_of[:6])
    assert run_examples(parts["Examples"], name)


@pytest.mark.parametrize("name", ["adam", "muon", "lbfgs", "nonlinear_cg", "rmsprop"])
def test_the_help_of_a_method_starts_with_the_summary_of_its_file(name):
    method = METHODS[name]
    head = sections(inspect.getdoc(method))[0].split("\n\n")
    package = "solvers" if name in numbaopt.names("solvers") else "rules"
    assert head[1] == importlib.import_module(f"numbaopt.{package}.{name}").__doc__
    assert head[2].startswith(sections(getattr(method, "text", "") or method.math.__doc__)[0].split("\n\n")[0])


@pytest.mark.slow
def test_the_help_shows_the_step_without_marks_for_linters():
    notes = sections(METHODS["adam"].__doc__)[1]["Notes"]
    assert "             eps_root=0.0, eps_hat=False):\n" in notes and "fmt: skip" not in notes
    assert "mhat = m / (1 - b1**t)" in notes and "Kingma" not in notes
    for name, method in (METHODS | STAGES).items():
        assert not re.search("fmt: skip|noqa", method.__doc__), name


def test_the_notes_list_the_state():
    def first(method):
        return sections(method.__doc__)[1]["Notes"].split(". ")[0]

    assert first(METHODS["adam"]) == "The state holds 2 arrays of the shape of x (m, v)"
    assert first(METHODS["sign_sgd"]) == "The method has no state"
    assert first(METHODS["wngrad"]) == "The state holds 1 number (b)"
    assert first(METHODS["nadam"]) == "The state holds 2 arrays of the shape of x (m, v) and 1 number (product)"
    assert first(METHODS["lbfgs"]) == "The state holds 24 arrays of the shape of x (x0, g0, d, g_low, s0, s1, ...)"
    assert "For a matrix it holds m, r and c." in sections(METHODS["sm3"].__doc__)[1]["Notes"]


def test_every_entry_of_the_glossary_is_used():
    used = set()
    for name, method in (METHODS | STAGES).items():
        used |= {f"{name}.{word}" if f"{name}.{word}" in GLOSSARY else word for word in method.hyper}
    assert set(GLOSSARY) <= used, set(GLOSSARY) - used


def test_a_users_rule_describes_its_hyperparameters():
    @rule
    def custom(x, g, t, lr=0.1, reach=2.0, other=1.0):
        """Take a custom step.

        Parameters
        ----------
        reach : float
            How far it
            looks.
        """
        return x - lr * reach * other * g

    head, parts = sections(custom.__doc__)
    assert head == "custom(*, lr=0.1, reach=2.0, other=1.0)\n\nTake a custom step."
    described = entries(parts["Parameters"])
    assert described["reach"] == "How far it looks." and described["lr"] == GLOSSARY["lr"]
    assert described["other"] == "No description by the author of the method."
    assert "Examples" not in parts and "return x - lr * reach" in parts["Notes"]


def test_the_help_of_a_chain_describes_its_stages():
    both = numbaopt.chain(transforms.clip(max_delta=0.5), METHODS["sgd"](lr=schedules.constant(0.1)))
    head, parts = sections(both.__doc__)
    assert (
        "Chain of clip and sgd, applied in this order." in head
        and "max_delta=0.5" in head
        and "lr=constant(0.1)" in head
    )
    assert entries(parts["Parameters"])["max_delta"] == GLOSSARY["clip.max_delta"]
    assert "def clip(" in parts["Notes"] and "def sgd(" in parts["Notes"]


def test_classes_keep_their_docstrings():
    assert Rule.__doc__.startswith("An optimization method:") and "Attributes" in Rule.__doc__
    solvers = importlib.import_module("numbaopt.solvers.solver")
    assert solvers.Solver.__doc__.startswith("A method with a handwritten compiled step")


def test_the_table_of_statuses():
    table = inspect.getdoc(numbaopt.Result)
    listed = {int(n) for n in re.findall(r"^(\d+) +(?:True|False) ", table, re.M)}
    assert listed == {*STATUS, OVERSHOT, OUTSIDE, *ENDED}
