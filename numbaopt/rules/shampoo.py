"""Shampoo: Adagrad with one preconditioner for the rows and one for the columns of a matrix."""

from numbaopt.rule import inverse_root, matrix, rule, sqrt, transpose, where


@rule
def shampoo(
    x, g, m, v: "eps", left: "eps * identity(rows)", right: "eps * identity(columns)",
    p: "zeros(rows, rows)", q: "zeros(columns, columns)",
    t, lr=1e-3, momentum=0.0, eps=1e-6, wd=0.0, decoupled=False, every=1,
):  # fmt: skip
    """Shampoo (Gupta, Koren & Singer 2018, arXiv:1802.09568, Algorithm 1).

    Weight decay is added to the gradient unless `decoupled` is set. The inverse roots are recomputed every `every`
    steps, starting at the first. Arrays that are not matrices have one diagonal preconditioner, which is Adagrad.
    Momentum, which Algorithm 1 omits, averages the gradients that are preconditioned but does not enter ``left`` and
    ``right``, unlike in packages that mix the previous preconditioned step into the gradient.
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
