"""MoMo-Adam: Adam with step sizes from a model of recent values, limited by lr."""

from numbaopt.rule import max, min, rule, sqrt, sum, where


@rule
def momo_adam(x, g, m, v, t, fbar, gamma, bound: "lower_bound", f, lr=1e-2, b1=0.9, b2=0.999, eps=1e-8, lower_bound=0.0,
              wd=0.0, adapt_lower_bound=False):  # fmt: skip
    """MoMo-Adam (Schaipp et al. 2024, Algorithms 2 and 3, arXiv:2305.07583), as in the authors' package.

    `lower_bound` is a lower bound of the objective. If none is known, set `adapt_lower_bound` to estimate one. Weight
    decay divides the new x by ``1 + lr * wd``; in optax it does not divide the step.
    """
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    d = sqrt(v / (1 - b2**t)) + eps
    fbar = b1 * fbar + (1 - b1) * f
    gamma = b1 * gamma + (1 - b1) * sum(g * x)
    along = sum(m * x)
    size = sum(m * (m / d))
    decay = 1 + lr * wd
    c = 1 - b1**t
    if adapt_lower_bound:
        cap = decay * (fbar - gamma) + along
        bound = where(cap < decay * c * bound, max(cap / (2 * c * decay), lower_bound), bound)
    longest = max(decay * (fbar - c * bound - gamma) + along, 0) / where(size > 0, size, 1.0)
    step = where(size > 0, min(lr / c, longest), 0.0)
    if adapt_lower_bound:
        bound = max((fbar + along - gamma - 0.5 * step * size) / c, lower_bound)
    return (x - step * m / d) / decay, m, v, fbar, gamma, bound
