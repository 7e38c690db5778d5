"""What several methods came to on one objective, in order, as a mapping and as a table."""

import math
from collections.abc import Mapping

import numpy as np

from numbaopt.common.tree import flatten
from numbaopt.comparison.scipy_history import largest

NEAR = 1e-8  # of the way down from the start: what differs by less is as good
WIDTH = 60  # of the table's last column


class Comparison(Mapping):
    """What several methods came to on one objective: a mapping of labels to results, the best first.

    Methods whose fun is above the lowest by no more than 1e-8 of the way down from the start (Moré & Wild 2009, eq.
    2.2) are ordered by evaluations, the others by fun. It prints as a table. `compare` makes it.

    Parameters
    ----------
    rows : list of dict
        One a method: its label (method), and its result and seconds, or its error.
    unused : dict of str to tuple of str
        The options that a method did not take.
    limits : tuple of ndarray or None
        The lower and the upper bound of each variable, if there are any.
    asked : int
        How many methods were to run.

    Attributes
    ----------
    results : dict of str to Result
        In that order, each with its history.
    errors : dict of str to Exception
        What the others raised.
    unused : dict of str to tuple of str
        The options that a method does not know, or as a rule has its own of, and did not take.
    message : str
        How many methods came to a result.

    Examples
    --------
    >>> from numbaopt import compare
    >>> found = compare(lambda x: (x**2).sum(), [1.0, 2.0], ["BFGS", "Nelder-Mead"])
    >>> [row["method"] for row in found.table()]
    ['BFGS', 'Nelder-Mead']
    """

    def __init__(self, rows, unused, limits, asked):
        done = {row["method"]: row for row in rows if "result" in row}
        lines = {label: _line(row, limits) for label, row in done.items()}
        order = _order(lines, [row["result"] for row in done.values()])
        self.results = {label: done[label]["result"] for label in order}
        self.errors = {row["method"]: row["error"] for row in rows if "error" in row}
        self.unused = unused
        self._lines, self._asked = [lines[label] for label in order], asked
        self._lines += [_failed(label, error) for label, error in self.errors.items()]

    def __getitem__(self, label):
        if label in self.errors:
            raise KeyError(f"{label} came to no result: see errors[{label!r}]")
        if label not in self.results:
            raise KeyError(f"there is no {label!r}, but {', '.join(self.results) or 'no result at all'}")
        return self.results[label]

    def __iter__(self):
        return iter(self.results)

    def __len__(self):
        return len(self.results)

    @property
    def best(self):
        """The first of the results; ValueError if there is none."""
        if not self.results:
            raise ValueError(f"{self.message} There is no best; `errors` has what was raised")
        return next(iter(self.results.values()))

    @property
    def message(self):
        """How many methods came to a result."""
        text = f"{len(self.results)} of {self._asked} methods came to a result"
        broken = self._asked - len(self.results) - len(self.errors)
        return (
            text
            + (f", {len(self.errors)} raised" * bool(self.errors))
            + (f", {broken} did not run" * bool(broken))
            + "."
        )

    def table(self):
        """Return the table's lines as dicts.

        Returns
        -------
        list of dict
            One a method, the best first, as for ``pandas.DataFrame``. Keys are method, fun, above_best (fun minus the
            lowest found), norm (the largest entry of the gradient, of the projected one with bounds), nit, nfev, njev,
            seconds, success, status, message. Numbers that there are not are NaN or None.
        """
        return [dict(line) for line in self._lines]

    def plot(self, ax=None, **keywords):
        """Draw how the methods converge.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default in a new figure.
        **keywords
            Those of `numbaopt.plot.convergence`.

        Returns
        -------
        Axes
        """
        if not self.results:
            raise ValueError(f"{self.message} There is nothing to draw.")
        from numbaopt import plot

        return plot.convergence(self.results, ax, **keywords)

    def __repr__(self):
        head = ["method", "fun", "above best", "|g|", "nit", "nfev", "seconds", "ended"]
        rows = [head, *map(_cells, self._lines)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        without = {name: [] for names in self.unused.values() for name in names}
        for label, names in self.unused.items():
            for name in names:
                without[name].append(label)
        unused = [f"Option {name} was not taken by {', '.join(labels)}." for name, labels in without.items()]
        return "\n".join([f"{self.message}", *lines, *unused])


def _line(row, limits):
    """Return a method's line of the table."""
    result, norm = row["result"], math.nan
    for name in ("grad", "jac"):  # trust-constr's jac is of the constraints
        if np.size(result.get(name)) and result.get(name) is not None and math.isnan(norm):
            norm = _norm(result.x, result[name], limits)
    line = {"method": row["method"], "fun": float(result.fun), "above_best": math.nan, "norm": norm}
    line |= {name: result.get(name) for name in ("nit", "nfev", "njev")}
    line |= {"seconds": row["seconds"], "success": bool(result.success), "status": result.status}
    return line | {"message": str(result.message)}


def _failed(label, error):
    line = {"method": label, "fun": math.nan, "above_best": math.nan, "norm": math.nan}
    line |= {"nit": None, "nfev": None, "njev": None, "seconds": math.nan, "success": False, "status": None}
    return line | {"message": f"{type(error).__name__}: {error}"}


def _norm(x, g, limits):
    structure, flat = flatten(x, "result.x")
    slope = np.empty_like(flat)
    structure.write(g, slope, "result.jac")
    return largest(flat, slope, limits)


def _order(lines, results):
    """Return the labels, the best first, and write into each line how far its fun is above the lowest."""
    finite = [line["fun"] for line in lines.values() if math.isfinite(line["fun"])]
    best = min(finite, default=math.nan)
    starts = [float(result.history.fun[0]) for result in results if "history" in result and len(result.history.fun)]
    start = max(filter(math.isfinite, starts), default=best)
    key = {}
    for label, line in lines.items():
        line["above_best"] = above = line["fun"] - best
        near = above <= NEAR * max(start - best, 0.0)
        key[label] = (0, line["nfev"]) if near else (1, above) if math.isfinite(above) else (2, 0.0)
    return sorted(lines, key=key.get)


def _cells(line):
    """Return a line of the table as texts."""
    ended = "success" if line["success"] else " ".join(line["message"].split())
    ended = ended if len(ended) <= WIDTH else ended[: WIDTH - 3] + "..."
    forms = {"fun": ".8g", "above_best": ".1e", "norm": ".1e", "nit": "d", "nfev": "d", "seconds": ".2g"}
    shown = [_shown(line[name], form) for name, form in forms.items()]
    return [line["method"], *(shown if line["status"] is not None else [""] * len(shown)), ended]


def _shown(number, form):
    if number is None or math.isnan(number):
        return "-"
    return format(number, form) if number else "0"
