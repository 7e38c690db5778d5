"""AMSBound: AdaBound with second moments that never decrease."""

from numbaopt.rule import max, min, rule, sqrt


@rule
def amsbound(x, g, m, v, vmax, t, lr=1e-3, b1=0.9, b2=0.999, final_lr=0.1, gamma=1e-3, eps=1e-8, wd=0.0):
    """AMSBound (Luo et al. 2019, Algorithm 3, arXiv:1902.09843), as in the authors' package.

    The bias of the moments is corrected after the maximum is taken. See `adabound` for further differences between the
    package and the printed algorithm.
    """
    if wd:
        g = g + wd * x
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    vmax = max(vmax, v)
    lower = final_lr * (1 - 1 / (gamma * t + 1))
    upper = final_lr * (1 + 1 / (gamma * t))
    rate = lr * sqrt(1 - b2**t) / (1 - b1**t) / (sqrt(vmax) + eps)
    return x - min(max(rate, lower), upper) * m, m, v, vmax
