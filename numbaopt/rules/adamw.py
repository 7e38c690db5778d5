"""AdamW: Adam with decoupled weight decay."""

from numbaopt.rule import rule, sqrt


@rule
def adamw(x, g, m, v, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8, wd=1e-2, maximize=False, eps_root=0.0):
    """AdamW (Loshchilov & Hutter 2019, Algorithm 2, arXiv:1711.05101).

    Weight decay is scaled by `lr`, as in PyTorch. `eps_root` is added under the square root, as in optax, where `wd`
    defaults to 1e-4.
    """
    if maximize:
        g = -g
    if wd:
        x = x * (1 - lr * wd)
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    mhat = m / (1 - b1**t)
    vhat = v / (1 - b2**t)
    if eps_root:
        vhat = vhat + eps_root
    return x - lr * mhat / (sqrt(vhat) + eps), m, v
