"""Optimistic gradient descent: steps that correct the previous step, for min-max games."""

from numbaopt.rule import rule


@rule
def optimistic_gradient_descent(x, g, prev, t, lr=1e-3, alpha=1.0, beta=1.0):
    """Optimistic gradient descent (Mokhtari, Ozdaglar & Pattathil 2020, arXiv:1901.08511).

    `alpha`, `beta` and the first step are as in optax.
    """
    d = alpha * g if t == 1 else (alpha + beta) * g - beta * prev
    return x - lr * d, g
