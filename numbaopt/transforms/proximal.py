"""Proximal steps: a penalty that is not smooth, minimised exactly after each step of the rest.

``chain(sgd(lr=lr), prox_l1(lr=lr, strength=0.1))`` is proximal gradient descent (ISTA) for f(x) + 0.1 * sum(abs(x)). lr
is the rule's; after a rule that scales coordinates apart (Adam) it is a heuristic.
"""

from numbaopt.rule import abs, columns, matrix, max, norm, rowmean, rule, sign, sqrt, where


@rule
def prox_l1(x, t, lr=1e-3, strength=1.0):
    """Soft threshold, for strength * sum(abs(x)) (Beck & Teboulle 2009, SIAM J. Imaging Sci. 2, eq. 1.5)."""
    return sign(x) * max(abs(x) - lr * strength, 0.0)


@rule
def prox_group_l1(x, t, lr=1e-3, strength=1.0):
    """Group lasso, for strength * the sum of the groups' norms (Yuan & Lin 2006, J. R. Stat. Soc. B 68).

    A group is a row of a matrix, or a whole vector.
    """
    size = sqrt(columns(x) * rowmean(x**2)) if matrix(x) else norm(x)
    return x * max(1 - lr * strength / where(size > 0, size, 1.0), 0.0)


@rule
def prox_l2(x, t, lr=1e-3, strength=1.0):
    """Ridge, for strength / 2 * sum(x**2): implicit weight decay; behind `prox_l1` it makes the elastic net."""
    return x / (1 + lr * strength)
