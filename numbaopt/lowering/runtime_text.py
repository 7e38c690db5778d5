"""Whole texts: imports, helpers, schedules and functions."""

import re

from numbaopt.lowering.runtime import FUNCTIONS


def assemble(name, program, library, body, more=""):
    """Return a whole text: the imports (and ``more``), helpers and schedules that ``body`` calls, then ``body``."""
    parts = [*schedules(program), *body]
    called = set(re.findall(r"[a-z_0-9]+(?=[(])|\bpi\b", "\n".join(parts)))
    helpers = sorted(called & FUNCTIONS.keys())
    called &= LIBRARY - ({"empty", "float64", "int64", "uint64"} if library == "math" else set())
    imports = f"from {library} import {', '.join(sorted(called))}\n" if called else ""
    if helpers:
        more += f"\nfrom numbaopt.backends.runtime import {', '.join(helpers)}\n"
    head = f"# {name}, lowered by numbaopt\n{imports}{more}".strip()
    return "\n\n\n".join([head, *(part.strip("\n") for part in parts)]) + "\n"


LIBRARY = {"cos", "empty", "exp", "float64", "int64", "log", "pi", "sqrt", "uint64"}


def schedules(program):
    """Return the texts of the schedules that a program's hyperparameters follow, each once."""
    texts = {}
    for value in program.hyper.values() if program else ():
        if not isinstance(value, (int, float)):
            for label, text in value.texts().items():
                if texts.setdefault(label, text) != text:
                    raise ValueError(f"two schedules are named {label.removesuffix('_at')!r}: give one another name")
    return [f"\n@jit\n{text}\n" for text in texts.values()]
