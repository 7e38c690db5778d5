"""Masks: coordinates that a step leaves where they were."""

from numbaopt.rule import max, mean, rule, where


@rule
def freeze(x, before, t, mask=1.0):
    """Coordinates that do not move where the mask is 1, whatever rule, decay and stages before say; optax's name.

    One number, or an array with one for each coordinate. Their gradient still counts in norms.
    """
    return where(mask > 0, before, x)


@rule
def cautious(x, g, before, t, floor=1e-3):
    """Cautious steps (Liang et al. 2024, arXiv:2411.16085, Algorithm 1): only where they go down the gradient.

    The others' share is made up for: the step is divided by the mean of each array's mask, which is not taken below
    ``floor``, as in the authors' code. They decay weights beside it: `decoupled_weight_decay` stands behind this stage.
    """
    kept = where((before - x) * g > 0, 1.0, 0.0)
    return before + (x - before) * kept / max(mean(kept), floor)
