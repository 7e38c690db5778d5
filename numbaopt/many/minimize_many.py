"""`minimize_many`: thousands of similar problems in one call, in parallel and in compiled code."""

from collections.abc import Callable, Mapping
from time import perf_counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from numbaopt.api.minimize import Gradient, solve
from numbaopt.api.settings import Settings, bounded, find, is_scipys
from numbaopt.common.validation import describe, whole
from numbaopt.drivers.compiled_loop import SLICE
from numbaopt.drivers.options import refuse, split
from numbaopt.drivers.progress import Bar
from numbaopt.drivers.run import Run
from numbaopt.drivers.stopping import BAD_X, MAXTIME, RAISED, STOPPED
from numbaopt.drivers.termination import STATUS
from numbaopt.many.inputs import read_bounds_of_each, read_rows, read_starts, read_values, start_numbers
from numbaopt.many.result import ManyResult, ResultTable
from numbaopt.many.workers import ThreadPool
from numbaopt.objectives.problem import Problem, is_spsa
from numbaopt.results.result import OptimizationInterrupted, Result

if TYPE_CHECKING:
    from numbaopt.methods.rule import Rule
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
    """Minimize many functions that differ in their starting points and their data, such as thousands of small fits.

    Problem ``b`` is ``minimize(fun, X0[b], args=(data[0][b], data[1][b], ..., *args), method, jac, ...)`` and has the
    same result, bit for bit. A problem that fails does not affect the others.

    Parameters
    ----------
    fun : callable
        ``fun(x, *row, *args) -> float``, where ``row`` has one row of each array in `data`. With a function compiled by
        Numba (``@njit``), the problems are solved in compiled code, on several threads; with any other function, in
        Python, one after another.
    X0 : array_like, shape (B, ...)
        A starting point for each problem. float32 arrays stay float32. A problem whose starting point is not finite
        fails.
    args : tuple, optional
        Further arguments of ``fun`` and ``jac``, the same for all problems.
    data : array, or tuple of arrays, each of B rows, optional
        Arguments that differ from problem to problem: each problem gets one row of each array.
    method : str, Rule or Solver
        A method of this package, as in `minimize`.
    jac : callable, True, "inplace", "autograd", "2-point", "3-point", "cs" or None
        The gradient, as in `minimize`.
    bounds : optional
        As in `minimize`, the same for all problems; or bounds for each problem: `scipy.optimize.Bounds` with arrays of
        B rows, or an array of shape (B, n, 2).
    tol : float, optional
        The same as ``options["gtol"]``.
    callback : callable, optional
        Called about twenty times a second, as ``callback(intermediate_result)`` with the attributes ``done`` and
        ``total``, numbers of problems. StopIteration ends the run.
    options : dict, optional
        As in `minimize`. A hyperparameter may be an array of B numbers, one for each problem. ``maxtime`` limits the
        whole call. ``check_grad`` checks the gradient of the first problem. ``disp`` and ``progress`` show a progress
        bar, on a terminal or in a notebook.
    threads : int, optional
        The number of threads, by default ``numba.get_num_threads()``. With an objective in Python it is always one.

    Returns
    -------
    ManyResult
        x and jac have the shape (B, ...); fun, success, status, nit and nfev have the shape (B,); message is a summary;
        errors has the exceptions that ``fun`` raised, by the number of the problem. ``result[b]`` is the `Result` of
        one problem. Status is that of `minimize`, and 7 where ``fun`` raised an exception; 4 also stands for a problem
        that was not started.

    Raises
    ------
    TypeError, ValueError
        For invalid arguments, before anything is evaluated.
    OptimizationInterrupted
        At Ctrl-C: its ``result`` is the `ManyResult` so far.
    Exception
        The exception that ``fun`` raised for the first problem, if it raised one for every problem.

    Examples
    --------
    >>> import numpy as np
    >>> from numba import njit
    >>> from numbaopt import minimize_many
    >>> @njit
    ... def bowl(x, grad, center):
    ...     grad[:] = 2 * (x - center)
    ...     return ((x - center) ** 2).sum()
    >>> centers = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    >>> result = minimize_many(bowl, np.zeros((3, 2)), data=centers, method="lbfgs", jac="inplace")
    >>> result.x
    array([[0., 1.],
           [2., 3.],
           [4., 5.]])
    """
    many = _Many(fun, X0, args, data, method, jac, bounds, tol, options)
    threads = numba.get_num_threads() if threads is None else whole(threads, "threads", 1)
    disp, progress = many.settings.options["disp"], many.settings.options["progress"]
    watch = _Watch(callback, many.total, disp, progress)
    check_counts = many.check_gradient() if many.settings.options["check_grad"] else (0, 0)
    many.begin()
    try:
        many.solve(threads, watch)
    except KeyboardInterrupt as interrupt:
        raise OptimizationInterrupted(many.result()) from interrupt
    finally:
        watch.close()
    result = many.result()
    if len(result.errors) == many.total:
        error = result.errors[0]
        error.add_note(f"This is the exception of the first problem; all {many.total} problems raised one.")
        raise error
    result.nfev[0] += check_counts[0]
    result.njev[0] += check_counts[1]
    if disp:
        print(result.message)
    return result


