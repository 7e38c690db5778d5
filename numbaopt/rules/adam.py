"""Adam: steps scaled by running means of the gradient and of its square."""

from numbaopt.rule import rule, sqrt


@rule
def adam(x, g, m, v, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8, wd=0.0, decoupled=False, maximize=False,
         eps_root=0.0, eps_hat=False):  # fmt: skip
    """Adam (Kingma & Ba 2015, Algorithm 1, arXiv:1412.6980).

    Weight decay is added to the gradient unless `decoupled` is set, as in PyTorch. `eps_root` is added under the square
    root, as in optax. With `eps_hat`, `eps` is added to the square root before bias correction (end of Section 2 of the
    paper), as in Keras, where ``eps=1e-7``.
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
