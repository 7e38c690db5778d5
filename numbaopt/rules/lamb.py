"""LAMB: the direction of Adam, scaled to the norm of each array of parameters."""

from numbaopt.rule import norm, rule, sqrt, where


@rule
def lamb(x, g, m, v, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-6, wd=0.0):
    """LAMB (You et al. 2020, Algorithm 2, arXiv:1904.00962).

    The scaling function phi is the identity, and the trust ratio is 1 where a norm is zero, as in optax.
    """
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    mhat = m / (1 - b1**t)
    vhat = v / (1 - b2**t)
    u = mhat / (sqrt(vhat) + eps) + wd * x
    xnorm = norm(x)
    unorm = norm(u)
    ratio = where((xnorm > 0) & (unorm > 0), xnorm / where(unorm > 0, unorm, 1.0), 1.0)
    return x - lr * ratio * u, m, v
