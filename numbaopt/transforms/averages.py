"""Averages of the iterates, which fluctuate less than the last iterate."""

from numbaopt.rule import max, rule, where


@rule(report=lambda average: average)
def ema(x, average: "x", t, decay=0.999):  # noqa: F821
    """Exponential moving average of x, which is reported instead of x.

    The average starts as a copy of the first new x, as in torch.optim.swa_utils. See `swa` for equally weighted
    averages.
    """
    average = x if t == 1 else decay * average + (1 - decay) * x
    return x, average


@rule(report=lambda x, average, taken: average if taken else x)
def swa(x, average, t, taken, start=1, k=1):
    """Stochastic weight averaging (Izmailov et al. 2018, arXiv:1803.05407, Algorithm 1), reported instead of x.

    The average is the mean of x after step `start` and after every `k`-th step from there, as in torch.optim.swa_utils.
    The defaults average all iterates (Polyak & Juditsky 1992, SIAM J. Control Optim. 30).
    """
    now = t >= start and (t - start) % k == 0
    taken = where(now, taken + 1, taken)
    average = where(now, average + (x - average) / max(taken, 1), average)
    return x, average, taken


@rule(report=lambda slow: slow)
def lookahead(x, slow: "x", t, sync_period=5, slow_step_size=0.5):  # noqa: F821
    """Lookahead (Zhang et al. 2019, arXiv:1907.08610, Algorithm 1), with optax's names for k and alpha.

    Every `sync_period` steps x is moved back to the slow weights, which are reported. The slots of the rule are not
    reset.
    """
    sync = t % sync_period == 0
    slow = where(sync, slow + slow_step_size * (x - slow), slow)
    return where(sync, slow, x), slow
