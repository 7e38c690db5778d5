"""Schedules that repeat a curve."""

from math import cos, log, pi

from numbaopt.schedules.decorator import schedule


@schedule(mult="at least 1")
def cosine_restarts(
    k: float, init: float, steps: float, mult: float = 1.0, final: float = 0.0, rate: float = 1.0
) -> float:
    """Return half cosines from `init` to `final` that restart (SGDR, arXiv:1608.03983).

    Parameters are those of CosineDecayRestarts in Keras. CosineAnnealingWarmRestarts of PyTorch calls `steps` T_0 and
    `mult` T_mult, and has no `rate`.

    Parameters
    ----------
    init : float
        Value at the first step, and at every restart if `rate` is 1.
    steps : float, positive
        Length of the first cycle in steps.
    mult : float, at least 1, default 1.0
        Factor of the length of each further cycle.
    final : float, default 0.0
        Value at the end of each cycle.
    rate : float, positive, default 1.0
        Factor of the height above `final` of each further cycle.

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
    >>> from numbaopt.schedules import cosine_restarts
    >>> lr = cosine_restarts(1.0, 10)
    >>> round(lr(0), 6), round(lr(5), 6), round(lr(10), 6)
    (1.0, 0.5, 1.0)
    """
    if mult == 1:
        cycle = k // steps
        length, start = steps, cycle * steps
    else:  # 1e-10 exceeds the rounding error of the logarithms and is less than one step of any cycle
        cycle = (log(1 + k * (mult - 1) / steps) / log(mult) + 1e-10) // 1
        length = steps * mult**cycle
        start = (length - steps) / (mult - 1)
    return final + (init - final) * rate**cycle * (1 + cos(pi * (k - start) / length)) / 2


@schedule(up="positive", down="at least 0", cycle_rate="positive", step_rate="positive")
def cyclic(
    k: float,
    init: float,
    peak: float,
    up: float = 2000.0,
    down: float = 0.0,
    cycle_rate: float = 1.0,
    step_rate: float = 1.0,
) -> float:
    """Return a schedule that cycles linearly between `init` and `peak` (arXiv:1506.01186).

    The modes of CyclicLR in PyTorch are the default (triangular), ``cycle_rate=0.5`` (triangular2) and
    ``step_rate=gamma`` (exp_range). An `init` above `peak` gives the momentum that PyTorch cycles inversely to the
    learning rate.

    Parameters
    ----------
    init : float
        Value at the first step and between cycles.
    peak : float
        Value at the top of the first cycle.
    up : float, positive, default 2000.0
        Number of steps from `init` to `peak`.
    down : float, at least 0, default 0.0
        Number of steps from `peak` to `init`; 0 for `up`.
    cycle_rate : float, positive, default 1.0
        Factor of the height of each further cycle.
    step_rate : float, positive, default 1.0
        Factor of the height of each further step.

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
    >>> from numbaopt.schedules import cyclic
    >>> lr = cyclic(0.0, 1.0, up=10)
    >>> round(lr(0), 6), round(lr(5), 6), round(lr(10), 6), round(lr(15), 6)
    (0.0, 0.5, 1.0, 0.5)
    """
    fall = down if down > 0 else up
    cycle = k // (up + fall)
    j = k - cycle * (up + fall)
    height = j / up if j <= up else (up + fall - j) / fall
    return init + (peak - init) * height * cycle_rate**cycle * step_rate**k
