"""QHSGD, or QHM: SGD whose momentum is mixed with the current gradient."""

from numbaopt.rule import rule


@rule
def qhsgd(x, g, b, t, lr=1e-2, momentum=0.999, nu=0.7, wd=0.0, decoupled=False):
    """Quasi-hyperbolic momentum (Ma & Yarats 2019, arXiv:1810.06801), as in the authors' package.

    The momentum is a running mean in which a new gradient has weight ``1 - momentum``, so that `lr` here is the
    learning rate of SGD divided by ``1 - momentum``. The authors give no defaults: `momentum` and `nu` follow the
    paper's rule of thumb, and `lr` is that of ensmallen.
    """
    if wd:
        if decoupled:
            x = x * (1 - lr * wd)
        else:
            g = g + wd * x
    b = momentum * b + (1 - momentum) * g
    return x - lr * ((1 - nu) * g + nu * b), b
