"""A jitted objective in the one form that the compiled driver takes, whatever its `jac`, args and structure.

The driver is compiled once for all objectives, so what they differ in must not show in its types. Arrays and
numbers in `args`, and the columns of the data, therefore travel in tables of addresses. A wrapper is
generated for the types at hand: it makes arrays of them again, calls `fun`, and checks what comes back. As in
the plain driver, `fun` is given a copy of x, which it may overwrite.
"""

import functools
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import njit, types
from numba.core.errors import NumbaError
from numba.extending import is_jitted

from numbaopt.addresses import TABLE, entry, leaf_at, rows_at

_REFUSAL = "raise ValueError('the gradient that was returned has not the shape of x')"


class Compiled(NamedTuple):
    """A compiled objective, and what to call it with.

    Attributes
    ----------
    function : numba dispatcher
        ``function(x, g, args) -> float64``; with columns ``function(x, g, lo, hi, data, args)``, which shows
        `fun` the rows ``lo:hi`` of each. Compiled for that signature and no other.
    args : ndarray of int64
        What to pass as `args`. It knows of a copy of x, so it is for one run at a time.
    keep : list
        The arrays that `args` points into.
    cost : int
        How many evaluations of `fun` one evaluation with gradient takes.
    """

    function: Any
    args: np.ndarray
    keep: list
    cost: int = 1

    @staticmethod
    def pack(columns):
        """Return what to pass as `data`: it points into these arrays, which must be C-contiguous."""
        return np.array([number for array in columns for number in entry(array)], np.int64)


def compile_objective(objective, columns=None, each=None):
    """Compile an `Objective` whose function is jitted; return a `Compiled`, or None where that cannot be."""
    fun, jac = objective.fun, objective.jac
    if not is_jitted(fun) or not (jac is True or jac == "inplace" or is_jitted(jac)):
        return None
    try:
        wrapper = _Wrapper(objective, columns, each)
    except (NumbaError, TypeError, ValueError):  # what Numba has no type for, or does not go into a table
        return None
    function = _compile(fun, jac, wrapper.text, tuple(wrapper.parts), wrapper.signature)
    return function and Compiled(function, np.array(wrapper.table, np.int64), wrapper.keep)


# Bounded, for a wrapper keeps its function alive, and what that has captured.
@functools.lru_cache(maxsize=64)
def _compile(fun, jac, text, parts, signature):
    """Return a wrapper compiled for its signature, or None."""
    for shown in (_as_it_is, tuple):  # a function that overwrites its x compiles only for a copy
        made = {f"array{i}": make(*given) for i, (make, *given) in enumerate(map(shown, parts))}
        space = {"fun": fun, "jac": jac} | made
        exec(text, space)
        function = njit(nogil=True, error_model="numpy")(space["objective"])
        try:
            function.compile(signature)
        except Exception:  # whatever it is: the plain driver can do without, or meets it again and raises it
            continue
        function.disable_compile()
        return function
    return None


def _as_it_is(part):
    """Show x itself, read-only, where a copy of x would be shown."""
    make, kind, at, *copy = part
    return (make, kind.copy(readonly=True), at, False) if copy == [True] else part


class _Wrapper:
    """The text of a wrapper, and the table that it reads."""

    def __init__(self, objective, columns, each):
        real = numba.from_dtype(objective.x0.dtype)
        shapes, tree = objective.structure.shapes, objective.structure.tree
        scratch = np.empty_like(objective.x0)
        self.table, self.keep = [scratch.ctypes.data, 0], [scratch]  # 0: which of many problems this is
        self.parts = []
        places = [(shape, lo) for shape, (lo, _) in zip(shapes, objective.segments, strict=True)]
        copies = [f"{self._leaf(real, *place, copy=True)}(x, args)" for place in places]
        views = [f"{self._leaf(real, *place, copy=False)}(g, args)" for place in places]
        batch = [] if columns is None else self._columns(columns)
        batch += [self._row(array) for array in each or ()]
        given = batch + [self._arg(arg) for arg in objective.args]
        call = ", ".join([_nest(tree, copies), *given])
        if objective.jac == "inplace":
            lines = [f"return fun({', '.join([_nest(tree, copies), _nest(tree, views), *given])})"]
        elif objective.jac is True:
            lines = [f"f, grad = fun({call})", *_store(objective.structure, views), "return f"]
        else:
            both = [f"f = fun({call})", f"grad = jac({call})"]
            lines = [*both, *_store(objective.structure, views), "return f"]
        more = "" if columns is None else "lo, hi, data, "
        self.text = f"def objective(x, g, {more}args):\n" + "".join(f"    {line}\n" for line in lines)
        kinds = () if columns is None else (types.int64, types.int64, TABLE)
        self.signature = types.float64(real[::1], real[::1], *kinds, TABLE)

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
        return f"{self._part(rows_at, _kind(array), at)}(args, args[1], args[1] + 1)[0]"

    def _arg(self, arg):
        kind = _kind(arg)
        if isinstance(kind, types.Array):
            return self._array(kind, arg)
        if isinstance(kind, types.BaseTuple):
            return f"({''.join(self._arg(member) + ', ' for member in arg)})"
        array = np.array([arg])
        return self._array(_kind(array), array) + "[0]"

    def _array(self, kind, array):
        at = len(self.table)
        self.table += entry(array)
        self.keep.append(array)
        return f"{self._part(rows_at, kind, at)}(args, 0, args[{at + 1}])"

    def _leaf(self, real, shape, lo, copy):
        kind, at = types.Array(real, len(shape), "C"), len(self.table)
        self.table += [lo, *shape]
        return self._part(leaf_at, kind, at, copy)

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


_NUMBERS = (types.Number, types.Boolean)


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
