"""MARS: AdamW on gradients whose variance is reduced with the previous gradient."""

from numbaopt.rule import max, norm, rule, sqrt


@rule
def mars(x, g, m, v, last, t, lr=3e-3, b1=0.95, b2=0.99, gamma=0.025, eps=1e-8, wd=0.0):
    """MARS-AdamW (Yuan et al. 2024, Algorithms 1 and 2, arXiv:2411.10438), in the variant MARS-approx.

    The previous gradient is that of the previous batch, so that each step needs one gradient. It is zero at the first
    step, as in the authors' code. The corrected gradient of each array, vectors included, is clipped to norm 1.
    """
    c = g + gamma * b1 / (1 - b1) * (g - last)
    c = c / max(norm(c), 1.0)
    m = b1 * m + (1 - b1) * c
    v = b2 * v + (1 - b2) * c**2
    mhat = m / (1 - b1**t)
    vhat = v / (1 - b2**t)
    return x - lr * (mhat / (sqrt(vhat) + eps) + wd * x), m, v, g
