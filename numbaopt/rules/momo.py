"""MoMo: momentum with step sizes from a model of recent values, limited by lr."""

from numbaopt.rule import max, min, rule, sum, where


@rule
def momo(x, g, m, t, fbar, gamma, bound: "lower_bound", f, lr=1.0, b1=0.9, lower_bound=0.0, wd=0.0,
         adapt_lower_bound=False):  # fmt: skip
    """MoMo (Schaipp et al. 2024, Algorithms 1 and 3, arXiv:2305.07583), as in the authors' package.

    `lower_bound` is a lower bound of the objective. If none is known, set `adapt_lower_bound` to estimate one. Weight
    decay divides the new x by ``1 + lr * wd``; in optax it does not divide the step.
    """
    keep = where(t > 1, b1, 0.0)
    m = keep * m + (1 - keep) * g
    fbar = keep * fbar + (1 - keep) * f
    gamma = keep * gamma + (1 - keep) * sum(g * x)
    along = sum(m * x)
    size = sum(m**2)
    decay = 1 + lr * wd
    if adapt_lower_bound:
        cap = decay * (fbar - gamma) + along
        bound = where(cap < decay * bound, max(cap / (2 * decay), lower_bound), bound)
    longest = max(decay * (fbar - bound - gamma) + along, 0) / where(size > 0, size, 1.0)
    step = where(size > 0, min(lr, longest), 0.0)
    if adapt_lower_bound:
        bound = max(fbar + along - gamma - 0.5 * step * size, lower_bound)
    return (x - step * m) / decay, m, fbar, gamma, bound
