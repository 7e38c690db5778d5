"""DiffGrad: Adam whose steps shrink, by up to a half, where the gradient changes little."""

from numbaopt.rule import abs, exp, rule, sqrt


@rule
def diffgrad(x, g, m, v, last, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8, wd=0.0):
    """DiffGrad (Dubey et al. 2020, arXiv:1909.11015), as in the package torch_optimizer.

    `eps` is added to the square root before bias correction.
    """
    if wd:
        g = g + wd * x
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    friction = 1 / (1 + exp(-abs(last - g)))
    rate = lr * sqrt(1 - b2**t) / (1 - b1**t)
    return x - rate * friction * m / (sqrt(v) + eps), m, v, g
