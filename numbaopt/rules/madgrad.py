"""MADGRAD: dual averaging with momentum, scaled by the cube root of summed squared gradients."""

from numbaopt.rule import rule, sqrt


@rule
def madgrad(x, g, s, v, x0: "x", t, lr=1e-2, momentum=0.9, wd=0.0, eps=1e-6):
    """MADGRAD (Defazio & Jelassi 2021, Algorithm 1, arXiv:2101.11075).

    `eps` is also added to `lr`, as in the authors' code.
    """
    if wd:
        g = g + wd * x
    lamb = (lr + eps) * sqrt(t)
    s = s + lamb * g
    v = v + lamb * g**2
    z = x0 - s / (v ** (1 / 3) + eps)
    return (1 - momentum) * z + momentum * x, s, v, x0
