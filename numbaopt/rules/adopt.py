"""ADOPT: Adam that scales each gradient by the preceding second moment and converges for any b2."""

from numbaopt.rule import max, min, rule, sqrt


@rule
def adopt(x, g, m, v, t, lr=1e-3, b1=0.9, b2=0.9999, eps=1e-6, nesterov=False, use_clipping=True):
    """ADOPT (Taniguchi et al. 2024, Algorithm 2, arXiv:2411.02853).

    The first step only initializes the second moment, as in optax.
    """
    d = m
    if t == 1:
        v = g**2
    else:
        u = g / max(sqrt(v), eps)
        if use_clipping:
            bound = (t - 1) ** 0.25
            u = max(min(u, bound), -bound)
        m = b1 * m + (1 - b1) * u
        v = b2 * v + (1 - b2) * g**2
        d = b1 * m + (1 - b1) * u if nesterov else m
    return x - lr * d, m, v
