"""Thousands of problems of one kind in one call: in parallel, in compiled code, each with an end of its own."""

from collections.abc import Callable, Mapping
from time import perf_counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from numbaopt.api.minimize import Gradient, bounded, find, is_spsa, run
from numbaopt.api.scipy_methods import is_scipys
from numbaopt.common.validation import describe, real_array, whole
from numbaopt.drivers.compiled_loop import SLICE
from numbaopt.drivers.options import refuse, settle, split
from numbaopt.drivers.progress import Bar
from numbaopt.drivers.run import Run
from numbaopt.drivers.stopping import BAD_X, MAXTIME, RAISED, STOPPED
from numbaopt.lowering.layout import TABLE, layout, powers
from numbaopt.many.result import ManyResult, ResultTable
from numbaopt.many.workers import ThreadPool
from numbaopt.methods.rule import Rule
from numbaopt.objectives import factory
from numbaopt.objectives.bounds import read_bounds
from numbaopt.results.result import OptimizationInterrupted, Result

if TYPE_CHECKING:
    from numbaopt.solvers.solver import Solver


def minimize_many(
    fun: Callable[..., Any],
    X0: Any,
    args: Any = (),
    data: Any = (),
    method: "str | Rule | Solver | None" = "adam",
    jac: Gradient = None,
    bounds: Any = None,
    tol: float | None = None,
    callback: Callable[..., Any] | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    threads: int | None = None,
) -> ManyResult:
    """Minimise many functions that differ in their start and their data: thousands of small fits, say.

    Problem ``b`` is ``minimize(fun, X0[b], args=(data[0][b], data[1][b], ..., *args), method, jac, ...)``, and has
    that result, to the bit. One that fails does not touch the others.

    Parameters
    ----------
    fun : callable
        ``fun(x, *row, *args) -> float``, where ``row`` has one row of each array in `data`. One compiled by Numba
        (``@njit``) is solved in compiled code, on several threads; any other in Python, one problem after another.
    X0 : array_like, shape (B, ...)
        A start for each problem. float32 stays. One that is not finite is a problem that fails.
    args : tuple
        Further arguments, the same for all problems.
    data : array, or tuple of arrays, each of B rows
        What each problem has of its own.
    method : str or Rule
        A rule or a solver ("lbfgs") of ours, as in `minimize`.
    jac : callable, True, "inplace", "autograd", "2-point", "3-point", "cs" or None
        As in `minimize`.
    bounds : as in `minimize`, for all problems; or `scipy.optimize.Bounds` with arrays of B rows, or shape (B, n, 2)
        Bounds of each problem.
    tol : float
        The same as ``options["gtol"]``.
    callback : callable
        Called some twenty times a second, as ``callback(intermediate_result)`` with ``done`` and ``total``, numbers of
        problems; StopIteration ends the run.
    options : dict
        As in `minimize`; ``check_grad`` is for the first problem. A hyperparameter may be an array of B numbers, one
        for each problem. ``maxtime`` is for the whole call. With ``disp`` or ``progress`` a progress bar is shown, on a
        terminal or in a notebook.
    threads : int
        By default as many as Numba has, ``numba.get_num_threads()``. For an objective in Python there is one.

    Returns
    -------
    ManyResult
        x and jac of shape (B, ...), fun, success, status, nit, nfev of shape (B,), message, a summary; and errors, what
        ``fun`` raised, by the number of the problem. ``result[b]`` is the `Result` of one problem. Status is as in
        `minimize`; 7: ``fun`` raised an exception; 4: not begun, or not finished.

    Raises
    ------
    TypeError, ValueError
        For what cannot be, before anything is evaluated.
    OptimizationInterrupted
        At Ctrl-C; its ``result`` is what is done so far.
    Exception
        What ``fun`` raised, if it raised for every problem.

    Examples
    --------
    >>> import numpy as np
    >>> from numba import njit
    >>> from numbaopt import minimize_many
    >>> @njit
    ... def bowl(x, grad, centre):
    ...     grad[:] = 2 * (x - centre)
    ...     return ((x - centre) ** 2).sum()
    >>> centres = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    >>> result = minimize_many(bowl, np.zeros((3, 2)), data=centres, method="lbfgs", jac="inplace")
    >>> result.x
    array([[0., 1.],
           [2., 3.],
           [4., 5.]])
    """
    starts = _starts(X0)
    total, shape = len(starts), starts.shape[1:]
    rows = _rows(data, total)
    if is_scipys(method):
        raise ValueError(f"SciPy's {method} takes one problem at a time: see minimize. Of ours take lbfgs, say")
    if is_spsa(jac):
        raise ValueError("jac='spsa' is for minimize: there each problem may have a seed of its own")
    rule = find(method)
    hyper, given, unknown = split(rule, options)
    refuse(rule, unknown)
    settled = settle(given, tol, False)
    if settled["history"]:
        raise ValueError("history is for one problem, as minimize keeps it; of many there are results only")
    own = {name: _own(rule, name, hyper.pop(name), total) for name in list(hyper) if np.ndim(hyper[name])}
    rule = rule(**hyper, **{name: values[0] for name, values in own.items()})
    threads = numba.get_num_threads() if threads is None else whole(threads, "threads", 1)
    limits = _limits(bounds, starts)
    objective = factory.make(fun, np.zeros(shape, starts.dtype), args, jac, None, settled["finite_diff_rel_step"])
    if limits is not None:
        objective.bounds = limits[0, 0], limits[1, 0]
    spent = _checked(fun, starts, rows, objective, jac) if settled["check_grad"] else (0, 0)
    one = Run(objective, rule if limits is None else bounded(rule), objective.bounds, settled)
    ends = ResultTable(starts.reshape(total, -1))
    watch = _Watch(callback, total, settled["disp"], settled["progress"])
    alike = limits is None or limits.shape[1] == 1 or objective.analytic
    try:
        if not rule.has_reported_point and alike and objective.compiled(each=rows) is not None:
            numbers = _numbers(one.rule, own, total)
            box = np.zeros((2, 1, 0), starts.dtype) if limits is None else limits
            ThreadPool(one, ends, box, numbers, rows, watch).solve(threads)
        else:
            each = _each(fun, starts, rows, objective.args, rule, own, jac, limits, given, tol)
            _one_by_one(each, ends, one, watch)
    except KeyboardInterrupt as interrupt:
        raise OptimizationInterrupted(ends.result(shape, one, limits)) from interrupt
    finally:
        watch.close()
    result = ends.result(shape, one, limits)
    if len(result.errors) == total:
        error = result.errors[0]
        error.add_note(f"So ended all {total} problems; this is what the first one raised.")
        raise error
    result.nfev[0] += spent[0]
    result.njev[0] += spent[1]
    if settled["disp"]:
        print(result.message)
    return result


