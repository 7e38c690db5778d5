"""What a compiled driver is made for: flags that `numbaopt.drivers.assemble` sets when it writes the driver.

In a driver's source they are constants of its module, so ``if HISTORY:`` is an ordinary condition. In the text that is
compiled only the branch that is taken is left.
"""

SOLVER = False  # the method is a solver: its evaluations are trials, and several of them make an iteration
NEEDS_VALUE = False  # the method asks for the objective's value
SKIPS_NONFINITE = False  # evaluations that are not finite are skipped
HISTORY = False  # the run keeps a history...
HISTORY_X = False  # ...with the points...
HISTORY_NUMBERS = False  # ...and with numbers that the learning rate is multiplied by
DOUBLE_BUFFER = False  # steps write to another array: see `numbaopt.drivers.double_buffer`

NAMES = ("SOLVER", "NEEDS_VALUE", "SKIPS_NONFINITE", "HISTORY", "HISTORY_X", "HISTORY_NUMBERS", "DOUBLE_BUFFER")


def flags_of(rule, skips_nonfinite=False):
    """Return the flags, by name, that follow from a method and from the policy for values that are not finite."""
    named = {"SOLVER": hasattr(rule, "iterations"), "NEEDS_VALUE": rule.needs_value, "SKIPS_NONFINITE": skips_nonfinite}
    return frozenset(name for name, on in named.items() if on)
