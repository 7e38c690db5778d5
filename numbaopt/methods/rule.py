"""Rules: optimization methods that are lowered from one function, written as in the paper.

The signature of the function declares everything: coordinates (the parameter ``x``, its gradient ``g``, then the slots,
which start at zero unless annotated), the step number ``t``, numbers carried from step to step (without defaults), and
the hyperparameters with their defaults. The function returns the new x, then the slots and the numbers in order.
"""

import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from numbaopt.common.per_coordinate import PerCoordinate
from numbaopt.lowering import layout
from numbaopt.lowering.frontend import RuleError
from numbaopt.lowering.grammar import PER_COORDINATE
from numbaopt.lowering.lower import Lowering
from numbaopt.methods.docs import HelpText
from numbaopt.methods.former_names import FormerNames
from numbaopt.methods.hyperparameters import checked, is_schedule
from numbaopt.methods.method import Method
from numbaopt.methods.stepping import Stepping


class Rule(FormerNames, Method, Stepping):
    """An optimization method: its math, its hyperparameters, and everything that follows from them.

    Called with keywords, a rule returns a copy with other hyperparameters: ``adam(lr=1e-2)``. Called with an objective,
    it minimizes it: ``adam(fun, x0)``. That lets a rule be the ``method`` of `scipy.optimize.minimize`.

    Attributes
    ----------
    name : str
        The name of the function; for a chain, the names of its stages.
    hyper : mapping
        The hyperparameters by name: numbers, or schedules. To change one, call the rule: ``adam(lr=1e-2)``.
    slots_of : tuple of str
        The slots that this setting of the hyperparameters needs.
    numbers_of : tuple of str
        The numbers that are carried from step to step beside the slots.
    elementwise : bool
        Whether the step of a coordinate depends on that coordinate alone.
    needs_norms, needs_global_sum : bool
        Whether a step takes norms of each array, or sums over (or noise for) all arrays that are stepped together.
    needs_value : bool
        Whether a step needs the objective's value at x.
    gradients_per_step : int
        How many steps in a row take gradients of the same batch.
    handles_nonfinite : bool
        Whether the rule, or a stage of its chain, handles gradients that are not finite.
    shape : (int, int) or None
        The shape of the matrix that x is reshaped to, for a rule that steps matrices; see `shaped`.
    program
        The lowered function: see `source`.

    Examples
    --------
    >>> import numpy as np
    >>> from numbaopt import adam
    >>> rule = adam(lr=0.1)
    >>> x = np.array([1.0, -2.0])
    >>> state = rule.init(x)
    >>> rule.step(x, 2 * x, state)
    >>> x, state.t
    (array([ 0.9, -1.9]), 1)
    """

    elementwise: bool
    needs_norms: bool
    needs_global_sum: bool
    needs_value: bool
    gradients_per_step: int
    handles_nonfinite: bool

    def __init__(self, stages, hyper, shape=None):
        self._stages = stages  # ((Math, ((the author's name, the name in the chain), ...)), ...)
        self.hyper = types.MappingProxyType(hyper)
        self.name = self.__name__ = "_".join(math.name for math, _ in stages)
        kinds = tuple((name, _kind(value)) for name, value in hyper.items())
        self.program, self.shape, self._shaped = _lowered(stages, kinds, shape is not None), shape, {}
        self.slots_of, self.numbers_of = tuple(self.program.slots), tuple(self.program.carried)
        self.elementwise = all(item.scope != "sum" for item in self.program.items) and shape is None
        self.needs_norms = any(_takes_norms(math) for math, _ in stages)
        self.needs_global_sum = any(_takes_global_sums(math) for math, _ in stages)
        self.needs_value = self.program.needs_value
        self.gradients_per_step = max(math.gradients_per_step for math, _ in stages)
        self.handles_nonfinite = any(math.calls("isfinite") for math, _ in stages)
        values = [hyper[name] for name in self.program.hyper]
        numbers = [number for value in values for number in (value.values if is_schedule(value) else [value])]
        numbers += [self._start(name, None) or 0.0 for name in self.numbers_of]
        tables = [power for b in self.program.powers for power in layout.powers(hyper[b])]
        self._h = np.array([*numbers, *tables, *(shape or ()), *[np.nan] * self.needs_value], float)

    def _rebound(self, keywords):
        new = {name: checked(self, name, value) for name, value in keywords.items()}
        try:
            return Rule(self._stages, self.hyper | new, self.shape)
        except (RuleError, TypeError):  # one value for each coordinate, where the step needs one number
            arrays = [name for name, value in new.items() if isinstance(value, PerCoordinate)]
            if len(arrays) == len(new) == 1:
                message = f"{self.name}: {arrays[0]} must be one number for all coordinates, not an array"
                raise TypeError(message) from None
            for name in arrays:
                self._rebound({name: new[name]})  # raises for the one that is at fault
            raise

    def __repr__(self):
        stages = [(math.hyper, pairs) for math, pairs in self._stages]
        defaults = {name: hyper[author] for hyper, pairs in stages for author, name in pairs if author in hyper}
        shown = [f"{k}={v!r}" for k, v in self.hyper.items() if k == "lr" or v != defaults[k]]
        return f"{self.name}({', '.join(shown)})"

    def __eq__(self, other):
        return isinstance(other, Rule) and (self._stages, self.hyper) == (other._stages, other.hyper)

    def __hash__(self):
        return hash(self._stages)

    @property
    def math(self) -> Callable[..., Any]:
        """The function as its author wrote it, for NumPy arrays.

        ``x, *slots, *numbers = rule.math(x, g, *slots, t, *numbers, *hyperparameters)``.
        """
        return self._stages[0][0].function

    @property
    def h(self) -> np.ndarray:
        """The hyperparameters as a compiled step takes them: a new float64 array, in the order of the signature.

        A schedule takes one entry for each of its numbers. After the hyperparameters come the carried numbers, at
        their start; a table of powers for every b of which the rule needs b**t; the shape of the matrix, if there is
        one; and, for a rule that needs it (`needs_value`), the objective's value at x, which must be written there
        before each step. Entries such as lr may be edited in place. A b with a table may not: the step raises
        ValueError.
        """
        return self._h.copy()

    def shaped(self, shape: tuple[int, ...]) -> "Rule":
        """Return the rule for an array of this shape: itself, unless it steps matrices.

        Parameters
        ----------
        shape : tuple of int
            An array of more than two dimensions is reshaped to a matrix with as many rows as its first dimension.

        Returns
        -------
        Rule

        Raises
        ------
        TypeError
            If a hyperparameter has one value for each coordinate, and the rule steps a matrix with it.
        """
        if len(shape) < 2 or not any(math.calls("matrix") for math, _ in self._stages):
            return self
        as_matrix = int(shape[0]), int(np.prod(shape[1:]))
        if as_matrix == self.shape:
            return self
        if as_matrix not in self._shaped:
            arrays = [name for name, value in self.hyper.items() if isinstance(value, PerCoordinate)]
            try:
                shaped = Rule(self._stages, dict(self.hyper), as_matrix)
                arrays = [name for name in arrays if name in shaped.program.slots]
            except (RuleError, TypeError):
                if not arrays:
                    raise
            if arrays:
                raise TypeError(
                    f"{self.name}: {arrays[0]} must be one number for a matrix, here of shape {as_matrix}, not "
                    f"an array: give x0 as a vector, or one {arrays[0]} for the whole matrix"
                )
            self._shaped[as_matrix] = shaped
        return self._shaped[as_matrix]

    def in_chain(self, rule: "Rule") -> "Rule":
        """Return the chain of this stage and a rule, in the order that a chain needs.

        Parameters
        ----------
        rule : Rule

        Returns
        -------
        Rule
        """
        before = any(math.role == "before" for math, _ in self._stages)
        return joined(self, rule) if before else joined(rule, self)

    def split(self) -> "list[Rule]":
        """Split a chain after its last stage with sums over all arrays; the rest steps array by array.

        The first part is stepped like a rule. It changes the gradient in place.

        Returns
        -------
        list of Rule
            The two parts.

        Raises
        ------
        ValueError
            If a stage that steps array by array comes before one with sums over all arrays.
        """
        sums = [k for k, (math, _) in enumerate(self._stages) if _takes_global_sums(math)]
        head, rest = self._stages[: sums[-1] + 1], self._stages[sums[-1] + 1 :]
        layers = [math.name for math, _ in head if math.role != "before" or math.needs_value or _takes_norms(math)]
        if layers:
            raise ValueError(
                f"{self.name}: {layers[0]} steps array by array, but a later stage takes sums over all arrays: give x0 "
                "as one array, or leave out one of the two"
            )
        parts = []
        for stages in (head, rest):
            names = {whole for _, pairs in stages for _, whole in pairs}
            parts.append(Rule(stages, {k: v for k, v in self.hyper.items() if k in names}))
        return parts


