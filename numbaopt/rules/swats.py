"""SWATS: Adam that switches to SGD with momentum when the equivalent learning rate of SGD has settled."""

from numbaopt.rule import abs, rule, sqrt, sum, where


@rule
def swats(x, g, m, v, t, phase, lam, rate, lr=1e-3, b1=0.9, b2=0.999, eps=1e-9, tol=1e-9):
    """SWATS (Keskar & Socher 2017, Algorithm 1, arXiv:1712.07628).

    `eps` is added to the square root before bias correction, as in the paper. The method switches when the estimated
    learning rate of SGD is within `tol` of its running mean; the paper uses one number for `eps` and `tol`. The number
    ``phase`` is 0 during Adam, 1 at the step before SGD, and 2 during SGD, whose momentum starts at zero.
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
