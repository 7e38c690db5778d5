"""Schedules through several values, composed of others; they print as what they are composed of."""

import operator
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any, Literal

from numbaopt.schedules.combined import joined
from numbaopt.schedules.curves import constant, cosine, linear, square_root
from numbaopt.schedules.decorator import Schedule, check_parameter

Curve = Literal["linear", "cosine", "1-sqrt"]
CURVES: dict[str, Callable[[Any, Any, Any], Schedule]] = {
    "linear": linear,
    "cosine": lambda a, b, steps: cosine(a, steps, b),
    "1-sqrt": square_root,
}


def multistep(init: float, milestones: Sequence[float], rate: float | Sequence[float] = 0.1) -> Schedule:
    """Return a constant that is multiplied by `rate` at each milestone.

    The value changes at the milestone itself, as in PyTorch and optax. PiecewiseConstantDecay in Keras changes it one
    step later.

    Parameters
    ----------
    init : float
        Value before the first milestone.
    milestones : list of int
        Steps at which the value changes, positive and increasing.
    rate : float or list of float, default 0.1
        Factor at every milestone (gamma in PyTorch), or one factor for each of them (scales in optax).

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError
        If a parameter is not a finite real number.
    ValueError
        If the milestones do not increase, or the number of rates differs from that of milestones.

    Examples
    --------
    >>> from numbaopt.schedules import multistep
    >>> lr = multistep(1.0, [30, 80], 0.5)
    >>> lr(29), lr(30), lr(80)
    (1.0, 0.5, 0.25)
    """
    milestones = _increasing("multistep", "milestones", milestones)
    rates = list(rate) if isinstance(rate, (list, tuple)) else [rate] * len(milestones)
    if len(rates) != len(milestones):
        raise ValueError(f"multistep: rate must be a number or a list of {len(milestones)} numbers, not {rate!r}")
    rates = [check_parameter("multistep", "rate", each, "at least 0") for each in rates]
    levels = accumulate([check_parameter("multistep", "init", init), *rates], operator.mul)
    return joined([constant(level) for level in levels], milestones)


def interpolated(values: Sequence[float], boundaries: Sequence[float], curve: Curve = "linear") -> Schedule:
    """Return a curve through several values, which ends with a constant.

    piecewise_interpolate_schedule in optax takes the first value, and factors for the further ones.

    Parameters
    ----------
    values : list of float
        Values at step 0 and at the boundaries; the last value is kept from the last boundary on.
    boundaries : list of int
        Steps of the further values, positive and increasing, one fewer than `values`.
    curve : {"linear", "cosine", "1-sqrt"}
        Shape of the curve between two values.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError
        If a parameter is not a finite real number.
    ValueError
        If boundaries do not increase, their number does not fit that of values, or `curve` is unknown.

    Examples
    --------
    >>> from numbaopt.schedules import interpolated
    >>> lr = interpolated([0.0, 1.0, 0.5], [10, 30])
    >>> lr(0), lr(5), lr(10), lr(20), lr(1000)
    (0.0, 0.5, 1.0, 0.75, 0.5)
    """
    values, boundaries = list(values), _increasing("interpolated", "boundaries", boundaries)
    if len(values) != len(boundaries) + 1:
        raise ValueError(f"interpolated: {len(boundaries)} boundaries need {len(boundaries) + 1} values, not {values}")
    lengths = [b - a for a, b in pairwise([0, *boundaries])]
    make = named_curve("interpolated", curve)
    parts = [make(a, b, steps) for (a, b), steps in zip(pairwise(values), lengths, strict=True)]
    return joined([*parts, constant(values[-1])], boundaries)


def onecycle(
    peak: float,
    steps: float,
    rise: float = 0.3,
    curve: Curve = "cosine",
    div: float = 25.0,
    final_div: float = 1e4,
    three_phase: bool = False,
) -> Schedule:
    """Return one cycle from ``peak / div`` to `peak` and to ``peak / div / final_div`` (arXiv:1708.07120).

    The schedule is that of OneCycleLR in PyTorch, which calls `rise` pct_start. The final value is reached at the last
    step, k = steps - 1.

    The schedules of optax change phase at whole steps and end one step later. With ``low = peak / div``,
    cosine_onecycle_schedule is ``interpolated([low, peak, low / final_div], [int(rise * steps), steps], "cosine")``,
    and linear_onecycle_schedule is
    ``interpolated([low, peak, low, low / final_div], [int(rise * steps), int(0.85 * steps), steps])``.

    Parameters
    ----------
    peak : float
        Maximum value.
    steps : int
        Total number of steps.
    rise : float, default 0.3
        Fraction of the steps in which the value rises.
    curve : {"cosine", "linear", "1-sqrt"}
        Shape of the curve in each phase.
    div : float, positive, default 25.0
        Ratio of `peak` to the initial value.
    final_div : float, positive, default 1e4
        Ratio of the initial value to the final one.
    three_phase : bool, default False
        Whether the value falls to ``peak / div`` as fast as it rose, and to the final value in the remaining steps.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError
        If a parameter is not a finite real number.
    ValueError
        If a parameter is outside its range, or there are too few steps for the phases.

    Examples
    --------
    >>> from numbaopt.schedules import onecycle
    >>> lr = onecycle(1.0, 100, rise=0.5, div=4, final_div=8)
    >>> lr(0), lr(49), lr(99)
    (0.25, 1.0, 0.03125)
    """
    peak = check_parameter("onecycle", "peak", peak)
    low = peak / check_parameter("onecycle", "div", div, "positive")
    lowest = low / check_parameter("onecycle", "final_div", final_div, "positive")
    steps = check_parameter("onecycle", "steps", steps, "positive")
    rise = check_parameter("onecycle", "rise", rise, "positive")
    turns = [rise * steps - 1, *[2 * rise * steps - 2] * bool(three_phase), steps - 1]
    _increasing("onecycle", f"the turning points for steps={steps:g} and rise={rise:g}", turns)
    return interpolated([low, peak, *[low] * bool(three_phase), lowest], turns, curve)


def named_curve(label, curve):
    """Return the function of (initial value, final value, steps) that makes a curve of this name."""
    if curve not in CURVES:
        raise ValueError(f"{label}: curve must be one of {', '.join(map(repr, CURVES))}, not {curve!r}")
    return CURVES[curve]


def _increasing(label, name, steps):
    """Return a list of positive, increasing steps; raise an error for any other."""
    steps = [check_parameter(label, f"{name}[{i}]", step) for i, step in enumerate(steps)]
    if not all(a < b for a, b in pairwise([0, *steps])):
        raise ValueError(f"{label}: {name} must be positive and increasing, not {steps}")
    return steps