def _each(fun, starts, rows, args, rule, own, jac, limits, given, tol):
    """Return a function that minimises one problem, called by its number."""
    left = ("check_grad", "disp", "progress", "maxtime")
    given = {name: value for name, value in given.items() if name not in left}

    def minimise(b):
        method = rule(**{name: values[b] for name, values in own.items()}) if own else rule
        between = None
        if limits is not None:
            lower, upper = limits[:, b % limits.shape[1]]
            between = SimpleNamespace(lb=lower, ub=upper)
        row = tuple(np.copy(array[b])[()] for array in rows)
        return run(method, fun, starts[b], (*row, *args), jac, between, (), tol, None, given, {})

    return minimise


def _checked(fun, starts, rows, objective, jac):
    """Compare the first problem's gradient with differences; return the evaluations."""
    from numbaopt.objectives.check.gradient_check import check_first

    first = factory.make(fun, starts[0], (*(np.copy(array[0])[()] for array in rows), *objective.args), jac)
    first.bounds = objective.bounds
    check_first(first, None)
    return first.spent


def _one_by_one(minimise, ends, one, watch):
    """Solve the problems in Python."""
    last = perf_counter()
    for b, start in enumerate(ends.points.copy()):
        if not np.isfinite(start).all():
            ends.mark(b, BAD_X)
            continue
        try:
            ends.take(b, minimise(b))
        except Exception as error:
            if hasattr(error, "result"):  # how far it had come
                ends.take(b, error.result)
                del ends.messages[b]
            ends.errors[b] = error
            ends.mark(b, RAISED)
        if perf_counter() > last + SLICE:
            last = perf_counter()
            verdict = STOPPED if watch(b + 1) else MAXTIME if one.deadline is not None and last >= one.deadline else 0
            if verdict:
                return ends.mark(slice(b + 1, None), verdict)
    watch(len(ends.points))


def _starts(X0):
    """Return the starts: an array whose first axis is the problem, float32 or float64."""
    starts = real_array(X0, "X0", True)
    if starts.dtype.kind == "c":
        raise TypeError(f"X0 must be real, not {starts.dtype}; minimize takes a complex x0, one problem at a time")
    if starts.ndim < 2:
        raise ValueError(f"X0 has a row for each problem, shape (B, n), not {starts.shape}; for one see minimize")
    if not starts.size:
        raise ValueError(f"X0 has shape {starts.shape}: there is no problem to solve")
    return np.array(starts, starts.dtype.newbyteorder("=") if starts.dtype.kind == "f" else float, order="C")


