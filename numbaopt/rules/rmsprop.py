"""RMSprop: gradients divided by the square root of their running mean square."""

from numbaopt.rule import rule, sqrt


@rule
def rmsprop(x, g, v: "initial_scale", m, b, t, lr=1e-2, alpha=0.99, eps=1e-8, wd=0.0, momentum=0.0, centered=False,
            maximize=False, nesterov=False, initial_scale=0.0, eps_in_sqrt=False):  # fmt: skip
    """RMSprop (Tieleman & Hinton 2012, lecture 6.5).

    The centered variant is that of Graves (2013, arXiv:1308.0850). `eps` is added to the square root, as in PyTorch.
    `nesterov`, `initial_scale` and `eps_in_sqrt` are as in optax, where ``alpha=0.9`` and ``eps_in_sqrt=True``.
    """
    if maximize:
        g = -g
    if wd:
        g = g + wd * x
    v = alpha * v + (1 - alpha) * g**2
    size = v
    if centered:
        m = alpha * m + (1 - alpha) * g
        size = v - m**2
    d = g / (sqrt(size + eps) if eps_in_sqrt else sqrt(size) + eps)
    if momentum:
        b = momentum * b + d
        d = d + momentum * b if nesterov else b
    return x - lr * d, v, m, b
