"""Test problems by name: the starting point, the minimum, and the compiled objective with its gradient.

An objective writes its gradient into `grad` and returns its value. It is compiled for float64 or float32 when it is
first called. Where the literature gives no starting point, it is chosen such that the path of steepest descent ends at
a global minimizer.
"""

from numbaopt.problems.closed_form import (
    beale,
    booth,
    brown_badly_scaled,
    himmelblau,
    powell_singular,
    ravine,
    rosenbrock,
    styblinski_tang,
    three_hump_camel,
)
from numbaopt.problems.collection import get, names
from numbaopt.problems.problem import Problem
from numbaopt.problems.seeded import logistic_regression, newton, quadratic

__all__ = ["Problem", "beale", "booth", "brown_badly_scaled", "get", "himmelblau", "logistic_regression", "names"]
__all__ += ["powell_singular", "quadratic", "ravine", "rosenbrock", "styblinski_tang", "three_hump_camel"]

_newton = newton  # pickles of logistic_regression problems that were made with earlier versions refer to this name


def __dir__() -> list[str]:
    return sorted(__all__)
