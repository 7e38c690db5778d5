"""The arguments of `minimize_many` that differ from problem to problem: starts, data, bounds and hyperparameters."""

from types import SimpleNamespace

import numpy as np

from numbaopt.common.validation import describe, real_array
from numbaopt.lowering.layout import TABLE, layout, powers
from numbaopt.methods.rule import Rule
from numbaopt.objectives.bounds import read_bounds


def read_starts(X0):
    """Return the starting points: an array of float32 or float64, whose first axis enumerates the problems."""
    starts = real_array(X0, "X0", True)
    if starts.dtype.kind == "c":
        raise TypeError(f"X0 must be real, not {starts.dtype}; minimize accepts a complex x0, one problem at a time")
    if starts.ndim < 2:
        text = f"X0 must have a row for each problem, shape (B, n), not {starts.shape}"
        raise ValueError(f"{text}; for a single problem, call minimize")
    if not starts.size:
        raise ValueError(f"X0 has shape {starts.shape}: there is no problem to solve")
    return np.array(starts, starts.dtype.newbyteorder("=") if starts.dtype.kind == "f" else float, order="C")


def read_rows(data, total):
    """Return the data of the problems: C-contiguous arrays with one row for each problem."""
    rows = []
    for i, item in enumerate(data if isinstance(data, tuple) else (data,)):
        try:
            array = np.ascontiguousarray(item)
        except ValueError as error:
            raise ValueError(f"data[{i}] cannot be converted to an array: {error}") from None
        if not np.ndim(item) or len(array) != total:
            actual = f"{len(array)} rows" if np.ndim(item) else describe(item)
            text = f"data[{i}] must have {total} rows, like X0, not {actual}"
            raise ValueError(f"{text}; pass arguments that all problems share as args")
        rows.append(array.astype(array.dtype.newbyteorder("="), copy=False))
    return tuple(rows)


def read_values(rule, name, values, total):
    """Return the values of a hyperparameter, one for each problem."""
    values = real_array(values, name).astype(float)
    if values.shape != (total,):
        raise ValueError(f"{name} must be one number, or one for each of the {total} problems, not {describe(values)}")
    if len(np.unique(values != 0)) > 1 and isinstance(rule, Rule) and name != "lr":
        text = f"{name} is zero for some problems only, and these need another compiled step"
        raise ValueError(f"{text}: solve them in a call of their own")
    for extreme in (values.min(), values.max()):
        rule(**{name: float(extreme)})  # raises for invalid values
    return values.tolist()


def read_bounds_of_each(bounds, starts):
    """Return lower and upper bounds, shape (2, B, n), or (2, 1, n) if all problems share them; None for no bounds."""
    total, n = len(starts), starts[0].size
    lower = upper = None
    if hasattr(bounds, "lb") and max(np.ndim(bounds.lb), np.ndim(bounds.ub)) > 1:
        lower, upper = bounds.lb, bounds.ub
    elif isinstance(bounds, np.ndarray) and bounds.ndim > 2:
        if bounds.shape[-1] != 2:
            raise ValueError(f"bounds must be pairs, in an array of shape {(*starts.shape, 2)}, not {bounds.shape}")
        lower, upper = bounds[..., 0], bounds[..., 1]
    if lower is None:
        limits = read_bounds(bounds, n, starts.dtype)
        return None if limits is None else np.array(limits)[:, None]
    if np.iscomplexobj(lower) or np.iscomplexobj(upper):
        raise TypeError("bounds must be real, but these are complex; use .real if the imaginary parts are zero")
    try:
        lower, upper = (np.broadcast_to(np.asarray(side, float), starts.shape).ravel() for side in (lower, upper))
    except ValueError:
        shapes = f"{np.shape(lower)} and {np.shape(upper)}"
        text = f"bounds must have the shape of X0, {starts.shape}, or be the same for all problems"
        raise ValueError(f"{text}; their shapes are {shapes}") from None
    limits = read_bounds(SimpleNamespace(lb=lower, ub=upper), total * n, starts.dtype)
    return None if limits is None else np.array(limits).reshape(2, total, n)


def start_numbers(rule, values, total):
    """Return the initial values of h: a row for each problem, or one row for all.

    Parameters
    ----------
    rule : Rule or Solver
        The method, with the hyperparameters of the first problem.
    values : dict of str to list of float
        The hyperparameters that differ from problem to problem.
    total : int
        The number of problems.
    """
    numbers = np.repeat(rule.h[None], total if values else 1, axis=0)
    if not values:
        return numbers
    if not isinstance(rule, Rule):
        for name, column in values.items():
            numbers[:, list(rule.hyper).index(name)] = column
        return numbers
    offsets = layout(rule.program).offsets
    if any(name in str(text) for name in values for math, _ in rule._stages for text in math.starts.values()):
        return np.array([rule(**{name: column[b] for name, column in values.items()}).h for b in range(total)])
    for name, column in values.items():
        if name in offsets:
            numbers[:, rule.place(name)] = column
        if name in rule.program.powers:
            at = rule.table(name)
            for b, value in enumerate(column):
                numbers[b, at : at + TABLE] = powers(value)
    return numbers
