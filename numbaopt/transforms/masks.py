"""Masks, which keep some coordinates from moving."""

from numbaopt.rule import max, mean, rule, where


@rule
def freeze(x, before, t, mask=1.0):
    """Freeze the coordinates whose mask is 1, as in optax.

    They stay where they are regardless of the rule, of weight decay and of earlier stages. The mask is a number or an
    array with one value per coordinate. The gradients of frozen coordinates still contribute to norms.
    """
    return where(mask > 0, before, x)


@rule
def cautious(x, g, before, t, floor=1e-3):
    """Cautious steps (Liang et al. 2024, arXiv:2411.16085, Algorithm 1).

    Coordinates that would move up the gradient do not move. The remaining step is divided by the mean of the mask of
    each array, which is bounded below by `floor`, as in the authors' code. The authors apply weight decay separately:
    place `decoupled_weight_decay` after this stage.
    """
    kept = where((before - x) * g > 0, 1.0, 0.0)
    return before + (x - before) * kept / max(mean(kept), floor)
