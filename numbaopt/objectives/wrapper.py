"""The text of a wrapper round a jitted objective, and the table that it reads.

Arrays and numbers in `args`, and the columns of the data, travel in tables of addresses. A wrapper is generated for the
types at hand: it makes arrays of them again, calls `fun`, and checks what comes back, or estimates a gradient. What it
needs of memory for that lies in the table, too.
"""

import numba
import numpy as np
from numba import types

from numbaopt.backends.pointers import TABLE, entry, leaf_at, rows_at

PROBLEM = 2  # where in the table the number of a problem stands, for those that are one of many
# Lines of a wrapper for one flat array: take over a gradient that was returned.
STORE = [
    "if len(grad) != g.size:",
    '    raise ValueError("the gradient that was returned has not the length of x0")',
    "for i in range(g.size):",
    "    g[i] = grad[i]",
]
_REFUSAL = "raise ValueError('the gradient that was returned has not the shape of x')"


class Wrapper:
    """The text of a wrapper, and the table that it reads.

    Parameters
    ----------
    objective : Objective
    columns, each : tuple of ndarray, or None
        As in `numbaopt.objectives.compiled.compile_objective`.

    Attributes
    ----------
    text : str
        The functions: ``objective``, and those of ``values``.
    signature : numba signature
        Of ``objective``.
    values : dict
        For a gradient that is estimated: what evaluates `fun`, by name, and its types.
    parts : list of tuple
        What makes ``array0``, ``array1``... in the text: a function and its arguments.
    table, keep : list
        What the text reads, and the arrays that this points into.

    Raises
    ------
    TypeError, ValueError, NumbaError
        For what Numba has no type for, or does not go into a table.
    """

    def __init__(self, objective, columns=None, each=None):
        self.objective, self.real = objective, numba.from_dtype(objective.x0.dtype)
        self.text, self.parts, self.values, self.table, self.keep = "", [], {}, [], []
        self._own(np.empty(objective.x0.size, complex))  # first: where `leaf_at` copies x to, real or complex
        self.table.append(0)  # at PROBLEM
        kinds, more = ((), "") if columns is None else ((types.int64, types.int64, TABLE), "lo, hi, data, ")
        self.seen = (*kinds, TABLE)  # what `fun` sees besides x
        self.given = [] if columns is None else self._columns(columns)
        self.given += [self._row(array) for array in each or ()]
        self.given += [self._arg(arg) for arg in objective.args]
        if objective.jac == "inplace":
            lines = [f"return {self._call(self._tree('x', copy=True), self._tree('g'))}"]
        elif objective.jac is True or callable(objective.jac):
            lines = [*self._analytic(), "return f"]
        else:
            estimated = self._spsa if objective.noisy else self._differences
            lines = estimated(f"({more}args)" if more else "args")
            lines += ["for i in range(g.size): g[i] = slopes[i]", "return f"]
        self._function(f"objective(x, g, {more}args)", lines)
        self.signature = types.float64(self.real[::1], self.real[::1], *self.seen)

    def _function(self, head, lines):
        self.text += "\n    ".join([f"def {head}:", *lines]) + "\n"

    def _call(self, *shown, name="fun"):
        return f"{name}({', '.join([*shown, *self.given])})"

    def _analytic(self):
        """Write lines for a gradient that is returned."""
        copy = self._tree("x", copy=True)
        both = [f"f = {self._call(copy)}", f"grad = {self._call(copy, name='jac')}"]
        calls = [f"f, grad = {self._call(copy)}"] if self.objective.jac is True else both
        return [*calls, *_store(self.objective.structure, self._leaves("g"))]

    def _differences(self, seen):
        """Write lines for finite differences, and the functions of x that they call."""
        scheme, value = self.objective.scheme, "value"
        self._value(value, self.real)
        if not scheme.bounded:
            value = "complex_value"
            self._value(value, types.complex128)
        arrays = scheme.arrays(self.objective.x0, self.objective.bounds, self.objective.rel_step)
        return [
            f"slopes = {self._own(np.empty(self.objective.x0.size))}",
            f"f = value(x, {seen})",
            f"gradient({value}, x, f, slopes, {', '.join(map(self._own, arrays))}, scale, {seen})",
        ]

    def _spsa(self, seen):
        """Write lines for simultaneous perturbation; the table counts the evaluations."""
        self._value("value", self.real)
        x0, bounds = self.objective.x0, self.objective.bounds or (np.empty(0, self.objective.x0.dtype),) * 2
        settings = [*map(self._own, bounds), *map(self._arg, self.objective.spsa)]
        at = len(self.table)
        self.table.append(self.objective.njev)
        return [
            f"args[{at}] += 1",
            f"plus, minus, slopes = {', '.join(map(self._own, (x0.copy(), x0.copy(), np.empty(x0.size))))}",
            f"perturb(x, {', '.join(settings)}, args[{at}], plus, minus, slopes)",
            f"f = estimate(value, plus, minus, slopes, {seen})",
        ]

    def _value(self, name, kind):
        """Write `fun` as a function of a flat z, and of all that it sees besides."""
        several = len(self.seen) > 1
        lines = ["lo, hi, data, args = args"] * several + [f"return {self._call(self._tree('z', kind, copy=True))}"]
        self._function(f"{name}(z, args)", lines)
        self.values[name] = kind[::1], types.Tuple(self.seen) if several else TABLE

    def _tree(self, flat, kind=None, copy=False):
        """Return the structure of x0, of views of a flat array or of its copy."""
        return _nest(self.objective.structure.tree, self._leaves(flat, kind, copy))

    def _leaves(self, flat, kind=None, copy=False):
        """Return the leaves of it."""
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

    def _arg(self, arg):
        kind = _kind(arg)
        if isinstance(kind, types.Array):
            return self._own(arg)
        if isinstance(kind, types.BaseTuple):
            return f"({''.join(self._arg(member) + ', ' for member in arg)})"
        return self._own(np.array([arg])) + "[0]"

    def _own(self, array):
        """Put an array into the table; return what makes it of its entries."""
        kind, at = _kind(array), len(self.table)
        self.table += entry(array)
        self.keep.append(array)
        return f"{self._part(rows_at, kind, at)}(args, 0, args[{at + 1}])"

    def _part(self, *part):
        self.parts.append(part)
        return f"array{len(self.parts) - 1}"


def _kind(value):
    """Return the Numba type of what goes into a table: numbers, C-contiguous arrays, tuples of these."""
    kind = numba.typeof(value)
    if isinstance(kind, types.Array):
        if kind.ndim and kind.layout == "C" and kind.aligned and isinstance(kind.dtype, _NUMBERS):
            return kind
    elif isinstance(kind, _NUMBERS) or type(value) is tuple:
        return kind
    raise TypeError


_COMPLEX = {types.float32: types.complex64, types.float64: types.complex128}
_NUMBERS = (types.Number, types.Boolean)
_REALS = (types.Float, types.Integer, types.Boolean)


def _nest(tree, parts):
    if isinstance(tree, int):
        return parts[tree]
    if type(tree) is not tuple:
        raise TypeError  # compiled code has no dict or list that would hold arrays of several dimensions
    return f"({''.join(_nest(child, parts) + ', ' for child in tree)})"


def _store(structure, views):
    """Write lines that check the shapes of the whole gradient, then copy it."""
    names, checks, copies = [], _lengths(structure.tree, "grad"), []
    for i, (view, path, shape) in enumerate(zip(views, structure.paths, structure.shapes, strict=True)):
        grad = "grad" + path
        names.append(f"g{i} = {view}")
        if len(shape) == 1:  # in these words a tuple of numbers will do, too
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