class _Many:
    """The problems of one call; the parameters are those of `minimize_many`."""

    def __init__(self, fun, X0, args, data, method, jac, bounds, tol, options):
        self.starts = read_starts(X0)
        self.total, self.shape = len(self.starts), self.starts.shape[1:]
        self.rows = read_rows(data, self.total)
        if is_scipys(method):
            text = f"SciPy's {method} solves one problem at a time: use minimize"
            raise ValueError(f"{text}, or a method of numbaopt, such as lbfgs")
        if is_spsa(jac):
            raise ValueError("jac='spsa' is for minimize, in which each problem can have its own seed")
        rule = find(method)
        hyper, others, unknown = split(rule, options)
        refuse(rule, unknown)
        self.settings, self.tol, self.others = Settings(others, tol), tol, others
        if self.settings.options["history"]:
            raise ValueError("history is an option of minimize only; minimize_many does not record histories")
        arrays = [name for name in hyper if np.ndim(hyper[name])]
        self.values = {name: read_values(rule, name, hyper.pop(name), self.total) for name in arrays}
        self.rule = rule(**hyper, **{name: values[0] for name, values in self.values.items()})
        self.bounds = read_bounds_of_each(bounds, self.starts)
        problem = Problem(fun, np.zeros(self.shape, self.starts.dtype), args, jac)
        if self.bounds is not None:
            problem.bounds = self.bounds[0, 0], self.bounds[1, 0]
        self.problem = problem
        self.objective = problem.objective(self.settings.options["finite_diff_rel_step"])
        self.bounded_rule = self.rule if self.bounds is None else bounded(self.rule)
        self.table = ResultTable(self.starts.reshape(self.total, -1))

    def begin(self):
        """Start the clock, and allocate the memory of one run."""
        self.run = Run(self.objective, self.bounded_rule, self.problem.bounds, self.settings.options)

    def check_gradient(self):
        """Check the gradient of the first problem by finite differences; return the evaluations that this took."""
        from numbaopt.objectives.check.gradient_check import check_first

        first = Problem(self.problem.fun, self.starts[0], self._args(0), self.problem.jac)
        first.bounds = self.problem.bounds
        objective = first.objective()
        check_first(objective, None)
        return objective.spent

    def _args(self, b):
        """Return the arguments of one problem: its rows of data, and the arguments that all problems share."""
        return (*(np.copy(array[b])[()] for array in self.rows), *self.problem.args)

    def solve(self, threads, watch):
        """Solve all problems, in compiled code if that is possible."""
        same_cost = self.bounds is None or self.bounds.shape[1] == 1 or self.objective.analytic
        if not self.rule.has_reported_point and same_cost and self.objective.compiled(each=self.rows) is not None:
            numbers = start_numbers(self.run.rule, self.values, self.total)
            bounds = np.zeros((2, 1, 0), self.starts.dtype) if self.bounds is None else self.bounds
            ThreadPool(self.run, self.table, bounds, numbers, self.rows, watch).solve(threads)
        else:
            self._solve_in_python(watch)

    def _solve_in_python(self, watch):
        """Solve one problem after another."""
        of_call = ("check_grad", "disp", "progress", "maxtime")  # these apply to the whole call
        options = {name: value for name, value in self.others.items() if name not in of_call}
        settings = Settings(options, self.tol)
        last = perf_counter()
        for b, start in enumerate(self.table.points.copy()):
            if not np.isfinite(start).all():
                self.table.mark(b, BAD_X)
                continue
            if self.run.deadline is not None:
                options["maxtime"] = max(0.0, self.run.deadline - perf_counter())
                settings = Settings(options, self.tol)
            try:
                result = self._minimize(b, settings)
                self.table.store(b, result)
                if result.status == STATUS[MAXTIME]:  # the message is to name the option of the whole call
                    del self.table.messages[b]
                    self.table.mark(b, MAXTIME)
            except BaseException as error:
                if hasattr(error, "result"):  # the result so far
                    self.table.store(b, error.result)
                    del self.table.messages[b]
                if not isinstance(error, Exception):  # Ctrl-C
                    raise
                self.table.errors[b] = error
                self.table.mark(b, RAISED)
            if perf_counter() > last + SLICE:
                last, deadline = perf_counter(), self.run.deadline
                stop = STOPPED if watch(b + 1) else MAXTIME if deadline is not None and last >= deadline else 0
                if stop:
                    return self.table.mark(slice(b + 1, None), stop)
        watch(self.total)

    def _minimize(self, b, settings):
        """Return the result of one problem."""
        rule = self.rule(**{name: values[b] for name, values in self.values.items()}) if self.values else self.rule
        bounds = None
        if self.bounds is not None:
            lower, upper = self.bounds[:, b % self.bounds.shape[1]]
            bounds = SimpleNamespace(lb=lower, ub=upper)
        problem = Problem(self.problem.fun, self.starts[b], self._args(b), self.problem.jac, bounds)
        return solve(rule, problem, settings)

    def result(self):
        """Return the `ManyResult` so far."""
        return self.table.result(self.shape, self.run, self.bounds)


class _Watch:
    """Shows a progress bar and calls the callback, about twenty times a second."""

    def __init__(self, callback, total, disp, progress):
        if callback is not None and not callable(callback):
            raise TypeError(f"callback must be a function of intermediate_result, not {describe(callback)}")
        self.callback, self.total = callback, total
        self.bar = Bar(progress) if progress or disp else None

    def __call__(self, done):
        """Report how many problems are solved; return whether to stop."""
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
        """Leave the bar as it is."""
        if self.bar is not None:
            self.bar.close()
