"""Solvers: methods that use the value of the objective and choose the next point at which to evaluate it.

Solvers work by reverse communication: they never call the objective. The compiled step of a solver consumes the value f
and the gradient g at x and overwrites x with the next point to evaluate, which is an iterate or a trial point of a line
search. One step therefore serves every driver.
"""

import functools
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
from numbaopt.common.validation import is_real
from numbaopt.methods.docs import HelpText
from numbaopt.methods.former_names import FormerNames
from numbaopt.methods.hyperparameters import check_name, inside, wrong_type
from numbaopt.methods.method import Method
from numbaopt.methods.state import State, step_arguments
from numbaopt.solvers.line_search import F0, F_LO


@functools.cache
def _for_kernels(step):
    """Return a step once more: `cpu.kernel` lets it take no further types, and users call the original."""
    return cpu.jit(cpu.undecorated(step))


class Solver(FormerNames, Method):
    """A method with a handwritten compiled step, and its hyperparameters.

    Calling a solver with keywords returns a copy with other hyperparameters, as in ``lbfgs(history=20)``. Calling it
    with an objective minimizes that, as in ``lbfgs(fun, x0)``, like `numbaopt.Rule`.

    Parameters
    ----------
    name : str
        Name of the solver in the module of `step`.
    step : numba dispatcher
        Compiled function ``step(t, x, g, s, h)``. x and g have shape (n,). s has shape (k, n) and the dtype of x; it
        is workspace and history, initialized to zero. h is float64 and holds the hyperparameters, the number of
        accepted iterations, the numbers of the step (initially zero) and, last, the value at x, which is set by the
        caller. The step consumes the value and the gradient at x. It overwrites x with the next point to evaluate, and
        the value, which may be NaN, with a number. If it cannot continue, it sets x to the last iterate and the value
        to NaN.
    rows : callable
        Function of the hyperparameters that returns the names of the rows of s.
    numbers : callable
        Function of the hyperparameters that returns how many numbers the step has in h.
    bounded : bool
        Whether the step accepts two further rows of s, the lower and upper bounds, and keeps x between them.
    **hyper : tuple
        Default and allowed values of each hyperparameter: an interval for a number, which must be whole if the default
        is an int, or a tuple of strings. A default of True or False allows both.

    Attributes
    ----------
    hyper : mapping
        Hyperparameters by name. To change one, call the solver.
    slots_of : tuple of str
        Names of the rows of s, without bounds.
    text : str
        Description by the author: the docstring of `step`.
    """

    name: str
    hyper: Mapping[str, Any]
    slots_of: tuple[str, ...]

    elementwise = needs_norms = needs_global_sum = False  # all coordinates are stepped together
    has_reported_point = False  # x is the solution
    program = shape = None  # a solver is not lowered
    needs_value = handles_nonfinite = True  # line searches shorten steps to values that are not finite
    gradients_per_step, numbers_of = 1, ()

    def shaped(self, shape: tuple[int, ...]) -> "Solver":
        """Return the solver for an array of this shape, which is the solver itself."""
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
        self._stages = (self._step, self.name)  # identifies the states of a solver with any hyperparameters
        self.slots_of = tuple(self._rows(hyper))
        if hyper.get("c1", 0) >= hyper.get("c2", 1):
            raise ValueError(f"{self.name}: c1 must be less than c2, not c1={hyper['c1']!r} and c2={hyper['c2']!r}")

    def _with(self, hyper):
        new = object.__new__(type(self))
        vars(new).update(vars(self))
        new._bind(hyper)
        return new

    def _rebound(self, keywords):
        return self._with(self.hyper | {k: self._checked(k, v) for k, v in keywords.items()})

    def _checked(self, name, value):
        """Return a value for the hyperparameter ``name``; raise TypeError or ValueError if it is not allowed."""
        check_name(self, name)
        kind, allowed = self._allowed[name]
        if kind is str:
            if value not in allowed:
                raise ValueError(f"{self.name}: {name} must be one of {', '.join(map(repr, allowed))}, not {value!r}")
            return value
        flag = isinstance(value, (bool, np.bool_))
        if kind is bool and flag:
            return bool(value)
        if kind is bool or not is_real(value) or (kind is int and not float(value).is_integer()):
            wanted = {bool: "True or False", int: "a whole number", float: "a real number"}[kind]
            raise wrong_type(self, name, wanted, value)
        return kind(inside(self, name, value, self.interval(name)))

    def allowed(self, name):
        """Return the allowed values of a hyperparameter: an interval as text, or a tuple of strings."""
        return self._allowed[name][1]

    def interval(self, name):
        """Return the interval of a numeric hyperparameter: lower end, upper end, and the brackets."""
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

    @property
    def h(self):
        """A new float64 array with the hyperparameters, zeros and, last, the element for the value."""
        return np.array([*self._hyper_numbers(), *[0.0] * (self._numbers(self.hyper) + 1)])

    def _hyper_numbers(self):
        """Return the hyperparameters as numbers; a string is represented by its index in the allowed values."""
        return [float(self._allowed[k][1].index(v) if isinstance(v, str) else v) for k, v in self.hyper.items()]

    @property
    def jit(self):
        """The compiled step ``step(t, x, g, s, h)``, which can be called from other ``@njit`` functions."""
        return self._step

    @property
    def places(self):
        """Indices in h of the number of iterations and of the value at the latest iterate."""
        return len(self.hyper), len(self.hyper) + F0

    @property
    def low(self):
        """Index in h of the value at the best trial point of a line search."""
        return len(self.hyper) + F_LO

    def iterations(self, h):
        """Return the number of accepted iterations, each of which took one evaluation or more."""
        return int(h[self.places[0]])

    def slots(self, x, lower=None, upper=None):
        """Return the initial rows of s for a flat array x; with bounds, which are arrays like x, two more rows."""
        limits = [] if lower is None and upper is None else [(lower, -math.inf), (upper, math.inf)]
        if limits and not self.bounded:
            raise ValueError(f"{self.name} takes no bounds: omit lower and upper")
        s = np.zeros((len(self.slots_of) + len(limits), x.size), x.dtype)
        for row, (limit, infinite) in zip(s[len(self.slots_of) :], limits, strict=True):
            row[:] = infinite if limit is None else limit
        return s

    def slot(self, s, name):
        """Return one row of s by its name."""
        return s[self.slots_of.index(name)]

    def kernel(self, x):
        """Return the compiled step for the dtype of x, which accepts no other types."""
        return cpu.kernel(_for_kernels(self._step), x.dtype)

    def init(self, x: Any) -> "SolverState":
        """Return the initial state for x, a C-contiguous float32 or float64 array of any shape."""
        flat = host.contiguous(x, "x", writable=True)
        return SolverState(self._prepared(self.slots(flat), host.parts(x).shape), host)

    def _prepared(self, s, shape):
        direct = np.dtype(s.dtype.char) if len(shape) == 1 else None
        return Prepared(self, s, shape, s.dtype, self.kernel(s), direct)

    def step(self, x: Any, g: Any, state: State, f: float) -> None:
        """Consume the value ``f`` and the gradient ``g`` at ``x``, and set ``x`` to the next point to evaluate.

        Raises
        ------
        TypeError, ValueError
            If the arguments do not fit each other. Nothing has changed then.
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
    """The state of a solver; see `State`."""

    __slots__ = ()

    @property
    def iterations(self):
        """Number of accepted iterations."""
        return self.rule.iterations(self.h)

    @property
    def stalled(self):
        """Whether the last step could not continue, in which case x is the last iterate."""
        return math.isnan(self.h[-1])

    def __reduce__(self):
        return _restored, (self.rule, self.t, self.s, self.shape, self.h)


def _restored(solver, t, s, shape, h):
    state = SolverState(solver._prepared(s, shape), host)
    state.t, state.h = t, h
    return state


def _unpickled(module, name, hyper):
    return getattr(importlib.import_module(module), name)._with(hyper)
