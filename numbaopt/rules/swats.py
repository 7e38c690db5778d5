"""SWATS: Adam, until the learning rate that SGD would need has settled; SGD with momentum from then on."""

from numbaopt.rule import abs, rule, sqrt, sum, where


@rule
def swats(x, g, m, v, t, phase, lam, rate, lr=1e-3, b1=0.9, b2=0.999, eps=1e-9, tol=1e-9):
    """SWATS (Keskar & Socher 2017, Algorithm 1, arXiv:1712.07628); eps beside the uncorrected root, as there.

    ``tol`` is how near the average ``rate`` has to be to the last one; the paper has one number for eps and tol.
    ``phase`` is 0 with Adam, 1 in the step after which it switches, 2 with SGD, whose momentum starts anew.
    """
    keep = where(phase == 1, 0.0, b1)
    gain = where(phase > 0, 1.0, 1 - b1)
    m = keep * m + gain * g
    v = b2 * v + (1 - b2) * g**2
    p = where(phase > 0, (1 - b1) * rate * m, lr * sqrt(1 - b2**t) / (1 - b1**t) * m / (sqrt(v) + eps))
    pg = sum(p * g)
    gamma = sum(p**2) / where(pg != 0, pg, 1.0)
    lam = where(pg != 0, b2 * lam + (1 - b2) * gamma, lam)
    mean = lam / (1 - b2**t)
    near = (pg != 0) & (t > 1) & (abs(mean - gamma) < tol)
    rate = where(phase > 0, rate, mean)
    return x - p, m, v, where(phase > 0, 2.0, where(near, 1.0, 0.0)), lam, rate
