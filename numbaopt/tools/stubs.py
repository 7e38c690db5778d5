"""The types of all rules, solvers and stages, from what they say of themselves.

``python -m numbaopt.tools.stubs`` writes them to the ``typed.pyi`` that editors and type checkers read: names that a module
makes when they are first asked for are not to be seen otherwise.
"""

import importlib
from pathlib import Path

from numbaopt.methods.registry import get, names

HEAD = '''"""{title} with their hyperparameters: written by ``python -m numbaopt.tools.stubs``."""

from collections.abc import Callable
from typing import Any, Literal, overload

import numpy as np

from numbaopt.results.result import Result
from numbaopt.rule import Rule
from numbaopt.schedules import Schedule
from numbaopt.solvers.solver import Solver

Number = float | Schedule | np.ndarray
'''
SOLVER = "from numbaopt.solvers.solver import Solver\n"
BODY = '''
class {kind}({base}):
    @overload  # type: ignore[override]
    def __call__(self, {parameters}) -> {kind}: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

{name}: {kind}
'''


def stubs():
    """Return the text of each stub file, by its path in the package."""
    transforms = importlib.import_module("numbaopt.transforms")
    methods = [get(name) for name in [*names(), *names("solvers")]]
    stages = [getattr(transforms, name) for name in transforms.__all__]
    return {
        "typed.pyi": stub("Rules and solvers", methods),
        "transforms/typed.pyi": stub("Stages", stages),
    }


def stub(title, methods):
    """Return the text of one: a class for each method, whose call takes its hyperparameters and no others."""
    listed = "".join(f'    "{method.name}",\n' for method in methods)
    solvers = any(not hasattr(method, "math") for method in methods)
    parts = [HEAD.format(title=title), f"__all__ = [\n{listed}]\n"]
    for method in methods:
        given = [f"{name}: {_kind(method, name)} = {value!r}" for name, value in method.hyper.items()]
        kind = "_" + "".join(word.capitalize() for word in method.name.split("_"))
        base = "Rule" if hasattr(method, "math") else "Solver"
        parameters = "\n        ".join(["", "*,", *(f"{each}," for each in given)]) + "\n    " if given else ""
        parts.append(BODY.format(kind=kind, base=base, parameters=parameters, name=method.name))
    text = "".join(parts).replace("(self, \n", "(\n        self,\n").replace("(self, )", "(self)")
    return text if solvers else text.replace(SOLVER, "").replace("Any, Literal, ", "Any, ")


def _kind(method, name):
    """Return the type of a hyperparameter."""
    value = method.hyper[name]
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return f"Literal[{', '.join(map(repr, method.allowed(name)))}]"
    return "Number" if hasattr(method, "math") else type(value).__name__


if __name__ == "__main__":
    for path, text in stubs().items():
        (Path(__file__).parents[1] / path).write_text(text)
