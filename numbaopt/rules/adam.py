"""Adam: a step scaled by running moments of the gradient."""

from numbaopt.rule import rule, sqrt


@rule
def adam(x, g, m, v, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8, wd=0.0, decoupled=False, maximize=False,
         eps_root=0.0, eps_hat=False):  # fmt: skip
    """Adam (Kingma & Ba 2015, Algorithm 1, arXiv:1412.6980); wd joins the gradient unless decoupled, as in torch.

    eps_root is optax's. eps_hat puts eps beside the uncorrected root (end of section 2), as Keras does with 1e-7.
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
    vhat = v / (1 - b2**t)
    if eps_root:
        vhat = vhat + eps_root
    if eps_hat:
        eps = eps / sqrt(1 - b2**t)
    return x - lr * mhat / (sqrt(vhat) + eps), m, v
