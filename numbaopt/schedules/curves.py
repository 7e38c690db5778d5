"""Schedules that follow one curve from an initial to a final value."""

from math import cos, pi, sqrt

from numbaopt.schedules.cycles import cosine_restarts, cyclic  # noqa: F401 - states pickled by version 0.1.0 need them
from numbaopt.schedules.decays import (  # noqa: F401
    exponential,
    inverse_sqrt,
    inverse_time,
    natural_exponential,
    step,
)
from numbaopt.schedules.decorator import schedule


@schedule
def constant(k: float, value: float) -> float:
    """Return a schedule with the same value at every step.

    Parameters
    ----------
    value : float
        Value of the schedule.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError
        If a parameter is not a finite real number.

    Examples
    --------
    >>> from numbaopt.schedules import constant
    >>> lr = constant(0.1)
    >>> round(lr(0), 6), round(lr(5), 6)
    (0.1, 0.1)
    """
    return value


@schedule
def linear(k: float, init: float, final: float, steps: float) -> float:
    """Return a linear schedule from `init` to `final` over `steps` steps, followed by `final`.

    With an increasing value the schedule is a warm-up.

    Parameters
    ----------
    init : float
        Value at the first step.
    final : float
        Value after the last of the `steps` steps.
    steps : float, positive
        Length of the curve in steps.

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
    >>> from numbaopt.schedules import linear
    >>> lr = linear(0.0, 1.0, 10)
    >>> round(lr(0), 6), round(lr(5), 6), round(lr(20), 6)
    (0.0, 0.5, 1.0)
    """
    return final + (init - final) * (1 - min(k / steps, 1.0))


@schedule(power="positive")
def polynomial(k: float, init: float, final: float, steps: float, power: float = 1.0) -> float:
    """Return a polynomial schedule from `init` to `final` over `steps` steps, followed by `final`.

    The value after k steps is ``final + (init - final) * (1 - k / steps)**power``.

    Parameters
    ----------
    init : float
        Value at the first step.
    final : float
        Value after the last of the `steps` steps.
    steps : float, positive
        Length of the curve in steps.
    power : float, positive, default 1.0
        Power of the polynomial; 1 is a line.

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
    >>> from numbaopt.schedules import polynomial
    >>> lr = polynomial(1.0, 0.0, 10, power=2)
    >>> round(lr(0), 6), round(lr(5), 6), round(lr(20), 6)
    (1.0, 0.25, 0.0)
    """
    return final + (init - final) * (1 - min(k / steps, 1.0)) ** power


@schedule
def square_root(k: float, init: float, final: float, steps: float) -> float:
    """Return a square-root schedule from `init` to `final` over `steps` steps, followed by `final`.

    The value after k steps is ``init + (final - init) * sqrt(k / steps)``, the 1-sqrt cooldown of arXiv:2405.18392.

    Parameters
    ----------
    init : float
        Value at the first step.
    final : float
        Value after the last of the `steps` steps.
    steps : float, positive
        Length of the curve in steps.

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
    >>> from numbaopt.schedules import square_root
    >>> lr = square_root(1.0, 0.0, 16)
    >>> round(lr(0), 6), round(lr(4), 6), round(lr(16), 6)
    (1.0, 0.5, 0.0)
    """
    return final + (init - final) * (1 - sqrt(min(k / steps, 1.0)))


@schedule(exponent="positive")
def cosine(k: float, init: float, steps: float, final: float = 0.0, exponent: float = 1.0) -> float:
    """Return half a cosine from `init` to `final` over `steps` steps, followed by `final` (arXiv:1608.03983).

    Unlike this schedule, CosineAnnealingLR of PyTorch increases again after its T_max. The `exponent` is that of optax.

    Parameters
    ----------
    init : float
        Value at the first step.
    steps : float, positive
        Length of the curve in steps.
    final : float, default 0.0
        Value after the last of the `steps` steps.
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
        If a parameter is outside its range.

    Examples
    --------
    >>> from numbaopt.schedules import cosine
    >>> lr = cosine(1.0, 10)
    >>> round(lr(0), 6), round(lr(5), 6), round(lr(10), 6)
    (1.0, 0.5, 0.0)
    """
    height = (1 + cos(pi * min(k / steps, 1.0))) / 2
    return final + (init - final) * (height if exponent == 1 else height**exponent)
