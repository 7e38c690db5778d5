"""One member of the data: how many rows it has, and how to copy some of them in any order."""

from collections.abc import Mapping

import numpy as np

from numbaopt.common.validation import describe

LINE = 64  # bytes


class Column:
    """A member of the data.

    Parameters
    ----------
    thing : array, memmap, sparse matrix, data frame, list, or what has a length and takes a slice
    name : str
        What to call it in error messages.

    Attributes
    ----------
    rows : int
    array : ndarray or None
        The thing, where it is an array.
    """

    def __init__(self, thing, name):
        if isinstance(thing, (list, tuple, range)):
            try:
                thing = np.asarray(thing)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name} is a {type(thing).__name__} that makes no array: {error}") from None
        sequence = hasattr(thing, "__len__") and hasattr(thing, "__getitem__")
        if isinstance(thing, (str, bytes, Mapping)) or not (hasattr(thing, "shape") or sequence):
            raise TypeError(f"{name} must be an array, or have a length and a slice, not {describe(thing)}.")
        if not getattr(thing, "shape", (1,)):
            raise ValueError(f"{name} must have a first axis to take batches along; it is {describe(thing)}.")
        if hasattr(thing, "tocsr"):
            thing = thing.tocsr()  # of all sparse formats, this one has rows at hand
        self.rows = length(thing)
        self.array = None
        if isinstance(thing, np.ndarray) and not isinstance(thing, np.ma.MaskedArray):
            self.array = np.asarray(thing)  # a memmap stays on disk
            self._dtype = thing.dtype.newbyteorder("=")
        elif self.rows:
            self._read = _reader(getattr(thing, "iloc", thing), self.rows)  # a data frame's [] takes columns

    def layout(self):
        """Return where the rows of an array lie, as `numbaopt.drivers.minibatch_loop.gather` wants to know it.

        Returns
        -------
        list of int
            Address, bytes from row to row, the length of a run of bytes, how many of them make a row of what
            `empty` returns, and where in a row each starts. Of foreign byte order each byte is a run.
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
        """Return memory for rows of an array."""
        return np.empty((rows, *self.array.shape[1:]), self._dtype)

    def buffer(self, rows):
        """Return memory for rows of numbers that begins where a cache line does: no vector straddles two."""
        like = self.empty(rows)
        memory = np.empty(like.nbytes + LINE, np.uint8)
        first = -memory.ctypes.data % LINE
        return memory[first : first + like.nbytes].view(like.dtype).reshape(like.shape)

    def take(self, order, lo, hi, out=None):
        """Copy rows ``order[lo:hi]``, or ``lo:hi`` where order is None; of an array, into `out` if given."""
        if self.array is None:
            return self._read(np.arange(lo, hi) if order is None else order[lo:hi])
        out = self.empty(hi - lo) if out is None else out
        if order is None:
            out[...] = self.array[lo:hi]
        elif self.array.dtype == self._dtype:
            np.take(self.array, order[lo:hi], axis=0, out=out, mode="clip")  # the default mode buffers `out`
        else:
            out[...] = self.array[order[lo:hi]]
        return out


def length(thing):
    """Return the rows of a thing; 1 where it has none."""
    shape = getattr(thing, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else 1
    return len(thing) if hasattr(thing, "__len__") else 1


def _reader(thing, rows):
    """Find the best way to copy rows that a thing knows."""

    def in_any_order(index):
        return thing[index]

    def ascending(index):  # as HDF5 will have it
        order = np.argsort(index)
        return thing[index[order]][np.argsort(order)]

    def one_by_one(index):
        return np.concatenate([np.asarray(thing[i : i + 1]) for i in index.tolist()])

    for read in (in_any_order, ascending):
        try:
            if length(read(np.array([rows - 1, 0]))) == 2:
                return read
        except (TypeError, ValueError, LookupError, NotImplementedError):
            pass
    return one_by_one
