"""The field's schedules that are joined from others; they print as what they are made of."""

import operator
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any, Literal

from numbaopt.schedules.combined import joined
from numbaopt.schedules.curves import constant, cosine, exponential, linear, square_root
from numbaopt.schedules.decorator import Schedule, checked

Curve = Literal["linear", "cosine", "1-sqrt"]
CURVES: dict[str, Callable[[Any, Any, Any], Schedule]] = {
    "linear": linear,
    "cosine": lambda a, b, steps: cosine(a, steps, b),
    "1-sqrt": square_root,
}


def delayed(schedule: Schedule, steps: float) -> Schedule:
    """Return a schedule that starts ``steps`` later and until then stays where it starts.

    Parameters
    ----------
    schedule : Schedule
    steps : int

    Returns
    -------
    Schedule

    Examples
    --------
    >>> from numbaopt.schedules import delayed, linear
    >>> delayed(linear(1, 0, 10), 100)(105)
    0.5
    """
    return warmup(schedule, steps, _first("delayed", schedule))


def warmup(schedule: Schedule, steps: float, init: float = 0.0) -> Schedule:
    """Return a line from ``init`` to where a schedule starts, over ``steps`` steps, then that schedule.

    Parameters
    ----------
    schedule : Schedule
        It counts from 0 after the warm-up.
    steps : int
        0 for none.
    init : float
        Where the line begins.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> from numbaopt.schedules import cosine, warmup
    >>> warmup(cosine(0.1, 900), 100)
    joined([linear(0, 0.1, 100), cosine(0.1, 900)], [100])
    """
    first, steps = _first("warmup", schedule), checked("warmup", "steps", steps, "at least 0")
    return joined([linear(init, first, steps), schedule], [steps]) if steps else schedule


def multistep(init: float, milestones: Sequence[float], rate: float | Sequence[float] = 0.1) -> Schedule:
    """Return ``init``, multiplied by ``rate`` at each of the milestones.

    At the milestone itself already, as torch and optax do; Keras's ``PiecewiseConstantDecay`` waits one step more.

    Parameters
    ----------
    init : float
    milestones : list of int, increasing
    rate : float or list of float
        One for all (torch's gamma), or one for each (optax's scales).

    Returns
    -------
    Schedule

    Examples
    --------
    >>> from numbaopt.schedules import multistep
    >>> lr = multistep(1.0, [30, 80], 0.5)
    >>> lr(29), lr(30), lr(80)
    (1.0, 0.5, 0.25)
    """
    milestones = _increasing("multistep: milestones", milestones)
    rates = list(rate) if isinstance(rate, (list, tuple)) else [rate] * len(milestones)
    if len(rates) != len(milestones):
        raise ValueError(f"multistep: {len(milestones)} milestones need as many rates, not {rate!r}")
    rates = [checked("multistep", "rate", each, "at least 0") for each in rates]
    levels = accumulate([checked("multistep", "init", init), *rates], operator.mul)
    return joined([constant(level) for level in levels], milestones)


def interpolated(values: Sequence[float], boundaries: Sequence[float], curve: Curve = "linear") -> Schedule:
    """Return a curve through values: the first at step 0, the others at the boundaries, the last one ever after.

    Parameters
    ----------
    values : list of float
        optax takes the first, and for each other what it is multiplied by.
    boundaries : list of int, one fewer than values, increasing
    curve : {"linear", "cosine", "1-sqrt"}

    Returns
    -------
    Schedule

    Examples
    --------
    >>> from numbaopt.schedules import interpolated
    >>> lr = interpolated([0.0, 1.0, 0.5], [10, 30])
    >>> lr(0), lr(5), lr(10), lr(20), lr(1000)
    (0.0, 0.5, 1.0, 0.75, 0.5)
    """
    values, boundaries = list(values), _increasing("interpolated: boundaries", boundaries)
    if len(values) != len(boundaries) + 1:
        raise ValueError(f"interpolated: {len(boundaries)} boundaries need one value more, not {values}")
    lengths = [b - a for a, b in pairwise([0, *boundaries])]
    make = _curve("interpolated", curve)
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
    """Return one cycle: from ``peak / div`` up to ``peak``, and down to ``peak / div / final_div`` (arXiv:1708.07120).

    As torch's ``OneCycleLR``, which names ``rise`` pct_start: the last of ``steps`` steps, k = steps - 1, has the
    lowest value. In three phases, it falls to ``peak / div`` as fast as it rose, and to the lowest value in the rest.

    optax's turn at whole steps and end a step later. Its ``cosine_onecycle_schedule`` is, low being ``peak / div``,
    ``interpolated([low, peak, low / final_div], [int(rise * steps), steps], "cosine")``. ``linear_onecycle_schedule``
    is ``interpolated([low, peak, low, low / final_div], [int(rise * steps), int(0.85 * steps), steps])``.

    Parameters
    ----------
    peak : float
    steps : int
        All of them.
    rise : float
        The part of the steps in which it rises.
    curve : {"cosine", "linear", "1-sqrt"}
    div, final_div : float
    three_phase : bool

    Returns
    -------
    Schedule

    Examples
    --------
    >>> from numbaopt.schedules import onecycle
    >>> lr = onecycle(1.0, 100, rise=0.5, div=4, final_div=8)
    >>> lr(0), lr(49), lr(99)
    (0.25, 1.0, 0.03125)
    """
    peak = checked("onecycle", "peak", peak)
    low = peak / checked("onecycle", "div", div, "positive")
    lowest = low / checked("onecycle", "final_div", final_div, "positive")
    steps, rise = checked("onecycle", "steps", steps, "positive"), checked("onecycle", "rise", rise, "positive")
    turns = [rise * steps - 1, *[2 * rise * steps - 2] * bool(three_phase), steps - 1]
    _increasing(f"onecycle: of {steps:g} steps, rising in a part of {rise:g}, the turns", turns)
    return interpolated([low, peak, *[low] * bool(three_phase), lowest], turns, curve)


