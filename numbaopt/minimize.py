"""The SciPy-shaped facade: read what was given, choose a driver, return a result."""

import importlib
import warnings

import numpy as np

from numbaopt import loop
from numbaopt.bounds import read_bounds
from numbaopt.callbacks import read_callback
from numbaopt.minibatch import Batches
from numbaopt.objective import Objective
from numbaopt.options import refuse, settle, split
from numbaopt.outcome import display, outcome
from numbaopt.result import OptimizationInterrupted
from numbaopt.rule import chain, get
from numbaopt.through_scipy import is_scipys, through_scipy


def minimize(
    fun,
    x0,
    args=(),
    method="adam",
    jac=None,
    hess=None,
    hessp=None,
    bounds=None,
    constraints=(),
    tol=None,
    callback=None,
    options=None,
    *,
    data=None,
    batch_size=None,
    epochs=None,
    shuffle=True,
    seed=None,
    drop_last=False,
):
    """Minimise a function of one or more variables, on all data at once or by minibatches.

    A drop-in for `scipy.optimize.minimize`, with first-order methods that need no line search.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> float``; with data, ``fun(x, *batch, *args)``, the mean over the batch. Compiled by Numba
        (``@njit``), it is called from compiled code, and a run without a callback never comes back to Python.
    x0 : array_like, or dict, list or tuple of arrays
        The start. It is not written. ``fun`` sees the same structure, and the result has it; float32 stays float32.
    args : tuple
        Further arguments of ``fun`` and ``jac``.
    method : str or Rule
        A rule, ``adam(lr=1e-2)``, its name, or the name of a method of SciPy, which is then called.
    jac : callable, True, "inplace", "2-point", "3-point", "cs" or None
        The gradient: a function; True when ``fun`` returns ``(f, g)``; "inplace" when ``fun(x, grad, *args)`` fills
        ``grad``; finite differences otherwise.
    hess, hessp : callable
        For methods of SciPy.
    bounds : sequence of (lower, upper), `scipy.optimize.Bounds`, or None
        None for an open side. A start outside is moved to the bounds; each step ends with a projection on them.
    constraints
        For methods of SciPy.
    tol : float
        The same as ``options["gtol"]``.
    callback : callable
        Called after each step, as ``callback(intermediate_result)`` where that is the parameter's name, with x, fun,
        nit, and for minibatches epoch and step; as ``callback(xk)`` otherwise. StopIteration ends the run.
    options : dict
        Hyperparameters of the method by name, and: ``maxiter`` (20 000 steps; with data only if given), ``gtol``
        (1e-5: the largest entry of the projected gradient), ``ftol`` (none: change of fun in one step, relative to
        max(abs(fun), 1)), ``maxfev``, ``maxtime`` (seconds), ``disp``, ``return`` ("best" or "last" iterate),
        ``finite_diff_rel_step``.
    data : tuple of arrays, or an iterable of batches
        What minibatches are taken of: arrays that share their first axis, or a re-iterable that yields batches.
    batch_size, epochs, shuffle, seed, drop_last
        Rows a batch, passes over the data (1), whether each is in a new order, by which seed, and whether the last
        batch is left out where it is shorter.

    Returns
    -------
    Result
        A `scipy.optimize.OptimizeResult` in all but name, with x, fun, jac, nit, nfev, njev, success, status, message.
        x is the best point evaluated and fun its value; with data x is the last iterate, jac the last batch's
        gradient, and fun the mean of the batch losses over the last epoch, weighted by batch size.
        Status 0: a tolerance was met, or the epochs are done; 1: maxiter or maxfev; 2: maxtime; 3: a value or gradient
        that is not finite; 99: the callback raised StopIteration.

    Raises
    ------
    TypeError, ValueError
        What cannot be, before anything is evaluated: the text says what was given, and what there is.
    OptimizationInterrupted
        Ctrl-C: a KeyboardInterrupt whose ``result`` is the best so far.

    Examples
    --------
    >>> from numbaopt import minimize
    >>> def fun(x):
    ...     return ((x - 1) ** 2).sum(), 2 * (x - 1)
    >>> result = minimize(fun, [3.0, -2.0], jac=True, method="adam", options={"lr": 0.1})
    >>> result.success, result.x.round(4)
    (True, array([1., 1.]))
    """
    feed = {"data": data, "batch_size": batch_size, "epochs": epochs, "shuffle": shuffle, "seed": seed, "drop_last": drop_last}
    if is_scipys(method):
        if given := _feeds(feed):
            raise ValueError(f"{given} is for rules; {method} is SciPy's, and takes no minibatches")
        return through_scipy(fun, x0, args, method, jac, hess, hessp, bounds, constraints, tol, callback, options)
    rule = get("adam" if method is None else method)
    for name, given, what in (("hess", hess, "Hessian"), ("hessp", hessp, "Hessian-vector product")):
        if given is not None:
            warnings.warn(f"Method {rule.name} does not use {what} information ({name}).", RuntimeWarning, stacklevel=2)
    hyper, given, unknown = split(rule, options)
    refuse(rule, unknown)
    return _minimize(rule(**hyper), fun, x0, args, jac, bounds, constraints, tol, callback, given, feed)


