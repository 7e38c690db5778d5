"""@rule: a method of optimization is one function, written as in the paper.

The function's signature declares everything: coordinates (the parameter ``x``, its gradient ``g``, then the slots,
zero at first unless annotated), the step number ``t``, numbers carried from step to step (no default), and the
hyperparameters with their defaults. It returns the new x, then the slots and the numbers in order.
"""

import functools
import types
from collections.abc import Callable
from typing import Any, overload

import numpy as np
from numpy import ndarray

from numbaopt.backends import cpu, dispatch
from numbaopt.common.per_coordinate import Coordinates
from numbaopt.lowering import emit_cpu, layout
from numbaopt.lowering.frontend import RuleError, read
from numbaopt.lowering.grammar import PER_COORDINATE
from numbaopt.lowering.lower import Lowering
from numbaopt.methods.docs import HelpText
from numbaopt.methods.former_names import FormerNames
from numbaopt.methods.hyperparameters import checked, is_schedule
from numbaopt.methods.method import Method
from numbaopt.methods.slots import Memory
from numbaopt.methods.state import State, adopt, contiguous, fitting, of_parts, parts, valued


class Rule(FormerNames, Method, Memory):
    """A method: its math, its hyperparameters, and everything that follows from them.

    Called with keywords it gives a copy with other hyperparameters, ``adam(lr=1e-2)``; called with an objective it
    minimises, ``adam(fun, x0)``, which is what lets a rule stand as ``method`` in `scipy.optimize.minimize`.

    Attributes
    ----------
    name : str
        What it is called: the function's name; of a chain, the names of its stages.
    hyper : mapping
        Hyperparameters by name: numbers, or schedules. To change one, call the rule: ``adam(lr=1e-2)``.
    slots_of : tuple of str
        The slots that this setting of the hyperparameters needs.
    numbers_of : tuple of str
        The numbers that are carried from step to step beside the slots.
    elementwise : bool
        Whether a coordinate's step depends on that coordinate alone.
    needs_norms, needs_global_sum : bool
        Whether a step takes norms of each array, or sums over (or noise for) all arrays that are stepped together.
    needs_value : bool
        Whether a step asks for the objective's value at x.
    gradients_per_step : int
        How many steps in a row take gradients of the same batch.
    handles_nonfinite : bool
        Whether the rule, or a stage of its chain, looks after gradients that are not finite.
    shape : (int, int) or None
        The matrix that x is seen as, for a rule that takes matrices as such; see `shaped`.
    program
        What the function was lowered to: see `source`.

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
        self._stages = stages  # ((Math, ((author's name, name in the whole), ...)), ...)
        self.hyper = types.MappingProxyType(hyper)
        self.name = self.__name__ = "_".join(math.name for math, _ in stages)
        on = tuple((k, _kind(v)) for k, v in hyper.items())
        self.program, self.shape, self._shaped = _lowered(stages, on, shape is not None), shape, {}
        self.slots_of, self.numbers_of = tuple(self.program.slots), tuple(self.program.carried)
        self.elementwise = all(item.scope != "sum" for item in self.program.items) and shape is None
        self.needs_norms = any(_layered(math) for math, _ in stages)
        self.needs_global_sum = any(_joining(math) for math, _ in stages)
        self.needs_value, self.gradients_per_step = (
            self.program.needs_value,
            max(math.gradients_per_step for math, _ in stages),
        )
        self.handles_nonfinite = any(math.calls("isfinite") for math, _ in stages)
        kept = [hyper[name] for name in self.program.hyper]
        numbers = [value for v in kept for value in (v.values if is_schedule(v) else [v])]
        numbers += [self._start(name, None) or 0.0 for name in self.numbers_of]
        tables = [power for b in self.program.powers for power in layout.powers(hyper[b])]
        self._h = np.array([*numbers, *tables, *(shape or ()), *[np.nan] * self.needs_value], float)

    def _rebound(self, keywords):
        new = {k: checked(self, k, v) for k, v in keywords.items()}
        try:
            return Rule(self._stages, self.hyper | new, self.shape)
        except (RuleError, TypeError):  # an array stands where no coordinate does
            arrays = [name for name, value in new.items() if isinstance(value, Coordinates)]
            if len(arrays) == len(new) == 1:
                message = f"{self.name}: {arrays[0]} is a number, the same for all coordinates, and no array"
                raise TypeError(message) from None
            for name in arrays:
                self._rebound({name: new[name]})  # says which
            raise

    def __repr__(self):
        usual = {whole: math.hyper[own] for math, pairs in self._stages for own, whole in pairs if own in math.hyper}
        shown = [f"{k}={v!r}" for k, v in self.hyper.items() if k == "lr" or v != usual[k]]
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

        A schedule takes a place for each of its numbers. Behind lie the numbers that the step carries on, at their
        start; tables of powers, one for every b of which the rule asks b**t: lr may be edited in place, such a b may
        not (the step raises ValueError); the shape of a matrix; and, last, the objective's value at x, which is to be
        written there before each step where the rule asks for it (`valued`).
        """
        return self._h.copy()

    def source(self, backend: str = "cpu") -> str:
        """Return the text that the rule is lowered to.

        Parameters
        ----------
        backend : {"cpu", "cuda"}

        Returns
        -------
        str

        Raises
        ------
        ValueError
            For another backend.
        """
        return dispatch.source(backend, self.name, self.program)

    @property
    def jit(self) -> Any:
        """The compiled step ``step(t, x, g, s, h)``, to be called from your own ``@njit`` code.

        t : int, the step number, from 1. x, g : (n,) float arrays. s : (k, n), from ``rule.slots(x)``.
        h : ``rule.h``. All C-contiguous; x, g, s of one dtype. x and s change in place, nothing is returned.
        """
        return _jit(self.name, self.program)

    def shaped(self, shape: tuple[int, ...]) -> "Rule":
        """Return the rule for an array of this shape: itself, unless it sees matrices as such.

        Parameters
        ----------
        shape : tuple of int
            One of more than two dimensions is seen as a matrix of its first dimension by all others.

        Returns
        -------
        Rule

        Raises
        ------
        TypeError
            If a hyperparameter is given for each coordinate, and a matrix is stepped with it.
        """
        if len(shape) < 2 or not any(math.calls("matrix") for math, _ in self._stages):
            return self
        as_matrix = int(shape[0]), int(np.prod(shape[1:]))
        if as_matrix == self.shape:
            return self
        if as_matrix not in self._shaped:
            arrays = [name for name, value in self.hyper.items() if isinstance(value, Coordinates)]
            try:
                shaped = Rule(self._stages, dict(self.hyper), as_matrix)
                arrays = [name for name in arrays if name in shaped.program.slots]
            except (RuleError, TypeError):
                if not arrays:
                    raise
            if arrays:
                raise TypeError(
                    f"{self.name}: {arrays[0]} is a number where a matrix is stepped, {as_matrix[0]} by "
                    f"{as_matrix[1]}, and no array: give x0 as a vector, or one {arrays[0]} for all of it"
                )
            self._shaped[as_matrix] = shaped
        return self._shaped[as_matrix]

    def in_chain(self, rule: "Rule") -> "Rule":
        """Return a stage with a rule beside it, in the order in which a chain has them.

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
        """Return the chain in two: stages before the rule with sums over all arrays, and what is done array by array.

        The first is stepped like a rule; it changes the gradient that it is given, in place.

        Returns
        -------
        list of Rule
            The two.

        Raises
        ------
        ValueError
            If a stage is done array by array before sums over all arrays are.
        """
        sums = [k for k, (math, _) in enumerate(self._stages) if _joining(math)]
        head, rest = self._stages[: sums[-1] + 1], self._stages[sums[-1] + 1 :]
        layers = [math.name for math, _ in head if math.role != "before" or math.needs_value or _layered(math)]
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

    def gate(self, h: np.ndarray, t: int) -> int | None:
        """Return how many steps have passed the gates of a `split` part, None where this one has not.

        Parameters
        ----------
        h : ndarray
            After the step.
        t : int
            Its number.

        Returns
        -------
        int or None
        """
        if self.program.gate is None:
            return t
        flag, counted = self.program.gate
        return int(self.number(h, counted)) if self.number(h, flag) else None

    def kernel(self, x: np.ndarray) -> Callable[..., None]:
        """Return the compiled step that suits x's dtype and size; it takes no other types.

        Parameters
        ----------
        x : ndarray, shape (n,)

        Returns
        -------
        function
            ``step(t, x, g, s, h)``, as `jit`.
        """
        return cpu.kernel(compiled_step(self.name, self.program, cpu.parallel_pays(x.size)), x.dtype)

    def _survivor(self, x):
        """Return the kernel for x, to be called from Python: in a forked child the serial one, which lives there."""
        step, dtype = self.kernel(x), x.dtype
        serial = compiled_step(self.name, self.program, False)
        if step is serial:
            return step
        return lambda *args: (cpu.kernel(serial, dtype) if cpu.forked() else step)(*args)

    def init(self, x: Any) -> State:
        """Return the state to start from.

        Parameters
        ----------
        x : ndarray or device array (``__cuda_array_interface__``), float32 or float64, C-contiguous, any shape
            The parameters; slots that start as a copy of x (or not at zero) are made from it. A NumPy array may be
            complex: its real and imaginary parts are then coordinates of their own.

        Returns
        -------
        State

        Raises
        ------
        TypeError, ValueError
            When x is not such an array.
        """
        if dispatch.on_device(x):
            return State(*dispatch.cuda().prepare(self, x))
        flat = contiguous(x, "x", writable=True)
        shape = parts(x).shape
        rule = self.shaped(shape)
        return State(rule, rule.slots(flat), shape, of_parts(rule._survivor(flat), x.dtype))

    def step(self, x: Any, g: Any, state: State, f: float | None = None) -> None:
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
        if self.needs_value:
            f = valued(self, f)
        try:
            t = state.t + 1
            if state.rule is not self:
                adopt(self, x, state)
            s, h = state.s, state.h
            if self.needs_value:
                h[-1] = f
            # One row of the very dtype: Numba takes foreign bytes for native once it has seen unaligned ones.
            kind = state._kind
            if kind is not None and x.dtype is g.dtype is kind:
                state._step(t, x, g, s, h)
            else:
                flat = fitting(self, x, g, state) if isinstance(x, ndarray) else (x, g)
                state._step(t, *flat, s, h)
        except cpu.REFUSED:
            if isinstance(state, State) and hasattr(state._step, "view"):
                raise  # the device's own step has said what is wrong
            flat = fitting(self, x, g, state)
            adopt(self, x, state)
            if self.needs_value:
                state.h[-1] = f
            state._step(t, *flat, state.s, state.h)
        state.t = t


Rule.__doc__ = HelpText(Rule.__doc__)  # type: ignore[assignment]


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
def compiled_step(name, program, parallel):
    """Return the serial or parallel step of a lowered rule."""
    return cpu.load(emit_cpu.emit(name, program, parallel), name, parallel)


@functools.lru_cache(512)
def _jit(name, program):
    return cpu.load.__wrapped__(emit_cpu.emit(name, program), name)


@overload
def rule(function: Callable[..., Any], *, report: Callable[..., Any] | None = None, evaluations: int = 1) -> Rule: ...
@overload
def rule(
    function: None = None, *, report: Callable[..., Any] | None = None, evaluations: int = 1
) -> Callable[[Callable[..., Any]], Rule]: ...
def rule(function: Any = None, *, report: Any = None, evaluations: int = 1) -> Any:
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
        `numbaopt.backends.linalg` take it whole, and a slot may start from ``zeros(rows, 1)`` or ``identity(rows)``.
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
    return of_one(read(function, report, evaluations))


def joined(*rules):
    """Return the rule that does what these do, one after another; names that several of them use are told apart."""
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
    """Return the rule that is one function."""
    return Rule(((math, tuple((name, name) for name in [*math.slots, *math.numbers, *math.hyper])),), math.hyper)
