"""A jitted objective in the one form that the compiled driver takes, whatever its `jac` form, args and structure.

The driver is compiled once for all objectives, so what they differ in must not show in its types. Arrays and numbers
in `args`, and the columns of `data`, therefore travel as a table of int64: an address and the lengths of the axes, each.
A wrapper is generated for the types at hand: it makes arrays of them again, calls `fun`, and checks what comes back.
As in the plain driver, `fun` is given a copy of x, which it may overwrite.
"""

import functools
import itertools
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, is_jitted
from numba.np.arrayobj import make_array, populate_array

_TABLE = types.int64[::1]
_REFUSED = "fun returned a gradient that has not the shape of x"


class Compiled(NamedTuple):
    """A compiled objective, and what to call it with.

    Attributes
    ----------
    function : numba dispatcher
        ``function(x, g, args) -> float64``; with columns ``function(x, g, lo, hi, data, args)``, which shows `fun` the
        rows ``lo:hi`` of each. Compiled for that signature and no other.
    args : ndarray of int64
        What to pass as `args`.
    keep : list
        The arrays that `args` points into.
    """

    function: Any
    args: np.ndarray
    keep: list

    @staticmethod
    def pack(columns):
        """Return what to pass as `data`: it points into these C-contiguous arrays."""
        return np.array([number for array in columns for number in _entry(array)], np.int64)


def compile_objective(objective, columns=None):
    """Compile an `Objective` whose function is jitted; return a `Compiled`, or None where that cannot be."""
    fun, jac = objective.fun, objective.jac
    if not is_jitted(fun) or not (jac is True or jac == "inplace" or is_jitted(jac)):
        return None
    try:
        wrapper = _Wrapper(objective, columns)
    except (TypeError, ValueError):  # Numba's typeof knows no type for it, or not one that goes into a table
        return None
    done = vars(fun).setdefault("_numbaopt_wrappers", {})  # with fun, so that it goes when fun goes
    key = (jac, wrapper.text, *wrapper.kinds)
    if key not in done:
        done[key] = wrapper.compile(fun, jac)
    return done[key] and Compiled(done[key], np.array(wrapper.table, np.int64), wrapper.keep)


class _Wrapper:
    """The text of a wrapper, and the table it reads."""

    def __init__(self, objective, columns):
        self.real = numba.from_dtype(objective.x0.dtype)
        self.structure = objective.structure
        scratch = np.empty_like(objective.x0)
        self.table, self.keep, self.kinds, self.names = [scratch.ctypes.data], [scratch], [], {}
        leaves = list(zip(self.structure.shapes, self.structure.segments, strict=True))
        x = _nest(
            self.structure.tree, [f"{self._leaf(shape, lo, copy=True)}(x, args)" for shape, (lo, _) in leaves]
        )
        views = [f"{self._leaf(shape, lo)}(g, args)" for shape, (lo, _) in leaves]
        given = [] if columns is None else self._columns(columns)
        given += [self._arg(arg) for arg in objective.args]
        call = ", ".join([x, *given])
        if objective.jac == "inplace":
            lines = [f"return fun({', '.join([x, _nest(self.structure.tree, views), *given])})"]
        else:
            both = (
                [f"f, grad = fun({call})"]
                if objective.jac is True
                else [f"f = fun({call})", f"grad = jac({call})"]
            )
            lines = [*both, *_stores(self.structure, views), "return f"]
        parameters = "x, g, args" if columns is None else "x, g, lo, hi, data, args"
        self.text = f"def objective({parameters}):\n" + "".join(f"    {line}\n" for line in lines)
        vector, place = self.real[::1], types.int64
        middle = () if columns is None else (place, place, _TABLE)
        self.signature = types.float64(vector, vector, *middle, _TABLE)

    def compile(self, fun, jac):
        """Return the wrapper compiled for its signature, or None."""
        space = self.names | {"fun": fun, "jac": jac}
        exec(self.text, space)
        function = njit(nogil=True, error_model="numpy")(space["objective"])
        try:
            function.compile(self.signature)
        except (
            Exception
        ):  # whatever it is: the plain driver can do without, or meets the same error and raises it
            return None
        function.disable_compile()
        return function

    def _columns(self, columns):
        places, at = [], 0
        for column in columns:
            kind = _kind(column)
            if not isinstance(kind, types.Array) or not kind.ndim:
                raise TypeError
            places.append(f"{self._name(_slice_of(kind, at), kind)}(data, lo, hi)")
            at += 1 + kind.ndim
        return places

    def _arg(self, arg):
        kind = _kind(arg)
        if isinstance(kind, types.Array):
            return self._array(arg)
        if isinstance(kind, (types.Number, types.Boolean)):
            return self._array(np.array([arg])) + "[0]"
        return f"({''.join(self._arg(member) + ', ' for member in arg)})"

    def _array(self, array):
        kind, at = _kind(array), len(self.table)
        self.table += _entry(array)
        self.keep.append(array)
        return f"{self._name(_slice_of(kind, at), kind)}(args, 0, args[{at + 1}])"

    def _leaf(self, shape, lo, copy=False):
        kind, at = types.Array(self.real, len(shape), "C"), len(self.table)
        self.table += [lo, *shape]
        return self._name(_leaf_of(kind, at, copy), kind)

    def _name(self, function, kind):
        name = f"array{len(self.names)}"
        self.names[name] = function
        self.kinds.append(kind)
        return name


