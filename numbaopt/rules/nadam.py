"""NAdam: Adam with Nesterov momentum."""

from numbaopt.rule import rule, sqrt


@rule
def nadam(x, g, m, v, t, product: 1, lr=2e-3, b1=0.9, b2=0.999, eps=1e-8, wd=0.0, momentum_decay=4e-3, decoupled=False,
          maximize=False):  # fmt: skip
    """NAdam (Dozat 2016, ICLR workshop, Algorithm 2), with the paper's momentum schedule and PyTorch's constants."""
    if maximize:
        g = -g
    if wd:
        if decoupled:
            x = x * (1 - lr * wd)
        else:
            g = g + wd * x
    mu = b1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))
    mu_next = b1 * (1 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
    product = product * mu
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    d = sqrt(v / (1 - b2**t)) + eps
    x = x - lr * (1 - mu) / (1 - product) * g / d
    return x - lr * mu_next / (1 - product * mu_next) * m / d, m, v, product
