"""Optimistic gradient descent: each step corrects the last one, which ends the circling of min-max games."""

from numbaopt.rule import rule


@rule
def optimistic_gradient_descent(x, g, prev, t, lr=1e-3, alpha=1.0, beta=1.0):
    """OGD (Mokhtari, Ozdaglar & Pattathil 2020, arXiv:1901.08511); alpha, beta and the first step as in optax."""
    d = alpha * g if t == 1 else (alpha + beta) * g - beta * prev
    return x - lr * d, g
