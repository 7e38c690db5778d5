"""Eve: Adam with shorter steps while the objective changes quickly."""

from numbaopt.rule import abs, max, min, rule, sqrt, where


@rule
def eve(x, g, m, v, t, d: 1, last, f, lr=1e-3, b1=0.9, b2=0.999, b3=0.999, eps=1e-8, clip=10.0, f_min=0.0):
    """Eve (Hayashi, Koushik & Neubig 2016, Algorithm 1, arXiv:1611.01505).

    `eps` is also added to the denominator of the relative change, as in ensmallen. `f_min` is the minimum of the
    objective, or a guess.
    """
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    change = abs(f - last) / (min(f, last) - f_min + eps)
    d = where(t > 1, b3 * d + (1 - b3) * min(max(change, 1 / clip), clip), d)
    mhat = m / (1 - b1**t)
    vhat = v / (1 - b2**t)
    return x - lr / d * mhat / (sqrt(vhat) + eps), m, v, d, f
