"""Schedules with a warm-up or a delay, composed of others."""

from numbaopt.schedules.combined import check_schedule, joined
from numbaopt.schedules.curves import cosine, linear
from numbaopt.schedules.decays import exponential
from numbaopt.schedules.decorator import Schedule, check_parameter
from numbaopt.schedules.recipes import Curve, named_curve


def delayed(schedule: Schedule, steps: float) -> Schedule:
    """Return a schedule that starts `steps` steps later and has its initial value until then.

    Parameters
    ----------
    schedule : Schedule
        Schedule to delay.
    steps : int
        Number of steps before it starts.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError
        If `schedule` is not a schedule, or a parameter is not a finite real number.
    ValueError
        If `steps` is negative.

    Examples
    --------
    >>> from numbaopt.schedules import delayed, linear
    >>> delayed(linear(1, 0, 10), 100)(105)
    0.5
    """
    return warmup(schedule, steps, check_schedule("delayed", schedule)(0))


def warmup(schedule: Schedule, steps: float, init: float = 0.0) -> Schedule:
    """Return a schedule that is preceded by a linear warm-up from `init` to its initial value.

    Parameters
    ----------
    schedule : Schedule
        Schedule after the warm-up. It counts steps from 0 at the end of the warm-up.
    steps : int
        Length of the warm-up in steps; 0 for none.
    init : float, default 0.0
        Value at the first step.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError
        If `schedule` is not a schedule, or a parameter is not a finite real number.
    ValueError
        If `steps` is negative.

    Examples
    --------
    >>> from numbaopt.schedules import cosine, warmup
    >>> warmup(cosine(0.1, 900), 100)
    joined([linear(0, 0.1, 100), cosine(0.1, 900)], [100])
    """
    first = check_schedule("warmup", schedule)(0)
    steps = check_parameter("warmup", "steps", steps, "at least 0")
    return joined([linear(init, first, steps), schedule], [steps]) if steps else schedule


def warmup_cosine(
    init: float, peak: float, warmup_steps: float, steps: float, final: float = 0.0, exponent: float = 1.0
) -> Schedule:
    """Return a linear warm-up from `init` to `peak`, followed by half a cosine to `final`.

    Parameters
    ----------
    init, peak, final : float
        Values at the first step, at the end of the warm-up, and at the end.
    warmup_steps, steps : int
        Length of the warm-up, and of the whole schedule including the warm-up.
    exponent : float, positive, default 1.0
        Power to which the half cosine is raised.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError
        If a parameter is not a finite real number.
    ValueError
        If `steps` is not larger than `warmup_steps`, or a parameter is outside its range.

    Examples
    --------
    >>> from numbaopt.schedules import warmup_cosine
    >>> warmup_cosine(0, 0.1, 100, 1000)
    joined([linear(0, 0.1, 100), cosine(0.1, 900)], [100])
    """
    steps = check_parameter("warmup_cosine", "steps", steps)
    decay_steps = steps - check_parameter("warmup_cosine", "warmup_steps", warmup_steps)
    if decay_steps <= 0:
        raise ValueError(f"warmup_cosine: steps must be larger than warmup_steps={warmup_steps:g}, not {steps:g}")
    return warmup(cosine(peak, decay_steps, final, exponent), warmup_steps, init)


def warmup_exponential(
    init: float, peak: float, warmup_steps: float, rate: float, steps: float = 1.0, final: float = 0.0
) -> Schedule:
    """Return a linear warm-up from `init` to `peak`, followed by ``exponential(peak, rate, steps, final)``.

    Parameters
    ----------
    init, peak : float
        Values at the first step, and at the end of the warm-up.
    warmup_steps : int
        Length of the warm-up in steps; 0 for none.
    rate : float, positive
        Factor of the value every `steps` steps.
    steps : float, positive, default 1.0
        Number of steps over which the value changes by the factor `rate`.
    final : float, default 0.0
        Limit of the value; 0 for no limit.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError
        If a parameter is not a finite real number.
    ValueError
        If a parameter is outside its range.

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
    """Return a linear warm-up, a constant phase and a decay (WSD, arXiv:2404.06395).

    Parameters
    ----------
    peak : float
        Value in the constant phase.
    warmup_steps, stable_steps, decay_steps : int
        Lengths of the three phases in steps; the first two may be 0.
    init, final : float, default 0.0
        Values at the first step and at the end.
    curve : {"linear", "cosine", "1-sqrt"}
        Shape of the decay.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError
        If a parameter is not a finite real number.
    ValueError
        If a parameter is outside its range.

    Examples
    --------
    >>> from numbaopt.schedules import warmup_stable_decay
    >>> lr = warmup_stable_decay(1.0, 10, 80, 10)
    >>> lr(0), lr(10), lr(90), lr(95), lr(100)
    (0.0, 1.0, 1.0, 0.5, 0.0)
    """
    decay = named_curve("warmup_stable_decay", curve)(peak, final, decay_steps)
    return warmup(delayed(decay, stable_steps), warmup_steps, init)
