"""Adamax: Adam scaled by the largest recent gradient instead of the second moment."""

from numbaopt.rule import abs, max, rule


@rule
def adamax(x, g, m, u, t, lr=2e-3, b1=0.9, b2=0.999, eps=1e-8, wd=0.0, maximize=False):
    """Adamax (Kingma & Ba 2015, Algorithm 2, arXiv:1412.6980).

    `eps` is added to the absolute gradient inside the maximum, as in PyTorch and optax.
    """
    if maximize:
        g = -g
    if wd:
        g = g + wd * x
    m = b1 * m + (1 - b1) * g
    u = max(b2 * u, abs(g) + eps)
    return x - lr / (1 - b1**t) * m / u, m, u
