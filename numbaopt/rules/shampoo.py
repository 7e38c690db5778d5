"""Shampoo: Adagrad with one matrix for the rows and one for the columns, not one number for each entry."""

from numbaopt.rule import inverse_root, matrix, rule, sqrt, transpose, where


@rule
def shampoo(
    x, g, m, v: "eps", left: "eps * identity(rows)", right: "eps * identity(columns)",
    p: "zeros(rows, rows)", q: "zeros(columns, columns)",
    t, lr=1e-3, momentum=0.0, eps=1e-6, wd=0.0, decoupled=False, every=1,
):  # fmt: skip
    """Shampoo (Gupta, Koren & Singer 2018, arXiv:1802.09568, Algorithm 1); wd joins the gradient unless decoupled.

    The roots are taken anew at every ``every``-th step, from the first. What is no matrix has the diagonal of its one
    factor: Adagrad. Momentum, which Algorithm 1 leaves out, averages gradients on their way to the step alone; packages
    that mix the last step, preconditioned, into the gradient, and so into left and right, do something else.
    """
    if wd and decoupled:
        x = x * (1 - lr * wd)
    if wd and not decoupled:
        g = g + wd * x
    d = g
    if momentum:
        m = momentum * m + (1 - momentum) * g
        d = m
    if matrix(x):
        left = left + g @ transpose(g)
        right = right + transpose(g) @ g
        if (t - 1) % every == 0:
            p = inverse_root(left, 4, eps)
            q = inverse_root(right, 4, eps)
        d = p @ d @ q
    else:
        v = v + g**2
        d = where(v == 0, 0.0, d / sqrt(v))
    return x - lr * d, m, v, left, right, p, q
