"""First-order optimizers for scientists, compiled by Numba, behind a ``minimize`` with SciPy's signature.

There are three ways to use a method, and all of them run the same compiled steps:

- call it: ``minimize(fun, x0, method="adam")``;
- step it in a loop of your own: ``adam.step(x, g, state)``, or ``Optimizer(adam(lr=1e-3), params)``;
- call it from your own ``@njit`` code: ``adam.jit``.

Every method is an attribute of this module, and `names` lists them.
"""

import importlib
from typing import TYPE_CHECKING

from numbaopt.api import custom_method  # noqa: F401 - registers how scipy.optimize.minimize calls a rule
from numbaopt.api.minimize import minimize
from numbaopt.api.optimizer import Optimizer
from numbaopt.embedded.typing import workspace_size
from numbaopt.methods.registry import get, names
from numbaopt.methods.state import State
from numbaopt.results.result import OptimizationInterrupted, Result
from numbaopt.rule import Rule, RuleError, chain, rule

__version__ = "0.1.0"
__all__ = ["Comparison", "ManyResult", "OptimizationInterrupted", "Optimizer", "Result", "Rule", "RuleError"]
__all__ += ["State", "adapters", "chain", "check_grad", "compare", "hooks", "minimize", "minimize_many", "names"]
__all__ += ["plot", "problems", "rule", "schedules", "solvers", "transforms", "warmup", "workspace_size"]
# The modules of the names that are imported on first use, because not every program needs them.
_LAZY = {
    "Comparison": "comparison.comparison",
    "ManyResult": "many.result",
    "check_grad": "objectives.check.gradient_check",
    "compare": "comparison.compare",
    "minimize_many": "many.minimize_many",
    "warmup": "tools.warmup",
}
_MODULES = "adapters", "hooks", "plot", "problems", "schedules", "solvers", "transforms"


if TYPE_CHECKING:
    from numbaopt import adapters, hooks, plot, problems, schedules, solvers, transforms, typed
    from numbaopt.comparison.compare import compare
    from numbaopt.comparison.comparison import Comparison
    from numbaopt.many.minimize_many import minimize_many
    from numbaopt.many.result import ManyResult
    from numbaopt.objectives.check.gradient_check import check_grad
    from numbaopt.tools.warmup import warmup
    from numbaopt.typed import *  # noqa: F403

    __all__ += typed.__all__
else:  # a type checker would accept any name because of __getattr__
    __all__ += [*names(), *names("solvers")]

    def __getattr__(name):
        if name in _LAZY:
            return getattr(importlib.import_module(f"numbaopt.{_LAZY[name]}"), name)
        if name in _MODULES:
            return importlib.import_module(f"numbaopt.{name}")
        if name in names() or name in names("solvers"):
            return get(name)
        raise AttributeError(f"module 'numbaopt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
