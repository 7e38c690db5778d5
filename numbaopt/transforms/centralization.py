"""Gradient centralization, which subtracts the mean of each row from the gradient of a matrix."""

from numbaopt.rule import matrix, rowmean, rule


@rule
def centralize(g, t):
    """Gradient centralization (Yong et al. 2020, arXiv:2004.01461, eq. 1).

    The gradients of vectors are left unchanged, as in optax.
    """
    if matrix(g):
        g = g - rowmean(g)
    return g
