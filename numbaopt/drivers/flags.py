"""Flags of compiled drivers, which `numbaopt.drivers.assemble` sets when it writes the text of a driver.

In the source of a driver they are constants of its module, so ``if HISTORY:`` is an ordinary condition. The compiled
text contains only the branch that is taken.
"""

SOLVER = False  # the method is a solver: its evaluations are trials, of which an iteration may take several
NEEDS_VALUE = False  # the method uses the value of the objective
SKIPS_NONFINITE = False  # evaluations that are not finite are skipped
HISTORY = False  # the run records a history
HISTORY_X = False  # the history includes the points
HISTORY_NUMBERS = False  # the history includes numbers by which the learning rate is multiplied
DOUBLE_BUFFER = False  # steps write to another array: see `numbaopt.drivers.double_buffer`

NAMES = ("SOLVER", "NEEDS_VALUE", "SKIPS_NONFINITE", "HISTORY", "HISTORY_X", "HISTORY_NUMBERS", "DOUBLE_BUFFER")


def flags_of(rule, skips_nonfinite=False):
    """Return the names of the flags that a method and the policy for evaluations that are not finite imply."""
    named = {"SOLVER": hasattr(rule, "iterations"), "NEEDS_VALUE": rule.needs_value, "SKIPS_NONFINITE": skips_nonfinite}
    return frozenset(name for name, on in named.items() if on)
