"""A test problem, and the type of the functions that make them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True, eq=False)
class Problem:
    """A test problem, to be passed to ``minimize(p.fun, p.x0, args=p.args, jac="inplace")``.

    Attributes
    ----------
    name : str
        The name in `numbaopt.problems`.
    fun : callable
        The compiled objective, ``fun(x, grad, *args) -> float``.
    x0 : ndarray of float64, shape (n,)
        The starting point.
    optimum : tuple or callable
        The global minimizers, shape (k, n), and the minimum; or a function without arguments that computes them when
        they are first used.
    args : tuple
        The arguments of `fun` after `x` and `grad`.
    domain : tuple of (float, float), optional
        The region to draw in plots: one pair ``(low, high)`` for each variable, the format of ``bounds``.
    source : str
        The paper or collection from which the problem is taken.

    Examples
    --------
    >>> import numpy as np
    >>> from numbaopt import problems
    >>> p, grad = problems.booth(), np.empty(2)
    >>> p.fun(p.x0, grad), grad, p.minimizers, p.minimum
    (74.0, array([-34., -38.]), array([[1., 3.]]), 0.0)
    """

    name: str
    fun: Callable[..., float]
    x0: np.ndarray
    optimum: Any
    args: tuple = ()
    domain: tuple[tuple[float, float], ...] | None = None
    source: str = ""

    @cached_property
    def _found(self) -> tuple[np.ndarray, float]:
        return self.optimum() if callable(self.optimum) else self.optimum

    @property
    def minimizers(self) -> np.ndarray:
        """All global minimizers: an array of float64 of shape (k, n), with one minimizer in each row."""
        return self._found[0]

    @property
    def minimum(self) -> float:
        """The value of the objective at the minimizers."""
        return self._found[1]


class Constructor(Protocol):
    """A function that makes a problem with a chosen number of variables."""

    def __call__(self, n: int = ...) -> Problem:
        """Return the problem with n variables."""
