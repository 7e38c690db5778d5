"""Signum: steps of constant size along the signs of a momentum."""

from numbaopt.rule import rule, sign


@rule
def signum(x, g, m, t, lr=1e-3, beta=0.9):
    """Signum (Bernstein et al. 2018, Algorithm 2, arXiv:1802.04434)."""
    m = beta * m + (1 - beta) * g
    return x - lr * sign(m), m
