"""Clipping: no gradient longer than it may be."""

from numbaopt.rule import columnmean, matrix, max, min, norm, rows, rule, sqrt, sum, where


@rule
def clip(g, t, max_delta=1.0):
    """Every entry brought between -max_delta and max_delta: optax's clip, torch's clip_grad_value_."""
    return min(max(g, -max_delta), max_delta)


@rule
def clip_by_global_norm(g, t, max_norm=1.0, eps=1e-6):
    """Gradient of all parameters no longer than max_norm (Pascanu et al. 2013, arXiv:1211.5063, Algorithm 1).

    With eps as in torch's clip_grad_norm_; ``eps=0`` is optax's clip_by_global_norm.
    """
    size = sqrt(sum(g**2)) + eps
    return g * min(max_norm / where(size == 0, 1.0, size), 1.0)


@rule
def normalize_by_update_norm(g, t, scale_factor=1.0, eps=1e-6):
    """Gradient of all parameters made as long as scale_factor, whatever its length; as in optax."""
    return g * (scale_factor / (sqrt(sum(g**2)) + eps))


@rule
def adaptive_grad_clip(g, x, t, clipping=0.01, eps=1e-3):
    """Adaptive gradient clipping (Brock et al. 2021, arXiv:2102.06171, eq. 3): by the length of a unit's weights.

    A unit is a column of a matrix, as in optax, or a whole vector. Weights count as no shorter than eps.
    """
    if matrix(x):
        gnorm = sqrt(rows(x) * columnmean(g**2))
        xnorm = sqrt(rows(x) * columnmean(x**2))
    else:
        gnorm = norm(g)
        xnorm = norm(x)
    longest = clipping * max(xnorm, eps)
    return g * where(gnorm < longest, 1.0, longest / max(gnorm, 1e-6))
