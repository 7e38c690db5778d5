"""Padam: partially adaptive AMSGrad, between SGD with momentum (partial=0) and AMSGrad (partial=0.5)."""

from numbaopt.rule import max, rule, sqrt


@rule
def padam(x, g, m, v, vmax, t, lr=0.1, b1=0.9, b2=0.999, partial=0.25, eps=1e-8, wd=0.0):
    """Padam (Chen et al. 2020, Algorithm 1, arXiv:1806.06763), with bias correction and `eps` as in the authors' code.

    ensmallen adds `eps` to the maximum instead of to its square root. pytorch_optimizer omits the maximum, which is
    part of the paper's algorithm.
    """
    if wd:
        g = g + wd * x
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    vmax = max(vmax, v)
    rate = lr * sqrt(1 - b2**t) / (1 - b1**t)
    return x - rate * m / (sqrt(vmax) + eps) ** (2 * partial), m, v, vmax
