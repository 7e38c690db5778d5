"""QHAdam: Adam whose moments are mixed with the current gradient."""

from numbaopt.rule import rule, sqrt


@rule
def qhadam(x, g, m, v, t, lr=1e-3, b1=0.9, b2=0.999, nu1=1.0, nu2=1.0, eps=1e-8, wd=0.0, decoupled=False):
    """QHAdam (Ma & Yarats 2019, arXiv:1810.06801), with the defaults of the authors' package.

    With these defaults it is Adam. The paper recommends ``nu1=0.7`` and ``b1=0.995``.
    """
    if wd:
        if decoupled:
            x = x * (1 - lr * wd)
        else:
            g = g + wd * x
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    mean = (1 - nu1) * g + nu1 / (1 - b1**t) * m
    square = (1 - nu2) * g**2 + nu2 / (1 - b2**t) * v
    return x - lr * mean / (sqrt(square) + eps), m, v
