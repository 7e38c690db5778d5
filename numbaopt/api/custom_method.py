"""Rules and solvers as custom methods of SciPy: ``scipy.optimize.minimize(fun, x0, method=adam)``."""

import warnings

from numbaopt.api.minimize import solve
from numbaopt.api.settings import (
    Settings,
    read_checkpoint,
    read_method,
    read_minibatch,
    refuse_constraints,
    takes_bounds,
)
from numbaopt.drivers.checkpoint import EVERY
from numbaopt.drivers.outcome import unbounded
from numbaopt.methods.method import Method
from numbaopt.objectives.problem import Problem, is_spsa


def as_scipy_method(
    rule,
    fun,
    x0,
    args=(),
    *,
    jac=None,
    hess=None,
    hessp=None,
    bounds=None,
    constraints=(),
    tol=None,
    callback=None,
    data=None,
    batch_size=None,
    epochs=None,
    shuffle=True,
    seed=None,
    drop_last=False,
    checkpoint=None,
    checkpoint_every=EVERY,
    resume=None,
    **options,
):
    """Minimize as SciPy asks a custom method to: options are keywords, and an unknown one is only a warning.

    Parameters
    ----------
    rule : Rule or Solver
        The method.
    fun, x0, args, jac, constraints, tol, callback
        As in `numbaopt.minimize`.
    hess, hessp : callable, optional
        Ignored without a warning, because some callers pass them to every method.
    bounds : optional
        As in `numbaopt.minimize`. A method that takes no bounds ignores them with a warning, as SciPy's methods do; a
        result outside the bounds is then no success.
    data, batch_size, epochs, shuffle, seed, drop_last, checkpoint, checkpoint_every, resume
        As in `numbaopt.minimize`.
    **options
        Hyperparameters and options, as in ``options`` of `numbaopt.minimize`.

    Returns
    -------
    Result
    """
    owner = getattr(jac, "__self__", None)
    if owner is fun and type(fun).__name__ == "MemoizeJac" and type(fun).__module__.startswith("scipy."):
        fun, jac = fun.fun, True  # SciPy makes this of jac=True before it calls a custom method
    minibatch = read_minibatch(data, batch_size, epochs, shuffle, seed, drop_last)
    rule, others, unknown = read_method(rule, options)
    if unknown:
        from scipy.optimize import OptimizeWarning

        text = f"Unknown solver options: {', '.join(map(str, unknown))}"
        warnings.warn(text, OptimizeWarning, stacklevel=4)
    keep = read_checkpoint(checkpoint, checkpoint_every, resume)
    problem, ignored = Problem(fun, x0, args, jac, bounds), None
    if problem.bounds is not None and not takes_bounds(rule):
        ignored, problem.bounds = problem.bounds, None
        warnings.warn(f"Method {rule.name} cannot handle bounds.", RuntimeWarning, stacklevel=4)
    refuse_constraints(rule, constraints)
    result = solve(rule, problem, Settings(others, tol, callback, minibatch, keep, is_spsa(jac)))
    return result if ignored is None else unbounded(result, ignored)


Method.minimizer = staticmethod(as_scipy_method)
