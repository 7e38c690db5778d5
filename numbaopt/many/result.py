"""The result of many problems: arrays with an entry for each problem, and on request the result of one problem."""

from types import SimpleNamespace
from typing import Any, overload

import numpy as np

from numbaopt.drivers.outcome import FIXED, sentence
from numbaopt.drivers.outcome import OVERSHOT as OVERSHOT_TEXT
from numbaopt.drivers.stopping import BAD_X, GO_ON, GTOL_MET, NONFINITE, RAISED, STOP
from numbaopt.drivers.termination import (
    CODE,
    COLUMNS,
    EVALUATIONS,
    FUN,
    GRADIENTS,
    LARGEST,
    LATEST_VALUE,
    OVERSHOT,
    REASON,
    SKIPPED,
    STATUS,
    STEPS,
)
from numbaopt.objectives.objective import blank
from numbaopt.results.result import Result

ENDED = {
    0: "met a tolerance",
    1: "ran out of iterations or evaluations",
    2: "ran out of time",
    3: "reached a value that is not finite",
    4: "were not finished",
    5: "met a tolerance, but at a worse point than x",
    6: "found no lower point within working precision",
    7: "raised an exception",
    99: "were not finished when the callback raised StopIteration",
}


class ResultTable:
    """The results of many problems while they are solved.

    Attributes
    ----------
    points, slopes : ndarray, shape (B, n)
        The best points, initially the starts, and the gradients there.
    table : ndarray, shape (B, 9)
        The rest of each result: columns by the names in `numbaopt.drivers.termination`.
    errors : dict
        The exceptions that the objective raised, by the number of the problem.
    messages : dict
        The messages of problems that were solved in Python, by the number of the problem.
    """

    def __init__(self, starts):
        self.points, self.slopes = starts.copy(), np.empty_like(starts)
        blank(self.slopes)
        self.table = np.zeros((len(starts), COLUMNS))
        self.table[:, [FUN, LATEST_VALUE, LARGEST]], self.table[:, CODE] = np.nan, STATUS[GO_ON]
        self.errors, self.messages = {}, {}

    def store(self, b, result):
        """Store the `Result` of problem ``b``."""
        self.points[b], self.slopes[b] = np.ravel(result.x), np.ravel(result.jac)
        row = self.table[b]
        row[FUN], row[CODE], row[STEPS] = result.fun, result.status, result.nit
        row[EVALUATIONS], row[GRADIENTS] = result.nfev, result.njev
        row[SKIPPED] = result.get("nonfinite", 0)
        self.messages[b] = result.message

    def mark(self, b, stop):
        """Store the reason why a problem, or a slice of problems, stopped."""
        self.table[b, REASON], self.table[b, CODE] = stop, STATUS[stop]

    def result(self, shape, run, box):
        """Return the `ManyResult`, given the `Run` of one such problem, and the bounds of all problems or None."""
        limits = {"record": run.record, "ftol": run.ftol, "maxtime": run.maxtime}
        limits |= {"maxiter": run.maxiter, "maxfev": run.maxfev}
        code, boxed, fixed = self.table[:, CODE].astype(int), np.zeros(1, bool), np.zeros(1, bool)
        if box is not None:
            same = box[0] == box[1]
            boxed, fixed = np.isfinite(box).any((0, 2)), same.all(1)
            if run.objective.jac in (None, "2-point", "3-point"):
                self.slopes[np.broadcast_to(same, self.slopes.shape)] = np.nan  # these entries were not evaluated
        result = ManyResult(
            message=_summary(code),
            success=code == 0,
            status=code,
            fun=self.table[:, FUN].copy(),
            x=self.points.reshape(-1, *shape),
            nit=self.table[:, STEPS].astype(int),
            jac=self.slopes.reshape(-1, *shape),
            nfev=self.table[:, EVALUATIONS].astype(int),
            njev=self.table[:, GRADIENTS].astype(int),
            errors=dict(sorted(self.errors.items())),
        )
        if run.record[NONFINITE] != STOP:
            result.nonfinite = self.table[:, SKIPPED].astype(int)
        object.__setattr__(result, "_details", (self.table, self.messages, limits, boxed, fixed))
        return result


