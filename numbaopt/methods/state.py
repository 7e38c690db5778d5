"""What a rule remembers between steps, and what must hold of x, g and state before a compiled step sees them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numbaopt.methods.rule import Rule


class State:
    """What a rule remembers between steps; `Rule.init` makes it.

    Attributes
    ----------
    t : int
        Steps done.
    s : ndarray, shape (k, n)
        The slots, in x's dtype; ``state["m"]`` is one of them, in x's shape, or a number that is carried on. Of a
        complex x they are real: ``state["m"].view(complex)`` has x's shape.
    h : ndarray
        Hyperparameters and carried numbers, as the compiled step takes them.
    rule : Rule
        The rule, with the hyperparameters of the latest step.
    shape : tuple of int
        That of x.

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

    __slots__ = ("t", "s", "h", "rule", "shape", "_step", "_kind")

    t: int
    s: Any
    h: np.ndarray
    rule: "Rule"
    shape: tuple[int, ...]
    _step: Any
    _kind: np.dtype | None

    def __init__(self, rule: Any, s: Any, shape: tuple[int, ...], step: Any):
        self.t, self.s, self.h, self.rule, self.shape, self._step = 0, s, rule.h, rule, shape, step
        one_row = isinstance(s, np.ndarray) and len(shape) == 1 and not hasattr(step, "view")  # nor on a device
        self._kind = np.dtype(s.dtype.char) if one_row else None  # what x and g are of that need no look

    def __getitem__(self, slot: str) -> Any:
        """Return one slot by its name, in x's shape: a view; or one carried number."""
        known = *self.rule.slots_of, *self.rule.numbers_of
        if slot not in known:
            raise KeyError(f"{self.rule.name} has the slots {', '.join(known) or '(none)'}; not {slot!r}")
        if slot in self.rule.numbers_of:
            return self.rule.number(self.fetched(), slot)
        view = self.rule.slot(self.s, slot)
        return view.reshape(self.shape) if view.shape in ((self.s.shape[1],), self.rule.shape) else view

    def fetched(self) -> np.ndarray:
        """Return h, with what a device has carried on.

        Returns
        -------
        ndarray
        """
        if hasattr(self._step, "fetch"):
            self._step.fetch(self.h)
        return self.h

    def carry(self, numbers: Mapping[str, float]) -> None:
        """Set carried numbers.

        Parameters
        ----------
        numbers : mapping
            By name.
        """
        h = self.fetched().copy()
        for name, value in numbers.items():
            h[self.rule.place(name)] = value
        self.h = h

    def __repr__(self):
        return f"State({self.rule!r}, t={self.t}, slots: {', '.join(self.rule.slots_of) or 'none'}, shape={self.shape})"

    def __reduce__(self):
        if hasattr(self._step, "view"):
            raise TypeError("a state on a device cannot be pickled; Optimizer.state_dict() copies it to the host")
        return _restored, (self.rule, self.t, self.s, self.shape, self.h)


def adopt(rule, x, state):
    """Let a state go on under other hyperparameters of its method; other switches are compiled apart."""
    owned(rule, state)
    rule = rule.shaped(state.rule.shape or state.shape)
    if rule is state.rule:
        return
    step, s = state._step, state.s
    if rule.program is not state.rule.program:
        new = rule.init(x)
        if new.shape != state.shape or new.s.dtype != s.dtype:
            raise ValueError("x is not what this state was made for")
        step = new._step
    for name in rule.slots_of:
        if name in rule.hyper:  # given for each coordinate
            row = np.empty(s.shape[1], s.dtype)
            rule.hyper[name].fill(row, rule.name, name)
            (rule.slot(s, name) if isinstance(s, np.ndarray) else s[rule.slots_of.index(name)])[:] = row
    h, old = rule.h, state.fetched() if rule.numbers_of else None
    for name in rule.numbers_of:
        h[rule.place(name)] = state.rule.number(old, name)
    state.rule, state.h, state._step = rule, h, step


