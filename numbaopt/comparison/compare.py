"""Several methods on one objective, side by side: the quickest way to choose one."""

import math
from collections.abc import Iterable, Mapping
from time import perf_counter

from numbaopt.api.minimize import solve
from numbaopt.api.settings import Settings, find, is_scipys, read_method, read_minibatch
from numbaopt.common.validation import describe
from numbaopt.comparison.comparison import Comparison
from numbaopt.comparison.scipy_history import ScipyRun, unknown_to_scipy
from numbaopt.data.batches import Batches, entropy, is_stream
from numbaopt.drivers.options import refuse, split
from numbaopt.objectives.check.gradient_check import check_first
from numbaopt.objectives.problem import Problem, is_spsa
from numbaopt.results.result import OptimizationInterrupted


def compare(
    fun,
    x0,
    methods,
    *,
    args=(),
    jac=None,
    hess=None,
    bounds=None,
    tol=None,
    options=None,
    data=None,
    batch_size=None,
    epochs=None,
    shuffle=True,
    seed=None,
    drop_last=False,
):
    """Minimize a function by several methods, one after another, and compare the results.

    Parameters
    ----------
    fun, x0, args, jac, bounds, tol
        As in `minimize`.
    methods : sequence of str, Rule or callable; or dict of label to one of these
        Names of methods of this package or of SciPy, rules with hyperparameters, as ``adam(lr=0.1)``, or custom methods
        by SciPy's protocol.
    hess : callable, optional
        The Hessian, for those methods of SciPy that use it.
    options : dict, optional
        As in `minimize`. Each method receives the options that it knows; `Comparison.unused` lists the others. An
        option that no method knows is an error. A rule such as ``adam(lr=0.1)`` keeps its own hyperparameters; those in
        options are for methods given by name. The history is always recorded; ``"history": "x"`` also records the
        points. With ``check_grad`` the gradient is checked once, before all runs.
    data, batch_size, epochs, shuffle, seed, drop_last
        As in `minimize`. Every method uses the same batches.

    Returns
    -------
    Comparison
        The results by label, the best first. It prints as a table.

    Raises
    ------
    TypeError, ValueError
        For invalid methods or options, before anything is evaluated. An exception in the run of one method goes into
        its row of the table.
    OptimizationInterrupted
        At Ctrl-C: its ``result`` is the `Comparison` so far, including the interrupted run.

    Notes
    -----
    Seconds are those of the minimization alone: each method is first run for one step, which compiles or loads what it
    needs, and costs one or two evaluations that are not counted. (What is compiled during a run of more than half a
    second is counted.)

    The histories of SciPy's methods are recorded by a function around the objective, which costs about a microsecond an
    evaluation. They have an entry for each iteration: fun, or the lowest fun so far where SciPy's callback does not
    report it, and the norm of the gradient evaluated last, NaN without jac.

    Examples
    --------
    >>> from numbaopt import compare
    >>> def fun(x):
    ...     return ((x - 1) ** 2).sum(), 2 * (x - 1)
    >>> found = compare(fun, [3.0, -2.0], ["adam", "BFGS"], jac=True, options={"lr": 0.1})
    >>> list(found), found.best.nfev, found.unused
    (['BFGS', 'adam'], 4, {'BFGS': ('lr',)})
    """
    methods = _read_methods(methods)
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"options is a mapping of names to values, not {describe(options)}")
    if hasattr(data, "__next__"):
        text = "data can be iterated only once, but each method needs all of it"
        raise ValueError(f"{text}: pass arrays, or an object whose __iter__ starts again each time")
    options = dict(options or {})
    check = options.pop("check_grad", False) is True  # once, and not counted among any method's evaluations
    options["history"] = options.get("history") or True
    known, unused = _distribute(methods, options)
    problem = Problem(fun, x0, args, jac, bounds)
    if not isinstance(seed, int) and (is_spsa(jac) or data is not None and shuffle and not is_stream(data)):
        seed = entropy(seed)  # the same for all methods
    minibatch = read_minibatch(data, batch_size, epochs, shuffle, seed, drop_last)
    if check:
        check_first(problem.objective(), None if data is None else Batches(**minibatch | {"seed": None}))
    scipys = {"args": args, "hess": hess, "bounds": bounds, "tol": tol}
    scipys |= {name: value for name, value in minibatch.items() if name != "seed" or data is not None}
    rows = []
    for label, method in methods.items():
        if is_scipys(method):
            run = ScipyRun(problem, x0, method, known[label], scipys, options["history"] == "x")
        else:
            run = _Run(problem, method, known[label], tol, minibatch)
        row, interrupt = _timed(label, run)
        if interrupt is None or "result" in row:
            rows.append(row)
        if interrupt is not None:
            raise OptimizationInterrupted(Comparison(rows, unused, problem.bounds, len(methods))) from interrupt
    return Comparison(rows, unused, problem.bounds, len(methods))


