"""`minimize` in compiled code: functions that are compiled by Numba can call `minimize`.

Each call is compiled to a function of its own, called an entry, which contains the step of the method, the loop and the
objective. Options are passed as keywords, whose types and literal values are read when the caller is compiled. The loop
is the one that `minimize` uses for compiled objectives.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.core.errors import TypingError
from numba.core.imputils import lower_constant
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import models, register_model, typeof_impl

from numbaopt.api.minimize import bounded, find, minimize
from numbaopt.embedded.signature import POSITIONAL
from numbaopt.methods.rule import Rule
from numbaopt.solvers.solver import Solver


class Minimum(NamedTuple):
    """The return value of `minimize` in compiled code, with the fields of `Result`.

    x and jac are new arrays, or views of the workspace if that is given.
    """

    x: np.ndarray
    fun: float
    nit: int
    status: int
    nfev: int
    jac: np.ndarray
    success: bool


class Method(types.Opaque):
    """The Numba type of one rule or solver, which is a constant."""

    def __init__(self, rule):
        self.rule = rule
        super().__init__(f"Method({rule!r})")

    @property
    def key(self):
        """The key by which Numba distinguishes methods."""
        return type(self.rule), self.rule


register_model(Method)(models.OpaqueModel)


@typeof_impl.register(Rule)
@typeof_impl.register(Solver)
def _typeof_method(value, context):
    return Method(value)


@lower_constant(Method)
def _constant_method(context, builder, kind, value):
    return context.get_dummy_value()


class Minimize(types.Function):
    """The Numba type of `minimize`.

    It resolves the entry directly, and not through a template as other functions do. Error messages are therefore
    raised unchanged, and not within a list of rejected candidates.
    """

    def __init__(self):
        self.compiled = {}
        template = type("template", (AbstractTemplate,), {"key": minimize, "generic": None})
        super().__init__(template)

    def get_call_type(self, context, args, kws):
        """Return the signature of the entry for these types."""
        if len(args) > len(POSITIONAL):
            positional = ", ".join(POSITIONAL)
            raise TypingError(f"in compiled code, only {positional} of minimize may be passed by position")
        given = tuple(zip(POSITIONAL, args, strict=False))
        if twice := dict(given).keys() & dict(kws).keys():
            raise TypingError(f"minimize: {twice.pop()} is given by position and by keyword")
        kind = types.Dispatcher(_entry((*given, *kws.items()), context))
        signature = kind.get_call_type(context, args, kws)
        self.compiled[signature.args] = kind.get_overload(signature)
        return signature

    def get_impl_key(self, signature):
        """Return the key by which the code generator identifies the entry."""
        return self.compiled[signature.args]


register_model(Minimize)(models.OpaqueModel)
infer_global(minimize, Minimize())


@functools.lru_cache(512)
def _entry(given, context):
    """Return the compiled function for calls of `minimize` with these names and types of arguments."""
    from numbaopt.embedded.codegen import Entry

    return Entry(dict(given), context, Minimum).compiled()


def workspace_size(n: int, method: Any = "adam", bounds: bool = False, jac: Any = None) -> int:
    """Return the length that the argument ``workspace`` of `minimize` in compiled code must have.

    Parameters
    ----------
    n : int
        The number of entries of x0.
    method : str, Rule or Solver
        The method, as it will be passed to `minimize`.
    bounds : bool
        Whether there will be bounds.
    jac : callable, True, "inplace", "2-point", "3-point", "cs" or None
        The form of the gradient, as it will be passed to `minimize`; finite differences need additional workspace.

    Returns
    -------
    int
        The number of float64 entries.

    Raises
    ------
    TypeError, ValueError
        For an unknown method, or with bounds, for a method that does not support them.

    Examples
    --------
    >>> import numpy as np
    >>> from numbaopt import workspace_size
    >>> workspace = np.empty(workspace_size(10, "lbfgs", jac="inplace"))
    >>> workspace.size >= 24 * 10
    True
    """
    from numbaopt.embedded.codegen import memory

    rule = bounded(find(method)) if bounds else find(method)
    form = "2-point" if jac is None or jac is False else "function" if callable(jac) else jac
    numbers, doubles, rows = memory(rule, bounds, form)
    return numbers + (doubles + sum(rows)) * n
