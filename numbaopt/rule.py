"""@rule: a method of optimization is one function, written as in the paper.

The function's signature declares everything: coordinates (the parameter ``x``, its gradient ``g``, then the slots,
zero at first unless annotated), the step number ``t``, numbers carried from step to step (no default), and the
hyperparameters with their defaults. It returns the new x, then the slots and the numbers in order.
"""

import builtins
import functools
import importlib
import inspect
import types

import numpy as np

from numbaopt import cpu, passes
from numbaopt.coordinates import Coordinates
from numbaopt.functions import (
    abs,
    columns,
    exp,
    isfinite,
    log,
    matrix,
    max,
    mean,
    min,
    norm,
    normal,
    rows,
    sign,
    simplex_threshold,
    skip,
    sqrt,
    sum,
    where,
)
from numbaopt.hyper import checked, is_schedule
from numbaopt.lower import Lowering
from numbaopt.memory import Memory
from numbaopt.parse import RuleError, read
from numbaopt.state import State, adopt, contiguous, fitting, valued
from numbaopt.words import PER_COORDINATE

__all__ = ["Rule", "RuleError", "chain", "rule", "skip"]
__all__ += ["abs", "exp", "isfinite", "log", "max", "mean", "min", "norm", "normal", "sign", "sqrt", "sum", "where"]
__all__ += ["columns", "matrix", "rows", "simplex_threshold"]


max_ = builtins.max


