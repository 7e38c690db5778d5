"""The SciPy-shaped facade: read what was given, choose a driver, return a result."""

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from numbaopt import loop
from numbaopt.bounds import read_bounds
from numbaopt.callbacks import read_callback
from numbaopt.hyper import closest
from numbaopt.minibatch import Batches, entropy, is_stream
from numbaopt.objective import Objective
from numbaopt.observe import GO_ON, GTOL_MET
from numbaopt.options import refuse, settle, split
from numbaopt.outcome import FIXED, display, outcome
from numbaopt.registry import get, names
from numbaopt.result import OptimizationInterrupted, Result
from numbaopt.rule import Rule, chain
from numbaopt.run import Run
from numbaopt.spsa import Spsa
from numbaopt.through_scipy import METHODS, is_scipys, through_scipy

if TYPE_CHECKING:
    from numbaopt.solvers.solver import Solver

Gradient = Callable[..., Any] | bool | Literal["inplace", "2-point", "3-point", "cs", "spsa"] | None


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    args: Any = (),
    method: "str | Rule | Solver | None" = "adam",
    jac: Gradient = None,
    hess: Any = None,
    hessp: Any = None,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    callback: Callable[..., Any] | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    data: Any = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    shuffle: bool = True,
    seed: Any = None,
    drop_last: bool = False,
) -> Result:
    """Minimise a function of one or more variables, on all data at once or by minibatches.

    A drop-in for `scipy.optimize.minimize`, with first-order methods that need no line search.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> float``; with data, ``fun(x, *batch, *args)``, the mean over the batch. One
        compiled by Numba (``@njit``) is called from compiled code: without a callback, the run stays there.
    x0 : array_like, or dict, list or tuple of arrays
        The start. It is not written. ``fun`` sees the same structure, the result has it; float32 stays.
    args : tuple
        Further arguments of ``fun`` and ``jac``.
    method : str or Rule
        A rule, ``adam(lr=1e-2)``, its name, or the name of a method of SciPy, which is then called.
    jac : callable, True, "inplace", "2-point", "3-point", "cs", "spsa" or None
        The gradient: a function; True when ``fun`` returns ``(f, g)``; "inplace" when ``fun(x, grad, *args)``
        fills ``grad``; "spsa", for noisy functions, a random estimate from two evaluations, whatever x's size;
        finite differences otherwise.
    hess, hessp : callable
        For methods of SciPy.
    bounds : sequence of (lower, upper), `scipy.optimize.Bounds`, or None
        None for an open side. A start outside is moved to the bounds; each step ends with a projection.
    constraints : sequence
        For methods of SciPy.
    tol : float
        The same as ``options["gtol"]``.
    callback : callable
        Called after each step, as ``callback(intermediate_result)`` where that is the parameter's name, with
        x, fun, nit, and for minibatches epoch and step; as ``callback(xk)`` otherwise. StopIteration ends
        the run.
    options : dict
        Hyperparameters of the method by name, and:
        ``maxiter``, steps (20 000; with data, only if given);
        ``gtol``, for the largest entry of the projected gradient (1e-5);
        ``ftol``, for the change of fun in a step, relative to the larger of its values and 1 (none);
        ``maxfev``, evaluations; ``maxtime``, seconds; ``disp``, whether to print the end;
        ``return``, the "best" or the "last" iterate; ``finite_diff_rel_step``, as in SciPy;
        ``spsa_c`` (0.1), ``spsa_gamma`` (0.101): step k with "spsa" looks ``spsa_c / k**spsa_gamma`` to both
        sides of each entry, so spsa_c is about as large as the noise of fun over its slope.
    data : tuple of arrays, or an iterable of batches
        What minibatches are taken of: see `numbaopt.minibatch.Batches`.
    batch_size, epochs, shuffle, seed, drop_last : int, int, bool, int, bool
        Rows a batch; passes over the data (1); whether each takes the rows in a new order, and by which seed;
        whether a shorter last batch is left out. The estimates of "spsa" follow from seed, too.

    Returns
    -------
    Result
        A `scipy.optimize.OptimizeResult`, with x, fun, jac, nit, nfev, njev, success, status, message. x is
        the best point evaluated and fun its value. With data, x is the last iterate, jac the last batch's
        gradient, fun the mean of the batch losses over the last epoch, weighted by batch size, and seed the
        one that the order followed from. With "spsa", x is the last iterate, fun the mean of the two values
        beside it, jac the estimate there, and seed the one that it followed from.
        Status 0: a tolerance was met, or the epochs are done; 1: maxiter or maxfev; 2: maxtime; 3: an
        objective or gradient that is not finite; 4: broken off by Ctrl-C or an exception; 5: a tolerance was
        met, but at a worse point than x, which the steps had left again; 6: a solver found no lower point
        along its direction, as happens at working precision; 99: the callback raised StopIteration.

    Raises
    ------
    TypeError, ValueError
        For what cannot be, before anything is evaluated. The text says what was given, and what there is.
    OptimizationInterrupted
        At Ctrl-C: a KeyboardInterrupt whose ``result`` is the best so far. What a function of yours raises
        passes as it is, with that attribute.

    Examples
    --------
    >>> from numbaopt import minimize
    >>> def fun(x):
    ...     return ((x - 1) ** 2).sum(), 2 * (x - 1)
    >>> result = minimize(fun, [3.0, -2.0], jac=True, method="adam", options={"lr": 0.1})
    >>> result.success, result.x.round(4)
    (True, array([1., 1.]))
    """
    feed = _feed(data, batch_size, epochs, shuffle, seed, drop_last)
    if is_scipys(method):
        if feed:
            raise ValueError(f"{next(iter(feed))} is for rules; SciPy's {method} takes no minibatches")
        if is_spsa(jac):
            raise ValueError(f"jac='spsa' is for rules; SciPy's {method} takes no random gradients")
        given = (hess, hessp, bounds, constraints, tol, callback, options)
        return through_scipy(fun, x0, args, method, jac, *given)
    rule = find(method)
    for name, given, what in (("hess", hess, "Hessian"), ("hessp", hessp, "Hessian-vector product")):
        if given is not None:
            text = f"Method {rule.name} does not use {what} information ({name})."
            warnings.warn(text, RuntimeWarning, stacklevel=2)
    hyper, given, unknown = split(rule, options)
    refuse(rule, unknown)
    return run(rule(**hyper), fun, x0, args, jac, bounds, constraints, tol, callback, given, feed)


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
    **options,
):
    """Minimise as SciPy asks a custom method to: options are keywords, and an unknown one is a warning.

    A Hessian is not used, and nothing is said about it: some callers hand one to every method.
    """
    feed = _feed(data, batch_size, epochs, shuffle, seed, drop_last)
    hyper, given, unknown = split(rule, options)
    if unknown:
        from scipy.optimize import OptimizeWarning

        text = f"Unknown solver options: {', '.join(map(str, unknown))}"
        warnings.warn(text, OptimizeWarning, stacklevel=4)
    return run(rule(**hyper), fun, x0, args, jac, bounds, constraints, tol, callback, given, feed)


