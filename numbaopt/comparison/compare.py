"""Several methods on one objective, side by side: the fastest way to choose one."""

import math
from collections.abc import Iterable, Mapping
from functools import partial
from time import perf_counter

from numbaopt.api.minimize import find, is_spsa, minimize
from numbaopt.api.scipy_methods import is_scipys
from numbaopt.common.tree import flatten
from numbaopt.common.validation import describe
from numbaopt.comparison.comparison import Comparison
from numbaopt.comparison.scipy_history import Watched, unknown_to_scipy
from numbaopt.data.batches import Batches, entropy, is_stream
from numbaopt.drivers.options import refuse, split
from numbaopt.objectives import factory
from numbaopt.objectives.bounds import read_bounds, refuse_complex
from numbaopt.objectives.check.gradient_check import check_first
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
    """Minimise a function by several methods, one after another, and tell how each fared.

    Parameters
    ----------
    fun, x0, args, jac, bounds, tol
        As for `minimize`.
    methods : sequence of str, Rule or callable; or dict of label to one of these
        Names of ours or of SciPy's, rules with hyperparameters, ``adam(lr=0.1)``, SciPy's custom methods.
    hess : callable
        For those methods of SciPy that use it.
    options : dict
        As for `minimize`. Each method gets those that it knows, and the result tells which it did not take; one that
        none takes is an error. A rule keeps its own hyperparameters, ``adam(lr=0.1)``: those in options are for
        methods given by name. The history is always recorded; ``"history": "x"`` keeps the points, too. With
        ``check_grad`` the gradient is checked once, before all.
    data, batch_size, epochs, shuffle, seed, drop_last
        As for `minimize`: every method sees the same batches.

    Returns
    -------
    Comparison
        Results by label, the best first, which prints as a table.

    Raises
    ------
    TypeError, ValueError
        For methods or options that cannot be, before anything is evaluated. What a method raises later is in its row.
    OptimizationInterrupted
        At Ctrl-C: its ``result`` is the `Comparison` so far, with the broken-off run.

    Notes
    -----
    Seconds are those of the minimisation alone: each method is run for one step first, which compiles what it needs,
    or loads it, and costs an evaluation or two that are not counted. (In a compiled objective's runs of more than half
    a second, what is compiled on the way counts.) SciPy's methods are watched from outside, at a microsecond or so for
    each evaluation. Their histories have an entry for each iteration, with the lowest fun so far where SciPy tells
    none, and the norm of the gradient last evaluated: NaN without jac.

    Examples
    --------
    >>> from numbaopt import compare
    >>> def fun(x):
    ...     return ((x - 1) ** 2).sum(), 2 * (x - 1)
    >>> found = compare(fun, [3.0, -2.0], ["adam", "BFGS"], jac=True, options={"lr": 0.1})
    >>> list(found), found.best.nfev, found.unused
    (['BFGS', 'adam'], 4, {'BFGS': ('lr',)})
    """
    if not callable(fun):
        raise TypeError(f"fun must be callable, not {describe(fun)}.")
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"options is a mapping of names to values, not {describe(options)}")
    methods = _labelled(methods)
    if hasattr(data, "__next__"):
        text = "data can be gone through once, and each method is to see all of it"
        raise ValueError(f"{text}: give what starts anew each time, an object with __iter__, or arrays")
    options = dict(options or {})
    check = options.pop("check_grad", False) is True  # once, and among no method's evaluations
    options["history"] = options.get("history") or True
    known, unused = _sorted_out(methods, options)
    structure, flat = flatten(x0)
    refuse_complex(bounds, structure)
    limits = read_bounds(bounds, flat.size, flat.dtype)
    if not isinstance(seed, int) and (is_spsa(jac) or data is not None and shuffle and not is_stream(data)):
        seed = entropy(seed)  # the same for all
    feed = {"data": data, "batch_size": batch_size, "epochs": epochs, "shuffle": shuffle, "drop_last": drop_last}
    given = {"args": args, "bounds": bounds, "tol": tol, "seed": seed} | feed
    if check:
        batches = None if data is None else Batches(data, batch_size, epochs, shuffle, None, drop_last)
        check_first(factory.make(fun, x0, args, jac), batches, bounds)
    rows = []
    for label, method in methods.items():
        if is_scipys(method):
            watched = Watched(fun, jac, structure, limits, method, options["history"])
            first, whole = watched.warm_up, watched.minimize
            more = given | {"hess": hess, "seed": None if data is None else seed}
        else:
            first = partial(_ours, fun, method, jac, {"maxiter": 1, "disp": False, "progress": False})
            whole, more = partial(_ours, fun, method, jac, {}), given
        row = {"method": label, "seconds": math.nan}
        began = None
        try:
            first(x0, known[label], more)
            began = perf_counter()
            row["result"] = whole(x0, known[label], more)
            row["seconds"] = perf_counter() - began
        except KeyboardInterrupt as interrupt:
            if began is not None and (result := getattr(interrupt, "result", None)) is not None:
                rows.append(row | {"result": result, "seconds": perf_counter() - began})
            raise OptimizationInterrupted(Comparison(rows, unused, limits, len(methods))) from interrupt
        except Exception as error:
            row["error"] = error
        rows.append(row)
    return Comparison(rows, unused, limits, len(methods))


def _ours(fun, method, jac, changed, x0, options, given):
    return minimize(fun, x0, method=method, jac=jac, options=options | changed, **given)


def _labelled(methods):
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
            raise ValueError(f"methods: {twice} is there twice; a dict of label to method tells them apart")
        named = dict(zip(labels, methods, strict=True))
    else:
        raise TypeError(f"methods are a list of methods, or a dict of label to method, not {describe(methods)}")
    if not named:
        raise ValueError("there are no methods to compare")
    return named


def _name(method):
    return getattr(method, "name", None) or getattr(method, "__name__", repr(method))


def _sorted_out(methods, options):
    """Return the options that each method gets, and the names of those that it does not, where there are any."""
    known, unused = {}, {}
    for label, method in methods.items():
        if is_scipys(method):
            mine = {name: value for name, value in options.items() if name != "history"}  # that is our doing
            others = unknown_to_scipy(method, mine)
            known[label] = {name: value for name, value in mine.items() if name not in others}
        else:
            rule = find(method)
            hyper, known[label], unknown = split(rule, options)
            others = list(unknown)
            if isinstance(method, str):
                rule(**hyper)  # raises for values that cannot be
                known[label] |= hyper
            else:
                others += hyper
        unused[label] = tuple(others)
    nobodys = [name for name in options if all(name in names for names in unused.values())]
    for method in methods.values():
        if nobodys and not is_scipys(method):
            refuse(find(method), split(find(method), {name: options[name] for name in nobodys})[2])
    if nobodys:
        raise ValueError(f"none of the methods takes the option {nobodys[0]!r}")
    return known, {label: names for label, names in unused.items() if names}