def valued(rule, f):
    """Return the objective's value for a rule that asks for it, or say that it is missing."""
    if f is None:
        raise TypeError(f"{rule.name} asks for the objective's value at x: step(x, g, state, f)")
    try:
        if isinstance(f, complex) or getattr(getattr(f, "dtype", None), "kind", "") == "c":
            raise TypeError  # NumPy would only warn, and drop the imaginary part
        return float(f)
    except (TypeError, ValueError):
        raise TypeError(f"f is the objective's value at x, a real number, not {f!r}") from None


def owned(rule, state):
    """Raise TypeError if a state is not one of this rule."""
    if not isinstance(state, State) or state.rule._stages != rule._stages:
        raise TypeError(f"step takes a state made by {rule.name}.init(x), not {state!r}")
    if state.rule.slots_of != rule.shaped(state.rule.shape or state.shape).slots_of:
        raise TypeError(f"{rule!r} has other slots than {state!r}: make it a state of its own with init(x)")


def fitting(rule, x, g, state):
    """Return x and g flat, as compiled steps take them, or say why they are not for this state."""
    owned(rule, state)
    if np.iscomplexobj(x):
        contiguous(x, "x", writable=True)
        x, g = parts(x), parts(np.require(_holding(g, "fiubc", "numbers"), x.dtype, "C"))
    if np.shape(x) != state.shape or np.shape(g) != state.shape:
        raise ValueError(f"x has shape {np.shape(x)} and g {np.shape(g)}; this state is for shape {state.shape}")
    flat = contiguous(x, "x", writable=True)
    if flat.dtype != state.s.dtype:
        raise TypeError(f"x is {flat.dtype}; this state is for {state.s.dtype}: make one for x with init(x)")
    g = _holding(g, "fiub", "real numbers")
    return flat, np.require(g.reshape(-1), flat.dtype, ["C", "A", "W"])


def _holding(g, kinds, what):
    """Return a gradient as an array, or say what it should hold."""
    array = np.asarray(g)
    if array.dtype.kind not in kinds:
        raise TypeError(f"g holds {what}, not {array.dtype}")
    if np.ma.is_masked(g):
        raise ValueError("g has masked entries: fill them, with g.filled(0) to leave their parameters to the slots")
    return array


def of_parts(step, dtype):
    """Make a step of arrays of a complex dtype from one of their parts."""
    if dtype.kind != "c":
        return step

    def stepped(t, x, g, s, h):
        if all(isinstance(a, np.ndarray) and a.dtype == dtype and a.flags.c_contiguous for a in (x, g)):
            x, g = x.view(s.dtype), g.view(s.dtype)
        step(t, x, g, s, h)

    return stepped


_STEPPED = (np.float32, np.float64, np.complex64, np.complex128)


def contiguous(x, name, writable=False):
    """Return the array flat and real, as a view, or say why it cannot be stepped in place."""
    if not isinstance(x, np.ndarray) or isinstance(x, np.ma.MaskedArray):
        kind = type(x).__name__
        raise TypeError(f"{name} is a NumPy array, changed in place; {kind} is not: use numpy.array({name}, float)")
    if x.dtype not in _STEPPED or not x.dtype.isnative:
        raise TypeError(f"{name} is float32 or float64 in native byte order, not {x.dtype}: use {name}.astype(float)")
    if not x.flags.c_contiguous:
        raise ValueError(f"{name} is changed in place and must be C-contiguous: use numpy.ascontiguousarray({name})")
    if writable and not x.flags.writeable:
        raise ValueError(f"{name} is changed in place and this array is read-only: use {name}.copy()")
    return parts(x).reshape(-1)


def parts(x):
    """View complex numbers as their real and imaginary parts, in turn along the last axis; others as an array."""
    x = np.asarray(x)
    return np.atleast_1d(x).view(x.real.dtype) if x.dtype.kind == "c" else x


def _restored(rule, t, s, shape, h):
    rule = rule.shaped(shape)
    state = State(rule, s, shape, rule._survivor(np.broadcast_to(s.dtype.type(0), shape)))
    state.t, state.h = t, h
    return state
