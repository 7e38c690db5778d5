"""Solver: a method that asks for the objective's value, and chooses itself where to evaluate it next.

Reverse communication: a solver never calls the objective. Its compiled step consumes f and g at x and overwrites x
with the next point to evaluate, be it an iterate or a trial of a line search. So one step serves every driver.
"""

import importlib
import inspect
import math
import numbers
import types
from collections.abc import Mapping
from typing import Any

import numpy as np

from numbaopt.backends import cpu, host
from numbaopt.backends.protocol import Prepared
from numbaopt.common.suggest import nearest
from numbaopt.common.validation import is_real
from numbaopt.methods.docs import HelpText
from numbaopt.methods.method import Method
from numbaopt.methods.state import State, step_arguments
from numbaopt.solvers.line_search import F0, F_LO


class Solver(Method):
    """A method with a step of its own making, its hyperparameters, and what follows from them.

    Called with keywords it gives a copy with other hyperparameters, ``lbfgs(history=20)``; called with an objective it
    minimises, ``lbfgs(fun, x0)``, as `numbaopt.rule.Rule` does.

    Parameters
    ----------
    name : str
        Under which the module of `step` has it.
    step : numba dispatcher
        ``step(t, x, g, s, h)``. x, g : (n,). s : (k, n), work and history, zero at first, in x's dtype. h : float64:
        hyperparameters, the count of accepted iterations, the step's own numbers (all zero at first), and last the
        value at x, which the caller puts there. The step consumes value and gradient at x and overwrites x with the
        next point to evaluate, and the value, which may be NaN, by a number. When it cannot go on it puts the last
        iterate back into x and NaN in the value's place.
    rows : callable
        The names of the rows of s, from the hyperparameters.
    numbers : callable
        How many numbers of its own the step has in h, from the hyperparameters.
    bounded : bool
        Whether the step takes two further rows of s, the lower and upper bounds, and stays between them.
    **hyper : tuple
        A default, and what is allowed: an interval for a number, which is whole where the default is, or a tuple of
        words. A default of True or False allows just these.

    Attributes
    ----------
    hyper : mapping
        Hyperparameters by name. To change one, call the solver.
    slots_of : tuple of str
        The names of the rows of s, bounds left out.
    text : str
        What its author says of it: the docstring of `step`.
    """

    name: str
    hyper: Mapping[str, Any]
    slots_of: tuple[str, ...]

    elementwise = needs_norms = needs_global_sum = has_reported_point = False  # all coordinates are stepped as one, x is the answer
    program = shape = None  # nothing was lowered
    needs_value = handles_nonfinite = True  # f is asked for, and where it is not finite the line search knows what to do
    gradients_per_step, numbers_of = 1, ()

    def shaped(self, shape: tuple[int, ...]) -> "Solver":
        """Return the solver for an array of this shape: itself."""
        return self

    def __init__(self, name, step, *, rows, numbers, bounded=False, **hyper):
        self.name = self.__name__ = name
        self.__module__, self.text = step.__module__, inspect.getdoc(step)
        self.bounded = bounded
        self._step, self._rows, self._numbers = step, rows, numbers
        self._allowed = types.MappingProxyType({key: (type(value), allowed) for key, (value, allowed) in hyper.items()})
        self._bind({key: value for key, (value, _) in hyper.items()})

    def _bind(self, hyper):
        self.hyper = types.MappingProxyType(hyper)
        self._stages = (self._step, self.name)  # what a state belongs to, whatever the hyperparameters
        self.slots_of = tuple(self._rows(hyper))
        if hyper.get("c1", 0) >= hyper.get("c2", 1):
            raise ValueError(f"{self.name}: c1 < c2, or no step may do; not c1={hyper['c1']!r} and c2={hyper['c2']!r}")

    def _with(self, hyper):
        new = object.__new__(type(self))
        vars(new).update(vars(self))
        new._bind(hyper)
        return new

    def _rebound(self, keywords):
        return self._with(self.hyper | {k: self._checked(k, v) for k, v in keywords.items()})

    def _checked(self, name, value):
        """Return ``value`` as the hyperparameter ``name`` takes it; TypeError or ValueError if it does not."""
        if name not in self._allowed:
            hint = nearest(name, self.hyper)
            raise TypeError(f"{self.name} has no hyperparameter {name!r}; it has {', '.join(self.hyper)}.{hint}")
        kind, allowed = self._allowed[name]
        if kind is str:
            if value not in allowed:
                raise ValueError(f"{self.name}: {name} is one of {', '.join(map(repr, allowed))}, not {value!r}")
            return value
        flag = isinstance(value, (bool, np.bool_))
        if kind is bool and flag:
            return bool(value)
        if kind is bool or not is_real(value) or (kind is int and not float(value).is_integer()):
            wanted = {bool: "True or False", int: "a whole number", float: "a real number"}[kind]
            raise TypeError(f"{self.name}: {name} is {wanted}, not {value!r} of type {type(value).__name__}")
        low, high, ends = self.interval(name)
        above = value > low or (value == low and ends[0] == "[")
        if not (above and (value < high or (value == high and ends[1] == "]"))):
            raise ValueError(f"{self.name}: {name} lies in {allowed}; {value!r} does not")
        return kind(value)

    def allowed(self, name):
        """Return what a hyperparameter may be: an interval as it is written, or the words."""
        return self._allowed[name][1]

    def interval(self, name):
        """Return what a number may be: lowest, highest, and the brackets that say whether these may be."""
        allowed = self.allowed(name)
        low, high = map(float, allowed[1:-1].split(","))
        return low, high, allowed[0] + allowed[-1]

    def __repr__(self):
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.hyper.items())})"

    def __eq__(self, other):
        return isinstance(other, Solver) and (self._stages, self.hyper) == (other._stages, other.hyper)

    def __hash__(self):
        return hash(self._stages)

    def __reduce__(self):
        return _unpickled, (self.__module__, self.name, dict(self.hyper))

    def __copy__(self):
        return self  # nothing here ever changes

    def __deepcopy__(self, memo):
        return self

    @property
    def __signature__(self):
        kind = inspect.Parameter.KEYWORD_ONLY
        return inspect.Signature([inspect.Parameter(k, kind, default=v) for k, v in self.hyper.items()])

    @property
    def h(self):
        """The numbers to start from, a new float64 array: hyperparameters, zeros, and last the place of the value."""
        own = self._numbers(self.hyper)
        return np.array([*self._hyper_numbers(), *[0.0] * (own + 1)])

    def _hyper_numbers(self):
        """Return the hyperparameters as numbers: a word by its place among those allowed."""
        return [float(self._allowed[k][1].index(v) if isinstance(v, str) else v) for k, v in self.hyper.items()]

    @property
    def jit(self):
        """The compiled step ``step(t, x, g, s, h)``, to be called from your own ``@njit`` code."""
        return self._step

    @property
    def places(self):
        """Where in h the count of iterations lies, and the objective's value at the latest iterate."""
        return len(self.hyper), len(self.hyper) + F0

    @property
    def low(self):
        """Where in h the value lies of the best trial of a line search."""
        return len(self.hyper) + F_LO

    def iterations(self, h):
        """Return how many iterations were accepted so far, of which each took one evaluation or more."""
        return int(h[self.places[0]])

    def slots(self, x, lower=None, upper=None):
        """Return the rows to start from, for a flat ``x``; with bounds, which are arrays like x, two more."""
        limits = [] if lower is None and upper is None else [(lower, -math.inf), (upper, math.inf)]
        if limits and not self.bounded:
            raise ValueError(f"{self.name} takes no bounds: leave lower and upper out")
        s = np.zeros((len(self.slots_of) + len(limits), x.size), x.dtype)
        for row, (limit, none) in zip(s[len(self.slots_of) :], limits, strict=True):
            row[:] = none if limit is None else limit
        return s

    def slot(self, s, name):
        """Return one row of s by its name."""
        return s[self.slots_of.index(name)]

    def kernel(self, x):
        """Return the compiled step for x's dtype; it takes no other types."""
        return cpu.kernel(self._step, x.dtype)

    def init(self, x: Any) -> "SolverState":
        """Return the state to start from; x is a float32 or float64 array, C-contiguous, of any shape."""
        flat = host.contiguous(x, "x", writable=True)
        return SolverState(self._prepared(self.slots(flat), host.parts(x).shape), host)

    def _prepared(self, s, shape):
        direct = np.dtype(s.dtype.char) if len(shape) == 1 else None
        return Prepared(self, s, shape, s.dtype, self.kernel(s), direct)

    def step(self, x: Any, g: Any, state: State, f: float) -> None:
        """Consume the value ``f`` and the gradient ``g`` at ``x``; put the next point to evaluate into ``x``.

        TypeError or ValueError says what does not fit; nothing has changed then.
        """
        if not (isinstance(f, numbers.Real) or (isinstance(f, np.ndarray) and f.ndim == 0 and f.dtype.kind in "fiu")):
            raise TypeError(f"f is the objective's value at x, a real number, not {f!r}")
        known = isinstance(state, SolverState) and state.rule is self
        if not known or not (getattr(x, "dtype", None) is getattr(g, "dtype", None) is state._direct is not None):
            x, g = step_arguments(self, x, g, state)
        if not known:
            state.rule, state.h[: len(self.hyper)] = self, self._hyper_numbers()
        before, state.h[-1] = state.h[-1], f
        try:
            state._step(state.t + 1, x, g, state.s, state.h)
        except cpu.MISMATCH_ERRORS:
            state.h[-1] = before
            x, g = step_arguments(self, x, g, state)
            state.h[-1] = f
            state._step(state.t + 1, x, g, state.s, state.h)
        state.t += 1


Solver.__doc__ = HelpText(Solver.__doc__)  # type: ignore[assignment]


class SolverState(State):
    """What a solver remembers between steps: see `State`."""

    __slots__ = ()

    @property
    def iterations(self):
        """How many iterations were accepted so far."""
        return self.rule.iterations(self.h)

    @property
    def stalled(self):
        """Whether the last step could not go on: x is then the last iterate."""
        return math.isnan(self.h[-1])

    def __reduce__(self):
        return _restored, (self.rule, self.t, self.s, self.shape, self.h)


def _restored(solver, t, s, shape, h):
    state = SolverState(solver._prepared(s, shape), host)
    state.t, state.h = t, h
    return state


def _unpickled(module, name, hyper):
    return getattr(importlib.import_module(module), name)._with(hyper)