class Rule(Memory):
    """A method: its math, its hyperparameters, and everything that follows from them.

    Called with keywords it gives a copy with other hyperparameters, ``adam(lr=1e-2)``; called with an objective it
    minimises, ``adam(fun, x0)``, which is what lets a rule stand as ``method`` in `scipy.optimize.minimize`.

    Attributes
    ----------
    name : str
    hyper : mapping
        Hyperparameters by name: numbers, or schedules. To change one, call the rule: ``adam(lr=1e-2)``.
    slots_of : tuple of str
        The slots that this setting of the hyperparameters needs.
    numbers_of : tuple of str
        The numbers that are carried from step to step beside the slots.
    elementwise : bool
        Whether a coordinate's step depends on that coordinate alone.
    layerwise, joint : bool
        Whether a step takes norms of each array, or sums over (or noise for) all arrays that are stepped together.
    valued : bool
        Whether a step asks for the objective's value at x.
    evaluations : int
        How many steps in a row take gradients of the same batch.
    tolerant : bool
        Whether the rule, or a stage of its chain, looks after gradients that are not finite.
    """

    def __init__(self, stages, hyper, shape=None):
        self._stages = stages  # ((Math, ((author's name, name in the whole), ...)), ...)
        self.hyper = types.MappingProxyType(hyper)
        self.name = self.__name__ = "_".join(math.name for math, _ in stages)
        self.__doc__ = inspect.getdoc(stages[0][0].function)
        on = tuple((k, _kind(v)) for k, v in hyper.items())
        self.program, self.shape, self._shaped = _lowered(stages, on, shape is not None), shape, {}
        self.slots_of, self.numbers_of = tuple(self.program.slots), tuple(self.program.carried)
        self.elementwise = all(item.scope != "sum" for item in self.program.items) and shape is None
        self.layerwise = any(_layered(math) for math, _ in stages)
        self.joint = any(_joining(math) for math, _ in stages)
        self.valued, self.evaluations = self.program.valued, max_(math.evaluations for math, _ in stages)
        self.tolerant = any(math.calls("isfinite") for math, _ in stages)
        kept = [hyper[name] for name in self.program.hyper]
        numbers = [value for v in kept for value in (v.values if is_schedule(v) else [v])]
        numbers += [self._start(name, None) or 0.0 for name in self.numbers_of]
        tables = [power for b in self.program.powers for power in passes.powers(hyper[b])]
        self._h = np.array([*numbers, *tables, *(shape or ()), *[np.nan] * self.valued], float)

    def __call__(self, fun=None, x0=None, /, args=(), **options):
        """Rebind hyperparameters (keywords only), or minimise ``fun`` from ``x0`` as a SciPy custom method."""
        if fun is None and x0 is None and args == ():
            return Rule(self._stages, self.hyper | {k: checked(self, k, v) for k, v in options.items()}, self.shape)
        if not callable(fun):
            raise TypeError(f"{self.name}: hyperparameters are keywords, {self.name}(lr=...); {fun!r} is no function")
        if x0 is None:
            raise TypeError(f"{self.name}(fun, x0) minimises fun, from x0, which is missing")
        from numbaopt.minimize import as_scipy_method

        return as_scipy_method(self, fun, x0, args, **options)

    def __repr__(self):
        usual = {whole: math.hyper[own] for math, pairs in self._stages for own, whole in pairs if own in math.hyper}
        shown = [f"{k}={v!r}" for k, v in self.hyper.items() if k == "lr" or v != usual[k]]
        return f"{self.name}({', '.join(shown)})"

    def __eq__(self, other):
        return isinstance(other, Rule) and (self._stages, self.hyper) == (other._stages, other.hyper)

    def __hash__(self):
        return hash(self._stages)

    def __reduce__(self):
        homes = tuple((math.function.__module__, math.function.__qualname__) for math, _ in self._stages)
        return _unpickled, (homes, dict(self.hyper), self.shape)

    def __copy__(self):
        return self  # nothing here ever changes

    def __deepcopy__(self, memo):
        return self

    @property
    def __signature__(self):
        kind = inspect.Parameter.KEYWORD_ONLY
        return inspect.Signature([inspect.Parameter(k, kind, default=v) for k, v in self.hyper.items()])

    @property
    def math(self):
        """The function as its author wrote it, for NumPy arrays.

        ``x, *slots, *numbers = rule.math(x, g, *slots, t, *numbers, *hyperparameters)``.
        """
        return self._stages[0][0].function

    @property
    def h(self):
        """The hyperparameters as a compiled step takes them: a new float64 array, in the order of the signature.

        A schedule takes a place for each of its numbers. Behind lie the numbers that the step carries on, at their
        start; tables of powers, one for every b of which the rule asks b**t: lr may be edited in place, such a b may
        not (the step raises ValueError); the shape of a matrix; and, last, the objective's value at x, which is to be
        written there before each step where the rule asks for it (`valued`).
        """
        return self._h.copy()

    def source(self, backend="cpu"):
        """Return the text that the rule is lowered to, for ``"cpu"`` or ``"cuda"``."""
        if backend not in ("cpu", "cuda"):
            raise ValueError(f"backend is 'cpu' or 'cuda', not {backend!r}")
        return importlib.import_module(f"numbaopt.{backend}").emit(self.name, self.program)

    @property
    def jit(self):
        """The compiled step ``step(t, x, g, s, h)``, to be called from your own ``@njit`` code.

        t : int, the step number, from 1. x, g : (n,) float arrays. s : (k, n), from ``rule.slots(x)``.
        h : ``rule.h``. All C-contiguous; x, g, s of one dtype. x and s change in place, nothing is returned.
        """
        return _jit(self.name, self.program)

    def shaped(self, shape):
        """Return the rule for an array of this shape: itself, unless it sees matrices as such.

        One of more than two dimensions is seen as a matrix of its first dimension by all others.
        """
        if len(shape) < 2 or not any(math.calls("matrix") for math, _ in self._stages):
            return self
        as_matrix = int(shape[0]), int(np.prod(shape[1:]))
        if as_matrix == self.shape:
            return self
        if as_matrix not in self._shaped:
            self._shaped[as_matrix] = Rule(self._stages, dict(self.hyper), as_matrix)
        return self._shaped[as_matrix]

    def split(self):
        """Return the chain in two: stages before the rule with sums over all arrays, and what is done array by array.

        The first is stepped like a rule; it changes the gradient that it is given, in place.
        """
        sums = [k for k, (math, _) in enumerate(self._stages) if _joining(math)]
        head, rest = self._stages[: sums[-1] + 1], self._stages[sums[-1] + 1 :]
        layers = [math.name for math, _ in head if math.role != "before" or math.valued or _layered(math)]
        if layers:
            raise ValueError(
                f"{self.name}: {layers[0]} is done array by array, before sums over all arrays are: give x0 as one "
                "array, or leave one of the two out"
            )
        parts = []
        for stages in (head, rest):
            names = {whole for _, pairs in stages for _, whole in pairs}
            parts.append(Rule(stages, {k: v for k, v in self.hyper.items() if k in names}))
        return parts

    def gate(self, h, t):
        """Return how many steps have passed the gates of a `split` part, None where this one has not."""
        if self.program.gate is None:
            return t
        flag, counted = self.program.gate
        return int(self.number(h, counted)) if self.number(h, flag) else None

    def kernel(self, x):
        """Return the compiled step that suits x's dtype and size; it takes no other types."""
        return cpu.kernel(_step(self.name, self.program, cpu.parallel_pays(x.size)), x.dtype)

    def _survivor(self, x):
        """Return the kernel for x, to be called from Python: in a forked child the serial one, which lives there."""
        step, dtype = self.kernel(x), x.dtype
        serial = _step(self.name, self.program, False)
        if step is serial:
            return step
        return lambda *args: (cpu.kernel(serial, dtype) if cpu.forked() else step)(*args)

    def init(self, x):
        """Return the state to start from.

        Parameters
        ----------
        x : ndarray or device array (``__cuda_array_interface__``), float32 or float64, C-contiguous, any shape
            The parameters; slots that start as a copy of x (or not at zero) are made from it.

        Returns
        -------
        State

        Raises
        ------
        TypeError, ValueError
            When x is not such an array.
        """
        if hasattr(x, "__cuda_array_interface__"):
            return importlib.import_module("numbaopt.cuda").init(self, x)
        flat, rule = contiguous(x, "x", writable=True), self.shaped(np.shape(x))
        return State(rule, rule.slots(flat), np.shape(x), rule._survivor(flat))

    def step(self, x, g, state, f=None):
        """Do one step in place: ``x`` and ``state`` change, nothing else.

        Parameters
        ----------
        x, g : ndarrays (or both device arrays) of the state's shape
            The parameters and the gradient at them. x is C-contiguous and of the dtype that `init` saw.
        state : State
            From `init` of this rule. Other hyperparameters than at the last step are fine.
        f : float
            The objective's value at x, for rules that ask for it.

        Raises
        ------
        TypeError, ValueError
            When x, g and state do not fit each other. Nothing has changed then.
        """
        if self.valued:
            f = valued(self, f)
        try:
            t = state.t + 1
            if state.rule is not self:
                adopt(self, x, state)
            if self.valued:
                state.h[-1] = f
            flat = x, g
            # One row of the state's very dtype: Numba takes foreign bytes for native once it has seen unaligned ones.
            if isinstance(x, np.ndarray) and not (x.dtype is g.dtype is state.s.dtype and len(state.shape) == 1):
                flat = fitting(self, x, g, state)
            state._step(t, *flat, state.s, state.h)
        except cpu.REFUSED:
            if isinstance(state, State) and hasattr(state._step, "view"):
                raise  # the device's own step has said what is wrong
            flat = fitting(self, x, g, state)
            adopt(self, x, state)
            if self.valued:
                state.h[-1] = f
            state._step(t, *flat, state.s, state.h)
        state.t = t


