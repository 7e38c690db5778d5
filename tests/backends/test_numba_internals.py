"""Everything of Numba's that its documentation does not promise: what is missing, and what is used but not listed.

``python -m tests.backends.test_numba_internals`` prints the list as it should be in `numbaopt.backends.numba_internals`.
"""

import ast
import importlib
import types

import pytest

from numbaopt.backends import numba_internals
from numbaopt.backends.numba_internals import ATTRIBUTES, NAMES, missing
from tests.paths import PACKAGE

DOCUMENTED = ("numba.cuda", "numba.extending", "numba.types", "numba.config")


def is_internal(module):
    """Tell whether a module is an internal one of Numba's."""
    return module.startswith("numba.") and not any(f"{module}.".startswith(f"{name}.") for name in DOCUMENTED)


def is_module(name):
    """Tell whether a name is a module's."""
    try:
        return isinstance(importlib.import_module(name), types.ModuleType)
    except ImportError:
        return False


def used_in(path):
    """Yield the internal names that a module imports, or reads from an internal module that it imports."""
    tree, modules = ast.parse(path.read_text()), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not any(is_internal(alias.name) for alias in node.names), "import names from it: these are listed"
        if isinstance(node, ast.ImportFrom) and is_internal(node.module or ""):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if is_module(name):
                    modules[alias.asname or alias.name] = name
                else:
                    yield name
    for node in ast.walk(tree):
        chain = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        head, _, rest = chain.partition(".")
        if head in modules and "." not in rest:
            yield f"{modules[head]}.{rest}"
        elif chain.startswith(("numba.core.", "numba.np.", "numba.cpython.")) and chain.count(".") > 2:
            yield chain


def used():
    """Return the internal names that the package uses, each with its modules."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for name in used_in(path):
            found.setdefault(name, set()).add(module)
    longest = [name for name in found if not any(other.startswith(f"{name}.") for other in found)]
    return {name: ", ".join(sorted(found[name])) for name in sorted(longest)}


def test_nothing_is_missing():
    assert missing() == []


@pytest.mark.parametrize("name", ["numba.core.nowhere.f", "numba.core.cgutils.nothing", "numba.njit.nothing.f"])
def test_what_is_missing_is_named(name, monkeypatch):
    monkeypatch.setitem(numba_internals.NAMES, name, "backends.cpu")
    assert missing() == [f"{name}, used by backends.cpu"]


def test_the_list_is_what_is_used():
    assert used() == NAMES


def test_attributes_name_modules_of_the_package():
    for name, modules in ATTRIBUTES.items():
        attribute = name.rpartition(".")[2]
        for module in modules.split(", "):
            assert attribute in (PACKAGE / module.replace(".", "/")).with_suffix(".py").read_text(), (name, module)


if __name__ == "__main__":
    print(*(f'    "{name}": "{modules}",' for name, modules in used().items()), sep="\n")
