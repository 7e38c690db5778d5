"""numbaopt: first-order optimizers for scientists, compiled by Numba, behind a SciPy-shaped ``minimize``.

Three ways in, one set of kernels. Call it: ``minimize(fun, x0, method="adam")``. Embed it: ``adam.step(x, g, state)``,
or ``Optimizer(adam(lr=1e-3), params)``, in a loop of your own. Compile it: ``adam.jit`` inside your own ``@njit`` code.
Every method is an attribute of this module; `names` lists them.
"""

import importlib
from typing import TYPE_CHECKING

from numbaopt.inside import workspace_size
from numbaopt.minimize import minimize
from numbaopt.optimizer import Optimizer
from numbaopt.registry import get, names
from numbaopt.result import OptimizationInterrupted, Result
from numbaopt.rule import Rule, RuleError, chain, rule
from numbaopt.state import State

if TYPE_CHECKING:  # where names come from that are imported when first asked for
    from numbaopt import problems, schedules, solvers, transforms
    from numbaopt.many import minimize_many
    from numbaopt.results import ManyResult
    from numbaopt.typed import *  # noqa: F403

__version__ = "0.1.0"
__all__ = ["ManyResult", "OptimizationInterrupted", "Optimizer", "Result", "Rule", "RuleError", "State", "chain"]
__all__ += ["minimize", "minimize_many", "names", "problems", "rule", "schedules", "solvers", "transforms"]
__all__ += ["workspace_size"]
LATER = {"minimize_many": "many", "ManyResult": "results"}  # what not every user pays the import of


if not TYPE_CHECKING:  # a type checker would take any name then

    def __getattr__(name):
        if name in LATER:
            return getattr(importlib.import_module(f"numbaopt.{LATER[name]}"), name)
        if name in ("problems", "schedules", "solvers", "transforms"):
            return importlib.import_module(f"numbaopt.{name}")
        if name in names() or name in names("solvers"):
            return get(name)
        raise AttributeError(f"module 'numbaopt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *names(), *names("solvers")})
