"""A jitted objective in the one form that the compiled drivers call, whatever its `jac`, args and structure.

The drivers are compiled once for all objectives, so what distinguishes objectives must not appear in their types. A
generated wrapper hides it: arrays and numbers in `args`, and the columns of the data, are passed as tables of
addresses, from which the wrapper makes arrays again. It calls `fun`, and checks the gradient that comes back, or
estimates one (`numbaopt.objectives.compiled_estimates`). As in the Python driver, `fun` gets a copy of x, which it may
overwrite.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types
from numba.core.errors import NumbaError
from numba.extending import is_jitted

from numbaopt.backends.cpu import only, uncached
from numbaopt.backends.pointers import TABLE, entry, leaf_at, rows_at
from numbaopt.common.locking import once
from numbaopt.objectives.compiled_estimates import difference_lines, estimator, spsa_lines

PROBLEM = 2  # the entry of the table with the number of the problem, for `minimize_many`
# Lines of a wrapper for one flat array: check and copy the gradient that fun returned.
STORE = [
    "if len(grad) != g.size:",
    '    raise ValueError("the gradient that was returned does not have the length of x0")',
    "for i in range(g.size):",
    "    g[i] = grad[i]",
]
_REFUSAL = "raise ValueError('the gradient that was returned does not have the shape of x')"
_COMPLEX = {types.float32: types.complex64, types.float64: types.complex128}
_NUMBERS = (types.Number, types.Boolean)


class Compiled(NamedTuple):
    """A compiled objective, and the arguments to call it with.

    Attributes
    ----------
    function : numba dispatcher
        ``function(x, g, args) -> float64``; with columns ``function(x, g, lo, hi, data, args)``, which passes
        the rows ``lo:hi`` of each column to `fun`. Compiled for that signature and no other.
    args : ndarray of int64
        What to pass as `args`. It holds the address of a copy of x, so only one run at a time may use it.
    keep : list
        The arrays to which `args` points.
    cost : int
        Evaluations of `fun` in one call.
    failed : int
        Evaluations of `fun` in a call whose value is not finite.
    """

    function: Any
    args: np.ndarray
    keep: list
    cost: int = 1
    failed: int = 1

    @staticmethod
    def pack(columns):
        """Return what to pass as `data`: it points to these arrays, which must be C-contiguous."""
        return np.array([number for array in columns for number in entry(array)], np.int64)


def compile_objective(objective, columns=None, each=None):
    """Compile an `Objective` whose function is jitted; return a `Compiled`, or None if it cannot be compiled."""
    fun, jac = objective.fun, "2-point" if objective.jac is None else objective.jac
    if not is_jitted(fun) or (callable(jac) and not is_jitted(jac)):
        return None
    try:
        wrapper = Wrapper(objective, columns, each)
    except (NumbaError, TypeError, ValueError):  # an argument that has no Numba type, or does not go into a table
        return None
    function = _compile(fun, jac, wrapper.text, tuple(wrapper.parts), wrapper.signature, tuple(wrapper.values.items()))
    cost, failed = objective.cost, objective.cost if objective.noisy else 1
    return function and Compiled(function, np.array(wrapper.table, np.int64), wrapper.keep, cost, failed)


# At most 64, because a wrapper keeps its function and what that has captured alive.
@once(most=64)
def _compile(fun, jac, text, parts, signature, values):
    """Return a wrapper compiled for its signature, or None."""
    # First without a copy of x: a function that writes to its x does not compile for that.
    for chosen in dict.fromkeys((tuple(map(_without_copy, parts)), parts)):
        space = {"fun": fun, "jac": jac} | {f"array{i}": make(*rest) for i, (make, *rest) in enumerate(chosen)}
        exec(text, space)
        try:
            if values:
                space |= estimator(space, jac, values, signature.args[0])
            return only(uncached(space["objective"]), signature)
        except Exception:  # the Python driver does not need it, or raises the same exception
            continue
    return None


def _without_copy(part):
    """Return a part that is x itself, read-only, in place of one that is a copy of x."""
    make, kind, at, *copy = part
    return (make, kind.copy(readonly=True), at, False) if copy == [True] else part


class Wrapper:
    """The text of a wrapper, and the table that it reads.

    Parameters
    ----------
    objective : Objective
    columns, each : tuple of ndarray, or None
        As in `numbaopt.objectives.objective.Objective.compiled`.

    Attributes
    ----------
    text : str
        The functions: ``objective``, and those of ``values``.
    signature : numba signature
        Of ``objective``.
    values : dict
        For a gradient that is estimated: the functions that evaluate `fun`, by name, and their types.
    parts : list of tuple
        What makes ``array0``, ``array1``... in the text: a function and its arguments.
    table, keep : list
        What the text reads, and the arrays to which this points.

    Raises
    ------
    TypeError, ValueError, NumbaError
        For arguments that have no Numba type, or do not go into a table.
    """

    def __init__(self, objective, columns=None, each=None):
        self.objective, self.real = objective, numba.from_dtype(objective.x0.dtype)
        self.text, self.parts, self.values, self.table, self.keep = "", [], {}, [], []
        self.add_array(np.empty(objective.x0.size, complex))  # first: `leaf_at` copies x to it, real or complex
        self.table.append(0)  # the entry PROBLEM
        kinds, more = ((), "") if columns is None else ((types.int64, types.int64, TABLE), "lo, hi, data, ")
        self._context = (*kinds, TABLE)  # the types of what `fun` gets besides x
        self._arguments = [] if columns is None else self._columns(columns)
        self._arguments += [self._row(array) for array in each or ()]
        self._arguments += [self.add_argument(arg) for arg in objective.args]
        if objective.jac == "inplace":
            lines = [f"return {self._call(self._tree('x', copy=True), self._tree('g'))}"]
        elif objective.jac is True or callable(objective.jac):
            lines = [*self._analytic(), "return f"]
        else:
            estimate_lines = spsa_lines if objective.noisy else difference_lines
            lines = estimate_lines(self, f"({more}args)" if more else "args")
            lines += ["for i in range(g.size): g[i] = slopes[i]", "return f"]
        self._function(f"objective(x, g, {more}args)", lines)
        self.signature = types.float64(self.real[::1], self.real[::1], *self._context)

    def _function(self, head, lines):
        self.text += "\n    ".join([f"def {head}:", *lines]) + "\n"

    def _call(self, *leading, name="fun"):
        return f"{name}({', '.join([*leading, *self._arguments])})"

    def _analytic(self):
        """Write lines for a gradient that `fun` or `jac` returns."""
        copy = self._tree("x", copy=True)
        both = [f"f = {self._call(copy)}", f"grad = {self._call(copy, name='jac')}"]
        calls = [f"f, grad = {self._call(copy)}"] if self.objective.jac is True else both
        return [*calls, *_store(self.objective.structure, self._leaves("g"))]

    def add_value(self, name, kind):
        """Write `fun` as a function of a flat z of this type and of one argument that holds everything else."""
        several = len(self._context) > 1
        lines = ["lo, hi, data, args = args"] * several + [f"return {self._call(self._tree('z', kind, copy=True))}"]
        self._function(f"{name}(z, args)", lines)
        self.values[name] = kind[::1], types.Tuple(self._context) if several else TABLE

    def _tree(self, flat, kind=None, copy=False):
        """Return the expression of a tree like x0, whose leaves are views of a flat array or of a copy of it."""
        return _nest(self.objective.structure.tree, self._leaves(flat, kind, copy))

    def _leaves(self, flat, kind=None, copy=False):
        """Return the expressions of its leaves."""
        structure, views = self.objective.structure, []
        for shape, (lo, _), double in zip(structure.shapes, structure.segments, structure.complexes, strict=True):
            number = _COMPLEX[self.real] if double else kind or self.real
            part = leaf_at, types.Array(number, len(shape), "C"), len(self.table), copy
            self.table += [lo, *shape]
            views.append(f"{self._part(*part)}({flat}, args)")
        return views

    def _columns(self, columns):
        parts, at = [], 0
        for column in columns:
            kind = _kind(column)
            parts.append(f"{self._part(rows_at, kind, at)}(data, lo, hi)")
            at += len(entry(column))
        return parts

    def _row(self, array):
        at = len(self.table)
        self.table += entry(array)
        self.keep.append(array)
        return f"{self._part(rows_at, _kind(array), at)}(args, args[{PROBLEM}], args[{PROBLEM}] + 1)[0]"

    def add_argument(self, arg):
        """Put a number, an array or a tuple of these into the table; return the expression that reads it."""
        kind = _kind(arg)
        if isinstance(kind, types.Array):
            return self.add_array(arg)
        if isinstance(kind, types.BaseTuple):
            return f"({''.join(self.add_argument(member) + ', ' for member in arg)})"
        return self.add_array(np.array([arg])) + "[0]"

    def add_array(self, array):
        """Put an array into the table; return the expression that makes it from its entries."""
        kind, at = _kind(array), len(self.table)
        self.table += entry(array)
        self.keep.append(array)
        return f"{self._part(rows_at, kind, at)}(args, 0, args[{at + 1}])"

    def _part(self, *part):
        self.parts.append(part)
        return f"array{len(self.parts) - 1}"


def _kind(value):
    """Return the Numba type of a number, a C-contiguous array or a tuple of these; TypeError for anything else."""
    kind = numba.typeof(value)
    if isinstance(kind, types.Array):
        if kind.ndim and kind.layout == "C" and kind.aligned and isinstance(kind.dtype, _NUMBERS):
            return kind
    elif isinstance(kind, _NUMBERS) or type(value) is tuple:
        return kind
    raise TypeError


def _nest(tree, parts):
    if isinstance(tree, int):
        return parts[tree]
    if type(tree) is not tuple:
        raise TypeError  # compiled code has no dict or list of arrays that differ in their dimensions
    return f"({''.join(_nest(child, parts) + ', ' for child in tree)})"


def _store(structure, views):
    """Write lines that check the shapes of the whole gradient, then copy it."""
    names, checks, copies = [], _lengths(structure.tree, "grad"), []
    for i, (view, path, shape) in enumerate(zip(views, structure.paths, structure.shapes, strict=True)):
        grad = "grad" + path
        names.append(f"g{i} = {view}")
        if len(shape) == 1:  # this form takes a tuple of numbers, too
            checks.append(f"len({grad}) != g{i}.size")
            copies.append(f"for i in range(g{i}.size): g{i}[i] = {grad}[i]")
        elif shape:
            checks.append(f"{grad}.shape != g{i}.shape")
            copies.append(f"g{i}[:] = {grad}")
        else:
            copies.append(f"g{i}[()] = {grad}")
    return [*names, *(f"if {check}: {_REFUSAL}" for check in checks), *copies]


def _lengths(tree, path):
    if isinstance(tree, int):
        return []
    inner = [check for i, child in enumerate(tree) for check in _lengths(child, f"{path}[{i}]")]
    return [f"len({path}) != {len(tree)}", *inner]
