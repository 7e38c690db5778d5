"""RAdam: Adam that follows the momentum alone until its second moment is reliable."""

from numbaopt.rule import rule, sqrt


@rule
def radam(x, g, m, v, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8, wd=0.0, decoupled=False, maximize=False):
    """Rectified Adam (Liu et al. 2020, Algorithm 2, arXiv:1908.03265).

    `eps` is added to the square root before bias correction, as in PyTorch. optax adds it to the corrected root, where
    it acts like ``eps * sqrt(1 - b2**t)`` does here.
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
    mhat = m / (1 - b1**t)
    rho_inf = 2 / (1 - b2) - 1
    rho = rho_inf - 2 * t * b2**t / (1 - b2**t)
    if rho > 5:
        r = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
        mhat = mhat * r * sqrt(1 - b2**t) / (sqrt(v) + eps)
    return x - lr * mhat, m, v
