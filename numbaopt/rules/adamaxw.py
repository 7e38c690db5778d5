"""AdamaxW: Adamax with decoupled weight decay."""

from numbaopt.rule import abs, max, rule


@rule
def adamaxw(x, g, m, u, t, lr=2e-3, b1=0.9, b2=0.999, eps=1e-8, wd=1e-4):
    """Adamax (Kingma & Ba 2015, Algorithm 2, arXiv:1412.6980) with decoupled weight decay, as in optax.

    Weight decay is scaled by `lr` and applied before the step, as in AdamW (arXiv:1711.05101).
    """
    if wd:
        x = x * (1 - lr * wd)
    m = b1 * m + (1 - b1) * g
    u = max(b2 * u, abs(g) + eps)
    return x - lr / (1 - b1**t) * m / u, m, u
