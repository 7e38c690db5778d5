"""Schedules that decay without an end."""

from math import exp, sqrt

from numbaopt.schedules.decorator import schedule


@schedule
def exponential(k: float, init: float, rate: float, steps: float = 1.0, final: float = 0.0) -> float:
    """Return a schedule that is multiplied by `rate` every `steps` steps, continuously.

    The value after k steps is ``init * rate**(k / steps)``. It does not pass `final`, which is a lower bound for a
    `rate` below 1 and an upper bound otherwise.

    Parameters
    ----------
    init : float
        Value at the first step.
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
    >>> from numbaopt.schedules import exponential
    >>> lr = exponential(1.0, 0.5, 10)
    >>> round(lr(0), 6), round(lr(10), 6), round(lr(20), 6)
    (1.0, 0.5, 0.25)
    """
    value = init * rate ** (k / steps)
    if final == 0:
        return value
    return max(value, final) if rate < 1 else min(value, final)


@schedule
def natural_exponential(k: float, init: float, rate: float, steps: float = 1.0) -> float:
    """Return an exponentially decaying schedule, ``init * exp(-rate * k / steps)`` after k steps.

    Parameters
    ----------
    init : float
        Value at the first step.
    rate : float, positive
        Decrease of the logarithm of the value every `steps` steps.
    steps : float, positive, default 1.0
        Number of steps to which `rate` refers.

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
    >>> from numbaopt.schedules import natural_exponential
    >>> lr = natural_exponential(1.0, 0.1)
    >>> round(lr(0), 6), round(lr(10), 6)
    (1.0, 0.367879)
    """
    return init * exp(-rate * k / steps)


@schedule
def step(k: float, init: float, steps: float, rate: float = 0.1) -> float:
    """Return a schedule that is multiplied by `rate` once every `steps` steps.

    The value after k steps is ``init * rate**(k // steps)``.

    Parameters
    ----------
    init : float
        Value at the first step.
    steps : float, positive
        Number of steps between two changes.
    rate : float, positive, default 0.1
        Factor of the value at each change.

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
    >>> from numbaopt.schedules import step
    >>> lr = step(1.0, 10, rate=0.5)
    >>> round(lr(0), 6), round(lr(9), 6), round(lr(10), 6)
    (1.0, 1.0, 0.5)
    """
    return init * rate ** (k // steps)


@schedule
def inverse_time(k: float, init: float, rate: float, steps: float = 1.0) -> float:
    """Return a schedule that decays as the inverse of the number of steps.

    The value after k steps is ``init / (1 + rate * k / steps)`` (Robbins & Monro 1951; Bottou et al.,
    arXiv:1606.04838).

    Parameters
    ----------
    init : float
        Value at the first step.
    rate : float, positive
        Increase of the denominator every `steps` steps.
    steps : float, positive, default 1.0
        Number of steps to which `rate` refers.

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
    >>> from numbaopt.schedules import inverse_time
    >>> lr = inverse_time(1.0, 1.0, 10)
    >>> round(lr(0), 6), round(lr(10), 6), round(lr(30), 6)
    (1.0, 0.5, 0.25)
    """
    return init / (1 + rate * k / steps)


@schedule
def inverse_sqrt(k: float, init: float, steps: float) -> float:
    """Return a schedule that decays as the inverse square root of the number of steps.

    The value after k steps is ``init / sqrt(1 + k / steps)``. With a warm-up of the same length,
    ``warmup(inverse_sqrt(peak, w), w)`` is the schedule of the Transformer (arXiv:1706.03762, equation 3) with
    ``peak = (d_model * w)**-0.5``. It starts at 0, as in the examples of Keras and in Hugging Face's library; the first
    step of the paper is k = 1.

    Parameters
    ----------
    init : float
        Value at the first step.
    steps : float, positive
        The value is half of `init` after three times as many steps.

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
    >>> from numbaopt.schedules import inverse_sqrt
    >>> lr = inverse_sqrt(1.0, 10)
    >>> round(lr(0), 6), round(lr(30), 6)
    (1.0, 0.5)
    """
    return init / sqrt(1 + k / steps)
