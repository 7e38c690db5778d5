"""signSGD: steps of constant size along the signs of the gradient."""

from numbaopt.rule import rule, sign


@rule
def sign_sgd(x, g, t, lr=1e-3):
    """Sign descent (Bernstein et al. 2018, Algorithm 1, arXiv:1802.04434)."""
    return x - lr * sign(g)
