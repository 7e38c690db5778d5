"""Arrays of lanes: views of flat memory, their sums, and the attributes that are refused."""

import functools
import operator

import numpy as np
from numba import types
from numba.core import cgutils, errors
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import (
    intrinsic,
    lower_builtin,
    models,
    overload,
    overload_classmethod,
    overload_method,
    register_model,
)
from numba.np.arrayobj import intrin_alloc, make_array

from numbaopt.backends.lane_errors import LanesRefused
from numbaopt.backends.pointers import view_at
from numbaopt.backends.simd.kinds import ELEMENTS, Lanes

# These would differ from those of an array of numbers, so code that is written for numbers would do something else.
HIDDEN = {"ctypes", "data", "imag", "itemsize", "nbytes", "real", "strides", "tobytes", "view"}


class LaneArray(types.Array):
    """An array of lanes, to which code that is written for arrays of numbers can be applied."""

    def copy(self, dtype=None, ndim=None, layout=None, readonly=None):
        """Return a type like this one, again an array of lanes if it holds lanes."""
        like = super().copy(dtype, ndim, layout, readonly)
        if not isinstance(like.dtype, Lanes):
            return like
        return LaneArray(like.dtype, like.ndim, like.layout, readonly=not like.mutable, aligned=like.aligned)


class LaneDType(types.DType):
    """The dtype of an array of lanes, which can be used to make another array but not in comparisons."""


register_model(LaneArray)(models.ArrayModel)
register_model(LaneDType)(models.OpaqueModel)


@infer_getattr
class _ArrayAttributes(AttributeTemplate):
    key = LaneArray

    def resolve_dtype(self, array):
        return LaneDType(array.dtype)

    def generic_resolve(self, array, name):
        if name in HIDDEN:
            raise errors.TypingError(f"{name} of an array of lanes is not that of an array of numbers.")


@infer_getattr
class _DTypeAttributes(AttributeTemplate):
    key = LaneDType

    def generic_resolve(self, dtype, name):
        if name != "type":
            raise errors.TypingError(f"{name} of lanes is not that of numbers.")


def _refuse(context, builder, signature, args):
    raise errors.UnsupportedError(f"Not available for lanes: {signature}.")


for kinds in [(LaneDType, types.DType), (types.DType, LaneDType)]:
    lower_builtin(operator.eq, *kinds)(_refuse)
lower_builtin("print_item", Lanes)(_refuse)


def _closed(*args):
    """Refuse lanes before Numba tries an implementation that accepts any object."""
    if any(isinstance(arg, Lanes | LaneArray) for arg in args):
        raise LanesRefused(f"Not available for lanes: {args}.")


for function in (np.frombuffer, np.isscalar, str):
    overload(function, target="CPU")(_closed)


@overload_classmethod(LaneArray, "_allocate")
def _allocate(cls, size, align):
    return lambda cls, size, align: intrin_alloc(size, align)


@overload_method(LaneArray, "sum")
@overload(np.sum)
def _sum(x):
    """Sum from the first entry to the last, starting from 0: as Numba sums numbers."""
    if not isinstance(x, LaneArray):
        return None

    def total(x):
        found = x.dtype.type(0)
        for value in x.flat:
            found += value
        return found

    return total


@functools.cache
def viewer(width=None):
    """Make ``view(flat, at, shape)``, to be called in compiled code.

    It returns a view of `flat`, a contiguous array of float64 or float32, from entry `at` on as an array of lanes of
    shape `shape`, an int or a tuple of ints. The lanes of one coordinate are adjacent in memory. The caller must
    ensure that `flat` is long enough and stays alive.
    """

    @intrinsic
    def view(typing, flat, at, shape):
        if not (isinstance(flat, types.Array) and flat.layout == "C" and flat.dtype in ELEMENTS[:2]):
            return None
        tuples = isinstance(shape, types.UniTuple)
        kind = LaneArray(Lanes(flat.dtype, width), len(shape) if tuples else 1, "C", readonly=not flat.mutable)
        shape = types.UniTuple(types.intp, len(shape)) if tuples else types.intp

        def generate(context, builder, signature, args):
            pointer = builder.gep(make_array(flat)(context, builder, args[0]).data, [args[1]])
            lengths = cgutils.unpack_tuple(builder, args[2]) if tuples else [args[2]]
            return view_at(context, builder, kind, pointer, lengths)

        return kind(flat, types.intp, shape), generate

    return view


view = viewer()
