"""Shorter steps when the objective stops decreasing."""

from numbaopt.rule import max, rule, where


@rule
def plateau(
    x, before, t, f, best: 1e308, bad, resting, scale: 1, total, factor=0.1, patience=10, threshold=1e-4, atol=0.0,
    cooldown=0, min_scale=0.0, every=1,
):  # fmt: skip
    """Scale steps by ``scale``, which is multiplied by `factor` when the objective stops decreasing.

    This is ReduceLROnPlateau of PyTorch. The objective is averaged over `every` steps, for example those of an epoch. A
    mean is bad if it is not below ``best * (1 - threshold) - atol``. After more than `patience` bad means in a row, the
    scale is reduced from the next step on. Pass ``threshold=0`` and `atol` for the absolute mode of PyTorch.
    reduce_on_plateau of optax also shortens the step itself after `patience` bad means, which corresponds to a patience
    smaller by one here.
    """
    x = where(scale < 1, before + scale * (x - before), x)
    total = total + f / every
    if t % every == 0:
        better = total < best * (1 - threshold) - atol
        best = where(better, total, best)
        bad = where(better or resting > 0, 0, bad + 1)
        resting = max(resting - 1, 0)
        enough = bad > patience
        scale = where(enough, max(scale * factor, min_scale), scale)
        resting = where(enough, cooldown, resting)
        bad = where(enough, 0, bad)
        total = 0
    return x, best, bad, resting, scale, total
