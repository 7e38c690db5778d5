"""`minimize`, shaped like SciPy's: read the arguments, run a driver, return a result."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from numbaopt.api.callbacks import read_callback
from numbaopt.api.settings import (
    Settings,
    bounded,
    find,
    is_scipys,
    read_checkpoint,
    read_method,
    read_minibatch,
    refuse_constraints,
    warn_of_hessian,
)
from numbaopt.drivers.checkpoint import EVERY
from numbaopt.drivers.drive import drive
from numbaopt.drivers.options import refuse
from numbaopt.drivers.outcome import FIXED, display, outcome
from numbaopt.drivers.progress import Progress
from numbaopt.drivers.run import Run
from numbaopt.drivers.stopping import GO_ON, GTOL_MET
from numbaopt.objectives.problem import Problem, is_spsa
from numbaopt.results.result import OptimizationInterrupted, Result

if TYPE_CHECKING:
    from numbaopt.methods.rule import Rule
    from numbaopt.solvers.solver import Solver

Gradient = Callable[..., Any] | bool | Literal["inplace", "2-point", "3-point", "cs", "spsa", "autograd"] | None


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
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = EVERY,
    resume: str | os.PathLike[str] | bool | None = None,
) -> Result:
    """Minimize a function of one or more variables, on all data at once or by minibatches.

    A drop-in replacement for `scipy.optimize.minimize`, with first-order methods that need no line search.

    Parameters
    ----------
    fun : callable
        The objective, ``fun(x, *args) -> float``. With `data` it is ``fun(x, *batch, *args)``, the mean over the batch.
        A function compiled by Numba (``@njit``) is called from compiled code, and without a callback the whole run is
        compiled.
    x0 : array_like, or dict, list or tuple of arrays
        The starting point, which is not modified. ``fun`` receives the same structure, and ``result.x`` has it.
        float32 arrays stay float32. Complex arrays stay complex: see Notes.
    args : tuple, optional
        Further arguments of ``fun`` and ``jac``.
    method : str, Rule or Solver, optional
        A rule such as ``adam(lr=1e-2)``, its name, or the name of a method of SciPy, which is then called. The default
        is "adam".
    jac : callable, True, "inplace", "autograd", "2-point", "3-point", "cs", "spsa" or None
        How the gradient is computed:

        - a callable, ``jac(x, *args)``, returns the gradient;
        - True: ``fun`` returns ``(f, gradient)``;
        - "inplace": ``fun(x, grad, *args)`` writes the gradient into ``grad``;
        - "autograd": the exact gradient of a ``fun`` that is written with ``autograd.numpy`` for NumPy (this needs the
          extra ``autograd``);
        - "spsa": a random estimate from two evaluations, however large x is, for noisy functions;
        - "2-point" (the default), "3-point" or "cs": finite differences.
    hess, hessp : callable, optional
        Used only by methods of SciPy.
    bounds : sequence of (lower, upper), `scipy.optimize.Bounds`, or None
        None in place of a number means no bound. A starting point outside is moved to the bounds, and each step ends
        with a projection.
    constraints : sequence, optional
        Used only by methods of SciPy.
    tol : float, optional
        The same as ``options["gtol"]``.
    callback : callable, optional
        Called after each step: as ``callback(intermediate_result)`` if that is the name of its only parameter, with the
        attributes x, fun, nit and, for minibatches, epoch and step; otherwise as ``callback(xk)``. If it raises
        StopIteration, the run ends.
    options : dict, optional
        The method's hyperparameters by name, and:

        maxiter : int
            The maximum number of steps. The default is 20 000, and no limit with `data`.
        gtol : float
            Stop when the largest entry of the projected gradient is at most this. The default is 1e-5.
        ftol : float
            Stop when a step changes fun by less than this, relative to the largest of its two values and 1. The default
            is None: no such test.
        maxfev : int
            The maximum number of evaluations of ``fun``.
        maxtime : float
            The maximum time in seconds.
        disp : bool
            Whether to print the result, and to show a progress bar if tqdm is installed.
        progress : bool
            Whether to show a progress bar, on a terminal or in a notebook. This needs tqdm: ``pip install
            "numbaopt[progress]"``.
        history : bool or "x"
            Whether to record the run in ``result.history``: arrays nit, fun, norm, lr and seconds with an entry for
            each step. "x" also records the points.
        check_grad : bool
            Whether to compare the gradient with finite differences before the run: see `numbaopt.check_grad`. These
            evaluations count in nfev, but not toward maxfev.
        return : {"best", "last"}
            Which iterate to return.
        nonfinite : {"stop", "skip", "shrink"}
            What to do when fun or the gradient is not finite: stop; skip the step and evaluate again (with `data`, take
            the next batch); or move halfway back to the best point (with `data`, to the last one) before that. After 50
            such evaluations in a row the run stops.
        finite_diff_rel_step : float or array_like
            The relative step of finite differences, as in SciPy.
        spsa_c, spsa_gamma : float
            With "spsa", step k shifts each entry by ``spsa_c / k**spsa_gamma`` to both sides. The defaults are 0.1 and
            0.101. A good spsa_c is about the noise of fun divided by its slope.
    data : tuple of arrays, or an iterable of batches, optional
        The data from which minibatches are taken: see `numbaopt.data.batches.Batches`.
    batch_size : int, optional
        The number of rows in a batch.
    epochs : int, optional
        The number of passes over the data. The default is 1.
    shuffle : bool, optional
        Whether each epoch takes the rows in a new order.
    seed : int or numpy.random.Generator, optional
        The seed of that order, and of the estimates of "spsa".
    drop_last : bool, optional
        Whether to leave out a last batch that is shorter than the others.
    checkpoint : path, optional
        A file in which to save the run, atomically, every `checkpoint_every` seconds and when it ends, also after
        Ctrl-C or an exception. An existing file that is not a checkpoint is not overwritten.
    checkpoint_every : float, optional
        The interval in seconds. The default is 30. With 0 the run is saved at every opportunity: after each step of an
        objective in Python, and about twenty times a second with a compiled one.
    resume : path or True, optional
        A checkpoint from which to continue; the result is that of an uninterrupted run, bit for bit. True means the
        file in `checkpoint`, or a new start if that does not exist. The problem, the method and its hyperparameters and
        the seed must be the same; the numbers in x0, args and data are not compared. maxiter, maxfev, maxtime, epochs,
        callback, gtol and ftol may differ. maxtime counts from the resumption.

    Returns
    -------
    Result
        A `scipy.optimize.OptimizeResult` with the attributes x, fun, jac, nit, nfev, njev, success, status and message.
        x is the best point evaluated, and fun and jac are its value and gradient.

        With `data`, x is the last iterate, jac the gradient of the last batch, fun the mean of the batch losses over
        the last epoch, weighted by batch size, and seed the seed that was used. With "spsa", x is the last iterate, fun
        the mean of the two values evaluated beside it, jac the estimate there, and seed the seed that was used.

        The status is

        - 0: a tolerance was met, or all epochs are done;
        - 1: maxiter or maxfev was reached;
        - 2: maxtime was reached;
        - 3: the objective or the gradient was not finite;
        - 4: the run was interrupted by Ctrl-C or an exception;
        - 5: a tolerance was met, but at a worse point than x, which the steps had already left;
        - 6: a solver found no lower point along its direction, as happens at working precision;
        - 99: the callback raised StopIteration.

    Raises
    ------
    TypeError, ValueError
        For invalid arguments, before anything is evaluated; also for a checkpoint that is damaged or belongs to another
        problem.
    OSError
        For a checkpoint that cannot be written or read, before anything is evaluated. If writing fails later, a
        RuntimeWarning is issued and the run continues.
    OptimizationInterrupted
        At Ctrl-C: a KeyboardInterrupt whose ``result`` is the best result so far. An exception raised by a function of
        the user is not replaced, and has that attribute, too.

    See Also
    --------
    minimize_many : Minimize many functions of one kind in one call.
    compare : Minimize a function by several methods.
    Optimizer : Step parameters in a loop written by the user.

    Notes
    -----
    The real and imaginary parts of complex parameters are separate coordinates, as in torch.optim: a rule steps
    ``x.view(float)``. ``fun`` receives complex arrays and returns a real number. The gradient is complex, dL/dRe + 1j
    dL/dIm, the direction of steepest ascent. This is torch's ``x.grad``, the conjugate of JAX's gradient, and twice the
    Wirtinger derivative with respect to conj(x). For ``(abs(A @ x - b) ** 2).sum()`` it is ``2 * A.conj().T @ (A @ x -
    b)``. Finite differences and "autograd" follow this convention, and gtol applies to the largest part. "cs" and
    bounds require real x.

    Examples
    --------
    >>> from numbaopt import minimize
    >>> def fun(x):
    ...     return ((x - 1) ** 2).sum(), 2 * (x - 1)
    >>> result = minimize(fun, [3.0, -2.0], jac=True, method="adam", options={"lr": 0.1})
    >>> result.success, result.x.round(4)
    (True, array([1., 1.]))

    Phase retrieval: recover a complex signal, up to its phase, from the magnitudes of linear measurements.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> signal, *rows = rng.normal(size=(25, 4)) + 1j * rng.normal(size=(25, 4))
    >>> A = np.array(rows)
    >>> b = abs(A @ signal) ** 2
    >>> def intensities(z):
    ...     r = abs(A @ z) ** 2 - b
    ...     return (r**2).mean(), 4 * A.conj().T @ (r * (A @ z)) / len(b)
    >>> result = minimize(intensities, np.ones(4, complex), jac=True, method="lbfgs")
    >>> bool(np.isclose(abs(np.vdot(result.x, signal)), np.linalg.norm(signal) ** 2))
    True
    """
    minibatch = read_minibatch(data, batch_size, epochs, shuffle, seed, drop_last)
    if is_scipys(method):
        from numbaopt.api.scipy_methods import refuse_for_scipy, through_scipy

        refuse_for_scipy(method, jac, options, minibatch, checkpoint, resume)
        return through_scipy(fun, x0, args, method, jac, hess, hessp, bounds, constraints, tol, callback, options)
    rule = find(method)
    if hess is not None or hessp is not None:
        warn_of_hessian(rule, hess, hessp, stacklevel=2)
    rule, others, unknown = read_method(rule, options)
    if unknown:
        refuse(rule, unknown)
    keep = read_checkpoint(checkpoint, checkpoint_every, resume)
    refuse_constraints(rule, constraints)
    problem = Problem(fun, x0, args, jac, bounds)
    return solve(rule, problem, Settings(others, tol, callback, minibatch, keep, is_spsa(jac)))


def solve(method, problem, settings):
    """Minimize a `Problem` by a rule or solver, with `Settings`; return a `Result`."""
    options, keep = settings.options, settings.keeper
    objective = problem.objective(options["finite_diff_rel_step"], settings.spsa)
    notify = None if settings.callback is None else read_callback(settings.callback, objective.restore)
    message = None
    if problem.bounds is not None:
        method, lower_is_upper = bounded(method), problem.bounds[0] == problem.bounds[1]
        if lower_is_upper.all() and settings.batches is None:
            options, message = options | {"gtol": max(options["gtol"] or 0.0, 0.0)}, FIXED
    settings.check_method(method)
    bars = [Progress(options["progress"])] if options["progress"] or options["disp"] else []
    bars = [bar for bar in bars if bar.bar.is_shown]
    keepers, drive_run = ([], drive) if keep is None else (keep.watchers, keep.drive)
    run = Run(objective, method, problem.bounds, options, settings.batches, [*bars, *keepers])
    if keep is not None:
        keep.take(run, method, options, settings.seed)  # or raise, before anything is evaluated
    if options["check_grad"]:
        from numbaopt.objectives.check.gradient_check import check_first

        check_first(objective, settings.batches)
    try:
        stop = drive_run(run, notify)
        run.evaluate_reported()
    except KeyboardInterrupt as interrupt:
        raise OptimizationInterrupted(outcome(run, GO_ON)) from interrupt
    except Exception as error:
        _annotate(error, outcome(run, GO_ON))
        raise
    finally:
        for bar in bars:
            bar.close()
    result = outcome(run, stop, message if stop == GTOL_MET else None)
    if settings.seed is not None:
        result.seed = settings.seed
    if options["disp"]:
        display(result, stacklevel=3)
    return result


def _annotate(error, result):
    """Add to an exception of the user's function how far the run had come."""
    if result.nit:
        error.add_note(f"Raised after step {result.nit}; the best fun so far is {result.fun!r}: see .result")
    try:
        error.result = result
    except AttributeError:  # an exception with __slots__
        pass
