"""Simplified AdEMAMix: Adam with one slow momentum and a separate weight for the current gradient."""

from numbaopt.rule import rule, sqrt


@rule
def simplified_ademamix(x, g, m, v, t, lr=1e-4, b1=0.99, b2=0.95, alpha=0.0, eps=1e-8, wd=0.0, eps_root=0.0):
    """Simplified AdEMAMix (Morwani et al. 2025, arXiv:2502.02431), as in optax.

    The momentum m is a decaying sum of gradients, not their mean.
    """
    if wd:
        x = x * (1 - lr * wd)
    m = b1 * m + g
    v = b2 * v + (1 - b2) * g**2
    vhat = v / (1 - b2**t)
    if eps_root:
        vhat = vhat + eps_root
    return x - lr * (m + alpha * g) / (sqrt(vhat) + eps), m, v
