"""How long the random tests go on: a short while and always the same, or, with NUMBAOPT_FUZZ=50, 50 times as long."""

import os

from hypothesis import settings

TIMES = int(os.environ.get("NUMBAOPT_FUZZ", "1"))


def tries(examples, **more):
    """Return the settings of a test that tries so many examples; anew each time where it is to go on for long."""
    return settings(max_examples=examples * TIMES, derandomize=TIMES == 1, database=None, **more)
