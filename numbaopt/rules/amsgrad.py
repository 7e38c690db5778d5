"""AMSGrad: Adam with second moments that never decrease."""

from numbaopt.rule import max, rule, sqrt


@rule
def amsgrad(x, g, m, v, vmax, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8, wd=0.0, decoupled=False, maximize=False):
    """AMSGrad (Reddi, Kale & Kumar 2018, Algorithm 2, arXiv:1904.09237).

    The bias is corrected after the maximum is taken, as in PyTorch. optax takes the maximum of the corrected moments,
    so that its iterates differ from the second step on.
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
