"""Polyak step size: the step that would reach the minimum if the objective were linear."""

from numbaopt.rule import max, min, rule, sum, where

TINY = 2.0**-52  # as in optax, no step is taken if the squared norm is not larger


@rule
def polyak_sgd(x, g, t, f, lr=1.0, max_lr=1.0, f_min=0.0, eps=0.0, positive=False):
    """Stochastic Polyak step size (Loizou et al. 2021, equation 3, arXiv:2002.10542).

    The step size is ``lr * min((f - f_min) / |g|**2, max_lr)``, where `f_min` is the minimum of the objective, or a
    guess. With `positive`, it is zero where f is below `f_min` (SPS+ of Garrigos et al. 2023, arXiv:2307.14528). In
    optax `lr` also scales the gradient in ``|g|**2``; here it scales only the step.
    """
    gap = max(f - f_min, 0) if positive else f - f_min
    size = sum(g**2) + eps
    step = where(size > TINY, min(gap / where(size > TINY, size, 1.0), max_lr), 0.0)
    return x - lr * step * g
