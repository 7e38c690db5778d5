"""ASGD: gradient descent with a decaying learning rate that also averages its iterates."""

from numbaopt.rule import max, rule


@rule
def asgd(x, g, ax, t, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, wd=0.0, maximize=False):
    """Averaged SGD (Polyak & Juditsky 1992), with the learning rates of Bottou and PyTorch.

    The slot ``ax`` holds the average of the iterates after step `t0`; x itself is not averaged.
    """
    if maximize:
        g = -g
    if wd:
        g = g + wd * x
    eta = lr / (1 + lambd * lr * (t - 1)) ** alpha
    mu = 1 / max(1, t - 1 - t0)
    x = x * (1 - lambd * eta) - eta * g
    return x, ax + mu * (x - ax)
