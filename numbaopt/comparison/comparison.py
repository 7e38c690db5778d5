"""The results of several methods on one objective, in order, as a mapping and as a table."""

import math
from collections.abc import Mapping

import numpy as np

from numbaopt.common.tree import flatten
from numbaopt.comparison.scipy_history import largest

NEAR = 1e-8  # relative to the decrease from the start; smaller differences are considered equal
WIDTH = 60  # characters in the last column of the table


class Comparison(Mapping):
    """The results of several methods on one objective: a mapping from labels to results, the best first.

    A method has solved the problem if its objective exceeds the lowest one by at most 1e-8 of the decrease from the
    start (Moré & Wild 2009, eq. 2.2). Methods that have solved it come first, ordered by evaluations; the others
    follow, ordered by the objective. A comparison prints as a table. It is returned by `compare`.

    Parameters
    ----------
    runs : list of dict
        One for each method, with the keys ``method`` (its label), and ``result`` and ``seconds``, or ``error``.
    unused : dict of str to tuple of str
        For each label the options that the method did not use.
    limits : tuple of ndarray or None
        The lower and upper bounds of the variables, if there are any.
    count : int
        The number of methods that were passed to `compare`.

    Attributes
    ----------
    results : dict of str to Result
        The results in that order, each with its history.
    errors : dict of str to Exception
        The exceptions of the methods that raised one.
    unused : dict of str to tuple of str
        For each label the options that the method did not use: it does not know them, or the rule sets them itself.
    message : str
        How many methods returned a result.

    Examples
    --------
    >>> from numbaopt import compare
    >>> comparison = compare(lambda x: (x**2).sum(), [1.0, 2.0], ["BFGS", "Nelder-Mead"])
    >>> [row["method"] for row in comparison.table()]
    ['BFGS', 'Nelder-Mead']
    """

    def __init__(self, runs, unused, limits, count):
        done = {run["method"]: run for run in runs if "result" in run}
        rows = {label: _row(run, limits) for label, run in done.items()}
        order = _order(rows, [run["result"] for run in done.values()])
        self.results = {label: done[label]["result"] for label in order}
        self.errors = {run["method"]: run["error"] for run in runs if "error" in run}
        self.unused = unused
        self._rows, self._count = [rows[label] for label in order], count
        self._rows += [_row_of_error(label, error) for label, error in self.errors.items()]

    def __getitem__(self, label):
        if label in self.errors:
            raise KeyError(f"{label} returned no result; errors[{label!r}] is the exception that it raised")
        if label not in self.results:
            raise KeyError(
                f"there is no method {label!r}; the results are of: {', '.join(self.results) or 'no method'}"
            )
        return self.results[label]

    def __iter__(self):
        return iter(self.results)

    def __len__(self):
        return len(self.results)

    @property
    def best(self):
        """The first of the results. Raises ValueError if there is none."""
        if not self.results:
            raise ValueError(f"{self.message} There is no best result; `errors` contains the exceptions")
        return next(iter(self.results.values()))

    @property
    def message(self):
        """How many methods returned a result, as a sentence."""
        text = f"{len(self.results)} of {self._count} methods returned a result"
        missing = self._count - len(self.results) - len(self.errors)
        return (
            text
            + (f", {len(self.errors)} raised an exception" * bool(self.errors))
            + (f", {missing} did not run" * bool(missing))
            + "."
        )

    def table(self):
        """Return the rows of the table as dicts, for example to make a ``pandas.DataFrame``.

        Returns
        -------
        list of dict
            One for each method, the best first. The keys are method, fun, above_best (fun minus the lowest fun), norm
            (the largest absolute entry of the gradient, with bounds of the projected gradient), nit, nfev, njev,
            seconds, success, status and message. Missing numbers are NaN or None.
        """
        return [dict(row) for row in self._rows]

    def plot(self, ax=None, **keywords):
        """Plot how the methods converge.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            The axes to draw on; by default, those of a new figure.
        **keywords
            Passed to `numbaopt.plot.convergence`.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            If no method returned a result.
        ImportError
            If Matplotlib is not installed.
        """
        if not self.results:
            raise ValueError(f"{self.message} There is nothing to plot.")
        from numbaopt import plot

        return plot.convergence(self.results, ax, **keywords)

    def __repr__(self):
        head = ["method", "fun", "above best", "|g|", "nit", "nfev", "seconds", "ended"]
        rows = [head, *map(_cells, self._rows)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        labels_of = {name: [] for names in self.unused.values() for name in names}
        for label, names in self.unused.items():
            for name in names:
                labels_of[name].append(label)
        unused = [f"Option {name} was not used by {', '.join(labels)}." for name, labels in labels_of.items()]
        return "\n".join([f"{self.message}", *lines, *unused])


def _row(run, limits):
    """Return the row of a method in the table."""
    result, norm = run["result"], math.nan
    for name in ("grad", "jac"):  # the jac of trust-constr is that of the constraints
        if np.size(result.get(name)) and result.get(name) is not None and math.isnan(norm):
            norm = _norm(result.x, result[name], limits)
    row = {"method": run["method"], "fun": float(result.fun), "above_best": math.nan, "norm": norm}
    row |= {name: result.get(name) for name in ("nit", "nfev", "njev")}
    row |= {"seconds": run["seconds"], "success": bool(result.success), "status": result.status}
    return row | {"message": str(result.message)}


def _row_of_error(label, error):
    row = {"method": label, "fun": math.nan, "above_best": math.nan, "norm": math.nan}
    row |= {"nit": None, "nfev": None, "njev": None, "seconds": math.nan, "success": False, "status": None}
    return row | {"message": f"{type(error).__name__}: {error}"}


def _norm(x, g, limits):
    structure, flat = flatten(x, "result.x")
    slope = np.empty_like(flat)
    structure.write(g, slope, "result.jac")
    return largest(flat, slope, limits)


def _order(rows, results):
    """Return the labels, the best first, and set ``above_best`` in each row."""
    finite = [row["fun"] for row in rows.values() if math.isfinite(row["fun"])]
    best = min(finite, default=math.nan)
    starts = [float(result.history.fun[0]) for result in results if "history" in result and len(result.history.fun)]
    start = max(filter(math.isfinite, starts), default=best)
    key = {}
    for label, row in rows.items():
        row["above_best"] = above = row["fun"] - best
        solved = above <= NEAR * max(start - best, 0.0)
        key[label] = (0, row["nfev"]) if solved else (1, above) if math.isfinite(above) else (2, 0.0)
    return sorted(rows, key=key.get)


def _cells(row):
    """Return the cells of a row, as they are printed."""
    ended = "success" if row["success"] else " ".join(row["message"].split())
    ended = ended if len(ended) <= WIDTH else ended[: WIDTH - 3] + "..."
    forms = {"fun": ".8g", "above_best": ".1e", "norm": ".1e", "nit": "d", "nfev": "d", "seconds": ".2g"}
    cells = [_formatted(row[name], form) for name, form in forms.items()]
    return [row["method"], *(cells if row["status"] is not None else [""] * len(cells)), ended]


def _formatted(number, form):
    if number is None or math.isnan(number):
        return "-"
    return format(number, form) if number else "0"
