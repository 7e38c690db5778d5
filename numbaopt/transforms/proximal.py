"""Proximal steps, which minimize a nonsmooth penalty exactly after each step of a rule.

``chain(sgd(lr=lr), prox_l1(lr=lr, strength=0.1))`` is proximal gradient descent (ISTA) for f(x) + 0.1 * sum(abs(x)).
Pass the learning rate of the rule as `lr`. After rules that scale coordinates differently, such as Adam, the step is a
heuristic.
"""

from numbaopt.rule import abs, columns, matrix, max, norm, rowmean, rule, sign, sqrt, where


@rule
def prox_l1(x, t, lr=1e-3, strength=1.0):
    """Soft thresholding for ``strength * sum(abs(x))`` (Beck & Teboulle 2009, SIAM J. Imaging Sci. 2, eq. 1.5)."""
    return sign(x) * max(abs(x) - lr * strength, 0.0)


@rule
def prox_group_l1(x, t, lr=1e-3, strength=1.0):
    """Group lasso for `strength` times the sum of the norms of all groups (Yuan & Lin 2006, J. R. Stat. Soc. B 68).

    A group is a row of a matrix, or a whole vector.
    """
    size = sqrt(columns(x) * rowmean(x**2)) if matrix(x) else norm(x)
    return x * max(1 - lr * strength / where(size > 0, size, 1.0), 0.0)


@rule
def prox_l2(x, t, lr=1e-3, strength=1.0):
    """Ridge penalty ``strength / 2 * sum(x**2)``, which is an implicit weight decay.

    After `prox_l1` it forms the elastic net.
    """
    return x / (1 + lr * strength)
