"""ACProp: the gradient divided by the deviation of earlier gradients from their running mean."""

from numbaopt.rule import rule, sqrt


@rule
def acprop(x, g, m, s, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-16, eps_root=1e-16, wd=0.0):
    """ACProp (Zhuang et al. 2021, arXiv:2110.05454), as in optax.

    The deviation is ``g - m``, where m is the running mean before this step. The first step has no earlier deviation to
    divide by, so it follows the gradient itself.
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
