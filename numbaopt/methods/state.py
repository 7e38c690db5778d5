"""The state of a rule between steps, and the checks that x, g and state fit each other."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from numbaopt.backends import host
from numbaopt.backends.protocol import Backend, Prepared


class State:
    """What a rule remembers between steps; `Rule.init` makes it.

    Attributes
    ----------
    t : int
        The number of steps done.
    s : ndarray, shape (k, n)
        The slots. ``state["m"]`` is one of them, in the shape of x, or a carried number. For a complex x they are
        real: ``state["m"].view(complex)`` has the shape of x.
    h : ndarray
        The hyperparameters and the carried numbers, as the compiled step takes them.
    rule : Rule
        The rule, with the hyperparameters of the latest step.
    shape : tuple of int
        The shape of x.

    Examples
    --------
    >>> import numpy as np
    >>> from numbaopt import sgd
    >>> x = np.zeros(2)
    >>> state = sgd(momentum=0.9).init(x)
    >>> sgd(momentum=0.9).step(x, np.array([1.0, 2.0]), state)
    >>> state.t, state["b"]
    (1, array([1., 2.]))
    """

    __slots__ = ("t", "s", "h", "rule", "shape", "_dtype", "_step", "_direct", "_backend")

    t: int
    s: Any
    h: np.ndarray
    rule: Any  # a Rule or Solver, which import this module
    shape: tuple[int, ...]
    _dtype: np.dtype
    _step: Any
    _direct: np.dtype | None
    _backend: Backend

    def __init__(self, prepared: Prepared, backend: Backend):
        self.rule, self.s, self.shape, self._dtype, self._step, self._direct = prepared
        self._backend, self.t, self.h = backend, 0, self.rule.h

    def __getitem__(self, slot: str) -> Any:
        """Return one slot by its name, as a view in the shape of x, or one carried number."""
        known = *self.rule.slots_of, *self.rule.numbers_of
        if slot not in known:
            raise KeyError(f"{self.rule.name} has the slots {', '.join(known) or '(none)'}; not {slot!r}")
        if slot in self.rule.numbers_of:
            return self.rule.number(self.fetched(), slot)
        view = self.rule.slot(self.s, slot)
        return view.reshape(self.shape) if view.shape in ((self.s.shape[1],), self.rule.shape) else view

    def fetched(self) -> np.ndarray:
        """Return h, with the carried numbers copied from the device if the state is on one.

        Returns
        -------
        ndarray
        """
        self._backend.fetch(self._step, self.h)
        return self.h

    def carry(self, numbers: Mapping[str, float]) -> None:
        """Set carried numbers.

        Parameters
        ----------
        numbers : mapping
            Values by name.
        """
        h = self.fetched().copy()
        for name, value in numbers.items():
            h[self.rule.place(name)] = value
        self.h = h

    def __repr__(self):
        return f"State({self.rule!r}, t={self.t}, slots: {', '.join(self.rule.slots_of) or 'none'}, shape={self.shape})"

    def __reduce__(self):
        if not self._backend.picklable:
            raise TypeError("a state on a device cannot be pickled; Optimizer.state_dict() copies it to the host")
        return _restored, (self.rule, self.t, self.s, self.shape, self._dtype, self.h)


def adopt(rule, x, state):
    """Give a state other hyperparameters of its method; other switches need another compiled step."""
    check_state(rule, state)
    rule = rule.shaped(state.rule.shape or state.shape)
    if rule is state.rule:
        return
    step, s = state._step, state.s
    if rule.program is not state.rule.program:
        new = rule.init(x)
        same = new._backend is state._backend, new.shape == state.shape, new._dtype == state._dtype
        if not all(same):
            raise ValueError("x is not what this state was made for")
        step = new._step
    for name in rule.slots_of:
        if name in rule.hyper:  # a hyperparameter with one value for each coordinate
            row = np.empty(s.shape[1], s.dtype)
            rule.hyper[name].fill(row, rule.name, name)
            state._backend.assign(rule.slot(s, name), row)
    h, old = rule.h, state.fetched() if rule.numbers_of else None
    for name in rule.numbers_of:
        h[rule.place(name)] = state.rule.number(old, name)
    state.rule, state.h, state._step = rule, h, step


def objective_value(rule, f):
    """Return the objective's value as a float, for a rule that needs it; raise TypeError if it is missing."""
    if f is None:
        raise TypeError(f"{rule.name} asks for the objective's value at x: step(x, g, state, f)")
    try:
        if isinstance(f, complex) or getattr(getattr(f, "dtype", None), "kind", "") == "c":
            raise TypeError  # NumPy would only warn, and drop the imaginary part
        return float(f)
    except (TypeError, ValueError):
        raise TypeError(f"f is the objective's value at x, a real number, not {f!r}") from None


def check_state(rule, state):
    """Raise TypeError unless a state is one of this rule."""
    if not isinstance(state, State) or state.rule._stages != rule._stages:
        raise TypeError(f"step takes a state made by {rule.name}.init(x), not {state!r}")
    if state.rule.slots_of != rule.shaped(state.rule.shape or state.shape).slots_of:
        raise TypeError(f"{rule!r} has other slots than {state!r}: make it a state of its own with init(x)")


def step_arguments(rule, x, g, state):
    """Return x and g as the compiled step takes them, or raise an error that says why they do not fit the state."""
    check_state(rule, state)
    return state._backend.arguments(x, g, state.shape, state._dtype)


def _restored(rule, t, s, shape, dtype, h):
    """Return a state that was pickled; only states in host memory are."""
    state = State(host.prepared(rule.shaped(shape), s, shape, dtype), host)
    state.t, state.h = t, h
    return state
