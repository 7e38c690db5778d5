"""Adafactor: of the second moments of a matrix only those of its rows and columns are kept."""

from numbaopt.rule import columnmean, matrix, max, mean, min, rowmean, rule, sqrt


@rule
def adafactor(
    x, g, v, r: "zeros(rows, 1)", c: "zeros(1, columns)", t, lr=1e-2, beta2_decay=-0.8, eps1=2.0**-52, eps2=1e-3,
    d=1.0, wd=0.0, maximize=False,
):  # fmt: skip
    """Adafactor (Shazeer & Stern 2018, arXiv:1804.04235, Algorithms 4 and 5), with lr and eps1 as in torch.

    torch takes for eps1 the resolution of x's dtype: the default here in float64, ``eps1=2.0**-23`` in float32, where
    it makes steps of mean square gradients below 1e-7 longer. optax and the paper add eps1 to the squared gradient.
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
