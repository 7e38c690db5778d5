"""Every public name is documented: parameters, returns, attributes, an example that runs; none is left out."""

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
# What a class has of dict, tuple or BaseException is documented there.
FOREIGN = {name for base in (dict, tuple, SyntaxError, KeyboardInterrupt) for name in dir(base)}
MEMBERS = {
    f"{where}.{name}": value
    for where, cls in CLASSES.items()
    for name, value in inspect.getmembers_static(cls)
    if not name.startswith("_") and name not in FOREIGN and (callable(value) or isinstance(value, property))
}
# Bases of public classes that a user never makes: they say what they are.
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
    words = {word.lstrip("*") for word in found}
    given = list(inspect.signature(function).parameters)
    return [name for name in given if name not in (*words, "self")]


def test_all_lists_what_there_is():
    for module, listed in MODULES.items():
        assert len(listed) == len(set(listed)) and set(listed) <= set(dir(module))
    known = {*MODULES[numbaopt], *METHODS}
    others = {name for name in dir(numbaopt) if not name.startswith("_")} - known
    # What dir() has besides: submodules, what the module itself imports, and its own tables.
    extra = {name for name in others if not isinstance(getattr(numbaopt, name), types.ModuleType)}
    assert extra <= {"LATER", "TYPE_CHECKING", "get"}, extra


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
    told = entries(parts.get("Attributes", "")) | entries(parts.get("Parameters", ""))
    assert not [field for field in annotated if field not in told]
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
    gives = inspect.signature(function).return_annotation
    assert "Returns" in parts or gives in (None, "None"), f"{name} does not say what it returns"


@pytest.mark.parametrize("name", [*METHODS, *STAGES])
def test_methods(name):
    method = (METHODS | STAGES)[name]
    text = inspect.getdoc(method)
    head, parts = sections(text)
    signature, summary = head.split("\n\n")[:2]
    assert " ".join(signature.split()) == f"{name}{inspect.signature(method)}"
    assert re.search(r"\b(19|20)\d\d\b|arXiv|optax|torch", head) or name in STAGES, f"{name} names no source"
    told = entries(parts["Parameters"])
    assert list(told)[: len(method.hyper)] == list(method.hyper)
    assert "Not explained" not in parts["Parameters"]
    assert {"Returns", "Raises", "Notes", "Examples"} <= set(parts)
    assert all(slot in parts["Notes"] for slot in method.slots_of[:6])
    assert run_examples(parts["Examples"], name)


def test_the_glossary_has_no_word_too_many():
    used = set()
    for name, method in (METHODS | STAGES).items():
        used |= {word if f"{name}.{word}" not in GLOSSARY else f"{name}.{word}" for word in method.hyper}
    assert set(GLOSSARY) <= used, set(GLOSSARY) - used


def test_a_rule_of_ones_own_explains_its_words():
    @rule
    def own(x, g, t, lr=0.1, reach=2.0, other=1.0):
        """Step of my own.

        Parameters
        ----------
        reach : float
            How far it
            looks.
        """
        return x - lr * reach * other * g

    head, parts = sections(own.__doc__)
    assert head == "own(*, lr=0.1, reach=2.0, other=1.0)\n\nStep of my own."
    told = entries(parts["Parameters"])
    assert told["reach"] == "How far it looks." and told["lr"] == GLOSSARY["lr"]
    assert told["other"] == "Not explained by its author."
    assert "Examples" not in parts and "return x - lr * reach" in parts["Notes"]


def test_a_chain_tells_of_its_stages():
    both = numbaopt.chain(transforms.clip(max_delta=0.5), METHODS["sgd"](lr=schedules.constant(0.1)))
    head, parts = sections(both.__doc__)
    assert "A chain of clip, sgd." in head and "max_delta=0.5" in head and "lr=constant(0.1)" in head
    assert entries(parts["Parameters"])["max_delta"] == GLOSSARY["clip.max_delta"]
    assert "def clip(" in parts["Notes"] and "def sgd(" in parts["Notes"]


def test_classes_keep_their_own():
    assert Rule.__doc__.startswith("A method:") and "Attributes" in Rule.__doc__
    solvers = importlib.import_module("numbaopt.solvers.solver")
    assert solvers.Solver.__doc__.startswith("A method with a step of its own")


def test_the_table_of_statuses():
    table = inspect.getdoc(numbaopt.Result)
    told = {int(n) for n in re.findall(r"^(\d+) +(?:True|False) ", table, re.M)}
    assert told == {*STATUS, OVERSHOT, OUTSIDE, *ENDED}
