"""Adadelta: steps in the units of x, from running means of squared steps and squared gradients."""

from numbaopt.rule import rule, sqrt


@rule
def adadelta(x, g, v, a, t, lr=1.0, rho=0.9, eps=1e-6, wd=0.0, maximize=False):
    """Adadelta (Zeiler 2012, Algorithm 1, arXiv:1212.5701).

    `lr` scales the step but not the running mean of squared steps, as in PyTorch.
    """
    if maximize:
        g = -g
    if wd:
        g = g + wd * x
    v = rho * v + (1 - rho) * g**2
    d = sqrt(a + eps) / sqrt(v + eps) * g
    a = rho * a + (1 - rho) * d**2
    return x - lr * d, v, a
