"""AdaMod: Adam whose learning rates are limited by their own running mean, which acts as a warm-up."""

from numbaopt.rule import min, rule, sqrt


@rule
def adamod(x, g, m, v, s, t, lr=1e-3, b1=0.9, b2=0.999, b3=0.999, eps=1e-8, wd=0.0):
    """AdaMod (Ding et al. 2019, arXiv:1910.12249), as in the authors' package; weight decay is decoupled."""
    x = x * (1 - lr * wd)
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    rate = lr * sqrt(1 - b2**t) / (1 - b1**t) / (sqrt(v) + eps)
    s = b3 * s + (1 - b3) * rate
    return x - min(rate, s) * m, m, v, s
