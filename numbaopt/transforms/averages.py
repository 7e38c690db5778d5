"""Averages of the iterates: steadier than the last one."""

from numbaopt.rule import max, rule, where


@rule(report=lambda average: average)
def ema(x, average: "x", t, decay=0.999):  # noqa: F821
    """Exponential average of x, kept beside the run and reported in its place.

    It begins with a copy of the first new x, as torch.optim.swa_utils has it. For plain averages see `swa`.
    """
    average = x if t == 1 else decay * average + (1 - decay) * x
    return x, average


@rule(report=lambda x, average, taken: average if taken else x)
def swa(x, average, t, taken, start=1, k=1):
    """Stochastic weight averaging (Izmailov et al. 2018, arXiv:1803.05407, Algorithm 1), reported in x's place.

    The mean of x after step ``start`` and every k-th from there; torch.optim.swa_utils. By default that is Polyak and
    Ruppert's average (1992, SIAM J. Control Optim. 30), of all.
    """
    now = t >= start and (t - start) % k == 0
    taken = where(now, taken + 1, taken)
    average = where(now, average + (x - average) / max(taken, 1), average)
    return x, average, taken


@rule(report=lambda slow: slow)
def lookahead(x, slow: "x", t, sync_period=5, slow_step_size=0.5):  # noqa: F821
    """Lookahead (Zhang et al. 2019, arXiv:1907.08610, Algorithm 1, k and alpha); names as in optax.

    Every k steps x is drawn back towards the slow weights, which are reported. The rule's slots go on.
    """
    sync = t % sync_period == 0
    slow = where(sync, slow + slow_step_size * (x - slow), slow)
    return where(sync, slow, x), slow