def _feed(data, batch_size, epochs, shuffle, seed, drop_last):
    """Return what was given of the parameters for minibatches."""
    feed = {"data": data, "batch_size": batch_size, "epochs": epochs, "seed": seed}
    feed = {name: value for name, value in feed.items() if value is not None}
    if shuffle is not True:
        feed["shuffle"] = shuffle
    if drop_last is not False:
        feed["drop_last"] = drop_last
    return feed


def find(method):
    """Return the method of ours that a name stands for; the error names SciPy's, too."""
    try:
        return get("adam" if method is None else method)
    except ValueError:
        known = [*names(), *names("solvers")]
        near = closest(method.lower(), [*known, *METHODS])
        hint = f" Did you mean {near[0]!r}?" if near else ""
        there = f"there are {', '.join(known)}, and SciPy's {', '.join(METHODS)}"
        raise ValueError(f"unknown method {method!r}; {there}.{hint}") from None


def run(rule, fun, x0, args, jac, bounds, constraints, tol, callback, options, feed):
    """Minimise with a rule or solver; options are those of every run."""
    if constraints is not None and not (isinstance(constraints, (tuple, list, dict)) and not constraints):
        raise ValueError(f"{rule.name} takes bounds, but no other constraints; SLSQP and trust-constr do")
    spsa, feed = is_spsa(jac), dict(feed)
    seed = feed.get("seed")
    if spsa and ("data" not in feed or is_stream(feed["data"])):
        feed.pop("seed", None)  # it is not for the batches
    if feed and "data" not in feed:
        raise ValueError(f"{next(iter(feed))} without data: what is to be split goes into data, not args")
    options = settle(options, tol, bool(feed), spsa)
    batches = Batches(**feed) if feed else None
    if spsa:
        seed = entropy(seed) if batches is None or batches.seed is None else batches.seed
        estimates = Spsa.seeded(seed, options["spsa_c"], options["spsa_gamma"])
    rel_step = options["finite_diff_rel_step"]
    objective = Objective(fun, x0, args, jac, None, rel_step, estimates if spsa else None)
    limits = read_bounds(bounds, objective.x0.size, objective.x0.dtype)
    notify = read_callback(callback, objective.restore)
    message = None
    if limits is not None:
        objective.bounds, rule = limits, bounded(rule)
        if np.all(limits[0] == limits[1]) and batches is None:
            options["gtol"] = options["gtol"] or 0.0
            message = FIXED
    if (spsa or batches is not None) and not isinstance(rule, Rule):
        changed = "with jac='spsa', where each is another" if spsa else "with data, which changes it"
        raise ValueError(f"{rule.name} compares values of one function; {changed}, take a rule")
    one = Run(objective, rule, limits, options, batches)
    try:
        verdict = loop.drive(one, notify)
        one.settle()
    except KeyboardInterrupt as interrupt:
        raise OptimizationInterrupted(outcome(one, GO_ON)) from interrupt
    except Exception as error:
        _annotate(error, outcome(one, GO_ON))
        raise
    result = outcome(one, verdict, message if verdict == GTOL_MET else None)
    if spsa:
        result.seed = seed
    elif batches is not None and batches.seed is not None and feed.get("shuffle", True):
        result.seed = batches.seed  # to repeat a run for which none was given
    if options["disp"]:
        display(result, stacklevel=3)
    return result


def bounded(rule):
    """Return a method that stays between bounds."""
    if isinstance(rule, Rule):
        return chain(rule, importlib.import_module("numbaopt.transforms").box)
    if not rule.bounded:
        raise ValueError(f"{rule.name} takes no bounds; every rule does, adam among them, and SciPy's L-BFGS-B")
    return rule


def is_spsa(jac):
    """Tell whether the gradient is to be estimated by simultaneous perturbation."""
    return isinstance(jac, str) and jac == "spsa"


def _annotate(error, result):
    """Add to what a user's function raised how far the run had come."""
    if result.nit:
        error.add_note(f"Raised after step {result.nit}; the best fun so far is {result.fun!r}: see .result")
    try:
        error.result = result
    except AttributeError:  # an exception with __slots__
        pass
