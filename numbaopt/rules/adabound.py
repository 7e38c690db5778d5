"""AdaBound: Adam at first, SGD in the end; every coordinate's rate is kept between two bounds that close in."""

from numbaopt.rule import max, min, rule, sqrt


@rule
def adabound(x, g, m, v, t, lr=1e-3, b1=0.9, b2=0.999, final_lr=0.1, gamma=1e-3, eps=1e-8, wd=0.0):
    """AdaBound (Luo et al. 2019, Algorithm 2, arXiv:1902.09843), as in the authors' package.

    Theirs corrects the moments as Adam does, and does not divide by sqrt(t) as the printed algorithm does. A schedule
    of lr leaves the bounds where they are, as in the paper; theirs rescales final_lr with it.
    """
    if wd:
        g = g + wd * x
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    lower = final_lr * (1 - 1 / (gamma * t + 1))
    upper = final_lr * (1 + 1 / (gamma * t))
    rate = lr * sqrt(1 - b2**t) / (1 - b1**t) / (sqrt(v) + eps)
    return x - min(max(rate, lower), upper) * m, m, v
