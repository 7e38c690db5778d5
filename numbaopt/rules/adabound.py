"""AdaBound: Adam whose learning rates are clipped to bounds that converge to the rate of SGD."""

from numbaopt.rule import max, min, rule, sqrt


@rule
def adabound(x, g, m, v, t, lr=1e-3, b1=0.9, b2=0.999, final_lr=0.1, gamma=1e-3, eps=1e-8, wd=0.0):
    """AdaBound (Luo et al. 2019, Algorithm 2, arXiv:1902.09843), as in the authors' package.

    Unlike the printed algorithm, the package corrects the bias of the moments, as Adam does, and does not divide by
    sqrt(t). A schedule of `lr` leaves the bounds unchanged, as in the paper; the package rescales `final_lr` with it.
    """
    if wd:
        g = g + wd * x
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    lower = final_lr * (1 - 1 / (gamma * t + 1))
    upper = final_lr * (1 + 1 / (gamma * t))
    rate = lr * sqrt(1 - b2**t) / (1 - b1**t) / (sqrt(v) + eps)
    return x - min(max(rate, lower), upper) * m, m, v
