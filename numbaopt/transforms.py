"""Stages that go before or after a rule, in the same pass over memory: see `numbaopt.rule.chain`."""

from numbaopt.rule import max, min, rule


@rule
def box(x, lower, upper, t):
    """Projection on the box ``lower <= x <= upper``; the slots hold the bounds, infinite where there is none."""
    return min(max(x, lower), upper), lower, upper