@functools.lru_cache(512)
def _lowered(stages, on, matrix):
    return Lowering(stages, dict(on), matrix)


def _joining(math):
    return any(math.calls(name) for name in ("sum", "simplex_threshold", "normal"))


def _layered(math):
    return any(math.calls(name) for name in ("norm", "mean", "matrix"))


def _kind(value):
    """Return what lowering is to know of a hyperparameter."""
    if isinstance(value, Coordinates):
        return PER_COORDINATE
    return value if is_schedule(value) else bool(value)


@functools.lru_cache(512)
def _step(name, program, parallel):
    return cpu.load(cpu.emit(name, program, parallel), name, parallel)


@functools.lru_cache(512)
def _jit(name, program):
    return cpu.load.__wrapped__(cpu.emit(name, program), name)


def rule(function=None, *, report=None, evaluations=1):
    """Make a method of a function that states one step as in the paper.

    Parameters
    ----------
    function : function
        ``function(x, g, *slots, t, *numbers, **hyperparameters)``, returning the new x, slots and numbers. Before
        ``t``: coordinates. A slot starts at zero unless annotated with an expression of x and hyperparameters
        (``z: "x"``). After ``t``, without default: numbers carried from step to step, which start at zero unless
        annotated (``product: 1``); ``f`` among them is the objective's value at x, and is not returned. Then
        hyperparameters with defaults; one tested bare (``if nesterov:``) is decided before compiling.
        The body is assignments, ``if`` on scalars, arithmetic, and sqrt, abs, sign, exp, log, min, max, where,
        isfinite, ``normal(x, seed, t)`` (noise), sum (over all coordinates), norm and mean (over those of one array),
        all from this module. Where ``matrix(x)`` holds (a switch), x is a matrix: ``@`` and the functions of
        `numbaopt.matrices` take it whole, and a slot may start from ``zeros(rows, 1)`` or ``identity(rows)``.
    report : function, optional
        Of x, t, and of slots, numbers and hyperparameters by name: the method's answer, where that is not x.
    evaluations : int
        Steps that ask for gradients of the same batch, one after another: 2 where every other step only moves x to
        where the next gradient is to be taken.

    Returns
    -------
    Rule

    Raises
    ------
    RuleError
        A SyntaxError at the line that cannot be lowered.

    Examples
    --------
    >>> from numbaopt.rule import rule
    >>> @rule
    ... def gd(x, g, t, lr=0.1):
    ...     return x - lr * g
    >>> dict(gd.hyper)
    {'lr': 0.1}
    """
    if function is None:
        return functools.partial(rule, report=report, evaluations=evaluations)
    text = read(function, report, evaluations)
    return Rule(((text, tuple((name, name) for name in [*text.slots, *text.numbers, *text.hyper])),), text.hyper)


