"""@rule: a method of optimization is one function, written as in the paper.

The function's signature declares everything: coordinates (the parameter ``x``, its gradient ``g``, then the slots,
zero at first unless annotated), the step number ``t``, and the hyperparameters with their defaults. It returns the
new x, then the slots in order.
"""

import functools
import importlib
import inspect
import types

import numpy as np

from numbaopt import cpu, passes
from numbaopt.hyper import checked, is_schedule
from numbaopt.lower import Lowering
from numbaopt.parse import RuleError, read
from numbaopt.state import State, adopt, contiguous, fitting

__all__ = ["Rule", "RuleError", "chain", "rule"]
__all__ += ["abs", "exp", "log", "max", "min", "sign", "sqrt", "sum", "where"]


def _plain(function):
    """Make a NumPy function give a Python float where it gives a scalar, which leaves arrays their dtype."""

    @functools.wraps(function)
    def plain(*args):
        value = function(*args)
        return value if np.ndim(value) else float(value)

    return plain


# What a rule calls, for the undecorated function.
abs, exp, log, sign, sqrt = (_plain(f) for f in (np.abs, np.exp, np.log, np.sign, np.sqrt))
max, min, sum, where = (_plain(f) for f in (np.maximum, np.minimum, np.sum, np.where))


class Rule:
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
    elementwise : bool
        Whether a coordinate's step depends on that coordinate alone.
    """

    def __init__(self, stages, hyper):
        self._stages = stages  # ((Math, ((author's name, name in the whole), ...)), ...)
        self.hyper = types.MappingProxyType(hyper)
        self.name = self.__name__ = "_".join(math.name for math, _ in stages)
        self.__doc__ = inspect.getdoc(stages[0][0].function)
        on = tuple((k, v if is_schedule(v) else bool(v)) for k, v in hyper.items())
        self.program = _lowered(stages, on)
        self.slots_of = tuple(self.program.slots)
        self.elementwise = all(item.scope != "sum" for item in self.program.items)
        numbers = [value for v in hyper.values() for value in (v.values if is_schedule(v) else [v])]
        tables = [power for b in self.program.powers for power in passes.powers(hyper[b])]
        self._h = np.array([*numbers, *tables], float)

    def __call__(self, fun=None, x0=None, /, args=(), **options):
        """Rebind hyperparameters (keywords only), or minimise ``fun`` from ``x0`` as a SciPy custom method."""
        if fun is None and x0 is None and args == ():
            return Rule(self._stages, self.hyper | {k: checked(self, k, v) for k, v in options.items()})
        if not callable(fun):
            raise TypeError(f"{self.name}: hyperparameters are keywords, {self.name}(lr=...); {fun!r} is no function")
        if x0 is None:
            raise TypeError(f"{self.name}(fun, x0) minimises fun, from x0, which is missing")
        from numbaopt.minimize import as_scipy_method

        return as_scipy_method(self, fun, x0, args, **options)

    def __repr__(self):
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.hyper.items())})"

    def __eq__(self, other):
        return isinstance(other, Rule) and (self._stages, self.hyper) == (other._stages, other.hyper)

    def __hash__(self):
        return hash(self._stages)

    def __reduce__(self):
        homes = tuple((math.function.__module__, math.function.__qualname__) for math, _ in self._stages)
        return _unpickled, (homes, dict(self.hyper))

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
        """The function as its author wrote it, for NumPy arrays: ``x, *slots = rule.math(x, g, *slots, t, ...)``."""
        return self._stages[0][0].function

    @property
    def h(self):
        """The hyperparameters as a compiled step takes them: a new float64 array, in the order of the signature.

        A schedule takes a place for each of its numbers. Behind lie tables of powers, one for every b of which the
        rule asks b**t: lr may be edited in place, such a b may not (the step raises ValueError).
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

    def slots(self, x, **fixed):
        """Return the slots to start from, for a flat ``x``: shape (k, x.size), x's dtype; ``fixed`` sets some."""
        s = np.zeros((len(self.slots_of), x.size), x.dtype)
        for math_, pairs in self._stages:
            own = {author: self.hyper[name] for author, name in pairs if name in self.hyper} | {"x": x}
            for author, name in pairs:
                if name in self.slots_of and name in fixed:
                    s[self.slots_of.index(name)] = fixed[name]
                elif name in self.slots_of and math_.starts[author] is not None:
                    s[self.slots_of.index(name)] = eval(math_.starts[author], {"__builtins__": {}}, own)
        return s

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
        flat = contiguous(x, "x", writable=True)
        return State(self, self.slots(flat), np.shape(x), self._survivor(flat))

    def step(self, x, g, state):
        """Do one step in place: ``x`` and ``state`` change, nothing else.

        Parameters
        ----------
        x, g : ndarrays (or both device arrays) of the state's shape
            The parameters and the gradient at them. x is C-contiguous and of the dtype that `init` saw.
        state : State
            From `init` of this rule. Other hyperparameters than at the last step are fine.

        Raises
        ------
        TypeError, ValueError
            When x, g and state do not fit each other. Nothing has changed then.
        """
        try:
            t = state.t + 1
            if state.rule.program is not self.program:
                adopt(self, x, state)
            if len(state.shape) != 1 and isinstance(x, np.ndarray):
                x, g = fitting(self, x, g, state)
            state._step(t, x, g, state.s, self._h)
        except cpu.REFUSED:
            if isinstance(state, State) and not isinstance(state.s, np.ndarray):
                raise  # the device's own step has said what is wrong
            x, g = fitting(self, x, g, state)
            state._step(t, x, g, state.s, self._h)
        state.t = t


