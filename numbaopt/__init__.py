"""numbaopt: first-order optimizers for scientists, compiled by Numba, behind a SciPy-shaped ``minimize``.

Three ways in, one set of kernels. Call it: ``minimize(fun, x0, method="adam")``. Embed it: ``adam.step(x, g, state)``,
or ``Optimizer(adam(lr=1e-3), params)``, in a loop of your own. Compile it: ``adam.jit`` inside your own ``@njit`` code.
Every method is an attribute of this module; `names` lists them.
"""

import importlib
from typing import TYPE_CHECKING

import numbaopt.api.custom_method  # noqa: F401 - says how scipy.optimize.minimize calls a rule
from numbaopt.api.minimize import minimize
from numbaopt.api.optimizer import Optimizer
from numbaopt.embedded.typing import workspace_size
from numbaopt.methods.registry import get, names
from numbaopt.methods.state import State
from numbaopt.results.result import OptimizationInterrupted, Result
from numbaopt.rule import Rule, RuleError, chain, rule

if TYPE_CHECKING:  # where names come from that are imported when first asked for
    from numbaopt import hooks, plot, problems, schedules, solvers, transforms
    from numbaopt.comparison.compare import compare
    from numbaopt.comparison.comparison import Comparison
    from numbaopt.many.minimize_many import minimize_many
    from numbaopt.many.result import ManyResult
    from numbaopt.objectives.check.gradient_check import check_grad
    from numbaopt.tools.warmup import warmup
    from numbaopt.typed import *  # noqa: F403

__version__ = "0.1.0"
__all__ = ["Comparison", "ManyResult", "OptimizationInterrupted", "Optimizer", "Result", "Rule", "RuleError"]
__all__ += ["State", "chain", "check_grad", "compare", "hooks", "minimize", "minimize_many", "names", "plot"]
__all__ += ["problems", "rule", "schedules", "solvers", "transforms", "warmup", "workspace_size"]
# Where the names are that not every program pays the import of.
LATER = {
    "Comparison": "comparison.comparison",
    "ManyResult": "many.result",
    "check_grad": "objectives.check.gradient_check",
    "compare": "comparison.compare",
    "minimize_many": "many.minimize_many",
    "warmup": "tools.warmup",
}
MODULES = "adapters", "hooks", "plot", "problems", "schedules", "solvers", "transforms"


if not TYPE_CHECKING:  # a type checker would take any name then

    def __getattr__(name):
        if name in LATER:
            return getattr(importlib.import_module(f"numbaopt.{LATER[name]}"), name)
        if name in MODULES:
            return importlib.import_module(f"numbaopt.{name}")
        if name in names() or name in names("solvers"):
            return get(name)
        raise AttributeError(f"module 'numbaopt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *names(), *names("solvers")})
