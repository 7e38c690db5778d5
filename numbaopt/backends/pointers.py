"""Arrays that compiled code makes from addresses.

A table of int64 describes an array by its address and the lengths of its axes. The arrays made from it are views
without a reference to their memory, so the code that fills the table must keep that memory alive.
"""

import functools
import itertools

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

TABLE = types.int64[::1]


def entry(array):
    """Return the entries of a table that describe a C-contiguous array."""
    return [array.ctypes.data, *array.shape]


def rows_at(kind, at):
    """Make ``rows(table, lo, hi)``: rows of an array of this type, described from entry `at` on."""

    @intrinsic
    def rows(typing, table, lo, hi):
        def generate(context, builder, signature, args):
            table, lo, hi = args
            address, *shape = _read(context, builder, table, at, 1 + kind.ndim)
            row = functools.reduce(builder.mul, shape[1:], context.get_constant(types.intp, 1))
            pointer = builder.inttoptr(address, context.get_data_type(kind.dtype).as_pointer())
            pointer = builder.gep(pointer, [builder.mul(lo, row)])
            return view_at(context, builder, kind, pointer, [builder.sub(hi, lo), *shape[1:]])

        return kind(TABLE, types.intp, types.intp), generate

    return rows


def leaf_at(kind, at, copy):
    """Make ``leaf(flat, table)``: a part of a flat array; from entry `at` on, its start and its shape.

    The start counts entries of the flat array. A complex part has half as many entries as it takes up there.

    With `copy`, the entries are copied to the memory whose address is the first entry of the table, and the leaf is
    the part of that memory.
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
                cgutils.raw_memcpy(builder, pointer, source, count, _itemsize(context, kind))
            return view_at(context, builder, kind, pointer, shape)

        return kind(flat, TABLE), generate

    return leaf


@intrinsic
def shown(typing, array):
    """Return a read-only view of an array for a function of the user, without a reference to the memory."""

    def generate(context, builder, signature, args):
        view = make_array(signature.return_type)(context, builder)
        source = make_array(signature.args[0])(context, builder, args[0])
        for field in ("nitems", "itemsize", "data", "shape", "strides"):
            setattr(view, field, getattr(source, field))
        view.meminfo = cgutils.get_null_value(view.meminfo.type)
        view.parent = cgutils.get_null_value(view.parent.type)
        return view._getvalue()

    return array.copy(readonly=True)(array), generate


@intrinsic
def copy(typing, to, source, nbytes):
    """Copy bytes from one address to another: ``copy(to, source, nbytes)``."""

    def generate(context, builder, signature, args):
        to, source = (builder.inttoptr(address, cgutils.voidptr_t) for address in args[:2])
        cgutils.raw_memcpy(builder, to, source, args[2], context.get_constant(types.intp, 1))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@intrinsic
def prefetch(typing, address):
    """Prefetch the cache line of an address to the second level, as the first level allows too few pending misses."""
    from llvmlite import ir

    def generate(context, builder, signature, args):
        kinds = [cgutils.voidptr_t, *[ir.IntType(32)] * 3]
        kind = ir.FunctionType(ir.VoidType(), kinds)
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        read, level, data = (kinds[1](number) for number in (0, 2, 1))
        builder.call(function, [builder.inttoptr(args[0], kinds[0]), read, level, data])
        return context.get_dummy_value()

    return types.void(types.intp), generate


def _read(context, builder, table, at, count):
    data = make_array(TABLE)(context, builder, table).data
    return [builder.load(builder.gep(data, [context.get_constant(types.intp, at + i)])) for i in range(count)]


def view_at(context, builder, kind, pointer, shape):
    """Emit the construction of a C-contiguous array of a type and a shape at a pointer."""
    size = _itemsize(context, kind)
    strides = [*itertools.accumulate(reversed(shape[1:]), builder.mul, initial=size)][::-1] if shape else []
    array = make_array(kind)(context, builder)
    pointer = builder.bitcast(pointer, array.data.type)
    populate_array(array, data=pointer, shape=shape, strides=strides, itemsize=size, meminfo=None)
    return array._getvalue()


def _itemsize(context, kind):
    return context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
