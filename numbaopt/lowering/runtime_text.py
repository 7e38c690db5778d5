"""Whole texts: imports, schedules and functions."""

import ast

from numbaopt.lowering.grammar import called as called_by
from numbaopt.lowering.grammar import expressions
from numbaopt.lowering.layout import layout
from numbaopt.lowering.passes import carry
from numbaopt.lowering.runtime import FUNCTIONS

LIBRARY = {"cos", "empty", "exp", "float64", "int64", "log", "pi", "sqrt", "uint64"}


def assemble(name, program, library, body, more="", called=None):
    """Return a whole text: imports (and ``more``), schedules, then the functions in ``body``.

    Parameters
    ----------
    name : str
        For the comment in the first line.
    program : Lowering or None
        Its schedules become a part of the text.
    library : {"numpy", "math"}
        The module from which functions like sqrt are imported.
    body : list of str
    more : str
        Further imports.
    called : set of str, optional
        The names of the functions that ``body`` calls. The default is to read them from the body.
    """
    functions = schedules(program)
    if called is None:
        called = _names("\n".join(body))
    called = called | _names("\n".join(functions))
    helpers = sorted(called & FUNCTIONS.keys())
    known = sorted(called & (LIBRARY - ({"empty", "float64", "int64", "uint64"} if library == "math" else set())))
    imports = f"from {library} import {', '.join(known)}\n" if known else ""
    if helpers:
        more += f"\nfrom numbaopt.backends.runtime import {', '.join(helpers)}\n"
    head = f"# {name}, lowered by numbaopt\n{imports}{more}".strip()
    return "\n\n\n".join([head, *(part.strip("\n") for part in functions + body)]) + "\n"


def calls(program, sweeps):
    """Return the names of the functions that the expressions of a lowered rule call."""
    found, tables = set(), layout(program).bases.keys()
    for numbers in [*(sweep.scalars for sweep in sweeps), carry(program)[0]]:
        found |= called_by(expressions(numbers.body))
        found |= {"power", "edited"} if tables & set(numbers.reads) else set()
    return found.union(*(called_by(sweep.expressions) for sweep in sweeps))


def _names(source):
    """Return the names of the functions that a source calls, and pi if it reads it."""
    nodes = list(ast.walk(ast.parse(source)))
    found = {getattr(node.func, "id", "") for node in nodes if isinstance(node, ast.Call)}
    return found | {node.id for node in nodes if isinstance(node, ast.Name) and node.id == "pi"}


def schedules(program):
    """Return the texts of the schedules that a program's hyperparameters follow, each once."""
    texts = {}
    for value in program.hyper.values() if program else ():
        if not isinstance(value, (int, float)):
            for label, text in value.texts().items():
                if texts.setdefault(label, text) != text:
                    raise ValueError(f"two schedules are named {label.removesuffix('_at')!r}: give one another name")
    return [f"@jit\n{text}" for text in texts.values()]
