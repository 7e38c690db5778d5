"""FTML: follow the moving leader, the minimizer of a sum of quadratic models that favors recent ones."""

from numbaopt.rule import rule, sqrt


@rule
def ftml(x, g, d, v, z, t, lr=2.5e-3, b1=0.6, b2=0.999, eps=1e-8, wd=0.0):
    """Follow the moving leader (Zheng & Kwok 2017, Algorithm 1, PMLR 70:4110), with the defaults of the authors' code.

    Without constraints on x, the step is ``lr * (1 - b1) / (1 - b1**t) * g / (sqrt(vhat) + eps)``. With constraints, z
    and d describe the unconstrained leader.
    """
    if wd:
        g = g + wd * x
    v = b2 * v + (1 - b2) * g**2
    before = d
    d = (1 - b1**t) / lr * (sqrt(1 / (1 - b2**t) * v) + eps)
    sigma = d - b1 * before
    z = b1 * z + (1 - b1) * g - sigma * x
    return -z / d, d, v, z
