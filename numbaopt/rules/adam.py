"""Adam: a step scaled by running moments of the gradient."""

from numbaopt.rule import rule, sqrt


@rule
def adam(x, g, m, v, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    """Adam (Kingma & Ba 2015, Algorithm 1, arXiv:1412.6980)."""
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    mhat = m / (1 - b1**t)
    vhat = v / (1 - b2**t)
    return x - lr * mhat / (sqrt(vhat) + eps), m, v
