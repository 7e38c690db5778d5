"""Adan: Nesterov momentum from differences of successive gradients, with adaptive steps."""

from numbaopt.rule import rule, sqrt


@rule
def adan(x, g, m, v, n, prev, t, lr=1e-3, b1=0.98, b2=0.92, b3=0.99, eps=1e-8, wd=0.0, no_prox=False):
    """Adan (Xie et al. 2022, Algorithm 1, arXiv:2208.06677), with the bias corrections of the authors' code.

    Each b is one minus the paper's beta. optax 0.2.8 uses ``1 - b2`` where the paper, in this notation, has b2.
    """
    dg = g - (g if t == 1 else prev)
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * dg
    n = b3 * n + (1 - b3) * (g + b2 * dg) ** 2
    u = m / (1 - b1**t) + b2 * v / (1 - b2**t)
    step = lr * u / (sqrt(n / (1 - b3**t)) + eps)
    if wd and no_prox:
        x = x * (1 - lr * wd)
    x = x - step
    if wd and not no_prox:
        x = x / (1 + lr * wd)
    return x, m, v, n, g