Rule.__doc__ = HelpText(Rule.__doc__)  # type: ignore[assignment]


@functools.lru_cache(512)
def _lowered(stages, on, matrix):
    return Lowering(stages, dict(on), matrix)


def _takes_global_sums(math):
    return any(math.calls(name) for name in ("sum", "simplex_threshold", "normal"))


def _takes_norms(math):
    return any(math.calls(name) for name in ("norm", "mean", "matrix"))


def _kind(value):
    """Return what lowering must know of a hyperparameter: not its value, unless it is a switch or a schedule."""
    if isinstance(value, PerCoordinate):
        return PER_COORDINATE
    return value if is_schedule(value) else bool(value)


def joined(*rules):
    """Return the rule that does what these do in turn; a name that several use gets the stage's name as a prefix."""
    stages: list[Any] = []
    hyper: dict[str, Any] = {}
    taken = {"x", "g", "t"}
    for part in rules:
        for math, pairs in part._stages:
            new = {name: name for _, name in pairs}
            for name in taken.intersection(new):
                new[name] = f"{math.name}_{name}"
                while new[name] in taken:
                    new[name] += "_"
            stages.append((math, tuple((author, new[name]) for author, name in pairs)))
            hyper |= {new[name]: part.hyper[name] for _, name in pairs if name in part.hyper}
            taken |= set(new.values())
    return Rule(tuple(stages), hyper)


def of_one(math):
    """Return the rule of one function."""
    return Rule(((math, tuple((name, name) for name in [*math.slots, *math.numbers, *math.hyper])),), math.hyper)