def warmup_cosine(
    init: float, peak: float, warmup_steps: float, steps: float, final: float = 0.0, exponent: float = 1.0
) -> Schedule:
    """Return a line from ``init`` to ``peak``, then half a cosine to ``final``, ``steps`` steps in all.

    Parameters
    ----------
    init, peak, final : float
        Values at the first step, after the warm-up, and at the end.
    warmup_steps, steps : int
        Length of the warm-up, and of both together.
    exponent : float
        Power that the half cosine is raised to.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> from numbaopt.schedules import warmup_cosine
    >>> warmup_cosine(0, 0.1, 100, 1000)
    joined([linear(0, 0.1, 100), cosine(0.1, 900)], [100])
    """
    rest = checked("warmup_cosine", "steps", steps) - checked("warmup_cosine", "warmup_steps", warmup_steps)
    if rest <= 0:
        raise ValueError(f"warmup_cosine: of steps={steps:g} in all, none is left after warmup_steps={warmup_steps:g}")
    return warmup(cosine(peak, rest, final, exponent), warmup_steps, init)


def warmup_exponential(
    init: float, peak: float, warmup_steps: float, rate: float, steps: float = 1.0, final: float = 0.0
) -> Schedule:
    """Return a line from ``init`` to ``peak`` over ``warmup_steps``, then ``exponential(peak, rate, steps, final)``.

    Parameters
    ----------
    init, peak : float
        Values at the first step, and after the warm-up.
    warmup_steps : int
    rate : float
        Factor every ``steps`` steps.
    steps : float
    final : float
        Where it stops; 0 for nowhere.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> from numbaopt.schedules import warmup_exponential
    >>> warmup_exponential(0, 0.1, 100, 0.5, 10)
    joined([linear(0, 0.1, 100), exponential(0.1, 0.5, 10)], [100])
    """
    return warmup(exponential(peak, rate, steps, final), warmup_steps, init)


def warmup_stable_decay(
    peak: float,
    warmup_steps: float,
    stable_steps: float,
    decay_steps: float,
    init: float = 0.0,
    final: float = 0.0,
    curve: Curve = "linear",
) -> Schedule:
    """Return a line from ``init`` to ``peak``, ``peak`` for a while, then a curve to ``final`` (WSD, arXiv:2404.06395).

    Parameters
    ----------
    peak : float
    warmup_steps, stable_steps, decay_steps : int
        Of the three phases; the first two may be 0.
    init, final : float
    curve : {"linear", "cosine", "1-sqrt"}
        Of the decay.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> from numbaopt.schedules import warmup_stable_decay
    >>> lr = warmup_stable_decay(1.0, 10, 80, 10)
    >>> lr(0), lr(10), lr(90), lr(95), lr(100)
    (0.0, 1.0, 1.0, 0.5, 0.0)
    """
    decay = _curve("warmup_stable_decay", curve)(peak, final, decay_steps)
    return warmup(delayed(decay, stable_steps), warmup_steps, init)


def _first(label, schedule):
    if not isinstance(schedule, Schedule):
        raise TypeError(f"{label} takes a schedule, not {schedule!r}")
    return schedule(0)


def _curve(label, curve):
    if curve not in CURVES:
        raise ValueError(f"{label}: curve is one of {', '.join(CURVES)}, not {curve!r}")
    return CURVES[curve]


def _increasing(what, places):
    places = [checked(what, f"[{i}]", place) for i, place in enumerate(places)]
    if not all(a < b for a, b in pairwise([0, *places])):
        raise ValueError(f"{what} increase from above 0, not {places}")
    return places
