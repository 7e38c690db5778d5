"""The field's schedules that are one formula each."""

from math import cos, exp, log, pi, sqrt

from numbaopt.schedules.decorator import schedule


@schedule
def constant(k: float, value: float) -> float:
    """Return ``value`` at every step.

    Parameters
    ----------
    value : float

    Returns
    -------
    Schedule

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
    """Return a line from ``init`` to ``final`` over ``steps`` steps, then ``final``; from 0 upwards it is a warm-up.

    Parameters
    ----------
    init : float
        Value at the first step.
    final : float
        Value from the end on.
    steps : float, positive
        Steps that it takes.

    Returns
    -------
    Schedule

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
    """Return ``final + (init - final) * (1 - k / steps)**power``, then ``final``.

    Parameters
    ----------
    init : float
        Value at the first step.
    final : float
        Value from the end on.
    steps : float, positive
        Steps that it takes.
    power : float, positive
        1 is a line.

    Returns
    -------
    Schedule

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
    """Return ``init + (final - init) * sqrt(k / steps)``, then ``final``: the 1-sqrt cooldown of arXiv:2405.18392.

    Parameters
    ----------
    init : float
        Value at the first step.
    final : float
        Value from the end on.
    steps : float, positive
        Steps that it takes.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> from numbaopt.schedules import square_root
    >>> lr = square_root(1.0, 0.0, 16)
    >>> round(lr(0), 6), round(lr(4), 6), round(lr(16), 6)
    (1.0, 0.5, 0.0)
    """
    return final + (init - final) * (1 - sqrt(min(k / steps, 1.0)))


@schedule
def exponential(k: float, init: float, rate: float, steps: float = 1.0, final: float = 0.0) -> float:
    """Return ``init * rate**(k / steps)``: a factor ``rate`` every ``steps`` steps, smoothly.

    It stops at ``final``, unless that is 0: a lower bound for a rate below 1, else an upper one.

    Parameters
    ----------
    init : float
        Value at the first step.
    rate : float, positive
        Factor every ``steps`` steps.
    steps : float, positive
    final : float
        Where it stops; 0 for nowhere.

    Returns
    -------
    Schedule

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
    """Return ``init * exp(-rate * k / steps)``.

    Parameters
    ----------
    init : float
        Value at the first step.
    rate : float, positive
        Exponent every ``steps`` steps.
    steps : float, positive

    Returns
    -------
    Schedule

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
    """Return ``init * rate**(k // steps)``: a factor ``rate`` every ``steps`` steps, at once.

    Parameters
    ----------
    init : float
        Value at the first step.
    steps : float, positive
        Steps between two changes.
    rate : float, positive
        Factor at each change.

    Returns
    -------
    Schedule

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
    """Return ``init / (1 + rate * k / steps)`` (Robbins & Monro 1951, Bottou arXiv:1606.04838).

    Parameters
    ----------
    init : float
        Value at the first step.
    rate : float, positive
        What the divisor grows by every ``steps`` steps.
    steps : float, positive

    Returns
    -------
    Schedule

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
    """Return ``init / sqrt(1 + k / steps)``.

    Warmed up over as many steps, ``warmup(inverse_sqrt(peak, w), w)``, it is the Transformer's (arXiv:1706.03762,
    equation 3), peak being ``(d_model * w)**-0.5``. It starts from 0, as in Keras's examples and Hugging Face's
    library; the paper's first step is k = 1.

    Parameters
    ----------
    init : float
        Value at the first step.
    steps : float, positive
        After three times as many it has fallen to a half.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> from numbaopt.schedules import inverse_sqrt
    >>> lr = inverse_sqrt(1.0, 10)
    >>> round(lr(0), 6), round(lr(30), 6)
    (1.0, 0.5)
    """
    return init / sqrt(1 + k / steps)


@schedule(exponent="positive")
def cosine(k: float, init: float, steps: float, final: float = 0.0, exponent: float = 1.0) -> float:
    """Return half a cosine from ``init`` to ``final`` over ``steps`` steps, then ``final`` (arXiv:1608.03983).

    torch's ``CosineAnnealingLR`` rises again after its ``T_max``. optax raises the half cosine to an ``exponent``.

    Parameters
    ----------
    init : float
        Value at the first step.
    steps : float, positive
        Steps that it takes.
    final : float
        Value from the end on.
    exponent : float, positive
        Power that the half cosine is raised to.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> from numbaopt.schedules import cosine
    >>> lr = cosine(1.0, 10)
    >>> round(lr(0), 6), round(lr(5), 6), round(lr(10), 6)
    (1.0, 0.5, 0.0)
    """
    height = (1 + cos(pi * min(k / steps, 1.0))) / 2
    return final + (init - final) * (height if exponent == 1 else height**exponent)


@schedule(mult="at least 1")
def cosine_restarts(
    k: float, init: float, steps: float, mult: float = 1.0, final: float = 0.0, rate: float = 1.0
) -> float:
    """Return half cosines from ``init`` to ``final``, one after another (SGDR, arXiv:1608.03983).

    The first takes ``steps`` steps, each next one ``mult`` times as many and from ``rate`` times as high, as Keras's
    ``CosineDecayRestarts``; torch's ``CosineAnnealingWarmRestarts`` calls them T_0 and T_mult, and has no rate.

    Parameters
    ----------
    init : float
        Value at the first step, and at the restarts where ``rate`` is 1.
    steps : float, positive
        Length of the first half cosine.
    mult : float, at least 1
        Factor of each next length.
    final : float
        Value at the end of each half cosine.
    rate : float, positive
        Factor of the height of each next one.

    Returns
    -------
    Schedule

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
    else:  # what is added is less than a step of any cycle, and more than the logarithms' rounding
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
    """Return lines from ``init`` up to ``peak`` and down again, over and over (arXiv:1506.01186).

    ``up`` steps up and ``down`` down, 0 meaning as many. torch's ``CyclicLR`` calls it triangular; with
    ``cycle_rate=0.5``, triangular2: each cycle half as high; with ``step_rate``, exp_range: its gamma at each step.
    With ``init`` above ``peak`` it is the momentum that torch cycles along.

    Parameters
    ----------
    init : float
        Value at the first step, and between the cycles.
    peak : float
        Value at the top of the first cycle.
    up : float, positive
        Steps from ``init`` to ``peak``.
    down : float, at least 0
        Steps back; 0 for as many.
    cycle_rate : float, positive
        Factor of the height of each next cycle.
    step_rate : float, positive
        Factor of the height of each next step.

    Returns
    -------
    Schedule

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
