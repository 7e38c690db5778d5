"""LARS: momentum of gradients that are scaled to a fixed fraction of the norm of their array."""

from numbaopt.rule import norm, rule, where


@rule
def lars(x, g, b, t, lr=1.0, momentum=0.9, wd=0.0, trust=1e-3, eps=0.0, nesterov=False):
    """LARS (You, Gitman & Ginsburg 2017, Algorithm 1, arXiv:1708.03888).

    The trust ratio is 1 where a norm is zero, as in optax.
    """
    u = g + wd * x
    xnorm = norm(x)
    unorm = norm(u)
    ratio = where((xnorm > 0) & (unorm > 0), trust * xnorm / where(unorm > 0, unorm + eps, 1.0), 1.0)
    u = lr * ratio * u
    b = momentum * b + u
    return x - (u + momentum * b if nesterov else b), b
