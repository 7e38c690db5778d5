"""Noisy SGD: gradient descent with noise that dies away, to leave poor minima early on."""

from numbaopt.rule import normal, rule, sqrt


@rule
def noisy_sgd(x, g, t, lr=1e-2, eta=0.01, gamma=0.55, seed=0):
    """Gradient noise (Neelakantan et al. 2015, section 3, arXiv:1511.06807): variance eta / t^gamma in the step t."""
    return x - lr * (g + sqrt(eta / t**gamma) * normal(x, seed, t))