@functools.lru_cache(512)
def _lowered(stages, on):
    return Lowering(stages, dict(on))


@functools.lru_cache(512)
def _step(name, program, parallel):
    return cpu.load(cpu.emit(name, program, parallel), name, parallel)


@functools.lru_cache(512)
def _jit(name, program):
    return cpu.load.__wrapped__(cpu.emit(name, program), name)


def rule(function):
    """Make a method of a function that states one step as in the paper.

    Parameters
    ----------
    function : function
        ``function(x, g, *slots, t, **hyperparameters)``, returning the new x and slots. Before ``t``: coordinates.
        A slot starts at zero unless annotated with an expression of x and hyperparameters (``z: "x"``). After
        ``t``: hyperparameters with defaults; one tested bare (``if nesterov:``) is decided before compiling.
        The body is assignments, ``if`` on scalars, arithmetic, and sqrt, abs, sign, exp, log, min, max, where,
        and sum (over all coordinates), all from this module.

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
    text = read(function)
    return Rule(((text, tuple((name, name) for name in [*text.slots, *text.hyper])),), text.hyper)


def chain(*rules):
    """Join stages into one rule: what one returns, the next one sees; all in one pass over memory.

    Exactly one of them is a rule ``(x, g, ...)``; a stage ``(g, ...)`` returns a new gradient and stands before it,
    a stage ``(x, ...)`` returns a new x and stands after it. A name that several stages use is told apart by the
    stage's own, ``box_lower``.
    """
    stages, hyper, taken, kinds = [], {}, {"x", "g", "t"}, ""
    for part in rules:
        if not isinstance(part, Rule):
            raise TypeError(f"chain joins rules, made with @rule; {part!r} is not one")
        for math, pairs in part._stages:
            kinds += "g" if math.coordinates[0] == "g" else "r" if "g" in math.coordinates else "x"
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


def _unpickled(homes, hyper):
    parts = [functools.reduce(getattr, name.split("."), importlib.import_module(module)) for module, name in homes]
    joined = parts[0] if len(parts) == 1 else chain(*parts)
    return Rule(joined._stages, hyper)
