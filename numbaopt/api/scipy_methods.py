"""SciPy's own methods, called by `numbaopt.minimize`: users compare methods by changing a string.

Arguments that SciPy accepts are passed on unchanged. Others, namely jac="inplace" and "autograd" and any x0 that is not
a one-dimensional array of real numbers, are converted.
"""

from collections.abc import Mapping

import numpy as np

from numbaopt.api.callbacks import wants_result
from numbaopt.common.tree import Structure
from numbaopt.drivers.options import RECORDS
from numbaopt.objectives.bounds import refuse_complex
from numbaopt.objectives.problem import Problem, is_spsa


def refuse_for_scipy(method, jac, options, minibatch, checkpoint, resume):
    """Raise ValueError for arguments that SciPy's own methods cannot take."""
    if minibatch:
        raise ValueError(f"{next(iter(minibatch))} is for rules; SciPy's {method} takes no minibatches")
    if is_spsa(jac):
        raise ValueError(f"jac='spsa' is for rules; SciPy's {method} takes no random gradients")
    for name, value in (("checkpoint", checkpoint), ("resume", resume)):
        if value not in (None, False):
            raise ValueError(f"{name} is for rules and solvers of numbaopt; SciPy's {method} writes no checkpoints")
    for name in RECORDS:
        if isinstance(options, Mapping) and options.get(name):
            raise ValueError(f"{name} is for rules and solvers of numbaopt; for SciPy's {method} use a callback")


def through_scipy(fun, x0, args, method, jac, hess, hessp, bounds, constraints, tol, callback, options):
    """Call `scipy.optimize.minimize`; all parameters are those of `numbaopt.minimize`."""
    from scipy import optimize

    spent = 0, 0
    if isinstance(options, Mapping) and "check_grad" in options:
        options = dict(options)
        if options.pop("check_grad"):
            spent = _check_gradient(Problem(fun, x0, args, jac, bounds).objective())
    converted = isinstance(jac, str) and jac in ("inplace", "autograd")
    shaped = _is_shaped(x0)
    if not (converted or shaped):
        rest = (hess, hessp, bounds, constraints, tol, callback, options)
        return _with_spent(optimize.minimize(fun, x0, args, method, jac, *rest), spent)
    if shaped and any(part is not None and part != () for part in (hess, hessp, constraints)):
        raise ValueError(
            "hess, hessp and constraints require a real x0 of one dimension, because they would get a flat x"
        )
    problem = Problem(fun, x0, args, jac)
    refuse_complex(bounds, problem.structure)
    restore = problem.structure.views
    analytic = converted or jac is True or callable(jac)
    flat_fun, flat_jac = _flat_function(problem, analytic), True if analytic else jac
    rest = (hess, hessp, bounds, constraints, tol, _shaped_callback(callback, restore), options)
    result = optimize.minimize(flat_fun, problem.x0.copy(), (), method, flat_jac, *rest)
    for name in ("x", "jac", "grad"):
        if np.shape(result.get(name)) == problem.x0.shape:  # trust-constr's jac is of the constraints
            result[name] = restore(result[name])
    return _with_spent(result, spent)


def _flat_function(problem, analytic):
    """Return a function of a flat x for SciPy: of value and gradient, or of the value for SciPy's own differences."""
    objective = problem.objective()  # also checks the form of jac
    if analytic:

        def function(x):
            g = np.empty_like(problem.x0)
            return objective(x.astype(g.dtype, copy=False), g), g

    else:

        def function(x):
            return problem.fun(problem.structure.views(x.copy()), *problem.args)

    return function


def _check_gradient(objective):
    """Compare the gradient with differences before the run; return the evaluations that this took."""
    from numbaopt.objectives.check.gradient_check import check_first

    check_first(objective, None)
    return objective.spent


def _with_spent(result, spent):
    """Add evaluations to the counters that a result has."""
    for name, count in zip(("nfev", "njev"), spent, strict=True):
        if count and name in result:
            result[name] += count
    return result


def _is_shaped(x0):
    """Return whether x0 is anything but a real number or a row of real numbers."""
    if isinstance(x0, (dict, list, tuple)):
        structure = Structure(x0)
        return structure.tree != 0 or len(structure.shapes[0]) > 1 or not structure.real
    return np.ndim(x0) > 1 or np.iscomplexobj(x0)


def _shaped_callback(callback, restore):
    """Return a callback that passes x on in the structure of x0."""
    if callback is None:
        return None

    def shaped_result(intermediate_result):
        intermediate_result.x = restore(intermediate_result.x.copy())
        return callback(intermediate_result=intermediate_result)

    def shaped_x(x, *state):
        return callback(restore(x.copy()), *state)

    return shaped_result if wants_result(callback) else shaped_x
