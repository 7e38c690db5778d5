"""SciPy's own methods, under the same roof: users compare methods by changing a string.

What SciPy knows passes untouched. What it does not, jac="inplace" and "autograd", and x0 of other shapes
than one row of real numbers, is brought into a form that it knows.
"""

import numpy as np

from numbaopt.api.callbacks import wants_result
from numbaopt.common.tree import Structure
from numbaopt.methods.method import Method
from numbaopt.objectives import factory
from numbaopt.objectives.bounds import refuse_complex

METHODS = (
    "nelder-mead",
    "powell",
    "cg",
    "bfgs",
    "newton-cg",
    "l-bfgs-b",
    "tnc",
    "cobyla",
    "cobyqa",
    "slsqp",
    "trust-constr",
    "dogleg",
    "trust-ncg",
    "trust-exact",
    "trust-krylov",
)


def is_scipys(method):
    """Tell whether a method is one of SciPy's, or a function by its protocol for custom methods."""
    if isinstance(method, str):
        return method.lower() in METHODS
    return callable(method) and not isinstance(method, Method)


def through_scipy(fun, x0, args, method, jac, hess, hessp, bounds, constraints, tol, callback, options):
    """Call `scipy.optimize.minimize`."""
    from scipy import optimize

    if isinstance(options, dict) and "check_grad" in options:
        options = dict(options)
        if options.pop("check_grad"):
            from numbaopt.objectives.check.gradient_check import check_first

            first = factory.make(fun, x0, args, jac)
            check_first(first, None, bounds)
            result = through_scipy(fun, x0, args, method, jac, hess, hessp, bounds, constraints, tol, callback, options)
            for name, spent in zip(("nfev", "njev"), first.spent, strict=True):
                if name in result:
                    result[name] += spent
            return result
    ours = isinstance(jac, str) and jac in ("inplace", "autograd")
    shaped = _shaped(x0)
    if not (ours or shaped):
        given = (hess, hessp, bounds, constraints, tol, callback, options)
        return optimize.minimize(fun, x0, args, method, jac, *given)
    if shaped and any(part is not None and part != () for part in (hess, hessp, constraints)):
        raise ValueError("hess, hessp and constraints are for a real x0 of one dimension: they would see it flat")
    objective = factory.make(fun, x0, args, jac)
    refuse_complex(bounds, objective.structure)
    restore = objective.restore
    if ours or jac is True or callable(jac):

        def flat_fun(x):
            g = np.empty_like(objective.x0)
            return objective(x.astype(g.dtype, copy=False), g), g

        flat_jac = True
    else:  # SciPy's own finite differences

        def flat_fun(x):
            return fun(restore(x.copy()), *objective.args)

        flat_jac = jac
    given = (hess, hessp, bounds, constraints, tol, _shaped_callback(callback, restore), options)
    result = optimize.minimize(flat_fun, objective.x0, (), method, flat_jac, *given)
    for name in ("x", "jac", "grad"):
        if np.shape(result.get(name)) == objective.x0.shape:  # trust-constr's jac is of the constraints
            result[name] = restore(result[name])
    return result


def _shaped(x0):
    """Tell whether x0 is anything but a real number or a row of such."""
    if isinstance(x0, (dict, list, tuple)):
        structure = Structure(x0)
        return structure.tree != 0 or len(structure.shapes[0]) > 1 or not structure.real
    return np.ndim(x0) > 1 or np.iscomplexobj(x0)


def _shaped_callback(callback, restore):
    if callback is None:
        return None

    def shaped_result(intermediate_result):
        intermediate_result.x = restore(intermediate_result.x.copy())
        return callback(intermediate_result=intermediate_result)

    def shaped_x(x, *state):
        return callback(restore(x.copy()), *state)

    return shaped_result if wants_result(callback) else shaped_x
