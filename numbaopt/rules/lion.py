"""Lion: steps of constant size along the sign of a momentum, with half the memory of Adam."""

from numbaopt.rule import rule, sign


@rule
def lion(x, g, m, t, lr=1e-4, b1=0.9, b2=0.99, wd=0.0):
    """Lion (Chen et al. 2023, Algorithm 2, arXiv:2302.06675), with the defaults of the authors' code."""
    if wd:
        x = x * (1 - lr * wd)
    d = sign(b1 * m + (1 - b1) * g)
    m = b2 * m + (1 - b2) * g
    return x - lr * d, m
