"""Gradient centralisation: rows of a matrix's gradient with mean zero."""

from numbaopt.rule import matrix, rowmean, rule


@rule
def centralize(g, t):
    """Gradient centralisation (Yong et al. 2020, arXiv:2004.01461, eq. 1); vectors pass as they are, as in optax."""
    if matrix(g):
        g = g - rowmean(g)
    return g
