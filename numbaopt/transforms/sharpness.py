"""Sharpness: steps along the gradient at the worst point near by."""

from numbaopt.rule import rule, skip, sqrt, sum, where


@rule(evaluations=2, report=lambda x, origin, t: origin if t % 2 else x)
def sam(g, x, origin, t, rho=0.05):
    """Sharpness-aware minimisation (Foret et al. 2021, arXiv:2010.01412, Algorithm 1); optax's contrib.sam.

    Two gradients of one batch make a step. The first is taken at x and moves it by rho along the gradient of all
    parameters; the rule steps from x with the second, which is taken there. x, never the point moved to, is reported.
    """
    size = sqrt(sum(g**2))
    away = t % 2 == 1
    there = x + rho * g / where(size > 0, size, 1.0)
    return g if t % 2 == 0 else skip, where(away, there, origin), where(away, x, origin)
