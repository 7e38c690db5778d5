"""The field's schedules that are one formula each."""

from math import cos, exp, log, pi, sqrt

from numbaopt.schedules.decorator import schedule


@schedule
def constant(k, value):
    """Return ``value`` at every step."""
    return value


@schedule
def linear(k, init, final, steps):
    """Return a line from ``init`` to ``final`` over ``steps`` steps, then ``final``; from 0 upwards it is a warm-up."""
    return final + (init - final) * (1 - min(k / steps, 1.0))


@schedule(power="positive")
def polynomial(k, init, final, steps, power=1.0):
    """Return ``final + (init - final) * (1 - k / steps)**power``, then ``final``."""
    return final + (init - final) * (1 - min(k / steps, 1.0)) ** power


@schedule
def square_root(k, init, final, steps):
    """Return ``init + (final - init) * sqrt(k / steps)``, then ``final``: the 1-sqrt cooldown of arXiv:2405.18392."""
    return final + (init - final) * (1 - sqrt(min(k / steps, 1.0)))


@schedule
def exponential(k, init, rate, steps=1.0, final=0.0):
    """Return ``init * rate**(k / steps)``: a factor ``rate`` every ``steps`` steps, smoothly.

    It stops at ``final``, unless that is 0: a lower bound for a rate below 1, else an upper one.
    """
    value = init * rate ** (k / steps)
    if final == 0:
        return value
    return max(value, final) if rate < 1 else min(value, final)


@schedule
def natural_exponential(k, init, rate, steps=1.0):
    """Return ``init * exp(-rate * k / steps)``."""
    return init * exp(-rate * k / steps)


@schedule
def step(k, init, steps, rate=0.1):
    """Return ``init * rate**(k // steps)``: a factor ``rate`` every ``steps`` steps, at once."""
    return init * rate ** (k // steps)


@schedule
def inverse_time(k, init, rate, steps=1.0):
    """Return ``init / (1 + rate * k / steps)`` (Robbins & Monro 1951, Bottou arXiv:1606.04838)."""
    return init / (1 + rate * k / steps)


@schedule
def inverse_sqrt(k, init, steps):
    """Return ``init / sqrt(1 + k / steps)``.

    Warmed up over as many steps, ``warmup(inverse_sqrt(peak, w), w)``, it is the Transformer's (arXiv:1706.03762,
    equation 3), peak being ``(d_model * w)**-0.5``. It starts from 0, as in Keras's examples and Hugging Face's
    library; the paper's first step is k = 1.
    """
    return init / sqrt(1 + k / steps)


@schedule(exponent="positive")
def cosine(k, init, steps, final=0.0, exponent=1.0):
    """Return half a cosine from ``init`` to ``final`` over ``steps`` steps, then ``final`` (arXiv:1608.03983).

    torch's ``CosineAnnealingLR`` rises again after its ``T_max``. optax raises the half cosine to an ``exponent``.
    """
    height = (1 + cos(pi * min(k / steps, 1.0))) / 2
    return final + (init - final) * (height if exponent == 1 else height**exponent)


@schedule(mult="at least 1")
def cosine_restarts(k, init, steps, mult=1.0, final=0.0, rate=1.0):
    """Return half cosines from ``init`` to ``final``, one after another (SGDR, arXiv:1608.03983).

    The first takes ``steps`` steps, each next one ``mult`` times as many and from ``rate`` times as high, as Keras's
    ``CosineDecayRestarts``; torch's ``CosineAnnealingWarmRestarts`` calls them T_0 and T_mult, and has no rate.
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
def cyclic(k, init, peak, up=2000.0, down=0.0, cycle_rate=1.0, step_rate=1.0):
    """Return lines from ``init`` up to ``peak`` and down again, over and over (arXiv:1506.01186).

    ``up`` steps up and ``down`` down, 0 meaning as many. torch's ``CyclicLR`` calls it triangular; with
    ``cycle_rate=0.5``, triangular2: each cycle half as high; with ``step_rate``, exp_range: its gamma at each step.
    With ``init`` above ``peak`` it is the momentum that torch cycles along.
    """
    fall = down if down > 0 else up
    cycle = k // (up + fall)
    j = k - cycle * (up + fall)
    height = j / up if j <= up else (up + fall - j) / fall
    return init + (peak - init) * height * cycle_rate**cycle * step_rate**k
