"""Sharpness-aware minimization, which uses the gradient at the worst point nearby."""

from numbaopt.rule import rule, skip, sqrt, sum, where


@rule(evaluations=2, report=lambda x, origin, t: origin if t % 2 else x)
def sam(g, x, origin, t, rho=0.05):
    """Sharpness-aware minimization (Foret et al. 2021, arXiv:2010.01412, Algorithm 1), as contrib.sam in optax.

    A step takes two gradients of one batch. The first is evaluated at x and moves x by the distance `rho` along the
    gradient of all parameters. The rule then steps from the original x with the second gradient, which is evaluated at
    the moved point. The reported point is always x, not the moved point.
    """
    size = sqrt(sum(g**2))
    away = t % 2 == 1
    there = x + rho * g / where(size > 0, size, 1.0)
    return g if t % 2 == 0 else skip, where(away, there, origin), where(away, x, origin)
