"""DoWG: DoG with gradients weighted by the distance, so that step sizes grow faster."""

from numbaopt.rule import max, rule, sqrt, sum, where


@rule
def dowg(x, g, start: "x", t, r2: "init_estim_sq_dist", squares, lr=1.0, init_estim_sq_dist=1e-4, eps=1e-4, wd=0.0):
    """Distance over Weighted Gradients (Khaled, Mishchenko & Jin 2023, Algorithm 1, arXiv:2305.16284), as in optax.

    The number ``r2`` is a squared distance. optax initializes it to `eps` by default. `lr` scales the step.
    """
    if wd:
        g = g + wd * x
    r2 = max(r2, sum((x - start) ** 2))
    squares = squares + r2 * sum(g**2)
    size = sqrt(squares) + eps
    return x - lr * r2 / where(size > 0, size, 1.0) * g, start, r2, squares