def _rows(data, total):
    """Return what each problem has of its own: C-contiguous arrays of as many rows as there are problems."""
    things = data if isinstance(data, tuple) else (data,)
    rows = []
    for i, thing in enumerate(things):
        try:
            array = np.ascontiguousarray(thing)
        except ValueError as error:
            raise ValueError(f"data[{i}] makes no array: {error}") from None
        if not np.ndim(thing) or len(array) != total:
            given = f"{len(array)} rows" if np.ndim(thing) else describe(thing)
            raise ValueError(f"data[{i}] must have {total} rows, as X0, not {given}; what all share goes into args")
        rows.append(array.astype(array.dtype.newbyteorder("="), copy=False))
    return tuple(rows)


def _own(rule, name, values, total):
    """Return a hyperparameter's numbers, one for each problem."""
    values = real_array(values, name).astype(float)
    if values.shape != (total,):
        raise ValueError(f"{name} is one number, or one for each of the {total} problems; not {describe(values)}")
    if len(np.unique(values != 0)) > 1 and isinstance(rule, Rule) and name != "lr":
        raise ValueError(f"{name} is zero for some problems only, and these are compiled apart: split X0 in two")
    for extreme in (values.min(), values.max()):
        rule(**{name: float(extreme)})  # raises what is wrong with it
    return values.tolist()


def _limits(bounds, starts):
    """Return lower and upper bounds, shape (2, B, n), or (2, 1, n) where they are the same for all; or None."""
    total, n = len(starts), starts[0].size
    lower = upper = None
    if hasattr(bounds, "lb") and max(np.ndim(bounds.lb), np.ndim(bounds.ub)) > 1:
        lower, upper = bounds.lb, bounds.ub
    elif isinstance(bounds, np.ndarray) and bounds.ndim > 2:
        if bounds.shape[-1] != 2:
            raise ValueError(f"bounds are pairs, in an array of shape {(*starts.shape, 2)}, not {bounds.shape}")
        lower, upper = bounds[..., 0], bounds[..., 1]
    if lower is None:
        limits = read_bounds(bounds, n, starts.dtype)
        return None if limits is None else np.array(limits)[:, None]
    if np.iscomplexobj(lower) or np.iscomplexobj(upper):
        raise TypeError("bounds are real numbers, and these are complex; see .real, where that is all there is to it")
    try:
        lower, upper = (np.broadcast_to(np.asarray(side, float), starts.shape).ravel() for side in (lower, upper))
    except ValueError:
        given = f"shapes {np.shape(lower)} and {np.shape(upper)}"
        raise ValueError(f"bounds are of X0's shape {starts.shape}, or the same for all; not {given}") from None
    limits = read_bounds(SimpleNamespace(lb=lower, ub=upper), total * n, starts.dtype)
    return None if limits is None else np.array(limits).reshape(2, total, n)


def _numbers(rule, own, total):
    """Return what h starts from: a row for each problem, or one for all."""
    numbers = np.repeat(rule.h[None], total if own else 1, axis=0)
    if not own:
        return numbers
    if not isinstance(rule, Rule):
        for name, values in own.items():
            numbers[:, list(rule.hyper).index(name)] = values
        return numbers
    places, _ = layout(rule.program)
    if any(name in str(text) for name in own for math, _ in rule._stages for text in math.starts.values()):
        return np.array([rule(**{k: values[b] for k, values in own.items()}).h for b in range(total)])
    for name, values in own.items():
        if name in places:
            numbers[:, rule.place(name)] = values
        if name in rule.program.powers:
            at = rule.table(name)
            for b, value in enumerate(values):
                numbers[b, at : at + TABLE] = powers(value)
    return numbers


class _Watch:
    """What looks on: a progress bar, a callback."""

    def __init__(self, callback, total, disp, progress):
        if callback is not None and not callable(callback):
            raise TypeError(f"callback is a function of intermediate_result, not {describe(callback)}")
        self.callback, self.total = callback, total
        self.bar = Bar(progress) if progress or disp else None

    def __call__(self, done):
        """Tell how many problems are done; return whether to stop."""
        if self.bar is not None:
            self.bar.draw(done, self.total, "problems", last=done == self.total)
        if self.callback is None:
            return False
        try:
            self.callback(Result(done=done, total=self.total))
        except StopIteration:
            return True
        return False

    def close(self):
        """Leave the bar as it stands."""
        if self.bar is not None:
            self.bar.close()
