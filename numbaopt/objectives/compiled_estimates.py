"""Estimated gradients of jitted objectives: the lines of the wrapper, and the functions that they call."""

import numba
import numpy as np
from numba import types
from numba.core.registry import cpu_target

from numbaopt.backends.cpu import only, uncached
from numbaopt.common.locking import lock
from numbaopt.objectives.differences import SCHEMES, first_class
from numbaopt.objectives.spsa import estimate, perturb

# For each function of a flat z: the type that the estimates take, and those that fun may return.
_RETURNS = {
    "value": (types.float64, (types.Float, types.Integer, types.Boolean)),
    "complex_value": (types.complex128, types.Complex),
}


def difference_lines(wrapper, pack):
    """Write lines for finite differences, and the functions of x that they call.

    Parameters
    ----------
    wrapper : numbaopt.objectives.compiled.Wrapper
    pack : str
        What these functions get besides x.
    """
    objective, value = wrapper.objective, "value"
    wrapper.add_value(value, wrapper.real)
    if not objective.scheme.bounded:
        value = "complex_value"
        wrapper.add_value(value, types.complex128)
    arrays = objective.scheme.arrays(objective.x0, objective.bounds, objective.rel_step)
    return [
        f"slopes = {wrapper.add_array(np.empty(objective.x0.size))}",
        f"f = value(x, {pack})",
        f"gradient({value}, x, f, slopes, {', '.join(map(wrapper.add_array, arrays))}, scale, {pack})",
    ]


def spsa_lines(wrapper, pack):
    """Write lines for simultaneous perturbation; the table counts the evaluations. Parameters: `difference_lines`."""
    wrapper.add_value("value", wrapper.real)
    objective, x0 = wrapper.objective, wrapper.objective.x0
    bounds = objective.bounds or (np.empty(0, x0.dtype),) * 2
    settings = [*map(wrapper.add_array, bounds), *map(wrapper.add_argument, objective.spsa)]
    at = len(wrapper.table)
    wrapper.table.append(objective.njev)
    arrays = x0.copy(), x0.copy(), np.empty(x0.size)
    return [
        f"args[{at}] += 1",
        f"plus, minus, slopes = {', '.join(map(wrapper.add_array, arrays))}",
        f"perturb(x, {', '.join(settings)}, args[{at}], plus, minus, slopes)",
        f"f = estimate(value, plus, minus, slopes, {pack})",
    ]


def estimator(space, jac, values, x):
    """Compile what these lines call.

    Parameters
    ----------
    space : dict
        The functions of the text, by name.
    jac : str
        "spsa", or a scheme of finite differences.
    values : tuple of (str, (numba type, numba type))
        The functions of x, and their types.
    x : numba type

    Returns
    -------
    dict
        Compiled functions and numbers, by the names that the text uses.
    """
    made, slopes = {}, types.float64[::1]
    for name, (z, pack) in values:
        value = only(uncached(space[name]), (z, pack))
        wanted, allowed = _RETURNS[name]
        returned = value.nopython_signatures[0].return_type
        if not isinstance(returned, allowed):
            raise TypeError(f"{name} is {returned}")
        if name == "value" and jac in SCHEMES:
            made["scale"] = SCHEMES[jac].scale(np.float32 if types.float32 in (x.dtype, returned) else np.float64)
        kind = wanted(z, pack)
        made[name] = value if returned == wanted else _converted(value, kind)
    if jac not in SCHEMES:
        return made | {"perturb": perturb, "estimate": first_class(estimate, kind, x, x, slopes, pack)}
    rest = x, types.float64, slopes, z, x.dtype[:, ::1], x, x, slopes, types.float64, pack
    return made | {"gradient": first_class(SCHEMES[jac].gradient, kind, *rest)}


def _converted(value, kind):
    """Compile a function once more, with another return type."""
    return only(uncached(lambda z, args: value(z, args)), kind)


def returns_float32(fun, arguments):
    """Return whether a jitted function returns float32 for these arguments; Python gets a float then, too."""
    kinds = tuple(map(numba.typeof, arguments))
    with lock:  # Numba takes it only to compile
        returned = cpu_target.typing_context.resolve_function_type(numba.typeof(fun), kinds, {}).return_type
    return returned == types.float32
