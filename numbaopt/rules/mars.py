"""MARS: AdamW on gradients whose variance the previous gradient has reduced."""

from numbaopt.rule import max, norm, rule, sqrt


@rule
def mars(x, g, m, v, last, t, lr=3e-3, b1=0.95, b2=0.99, gamma=0.025, eps=1e-8, wd=0.0):
    """MARS-AdamW (Yuan et al. 2024, Algorithms 1 and 2, arXiv:2411.10438), in the form called MARS-approx.

    The previous gradient is that of the previous batch, so that a step needs one gradient; before the first it is
    zero, as in the authors' code. c is clipped to length 1, each array alone, vectors included.
    """
    c = g + gamma * b1 / (1 - b1) * (g - last)
    c = c / max(norm(c), 1.0)
    m = b1 * m + (1 - b1) * c
    v = b2 * v + (1 - b2) * c**2
    mhat = m / (1 - b1**t)
    vhat = v / (1 - b2**t)
    return x - lr * (mhat / (sqrt(vhat) + eps) + wd * x), m, v, g
