"""AdaBelief: Adam scaled by how far gradients deviate from their running mean."""

from numbaopt.rule import rule, sqrt


@rule
def adabelief(x, g, m, s, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-16, eps_root=1e-16, nesterov=False):
    """AdaBelief (Zhuang et al. 2020, Algorithm 2, arXiv:2010.07468).

    `eps_root` is added to the running variance at every step and remains in it, as in optax.
    """
    m = b1 * m + (1 - b1) * g
    s = b2 * s + (1 - b2) * (g - m) ** 2 + eps_root
    mhat = m / (1 - b1**t)
    if nesterov:
        mhat = b1 * m / (1 - b1 * b1**t) + (1 - b1) * g / (1 - b1**t)
    shat = s / (1 - b2**t)
    return x - lr * mhat / (sqrt(shat) + eps), m, s
