"""D-Adapted AdamW: AdamW that estimates its learning rate from the distance to the solution."""

from numbaopt.rule import abs, max, rule, sqrt, sum, where


@rule
def dadapt_adamw(x, g, m, v, s, t, d: "d0", numerator, lr=1.0, b1=0.9, b2=0.999, eps=1e-8, wd=0.0, d0=1e-6,
                 bias_correction=False):  # fmt: skip
    """D-Adaptation of AdamW (Defazio & Mishchenko 2023, Algorithm 5, arXiv:2301.07733), as in the authors' package.

    optax has ``bias_correction=True``. No step is taken before the first nonzero gradient. Such steps count in t here,
    but not in the bias correction of the package.
    """
    b3 = sqrt(b2)
    step = d * lr
    if bias_correction:
        step = step * sqrt(1 - b2**t) / (1 - b1**t)
    numerator = b3 * numerator + (1 - b3) * step * sum(g * s / (sqrt(v) + eps))
    m = b1 * m + (1 - b1) * step * g
    v = b2 * v + (1 - b2) * g**2
    s = b3 * s + (1 - b3) * step * g
    size = (1 - b3) * sum(abs(s))
    d = where(size > 0, max(d, numerator / where(size > 0, size, 1.0)), d)
    if wd:
        x = x - where(size > 0, step * wd, 0.0) * x
    return x - m / (sqrt(v) + eps), m, v, s, d, numerator
