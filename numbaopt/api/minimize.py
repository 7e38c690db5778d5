"""The SciPy-shaped facade: read what was given, choose a driver, return a result."""

import os
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from numbaopt.api.callbacks import read_callback
from numbaopt.api.scipy_methods import METHODS, is_scipys, through_scipy
from numbaopt.common.suggest import closest
from numbaopt.common.tree import flatten
from numbaopt.data.batches import Batches, entropy, is_stream
from numbaopt.drivers.checkpoint import EVERY, keeper
from numbaopt.drivers.drive import drive
from numbaopt.drivers.options import RECORDS, refuse, settle, split
from numbaopt.drivers.outcome import FIXED, display, outcome, unbounded
from numbaopt.drivers.progress import Progress
from numbaopt.drivers.run import Run
from numbaopt.drivers.stopping import GO_ON, GTOL_MET
from numbaopt.methods.chain import chain
from numbaopt.methods.method import Method
from numbaopt.methods.registry import get, names
from numbaopt.methods.rule import Rule
from numbaopt.objectives import factory
from numbaopt.objectives.bounds import read_bounds, refuse_complex
from numbaopt.objectives.spsa import Spsa
from numbaopt.results.result import OptimizationInterrupted, Result

if TYPE_CHECKING:
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
    """Minimise a function of one or more variables, on all data at once or by minibatches.

    A drop-in for `scipy.optimize.minimize`, with first-order methods that need no line search.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> float``; with data, ``fun(x, *batch, *args)``, the mean over the batch. One
        compiled by Numba (``@njit``) is called from compiled code: without a callback, the run stays there.
    x0 : array_like, or dict, list or tuple of arrays
        The start. It is not written. ``fun`` sees the same structure, the result has it; float32 stays. Complex
        arrays stay complex: see Notes.
    args : tuple
        Further arguments of ``fun`` and ``jac``.
    method : str or Rule
        A rule, ``adam(lr=1e-2)``, its name, or the name of a method of SciPy, which is then called.
    jac : callable, True, "inplace", "autograd", "2-point", "3-point", "cs", "spsa" or None
        The gradient: a function; True when ``fun`` returns ``(f, g)``; "inplace" when ``fun(x, grad, *args)``
        fills ``grad``; "autograd", exact, when ``fun`` is written with ``autograd.numpy`` for NumPy (extra
        ``autograd``); "spsa", for noisy functions, a random estimate from two evaluations, whatever x's size;
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
        ``progress``, whether to show a progress bar, on a terminal or in a notebook: this needs tqdm, ``pip install
        "numbaopt[progress]"`` (with ``disp`` there is one if tqdm is installed);
        ``history``, True for a `numbaopt.drivers.recorder.History` of the run as ``result.history``: arrays nit, fun, norm, lr
        and seconds with an entry for each step; "x" for all the points, too;
        ``check_grad``, whether to compare the gradient with differences before the run, which counts in nfev, but not
        for maxfev: see `numbaopt.check_grad`;
        ``return``, the "best" or the "last" iterate;
        ``nonfinite``, what to do where fun or a gradient is not finite: "stop", "skip" it (evaluate again; with data
        take the next batch, without a step) or "shrink" the step (the same, half way back to the best point; with data
        to the last); after 50 in a row the run stops; ``finite_diff_rel_step``, as in SciPy;
        ``spsa_c`` (0.1), ``spsa_gamma`` (0.101): step k with "spsa" looks ``spsa_c / k**spsa_gamma`` to both
        sides of each entry, so spsa_c is about as large as the noise of fun over its slope.
    data : tuple of arrays, or an iterable of batches
        What minibatches are taken of: see `numbaopt.data.batches.Batches`.
    batch_size, epochs, shuffle, seed, drop_last : int, int, bool, int, bool
        Rows a batch; passes over the data (1); whether each takes the rows in a new order, and by which seed;
        whether a shorter last batch is left out. The estimates of "spsa" follow from seed, too.
    checkpoint : path, optional
        Where to write all that the run is: atomically, every `checkpoint_every` seconds and when it ends, also by
        Ctrl-C or an exception. A file there that is not a checkpoint is not overwritten.
    checkpoint_every : float
        Seconds; 0 for each time that the driver looks up: after every step of an objective in Python, some twenty
        times a second of a compiled one.
    resume : path, or True
        A checkpoint to go on from, to the bits of a run that was never broken off; True for that in `checkpoint`,
        and a fresh start where there is none yet. Its problem, method and hyperparameters, seed included, must be
        these, of which x0's numbers, args and what data holds are not compared; maxiter, maxfev, maxtime, epochs,
        callback, gtol and ftol may be others. maxtime counts anew.

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
        Among it a checkpoint that is damaged, or of another problem.
    OSError
        For a checkpoint that cannot be written or read, before anything is evaluated. Should it fail later, that is a
        RuntimeWarning, and the run goes on.
    OptimizationInterrupted
        At Ctrl-C: a KeyboardInterrupt whose ``result`` is the best so far. What a function of yours raises
        passes as it is, with that attribute.

    Notes
    -----
    Of complex parameters the real and the imaginary parts are coordinates apart, as in torch.optim: a rule steps
    ``x.view(float)``. ``fun`` sees complex arrays and returns a real number; the gradient is complex,
    dL/dRe + 1j dL/dIm, the direction of steepest ascent: torch's ``x.grad``, the conjugate of JAX's, twice the
    Wirtinger derivative by conj(x). For ``(abs(A @ x - b) ** 2).sum()`` it is ``2 * A.conj().T @ (A @ x - b)``.
    Finite differences and "autograd" follow it; gtol is for the largest part. "cs" and bounds are for real x.

    Examples
    --------
    >>> from numbaopt import minimize
    >>> def fun(x):
    ...     return ((x - 1) ** 2).sum(), 2 * (x - 1)
    >>> result = minimize(fun, [3.0, -2.0], jac=True, method="adam", options={"lr": 0.1})
    >>> result.success, result.x.round(4)
    (True, array([1., 1.]))

    Phase retrieval: a complex signal from the magnitudes of what is measured, up to a common phase.

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
    feed = _feed(data, batch_size, epochs, shuffle, seed, drop_last)
    if is_scipys(method):
        if feed:
            raise ValueError(f"{next(iter(feed))} is for rules; SciPy's {method} takes no minibatches")
        if is_spsa(jac):
            raise ValueError(f"jac='spsa' is for rules; SciPy's {method} takes no random gradients")
        for name, value in (("checkpoint", checkpoint), ("resume", resume)):
            if value not in (None, False):
                raise ValueError(f"{name} is for rules and solvers of numbaopt; SciPy's {method} writes no checkpoints")
        for name in RECORDS:
            if isinstance(options, Mapping) and options.get(name):
                raise ValueError(f"{name} is for methods of ours; for SciPy's {method} let a callback see to it")
        given = (hess, hessp, bounds, constraints, tol, callback, options)
        return through_scipy(fun, x0, args, method, jac, *given)
    rule = find(method)
    for name, given, what in (("hess", hess, "Hessian"), ("hessp", hessp, "Hessian-vector product")):
        if given is not None:
            text = f"Method {rule.name} does not use {what} information ({name})."
            warnings.warn(text, RuntimeWarning, stacklevel=2)
    hyper, given, unknown = split(rule, options)
    refuse(rule, unknown)
    keep = keeper(checkpoint, checkpoint_every, resume)
    return run(rule(**hyper), fun, x0, args, jac, bounds, constraints, tol, callback, given, feed, keep)


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
    """Minimise as SciPy asks a custom method to: options are keywords, and an unknown one is a warning.

    A Hessian is not used, and nothing is said about it: some callers hand one to every method. So do they with
    bounds, and SciPy's methods that take none go on with a warning; here an answer outside is then no success.
    """
    feed = _feed(data, batch_size, epochs, shuffle, seed, drop_last)
    hyper, given, unknown = split(rule, options)
    if unknown:
        from scipy.optimize import OptimizeWarning

        text = f"Unknown solver options: {', '.join(map(str, unknown))}"
        warnings.warn(text, OptimizeWarning, stacklevel=4)
    keep = keeper(checkpoint, checkpoint_every, resume)
    rule, unheeded = rule(**hyper), None
    if bounds is not None and not (isinstance(rule, Rule) or rule.bounded):
        structure, flat = flatten(x0)
        refuse_complex(bounds, structure)
        unheeded, bounds = read_bounds(bounds, flat.size, flat.dtype), None
        if unheeded is not None:
            warnings.warn(f"Method {rule.name} cannot handle bounds.", RuntimeWarning, stacklevel=4)
    result = run(rule, fun, x0, args, jac, bounds, constraints, tol, callback, given, feed, keep)
    return result if unheeded is None else unbounded(result, unheeded)


Method.minimizer = staticmethod(as_scipy_method)


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


def run(rule, fun, x0, args, jac, bounds, constraints, tol, callback, options, feed, keep=None):
    """Minimise with a rule or solver; options are those of every run, and `keep` is what `checkpoint.keeper` gives."""
    if constraints is not None and not (isinstance(constraints, (tuple, list, dict)) and not constraints):
        taken = "bounds, but no other" if isinstance(rule, Rule) or rule.bounded else "neither bounds nor"
        raise ValueError(f"{rule.name} takes {taken} constraints; SLSQP and trust-constr do")
    spsa, feed = is_spsa(jac), dict(feed)
    if keep is not None:
        feed = keep.seeded(feed, spsa)
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
    objective = factory.make(fun, x0, args, jac, None, rel_step, estimates if spsa else None)
    refuse_complex(bounds, objective.structure)
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
    _forgiving(rule, options["nonfinite"], batches)
    if not spsa:  # to repeat a run for which none was given
        seed = batches.seed if batches is not None and batches.shuffle else None
    bars = [Progress(options["progress"])] if options["progress"] or options["disp"] else []
    watchers = [bar for bar in bars if bar.bar.seen]
    keepers, drive_ = ([], drive) if keep is None else (keep.watchers, keep.drive)
    one = Run(objective, rule, limits, options, batches, [*watchers, *keepers])
    if keep is not None:
        keep.take(one, rule, options, seed)  # or refuse it, before anything is evaluated
    if options["check_grad"]:
        from numbaopt.objectives.check.gradient_check import check_first

        check_first(objective, batches)
    try:
        verdict = drive_(one, notify)
        one.settle()
    except KeyboardInterrupt as interrupt:
        raise OptimizationInterrupted(outcome(one, GO_ON)) from interrupt
    except Exception as error:
        _annotate(error, outcome(one, GO_ON))
        raise
    finally:
        for watch in watchers:
            watch.close()
    result = outcome(one, verdict, message if verdict == GTOL_MET else None)
    if seed is not None:
        result.seed = seed
    if options["disp"]:
        display(result, stacklevel=3)
    return result


def bounded(rule):
    """Return a method that stays between bounds."""
    if isinstance(rule, Rule):
        from numbaopt.transforms import box

        return chain(rule, box)
    if not rule.bounded:
        others = "every rule does, adam among them, and barzilai_borwein, and SciPy's L-BFGS-B"
        raise ValueError(f"{rule.name} takes no bounds; {others}")
    return rule


def _forgiving(rule, policy, batches):
    """Raise where a method cannot go on after what is not finite in the way that was asked for."""
    if policy == "stop":
        return
    if not isinstance(rule, Rule):
        text = f"nonfinite={policy!r} is for rules; {rule.name} takes shorter steps by itself where fun is not finite"
        raise ValueError(text)
    if batches is not None and rule.gradients_per_step > 1:
        raise ValueError(
            f"nonfinite={policy!r} passes batches over, and {rule.name} takes {rule.gradients_per_step} gradients of each"
        )


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
