"""What `minimize_many` is given for each problem: starting points, rows of data, bounds and hyperparameters."""

from types import SimpleNamespace

import numpy as np

from numbaopt.common.validation import describe, real_array
from numbaopt.lowering.layout import TABLE, layout, powers
from numbaopt.methods.rule import Rule
from numbaopt.objectives.bounds import read_bounds


def read_starts(X0):
    """Return the starting points: an array whose first axis is the problem, float32 or float64."""
    starts = real_array(X0, "X0", True)
    if starts.dtype.kind == "c":
        raise TypeError(f"X0 must be real, not {starts.dtype}; minimize takes a complex x0, one problem at a time")
    if starts.ndim < 2:
        raise ValueError(f"X0 has a row for each problem, shape (B, n), not {starts.shape}; for one see minimize")
    if not starts.size:
        raise ValueError(f"X0 has shape {starts.shape}: there is no problem to solve")
    return np.array(starts, starts.dtype.newbyteorder("=") if starts.dtype.kind == "f" else float, order="C")


def read_rows(data, total):
    """Return the data of the problems: C-contiguous arrays with one row for each problem."""
    rows = []
    for i, thing in enumerate(data if isinstance(data, tuple) else (data,)):
        try:
            array = np.ascontiguousarray(thing)
        except ValueError as error:
            raise ValueError(f"data[{i}] makes no array: {error}") from None
        if not np.ndim(thing) or len(array) != total:
            given = f"{len(array)} rows" if np.ndim(thing) else describe(thing)
            raise ValueError(f"data[{i}] must have {total} rows, as X0, not {given}; what all share goes into args")
        rows.append(array.astype(array.dtype.newbyteorder("="), copy=False))
    return tuple(rows)


def read_values(rule, name, values, total):
    """Return the values of a hyperparameter, one for each problem."""
    values = real_array(values, name).astype(float)
    if values.shape != (total,):
        raise ValueError(f"{name} is one number, or one for each of the {total} problems; not {describe(values)}")
    if len(np.unique(values != 0)) > 1 and isinstance(rule, Rule) and name != "lr":
        raise ValueError(f"{name} is zero for some problems only, which need another compiled step: split X0 in two")
    for extreme in (values.min(), values.max()):
        rule(**{name: float(extreme)})  # raises for invalid values
    return values.tolist()


def read_bounds_of_each(bounds, starts):
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


def start_numbers(rule, values, total):
    """Return the numbers h that the problems start with: a row for each problem, or one row for all.

    Parameters
    ----------
    rule : Rule or Solver
        With the values of the first problem.
    values : dict of str to list of float
        The hyperparameters that differ from problem to problem.
    total : int
        How many problems there are.
    """
    numbers = np.repeat(rule.h[None], total if values else 1, axis=0)
    if not values:
        return numbers
    if not isinstance(rule, Rule):
        for name, column in values.items():
            numbers[:, list(rule.hyper).index(name)] = column
        return numbers
    places = layout(rule.program)
    if any(name in str(text) for name in values for math, _ in rule._stages for text in math.starts.values()):
        return np.array([rule(**{name: column[b] for name, column in values.items()}).h for b in range(total)])
    for name, column in values.items():
        if name in places.offsets:
            numbers[:, rule.place(name)] = column
        if name in rule.program.powers:
            at = rule.table(name)
            for b, value in enumerate(column):
                numbers[b, at : at + TABLE] = powers(value)
    return numbers
