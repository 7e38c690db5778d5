"""Clipping and normalization of gradients."""

from numbaopt.rule import columnmean, matrix, max, min, norm, rows, rule, sqrt, sum, where


@rule
def clip(g, t, max_delta=1.0):
    """Clip every entry of the gradient to the interval from -max_delta to max_delta.

    The stage corresponds to clip in optax and to clip_grad_value_ in PyTorch.
    """
    return min(max(g, -max_delta), max_delta)


@rule
def clip_by_global_norm(g, t, max_norm=1.0, eps=1e-6):
    """Clip the norm of the gradient of all parameters (Pascanu et al. 2013, arXiv:1211.5063, Algorithm 1).

    The default of `eps` is that of clip_grad_norm_ in PyTorch; ``eps=0`` corresponds to clip_by_global_norm in optax.
    """
    size = sqrt(sum(g**2)) + eps
    return g * min(max_norm / where(size == 0, 1.0, size), 1.0)


@rule
def normalize_by_update_norm(g, t, scale_factor=1.0, eps=1e-6):
    """Scale the gradient of all parameters to the norm `scale_factor`, as in optax."""
    return g * (scale_factor / (sqrt(sum(g**2)) + eps))


@rule
def adaptive_grad_clip(g, x, t, clipping=0.01, eps=1e-3):
    """Adaptive gradient clipping (Brock et al. 2021, arXiv:2102.06171, eq. 3).

    The norm of the gradient of a unit is limited to `clipping` times the norm of its weights. A unit is a column of a
    matrix, as in optax, or a whole vector. The norm of its weights is bounded below by `eps`.
    """
    if matrix(x):
        gnorm = sqrt(rows(x) * columnmean(g**2))
        xnorm = sqrt(rows(x) * columnmean(x**2))
    else:
        gnorm = norm(g)
        xnorm = norm(x)
    longest = clipping * max(xnorm, eps)
    return g * where(gnorm < longest, 1.0, longest / max(gnorm, 1e-6))
