"""Noisy SGD: gradient descent with decaying noise, which helps to leave poor minima early."""

from numbaopt.rule import normal, rule, sqrt


@rule
def noisy_sgd(x, g, t, lr=1e-2, eta=0.01, gamma=0.55, seed=0):
    """Gradient noise (Neelakantan et al. 2015, Section 3, arXiv:1511.06807).

    The noise added to the gradient at step t has variance ``eta / t**gamma``.
    """
    return x - lr * (g + sqrt(eta / t**gamma) * normal(x, seed, t))