class ManyResult(Result):
    """The results of many problems: arrays whose first axis enumerates the problems.

    ``result[b]`` is the `Result` of problem ``b``, with a message of its own.

    Attributes
    ----------
    x, jac : ndarray, shape (B, ...)
        Solutions, and the gradients there.
    fun : ndarray of float64, shape (B,)
    success : ndarray of bool, shape (B,)
    status, nit, nfev, njev : ndarray of int, shape (B,)
        As in `Result`; status 7 means that the objective raised an exception.
    message : str
        A summary of how many problems stopped for which reason.
    errors : dict
        The exceptions that the objective raised, by the number of the problem.

    Examples
    --------
    >>> import numpy as np
    >>> from numbaopt import minimize_many
    >>> def fun(x, center):
    ...     return ((x - center) ** 2).sum(), 2 * (x - center)
    >>> result = minimize_many(fun, np.zeros((2, 1)), data=np.array([[1.0], [2.0]]), method="lbfgs", jac=True)
    >>> result.message, result.status, result[1].x
    ('All 2 problems met a tolerance.', array([0, 0]), array([2.]))
    """

    fun: np.ndarray  # type: ignore[assignment]
    success: np.ndarray  # type: ignore[assignment]
    status: np.ndarray  # type: ignore[assignment]
    nit: np.ndarray  # type: ignore[assignment]
    nfev: np.ndarray  # type: ignore[assignment]
    njev: np.ndarray  # type: ignore[assignment]
    errors: dict[int, Exception]

    def __len__(self) -> int:
        return len(self["status"]) if "status" in self else 0

    @overload
    def __getitem__(self, key: int) -> Result: ...
    @overload
    def __getitem__(self, key: str) -> Any: ...
    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
            if not -len(self) <= key < len(self):
                raise IndexError(f"there is no problem {key}: there are {len(self)} problems, counted from 0")
            b = range(len(self))[key]
            fields = {name: value[b] for name, value in self.items() if name not in ("message", "errors")}
            fields = {name: value.item() if np.ndim(value) == 0 else value.copy() for name, value in fields.items()}
            if "x" in fields and np.ndim(fields["x"]) == 0:
                fields["x"], fields["jac"] = np.array(fields["x"]), np.array(fields["jac"])
            return Result(message=self._message(b), **fields)
        return super().__getitem__(key)

    def _message(self, b):
        table, messages, limits, boxed, fixed = self._details
        if b in messages:
            return messages[b]
        stop, latest, largest = int(table[b, REASON]), table[b, LATEST_VALUE], table[b, LARGEST]
        if stop == RAISED:
            error = self["errors"][b]
            return f"The objective raised {type(error).__name__}: {error}"
        if stop == GO_ON:
            return "The problem was not started, or was interrupted."
        if stop == BAD_X and not table[b, EVALUATIONS]:
            return "The starting point is not finite: nothing was evaluated."
        if stop == GTOL_MET and fixed[b % len(fixed)]:
            return FIXED
        entry = int(largest) if np.isfinite(largest) else 0, latest
        run = SimpleNamespace(limits=True if boxed[b % len(boxed)] else None, **limits)
        text = sentence(stop, int(table[b, STEPS]), latest, largest, entry, run)
        return text + OVERSHOT_TEXT * bool(table[b, CODE] == OVERSHOT)

    def __reduce__(self):
        return _restored, (dict(self), self._details)


def _restored(values, details):
    result = ManyResult(values)
    object.__setattr__(result, "_details", details)
    return result


def _summary(code):
    codes, counts = np.unique(code, return_counts=True)
    reasons = [f"{count} {ENDED[c]}" for c, count in zip(codes.tolist(), counts.tolist(), strict=True)]
    if len(reasons) == 1:
        return f"All {len(code)} problems {reasons[0].partition(' ')[2]}."
    return f"Of {len(code)} problems, {', '.join(reasons[:-1])} and {reasons[-1]}."