def as_scipy_method(rule, fun, x0, args=(), *, jac=None, hess=None, hessp=None, bounds=None, constraints=(), tol=None,
                    callback=None, data=None, batch_size=None, epochs=None, shuffle=True, seed=None, drop_last=False,
                    **options):
    """Minimise as SciPy asks a custom method to: options as keywords, an unknown one is a warning."""
    feed = {"data": data, "batch_size": batch_size, "epochs": epochs, "shuffle": shuffle, "seed": seed, "drop_last": drop_last}
    hyper, given, unknown = split(rule, options)
    if unknown:
        from scipy.optimize import OptimizeWarning

        warnings.warn(f"Unknown solver options: {', '.join(map(str, unknown))}", OptimizeWarning, stacklevel=4)
    return _minimize(rule(**hyper), fun, x0, args, jac, bounds, constraints, tol, callback, given, feed)


def _feeds(feed):
    """Return the first of the minibatch parameters that was given."""
    usual = {"shuffle": True, "drop_last": False}
    return next((name for name, value in feed.items() if value is not usual.get(name)), None)


def _minimize(rule, fun, x0, args, jac, bounds, constraints, tol, callback, options, feed):
    if constraints is not None and not (isinstance(constraints, (tuple, list, dict)) and not constraints):
        raise ValueError(f"{rule.name} takes bounds, but no other constraints; 'SLSQP' and 'trust-constr' do")
    minibatch = feed["data"] is not None
    if not minibatch and (given := _feeds(feed)):
        raise ValueError(f"{given} without data: pass what is to be split into batches as data, not in args")
    options = settle(options, tol, minibatch)
    batches = Batches(**feed) if minibatch else None
    objective = Objective(fun, x0, args, jac, finite_diff_rel_step=options["finite_diff_rel_step"])
    limits = read_bounds(bounds, objective.x0.size, objective.x0.dtype)
    notify = read_callback(callback, objective.restore)
    fixed = False
    if limits is not None:
        objective.bounds = limits
        fixed = bool(np.all(limits[0] == limits[1]))
        rule = chain(rule, importlib.import_module("numbaopt.transforms").box)
    run = loop.Run(objective, rule, limits, options, batches and batches.epochs)
    try:
        verdict = loop.drive(run, notify, batches)
    except KeyboardInterrupt as interrupt:
        raise OptimizationInterrupted(outcome(run, None)) from interrupt
    except Exception as error:
        _annotate(error, outcome(run, None))
        raise
    result = outcome(run, verdict, "All independent variables were fixed by bounds." if fixed else None)
    if options["disp"]:
        display(result, stacklevel=4)
    return result


def _annotate(error, result):
    """Add to what a user's function raised how far the run had come."""
    error.add_note(f"numbaopt: raised after {result.nit} steps; the best objective so far is {result.fun!r} (see .result)")
    try:
        error.result = result
    except AttributeError:  # an exception with __slots__
        pass