def chain(*rules):
    """Join stages into one rule: what one returns, the next one sees; all in one pass over memory.

    Exactly one of them is a rule ``(x, g, ...)``. A stage ``(g, ...)`` returns a new gradient and stands before it
    (``(g, x, ...)`` may return both a new gradient and a new x); a stage ``(x, ...)`` returns a new x and stands after
    it, and may ask for ``before``, x as it was before the step. A stage that returns ``g if test else skip`` is a gate:
    what stands behind does nothing, and counts no step, where the test fails. A name that several stages use is told
    apart by the stage's own, ``box_lower``.
    """
    stages, hyper, taken, kinds = [], {}, {"x", "g", "t"}, ""
    for part in rules:
        if not isinstance(part, Rule):
            raise TypeError(f"chain joins rules, made with @rule; {part!r} is not one")
        for math, pairs in part._stages:
            kinds += {"before": "g", "rule": "r", "after": "x"}[math.role]
            new = {name: name for _, name in pairs}
            for name in taken.intersection(new):
                new[name] = f"{math.name}_{name}"
                while new[name] in taken:
                    new[name] += "_"
            stages.append((math, tuple((author, new[name]) for author, name in pairs)))
            hyper |= {new[name]: part.hyper[name] for _, name in pairs if name in part.hyper}
            taken |= set(new.values())
    if kinds.lstrip("g").rstrip("x") != "r":
        order = ", ".join(math.name for math, _ in stages) or "nothing"
        raise ValueError(f"a chain is stages (g, ...), then one rule (x, g, ...), then stages (x, ...); not {order}")
    return Rule(tuple(stages), hyper)


def _unpickled(homes, hyper, shape=None):
    parts = [functools.reduce(getattr, name.split("."), importlib.import_module(module)) for module, name in homes]
    joined = parts[0] if len(parts) == 1 else chain(*parts)
    return Rule(joined._stages, hyper, shape)
