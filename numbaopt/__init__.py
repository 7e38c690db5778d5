"""numbaopt: first-order optimizers for scientists, compiled by Numba, behind a SciPy-shaped ``minimize``.

Three ways in, one set of kernels: call ``minimize(fun, x0, method="adam")``; embed ``adam.step(x, g, state)`` or
``Optimizer(adam(lr=1e-3), params)`` in a loop of your own; call ``adam.jit`` from your own ``@njit`` code. Every
method is an attribute: ``numbaopt.adam``; `names` lists them.
"""

from numbaopt.rule import Rule, RuleError, State, chain, get, names, rule

__version__ = "0.1.0"
__all__ = ["Rule", "RuleError", "State", "chain", "names", "rule"]


def __getattr__(name):
    if name in names():
        return get(name)
    raise AttributeError(f"module 'numbaopt' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *names()})
