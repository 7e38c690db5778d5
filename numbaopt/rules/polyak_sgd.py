"""Polyak's step: as far along the gradient as would reach the least value, if the objective were linear."""

from numbaopt.rule import max, min, rule, sum, where

TINY = 2.0**-52  # optax takes no step below


@rule
def polyak_sgd(x, g, t, f, lr=1.0, max_lr=1.0, f_min=0.0, eps=0.0, positive=False):
    """Stochastic Polyak step size (Loizou et al. 2021, equation 3, arXiv:2002.10542): lr * min(gap / |g|^2, max_lr).

    ``f_min`` is the least value, or a guess; ``positive`` never steps uphill where f is below it, the SPS+ of Garrigos
    et al. 2023, arXiv:2307.14528. optax has the gradient times lr in |g|^2; here lr scales the step alone.
    """
    gap = max(f - f_min, 0) if positive else f - f_min
    size = sum(g**2) + eps
    step = where(size > TINY, min(gap / where(size > TINY, size, 1.0), max_lr), 0.0)
    return x - lr * step * g