def _kind(value):
    """Return the Numba type of what fits in a table: C-contiguous arrays of numbers, numbers, tuples of these."""
    kind = numba.typeof(value)
    if isinstance(kind, types.Array):
        if (
            kind.ndim
            and kind.layout == "C"
            and kind.aligned
            and isinstance(kind.dtype, (types.Number, types.Boolean))
        ):
            return kind
    elif isinstance(kind, (types.Number, types.Boolean)) or type(value) is tuple:
        return kind
    raise TypeError


def _entry(array):
    return [array.ctypes.data, *array.shape]


def _nest(tree, names):
    if isinstance(tree, int):
        return names[tree]
    if type(tree) is not tuple:
        raise TypeError  # compiled code has no dict or list of arrays of several dimensions
    return f"({''.join(_nest(child, names) + ', ' for child in tree)})"


def _stores(structure, views):
    """Check the shapes of the whole gradient, then copy it."""
    names, checks, copies = [], _lengths(structure.tree, "grad"), []
    for i, (view, path, shape) in enumerate(zip(views, structure.paths, structure.shapes, strict=True)):
        names.append(f"g{i} = {view}")
        grad = "grad" + path
        if len(shape) == 1:  # this way a tuple of numbers will do
            checks.append(f"len({grad}) != g{i}.size")
            copies.append(f"for i in range(g{i}.size): g{i}[i] = {grad}[i]")
        elif shape:
            checks.append(f"{grad}.shape != g{i}.shape")
            copies.append(f"g{i}[:] = {grad}")
        else:
            copies.append(f"g{i}[()] = {grad}")
    return [*names, *(f"if {check}: raise ValueError({_REFUSED!r})" for check in checks), *copies]


def _lengths(tree, path):
    if isinstance(tree, int):
        return []
    inner = [line for i, child in enumerate(tree) for line in _lengths(child, f"{path}[{i}]")]
    return [f"len({path}) != {len(tree)}", *inner]


def _slice_of(kind, at):
    """Make a function of compiled code: rows lo:hi of the array that the table describes from entry `at` on."""

    @intrinsic
    def rows(typing, table, lo, hi):
        def generate(context, builder, signature, args):
            address, *shape = _read(context, builder, args[0], at, 1 + kind.ndim)
            pointer = builder.inttoptr(address, context.get_data_type(kind.dtype).as_pointer())
            row = functools.reduce(builder.mul, shape[1:], context.get_constant(types.intp, 1))
            pointer = builder.gep(pointer, [builder.mul(args[1], row)])
            shape[0] = builder.sub(args[2], args[1])
            return _make(context, builder, kind, pointer, shape)

        return kind(_TABLE, types.intp, types.intp), generate

    return rows


def _leaf_of(kind, at, copy):
    """Make a function of compiled code: the leaf of a flat array that the table describes from entry `at` on.

    With `copy`, the leaf of the scratch memory that the table begins with, after the entries are copied there.
    """

    @intrinsic
    def leaf(typing, flat, table):
        def generate(context, builder, signature, args):
            offset, *shape = _read(context, builder, args[1], at, 1 + kind.ndim)
            pointer = builder.gep(make_array(flat)(context, builder, args[0]).data, [offset])
            if copy:
                (address,) = _read(context, builder, args[1], 0, 1)
                count = functools.reduce(builder.mul, shape, context.get_constant(types.intp, 1))
                source, pointer = pointer, builder.gep(builder.inttoptr(address, pointer.type), [offset])
                cgutils.raw_memcpy(builder, pointer, source, count, _size(context, kind))
            return _make(context, builder, kind, pointer, shape)

        return kind(flat, _TABLE), generate

    return leaf


def _read(context, builder, table, at, count):
    data = make_array(_TABLE)(context, builder, table).data
    return [builder.load(builder.gep(data, [context.get_constant(types.intp, at + i)])) for i in range(count)]


def _size(context, kind):
    return context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype)))


def _make(context, builder, kind, pointer, shape):
    """Make an array of borrowed memory: no reference is counted."""
    size = _size(context, kind)
    strides = [*itertools.accumulate(reversed(shape[1:]), builder.mul, initial=size)][::-1] if shape else []
    array = make_array(kind)(context, builder)
    populate_array(array, data=pointer, shape=shape, strides=strides, itemsize=size, meminfo=None)
    return array._getvalue()
