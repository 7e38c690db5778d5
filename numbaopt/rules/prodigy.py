"""Prodigy: AdamW that estimates its learning rate from the distance to the solution."""

from numbaopt.rule import abs, max, rule, sqrt, sum, where


@rule
def prodigy(x, g, m, v, s, start: "x", t, d: "d0", numerator, lr=1.0, b1=0.9, b2=0.999, eps=1e-8, wd=0.0, d0=1e-6,
            d_coef=1.0, bias_correction=False, safeguard_warmup=False):  # fmt: skip
    """Prodigy (Mishchenko & Defazio 2024, Algorithm 4, arXiv:2306.06101), as in the authors' package.

    No step is taken before the first nonzero gradient. Such steps count in t here, but not in the package.
    """
    b3 = sqrt(b2)
    step = d * lr
    if bias_correction:
        step = step * sqrt(1 - b2**t) / (1 - b1**t)
    weight = d / d0 * (d if safeguard_warmup else step)
    numerator = b3 * numerator + d / d0 * step * sum(g * (start - x))
    m = b1 * m + (1 - b1) * d * g
    v = b2 * v + (1 - b2) * d**2 * g**2
    s = b3 * s + weight * g
    size = sum(abs(s))
    d = where(size > 0, max(d, d_coef * numerator / where(size > 0, size, 1.0)), d)
    step = where(size > 0, step, 0.0)
    if wd:
        x = x - step * wd * x
    return x - step * m / (sqrt(v) + where(size > 0, d * eps, 1.0)), m, v, s, start, d, numerator
