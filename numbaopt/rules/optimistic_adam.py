"""Optimistic Adam: Adam whose steps correct the previous step, for min-max games."""

from numbaopt.rule import rule, sqrt


@rule
def optimistic_adam(x, g, m, v, prev, t, lr=1e-3, alpha=1.0, beta=1.0, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0,
                    nesterov=True):  # fmt: skip
    """Optimistic Adam (Daskalakis et al. 2018, Algorithm 1, arXiv:1711.00141), as ``optimistic_adam_v2`` in optax."""
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    mhat = m / (1 - b1**t)
    vhat = v / (1 - b2**t)
    if nesterov:
        mhat = b1 * m / (1 - b1 * b1**t) + (1 - b1) * g / (1 - b1**t)
    if eps_root:
        vhat = vhat + eps_root
    u = mhat / (sqrt(vhat) + eps)
    d = alpha * u if t == 1 else (alpha + beta) * u - beta * prev
    return x - lr * d, m, v, u
