"""LAMB: Adam's direction, as long as the parameters themselves."""

from numbaopt.rule import norm, rule, sqrt, where


@rule
def lamb(x, g, m, v, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-6, wd=0.0):
    """LAMB (You et al. 2020, Algorithm 2, arXiv:1904.00962); phi(z) = z, and ratio 1 at a zero norm, as in optax."""
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    mhat = m / (1 - b1**t)
    vhat = v / (1 - b2**t)
    u = mhat / (sqrt(vhat) + eps) + wd * x
    xnorm = norm(x)
    unorm = norm(u)
    ratio = where((xnorm > 0) & (unorm > 0), xnorm / where(unorm > 0, unorm, 1.0), 1.0)
    return x - lr * ratio * u, m, v
