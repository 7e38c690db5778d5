"""One member of the data: its number of rows, and how to copy rows in any order."""

from collections.abc import Mapping

import numpy as np

from numbaopt.common.validation import describe

CACHE_LINE = 64  # bytes


class Column:
    """One member of the data.

    Parameters
    ----------
    member : array, memmap, sparse matrix, data frame, list, or object that has a length and can be sliced
        The rows lie along the first axis.
    name : str
        The name used in error messages.

    Attributes
    ----------
    rows : int
        The number of rows.
    array : ndarray or None
        The member, if it is an array.

    Raises
    ------
    TypeError, ValueError
        If the member has no rows that can be copied.
    """

    def __init__(self, member, name):
        if isinstance(member, (list, tuple, range)):
            try:
                member = np.asarray(member)
            except (TypeError, ValueError) as error:
                text = f"{name} is a {type(member).__name__} that cannot be converted to an array: {error}"
                raise ValueError(text) from None
        sequence = hasattr(member, "__len__") and hasattr(member, "__getitem__")
        if isinstance(member, (str, bytes, Mapping)) or not (hasattr(member, "shape") or sequence):
            raise TypeError(f"{name} must be an array or another sequence of rows, not {describe(member)}.")
        if not getattr(member, "shape", (1,)):
            raise ValueError(f"{name} must have at least one axis, along which the rows lie; it is {describe(member)}.")
        if hasattr(member, "tocsr"):
            member = member.tocsr()  # the sparse format that gives fast access to rows
        self.rows = length(member)
        self.array = None
        if isinstance(member, np.ndarray) and not isinstance(member, np.ma.MaskedArray):
            self.array = np.asarray(member)  # does not read a memory map
            self._dtype = member.dtype.newbyteorder("=")
        elif self.rows:
            self._read = _reader(
                getattr(member, "iloc", member), self.rows
            )  # indexing a data frame directly selects columns

    def layout(self):
        """Return the memory layout of an array, for `numbaopt.data.gather.gather`.

        A row is copied as runs of consecutive bytes. In an array of foreign byte order each byte is a run.

        Returns
        -------
        list of int
            The address of the array, the number of bytes from one row to the next, the length of a run in bytes, the
            number of runs in a row, and for each run its offset in the row, in bytes.
        """
        array, run, first = self.array, self._dtype.itemsize, 0
        shape, strides = [*array.shape[1:]], [*array.strides[1:]]
        if array.dtype != self._dtype:
            unit = run // 2 if self._dtype.kind == "c" else run
            shape, strides, first = [*shape, run // unit, unit], [*strides, unit, -1], unit - 1
            run = 1
        while shape and (strides[-1] == run or shape[-1] == 1):
            run *= shape.pop()
            strides.pop()
        starts = np.full((), first)
        for size, stride in zip(shape, strides, strict=True):
            starts = starts[..., None] + np.arange(size) * stride
        return [array.ctypes.data, array.strides[0], run, starts.size, *starts.ravel().tolist()]

    def empty(self, rows):
        """Return an uninitialized array for this many rows, in native byte order; only for arrays."""
        return np.empty((rows, *self.array.shape[1:]), self._dtype)

    def buffer(self, rows):
        """Return the same as `empty`, aligned to a cache line so that no SIMD vector straddles two lines."""
        like = self.empty(rows)
        memory = np.empty(like.nbytes + CACHE_LINE, np.uint8)
        first = -memory.ctypes.data % CACHE_LINE
        return memory[first : first + like.nbytes].view(like.dtype).reshape(like.shape)

    def take(self, order, lo, hi, out=None):
        """Return a copy of rows ``order[lo:hi]``, or ``lo:hi`` if order is None; of arrays in `out`, if it is given."""
        if self.array is None:
            return self._read(np.arange(lo, hi) if order is None else order[lo:hi])
        out = self.empty(hi - lo) if out is None else out
        if order is None:
            out[...] = self.array[lo:hi]
        elif self.array.dtype == self._dtype:
            np.take(self.array, order[lo:hi], axis=0, out=out, mode="clip")  # mode="raise" would copy twice
        else:
            out[...] = self.array[order[lo:hi]]
        return out


def length(value):
    """Return the length of the first axis; 1 for an object without axes."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else 1
    return len(value) if hasattr(value, "__len__") else 1


def _reader(value, rows):
    """Return the fastest function that copies rows of this object, given their numbers."""

    def in_any_order(index):
        return value[index]

    def ascending(index):  # h5py requires increasing indices
        order = np.argsort(index)
        return value[index[order]][np.argsort(order)]

    def one_by_one(index):
        return np.concatenate([np.asarray(value[i : i + 1]) for i in index.tolist()])

    for read in (in_any_order, ascending):
        try:
            if length(read(np.array([rows - 1, 0]))) == 2:
                return read
        except (TypeError, ValueError, LookupError, NotImplementedError):
            pass
    return one_by_one
