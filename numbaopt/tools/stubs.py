"""Stub files with the types of all rules, solvers and stages, generated from their hyperparameters.

``python -m numbaopt.tools.stubs`` writes the files ``typed.pyi``. Editors and type checkers need them because the
package creates these names only when they are first used.
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
BODY = """
class {kind}({base}):
    @overload  # type: ignore[override]
    def __call__(self, {parameters}) -> {kind}: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

{name}: {kind}
"""


def stubs():
    """Return the text of each stub file.

    Returns
    -------
    dict of str to str
        The keys are paths relative to the package.
    """
    transforms = importlib.import_module("numbaopt.transforms")
    methods = [get(name) for name in [*names(), *names("solvers")]]
    stages = [getattr(transforms, name) for name in transforms.__all__]
    return {
        "typed.pyi": stub("Rules and solvers", methods),
        "transforms/typed.pyi": stub("Stages", stages),
    }


def stub(title, methods):
    """Return the text of a stub file, with a class for each method whose call accepts exactly its hyperparameters.

    Parameters
    ----------
    title : str
        The first words of the docstring of the file.
    methods : list of Method
        The rules, solvers or stages.
    """
    listed = "".join(f'    "{method.name}",\n' for method in methods)
    solvers = any(not hasattr(method, "math") for method in methods)
    parts = [HEAD.format(title=title), f"__all__ = [\n{listed}]\n"]
    for method in methods:
        keywords = [f"{name}: {_kind(method, name)} = {value!r}" for name, value in method.hyper.items()]
        kind = "_" + "".join(word.capitalize() for word in method.name.split("_"))
        base = "Rule" if hasattr(method, "math") else "Solver"
        parameters = (
            "\n        ".join(["", "*,", *(f"{keyword}," for keyword in keywords)]) + "\n    " if keywords else ""
        )
        parts.append(BODY.format(kind=kind, base=base, parameters=parameters, name=method.name))
    text = "".join(parts).replace("(self, \n", "(\n        self,\n").replace("(self, )", "(self)")
    return text if solvers else text.replace(SOLVER, "").replace("Any, Literal, ", "Any, ")


def _kind(method, name):
    """Return the type of a hyperparameter, as text."""
    value = method.hyper[name]
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return f"Literal[{', '.join(map(repr, method.allowed(name)))}]"
    return "Number" if hasattr(method, "math") else type(value).__name__


if __name__ == "__main__":
    for path, text in stubs().items():
        (Path(__file__).parents[1] / path).write_text(text)