class _Run:
    """The run of one rule or solver; `ScipyRun` is the same for methods of SciPy."""

    def __init__(self, problem, method, options, tol, minibatch):
        self.problem, self.method, self.options, self.tol, self.minibatch = problem, method, options, tol, minibatch

    def warm_up(self):
        """Run one step, which compiles everything."""
        self._solve(self.options | {"maxiter": 1, "disp": False, "progress": False})

    def minimize(self):
        """Return the result."""
        return self._solve(self.options)

    def _solve(self, options):
        method, others, _ = read_method(find(self.method), options)
        settings = Settings(others, self.tol, None, self.minibatch, None, is_spsa(self.problem.jac))
        return solve(method, self.problem, settings)


def _timed(label, run):
    """Return a row of the table for a run, with its result or error, and the Ctrl-C that ended it, or None."""
    row, start = {"method": label, "seconds": math.nan}, None
    try:
        run.warm_up()
        start = perf_counter()
        row["result"] = run.minimize()
        row["seconds"] = perf_counter() - start
    except KeyboardInterrupt as interrupt:
        result = getattr(interrupt, "result", None)
        if start is not None and result is not None:
            row |= {"result": result, "seconds": perf_counter() - start}
        return row, interrupt
    except Exception as error:
        row["error"] = error
    return row, None


def _read_methods(methods):
    """Return a dict of label to method."""
    if isinstance(methods, Mapping):
        named = {str(label): method for label, method in methods.items()}
    elif isinstance(methods, Iterable) and not isinstance(methods, str):
        methods = list(methods)
        short = [method if isinstance(method, str) else _name(method) for method in methods]
        labels = [
            repr(method) if short.count(label) > 1 and not isinstance(method, str) else label
            for method, label in zip(methods, short, strict=True)
        ]
        if twice := next((label for label in labels if labels.count(label) > 1), None):
            raise ValueError(f"methods: {twice} is listed twice; use a dict of label to method to distinguish them")
        named = dict(zip(labels, methods, strict=True))
    else:
        raise TypeError(f"methods are a list of methods, or a dict of label to method, not {describe(methods)}")
    if not named:
        raise ValueError("there are no methods to compare")
    return named


def _name(method):
    return getattr(method, "name", None) or getattr(method, "__name__", repr(method))


def _distribute(methods, options):
    """Return the options of each method, and the names of those that it does not know, if there are any."""
    known, unused = {}, {}
    for label, method in methods.items():
        if is_scipys(method):
            scipys = {name: value for name, value in options.items() if name != "history"}  # `ScipyRun` records it
            others = unknown_to_scipy(method, scipys)
            known[label] = {name: value for name, value in scipys.items() if name not in others}
        else:
            rule = find(method)
            hyper, known[label], unknown = split(rule, options)
            others = list(unknown)
            if isinstance(method, str):
                rule(**hyper)  # raises for invalid values
                known[label] |= hyper
            else:
                others += hyper
        unused[label] = tuple(others)
    unknown_to_all = [name for name in options if all(name in names for names in unused.values())]
    for method in methods.values():
        if unknown_to_all and not is_scipys(method):
            refuse(find(method), split(find(method), {name: options[name] for name in unknown_to_all})[2])
    if unknown_to_all:
        raise ValueError(f"none of the methods takes the option {unknown_to_all[0]!r}")
    return known, {label: names for label, names in unused.items() if names}
