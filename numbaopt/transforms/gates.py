"""Gates: gradients that are no step of their own."""

from numbaopt.rule import isfinite, rule, skip, sum, where


@rule
def accumulate(g, total, t, k=2):
    """One step for every k gradients, with their mean: optax's MultiSteps, k calls of torch's backward for one step.

    The rule and all that stands behind count the steps, not the gradients.
    """
    total = g if (t - 1) % k == 0 else total + g
    return total / k if t % k == 0 else skip, total


@rule
def apply_if_finite(g, t, in_a_row, skipped, max_consecutive_errors=5):
    """Gate for gradients that are finite throughout; optax's name. The numbers tell how many were not.

    After that many in a row the next goes through, and the run ends as it does without this stage.
    """
    wrong = sum(where(isfinite(g), 0.0, 1.0)) > 0
    in_a_row = where(wrong, in_a_row + 1, 0)
    skipped = where(wrong, skipped + 1, skipped)
    return g if in_a_row == 0 or in_a_row > max_consecutive_errors else skip, in_a_row, skipped
