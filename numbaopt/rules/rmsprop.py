"""RMSprop: every coordinate's gradient over its own running size."""

from numbaopt.rule import rule, sqrt


@rule
def rmsprop(x, g, v, m, b, t, lr=1e-2, alpha=0.99, eps=1e-8, momentum=0.0, centered=False):
    """RMSprop (Tieleman & Hinton 2012, lecture 6.5); centred as in Graves 2013, arXiv:1308.0850; eps as in torch."""
    v = alpha * v + (1 - alpha) * g**2
    size = v
    if centered:
        m = alpha * m + (1 - alpha) * g
        size = v - m**2
    d = g / (sqrt(size) + eps)
    if momentum:
        b = momentum * b + d
        d = b
    return x - lr * d, v, m, b
