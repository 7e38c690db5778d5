"""Gradient noise that decays with the number of steps."""

from numbaopt.rule import normal, rule, sqrt


@rule
def add_noise(g, t, eta=0.01, gamma=0.55, seed=0):
    """Add noise of variance ``eta / t**gamma`` to the gradient (Neelakantan et al. 2015, arXiv:1511.06807, eq. 1).

    The name is that of optax. The noise is a function of seed, step and coordinate, so that runs are reproducible. The
    paper uses 0.01, 0.3 and 1 for `eta`.
    """
    return g + sqrt(eta / t**gamma) * normal(g, seed, t)
