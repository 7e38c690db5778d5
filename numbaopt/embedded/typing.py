"""`minimize` inside compiled code: a function of yours that is compiled by Numba may call it like any other.

A call becomes an entry of its own: the options are keywords, read when the caller is compiled; the method's step, the
loop and the objective are compiled into one. The loop is the one that `minimize` runs for compiled objectives.
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
    """What `minimize` returns in compiled code; fields as in `Result`.

    x and jac are new arrays, or views of the workspace where one was given.
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
        """What tells methods apart."""
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

    It looks for the entry itself, and not through a template as other functions do: so an error is told as it is, and
    not as the last of a list of candidates that were rejected.
    """

    def __init__(self):
        self.compiled = {}
        template = type("template", (AbstractTemplate,), {"key": minimize, "generic": None})
        super().__init__(template)

    def get_call_type(self, context, args, kws):
        """Return the signature of the entry for these types."""
        if len(args) > len(POSITIONAL):
            raise TypingError(f"minimize in compiled code takes {', '.join(POSITIONAL)} by place, all else by name")
        given = tuple(zip(POSITIONAL, args, strict=False))
        if twice := dict(given).keys() & dict(kws).keys():
            raise TypingError(f"minimize: {twice.pop()} is given by place and by name")
        kind = types.Dispatcher(_entry((*given, *kws.items()), context))
        signature = kind.get_call_type(context, args, kws)
        self.compiled[signature.args] = kind.get_overload(signature)
        return signature

    def get_impl_key(self, signature):
        """Return what the entry is known by to the code generator."""
        return self.compiled[signature.args]


register_model(Minimize)(models.OpaqueModel)
infer_global(minimize, Minimize())


@functools.lru_cache(512)
def _entry(given, context):
    """Return the compiled function for one way of calling `minimize`: names and types."""
    from numbaopt.embedded.codegen import Entry

    return Entry(dict(given), context, Minimum).compiled()


def workspace_size(n: int, method: Any = "adam", bounds: bool = False, jac: Any = None) -> int:
    """Return how long an array of float64 must be that `minimize` in compiled code can do with.

    Parameters
    ----------
    n : int
        Entries of x0.
    method : str, Rule or Solver
        As `minimize` will be given it.
    bounds : bool
        Whether there will be bounds.
    jac : callable, True, "inplace", "2-point", "3-point", "cs" or None
        The form of the gradient, as `minimize` will be given it: finite differences need room, too.

    Returns
    -------
    int

    Raises
    ------
    TypeError, ValueError
        For an unknown method, or one that takes no bounds where there are to be bounds.

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
