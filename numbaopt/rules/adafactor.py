"""Adafactor: adaptive steps that store only row and column means of a matrix's squared gradients."""

from numbaopt.rule import columnmean, matrix, max, mean, min, rowmean, rule, sqrt


@rule
def adafactor(
    x, g, v, r: "zeros(rows, 1)", c: "zeros(1, columns)", t, lr=1e-2, beta2_decay=-0.8, eps1=2.0**-52, eps2=1e-3,
    d=1.0, wd=0.0, maximize=False,
):  # fmt: skip
    """Adafactor (Shazeer & Stern 2018, arXiv:1804.04235, Algorithms 4 and 5), with `lr` and `eps1` as in PyTorch.

    In PyTorch `eps1` defaults to the machine epsilon of the dtype of x. The default here is that of float64; for
    float32 pass ``eps1=2.0**-23``, which lengthens the steps of matrices with mean squared gradients below 1e-7. The
    paper and optax add `eps1` to the squared gradient instead.
    """
    if maximize:
        g = -g
    w = t**beta2_decay
    alpha = max(eps2, sqrt(mean(x**2))) * min(lr, 1 / sqrt(t))
    if wd:
        x = x * (1 - lr * wd)
    if matrix(x):
        r = r + w * (rowmean(g**2) - r)
        c = c + w * (columnmean(g**2) - c)
        moment = r @ c / max(columnmean(r), eps1)
    else:
        v = v + w * (g**2 - v)
        moment = v
    u = g / sqrt(max(moment, eps1**2))
    return x - alpha / max(1, sqrt(mean(u**2)) / d) * u, v, r, c
