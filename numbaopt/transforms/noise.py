"""Gradient noise: less of it as the steps go on."""

from numbaopt.rule import normal, rule, sqrt


@rule
def add_noise(g, t, eta=0.01, gamma=0.55, seed=0):
    """Gradient noise of variance eta / t**gamma (Neelakantan et al. 2015, arXiv:1511.06807, eq. 1); optax's name.

    It is a function of seed, step and coordinate: a run repeats itself. The paper tried eta of 0.01, 0.3 and 1.
    """
    return g + sqrt(eta / t**gamma) * normal(g, seed, t)
