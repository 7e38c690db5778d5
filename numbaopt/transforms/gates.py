"""Gates, which skip the rest of the chain for some gradients."""

from numbaopt.rule import isfinite, rule, skip, sum, where


@rule
def accumulate(g, total, t, k=2):
    """Average `k` gradients for one step.

    The stage corresponds to MultiSteps in optax, and to `k` calls of backward for one step in PyTorch. The rule and all
    later stages count steps, not gradients.
    """
    total = g if (t - 1) % k == 0 else total + g
    return total / k if t % k == 0 else skip, total


@rule
def apply_if_finite(g, t, in_a_row, skipped, max_consecutive_errors=5):
    """Skip gradients that are not finite, as in optax.

    The number ``skipped`` counts skipped gradients, and ``in_a_row`` counts consecutive ones. After
    `max_consecutive_errors` skipped gradients in a row, the next one is passed on, and the run ends as it does without
    this stage.
    """
    wrong = sum(where(isfinite(g), 0.0, 1.0)) > 0
    in_a_row = where(wrong, in_a_row + 1, 0)
    skipped = where(wrong, skipped + 1, skipped)
    return g if in_a_row == 0 or in_a_row > max_consecutive_errors else skip, in_a_row, skipped
