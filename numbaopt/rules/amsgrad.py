"""AMSGrad: Adam whose step sizes never grow again."""

from numbaopt.rule import max, rule, sqrt


@rule
def amsgrad(x, g, m, v, vmax, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8, wd=0.0, decoupled=False, maximize=False):
    """AMSGrad (Reddi, Kale & Kumar 2018, Algorithm 2, arXiv:1904.09237); corrected after the maximum, as in torch.

    optax takes the maximum of the corrected moments, and so walks elsewhere from the second step on.
    """
    if maximize:
        g = -g
    if wd:
        if decoupled:
            x = x * (1 - lr * wd)
        else:
            g = g + wd * x
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    vmax = max(vmax, v)
    mhat = m / (1 - b1**t)
    vhat = vmax / (1 - b2**t)
    return x - lr * mhat / (sqrt(vhat) + eps), m, v, vmax
