"""Plateaus: shorter steps once the objective falls no more."""

from numbaopt.rule import max, rule, where


@rule
def plateau(
    x, before, t, f, best: 1e308, bad, resting, scale: 1, total, factor=0.1, patience=10, threshold=1e-4, atol=0.0,
    cooldown=0, min_scale=0.0, every=1,
):
    """ReduceLROnPlateau of torch: steps times ``scale``, which falls by ``factor`` where f no longer does.

    f is averaged over ``every`` steps (an epoch, say). A mean not below ``best * (1 - threshold) - atol`` is bad; after
    more than ``patience`` bad ones the next steps are shorter. torch's absolute mode is ``threshold=0, atol=...``.
    optax's reduce_on_plateau shortens the very step, after ``patience`` bad ones: that is one less here.
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
