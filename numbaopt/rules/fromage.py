"""Fromage: steps proportional to the norm of each array, rescaled so that norms do not grow."""

from numbaopt.rule import max, norm, rule, sqrt, where


@rule
def fromage(x, g, t, lr=1e-2, min_norm=1e-6):
    """Fromage (Bernstein et al. 2020, Algorithm 1, arXiv:2002.03432).

    The norms of x and g are bounded below by `min_norm`, as in optax.
    """
    xnorm = max(norm(x), min_norm)
    gnorm = max(norm(g), min_norm)
    ratio = where((xnorm > 0) & (gnorm > 0), xnorm / where(gnorm > 0, gnorm, 1.0), 1.0)
    return (x - lr * ratio * g) / sqrt(1 + lr**2)
