"""DoG: step sizes from the distance traveled and the gradients so far, with no learning rate to tune."""

from numbaopt.rule import max, rule, sqrt, sum, where


@rule
def dog(x, g, start: "x", t, r, squares, lr=1.0, reps_rel=1e-6, eps=1e-8, wd=0.0):
    """Distance over Gradients (Ivgi, Hinder & Carmon 2023, Algorithm 1, arXiv:2302.12022), as in optax.

    The initial distance is ``reps_rel * (1 + |start|)`` and should be much smaller than the true one. `lr` scales the
    step.
    """
    if wd:
        g = g + wd * x
    length = sqrt(sum(start**2))
    r = max(where(t > 1, r, reps_rel * (1 + length)), sqrt(sum((x - start) ** 2)))
    squares = squares + sum(g**2)
    size = sqrt(squares + eps)
    return x - lr * r / where(size > 0, size, 1.0) * g, start, r, squares
