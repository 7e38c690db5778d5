"""NAdamW: AdamW with Nesterov momentum."""

from numbaopt.rule import rule, sqrt


@rule
def nadamw(x, g, m, v, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8, wd=1e-4, eps_root=0.0):
    """NAdam (Dozat 2016, Algorithm 2) with constant b1 and the weight decay of AdamW (arXiv:1711.05101), as in optax.

    With ``wd=0`` it is the ``nadam`` of optax. PyTorch's NAdam, which has a schedule of momentum, is `numbaopt.nadam`.
    """
    if wd:
        x = x * (1 - lr * wd)
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    mhat = b1 * m / (1 - b1 * b1**t) + (1 - b1) * g / (1 - b1**t)
    vhat = v / (1 - b2**t)
    if eps_root:
        vhat = vhat + eps_root
    return x - lr * mhat / (sqrt(vhat) + eps), m, v
