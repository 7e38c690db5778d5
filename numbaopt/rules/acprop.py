"""ACProp: the gradient over the size of the surprises before it."""

from numbaopt.rule import rule, sqrt


@rule
def acprop(x, g, m, s, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-16, eps_root=1e-16, wd=0.0):
    """ACProp (Zhuang et al. 2021, arXiv:2110.05454), as in optax, whose surprise is g - m with the m before this step.

    At the first step, when no size is known, the gradient itself is the direction.
    """
    if wd:
        x = x * (1 - lr * wd)
    if t == 1:
        d = g / (1 + eps)
    else:
        d = g / (sqrt(s / (1 - b2 ** (t - 1))) + eps)
    s = b2 * s + (1 - b2) * (g - m) ** 2 + eps_root
    m = b1 * m + (1 - b1) * g
    return x - lr * d, m, s
