"""A jitted objective in the one form that the compiled driver takes, whatever its `jac`, args and structure.

The driver is compiled once for all objectives, so what they differ in must not show in its types: a wrapper hides it,
the text of which `numbaopt.objectives.wrapper` writes. As in the plain driver, `fun` is given a copy of x, which it may overwrite.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types
from numba.core.errors import NumbaError
from numba.core.registry import cpu_target
from numba.extending import is_jitted

from numbaopt.backends.cpu import only, uncached
from numbaopt.backends.pointers import entry
from numbaopt.common.locking import lock, once
from numbaopt.objectives.differences import SCHEMES, first_class
from numbaopt.objectives.spsa import estimate, perturb
from numbaopt.objectives.wrapper import Wrapper


class Compiled(NamedTuple):
    """A compiled objective, and what to call it with.

    Attributes
    ----------
    function : numba dispatcher
        ``function(x, g, args) -> float64``; with columns ``function(x, g, lo, hi, data, args)``, which shows
        `fun` the rows ``lo:hi`` of each. Compiled for that signature and no other.
    args : ndarray of int64
        What to pass as `args`. It knows of a copy of x, so it is for one run at a time.
    keep : list
        The arrays that `args` points into.
    cost : int
        Evaluations of `fun` that one call takes.
    failed : int
        The same for a call whose value is not finite.
    """

    function: Any
    args: np.ndarray
    keep: list
    cost: int = 1
    failed: int = 1

    @staticmethod
    def pack(columns):
        """Return what to pass as `data`: it points into these arrays, which must be C-contiguous."""
        return np.array([number for array in columns for number in entry(array)], np.int64)


def compile_objective(objective, columns=None, each=None):
    """Compile an `Objective` whose function is jitted; return a `Compiled`, or None where that cannot be."""
    fun, jac = objective.fun, "2-point" if objective.jac is None else objective.jac
    if not is_jitted(fun) or (callable(jac) and not is_jitted(jac)):
        return None
    try:
        wrapper = Wrapper(objective, columns, each)
    except (NumbaError, TypeError, ValueError):  # what Numba has no type for, or does not go into a table
        return None
    function = _compile(fun, jac, wrapper.text, tuple(wrapper.parts), wrapper.signature, tuple(wrapper.values.items()))
    cost, failed = objective.cost, objective.cost if objective.noisy else 1
    return function and Compiled(function, np.array(wrapper.table, np.int64), wrapper.keep, cost, failed)


def returns_float32(fun, given):
    """Tell whether a jitted function returns float32, which Python gets as a float, for these arguments."""
    kinds = tuple(map(numba.typeof, given))
    with lock:  # which Numba takes only where it compiles
        returned = cpu_target.typing_context.resolve_function_type(numba.typeof(fun), kinds, {}).return_type
    return returned == types.float32


# Bounded, for a wrapper keeps its function alive, and what that has captured.
@once(most=64)
def _compile(fun, jac, text, parts, signature, values):
    """Return a wrapper compiled for its signature, or None."""
    for shown in dict.fromkeys((tuple(map(_as_it_is, parts)), parts)):  # what overwrites its x compiles only for a copy
        space = {"fun": fun, "jac": jac} | {f"array{i}": make(*given) for i, (make, *given) in enumerate(shown)}
        exec(text, space)
        try:
            if values:
                space |= _estimator(space, jac, values, signature.args[0])
            return only(uncached(space["objective"]), signature)
        except Exception:  # whatever it is: the plain driver can do without, or meets it again and raises it
            continue
    return None


def _estimator(space, jac, values, x):
    """Return what the text of a wrapper calls to estimate a gradient, compiled."""
    made, slopes = {}, types.float64[::1]
    for name, (z, seen) in values:
        value = only(uncached(space[name]), (z, seen))
        wanted, allowed = _NUMBERS[name]
        returned = value.nopython_signatures[0].return_type
        if not isinstance(returned, allowed):
            raise TypeError(f"{name} is {returned}")
        if name == "value" and jac in SCHEMES:
            made["scale"] = SCHEMES[jac].scale(np.float32 if types.float32 in (x.dtype, returned) else np.float64)
        kind = wanted(z, seen)
        made[name] = value if returned == wanted else _converted(value, kind)
    if jac not in SCHEMES:
        return made | {"perturb": perturb, "estimate": first_class(estimate, kind, x, x, slopes, seen)}
    rest = x, types.float64, slopes, z, x.dtype[:, ::1], x, x, slopes, types.float64, seen
    return made | {"gradient": first_class(SCHEMES[jac].gradient, kind, *rest)}


_NUMBERS = {
    "value": (types.float64, (types.Float, types.Integer, types.Boolean)),
    "complex_value": (types.complex128, types.Complex),
}


def _converted(value, kind):
    """Compile a function once more, with another type of what it returns."""
    return only(uncached(lambda z, args: value(z, args)), kind)


def _as_it_is(part):
    """Show x itself, read-only, where a copy of x would be shown."""
    make, kind, at, *copy = part
    return (make, kind.copy(readonly=True), at, False) if copy == [True] else part
