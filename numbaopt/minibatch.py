"""Data -> minibatches: arrays that share their first axis, shuffled by seed; or a stream that makes its own batches.

The order of an epoch follows from the seed and the epoch's number alone. So every driver sees the same batches, and a
run can be taken up again at any epoch. A batch is a copy: a function may overwrite what it is given.
"""

import operator
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from numbaopt.structure import describe

CHUNK = 2**22  # bytes that `chunks` gathers at a time: so few that they are still in cache when they are read


class Batches:
    """The minibatches of some data, epoch by epoch.

    Parameters
    ----------
    data : tuple of arrays, array, or iterable of batches
        A tuple (or a list of arrays): things that share their first axis: arrays, memmaps, CSR matrices, data frames,
        lists, anything else that has a length and takes a slice. One array stands for a tuple of one;
        ``np.arange(n)`` hands over indices, for data that only the function knows how to reach.
        Anything else that can be iterated over is a stream: it yields batches, a tuple or one thing each, and is
        iterated over anew at each epoch.
    batch_size : int, optional
        Rows a batch, at most those of the data; by default 200, or all where there are fewer, as in scikit-learn. The
        last batch of an epoch may be shorter. A stream decides itself.
    epochs : int, optional
        Passes over the data, by default 1.
    shuffle : bool
        Whether each epoch takes the rows in a new order. A stream decides itself.
    seed : int or numpy.random.Generator, optional
        What the order follows from: the same seed, the same batches. By default another each time, see `seed`.
    drop_last : bool
        Whether a shorter last batch is left out.

    Attributes
    ----------
    rows, batch_size, steps : int or None
        Rows of the data, rows a batch, batches an epoch; None for a stream.
    epochs : int
    seed : int
        The seed in use: to repeat a run for which none was given.
    columns : tuple of ndarray, or None
        Empty arrays with the dtypes and dimensions of what `chunks` yields; None where there are no arrays to chunk.

    Raises
    ------
    TypeError, ValueError
        For data and settings that cannot be. The message says what was given, and what there is to give.

    Examples
    --------
    >>> batches = Batches((np.arange(5), np.arange(5) * 10), batch_size=2, shuffle=False)
    >>> [batch for batch, rows in batches.epoch(0)]
    [(array([0, 1]), array([ 0, 10])), (array([2, 3]), array([20, 30])), (array([4]), array([40]))]
    """

    def __init__(self, data, batch_size=None, epochs=None, shuffle=True, seed=None, drop_last=False):
        for name, flag in (("shuffle", shuffle), ("drop_last", drop_last)):
            if not isinstance(flag, (bool, np.bool_)):
                raise TypeError(f"{name} must be True or False, not {describe(flag)}.")
        self.epochs = 1 if epochs is None else _positive(epochs, "epochs")
        self.rows = self.batch_size = self.steps = self.columns = None
        things = _things(data)
        if things is None:
            for name, value in (("batch_size", batch_size), ("seed", seed), ("drop_last", drop_last or None)):
                if value is not None:
                    raise ValueError(f"{name} is for arrays; data is a stream, which makes its own batches.")
            if iter(data) is data and self.epochs > 1:
                raise ValueError(
                    f"data can be iterated over once, but epochs={self.epochs}. Give what starts anew at each epoch: "
                    f"an object with __iter__, a list of batches (tuples), or arrays."
                )
            self._stream = data
            return
        columns = [_Column(thing, f"data[{i}]") for i, thing in enumerate(things)]
        self.rows = columns[0].rows
        if any(column.rows != self.rows for column in columns):
            lengths = ", ".join(f"data[{i}] has {column.rows}" for i, column in enumerate(columns))
            raise ValueError(f"data must share its first axis, but the lengths differ: {lengths}.")
        if not self.rows:
            raise ValueError("data is empty: it has no rows.")
        self.batch_size = min(200, self.rows) if batch_size is None else _positive(batch_size, "batch_size")
        if self.batch_size > self.rows:
            raise ValueError(
                f"batch_size={self.batch_size} is more than the {self.rows} rows of the data. "
                f"Are samples along the first axis? batch_size={self.rows} takes all at once."
            )
        self.seed, self.shuffle = _entropy(seed), bool(shuffle)
        self._stream, self._columns = None, columns
        self._end = self.rows - self.rows % self.batch_size if drop_last else self.rows
        self.steps = -(-self._end // self.batch_size)
        if all(column.array is not None for column in columns):
            self.columns = tuple(np.empty((0, *c.array.shape[1:]), c.dtype) for c in columns)

    def epoch(self, epoch):
        """Yield the batches of an epoch, numbered from 0, each as ``(batch, rows)``, a tuple and its length."""
        if self._stream is not None:
            batch = None
            for batch in self._stream:
                batch = _as_tuple(batch)
                yield batch, _length(batch[0]) if batch else 0
            if batch is None:
                raise ValueError(f"data gave no batches in epoch {epoch}, counted from 0; is it used up?")
            return
        order = self._order(epoch)
        for lo, hi in _spans(self._end, self.batch_size):
            yield tuple(column.take(order, lo, hi) for column in self._columns), hi - lo

    def chunks(self, epoch, nbytes=CHUNK):
        """Yield the same rows in the same order, many whole batches at a time, for compiled code to slice.

        Parameters
        ----------
        epoch : int
        nbytes : int
            About how many bytes to gather at a time, if they hold one batch.

        Yields
        ------
        tuple of ndarray
            C-contiguous, native byte order, overwritten by the next.
        """
        order = self._order(epoch)
        row = sum(c.dtype.itemsize * int(np.prod(c.array.shape[1:])) for c in self._columns)
        size = self.batch_size * max(1, nbytes // max(1, row * self.batch_size))
        buffers = [np.empty((min(size, self._end), *c.array.shape[1:]), c.dtype) for c in self._columns]
        for lo, hi in _spans(self._end, size):
            yield tuple(c.take(order, lo, hi, buffer[: hi - lo]) for c, buffer in zip(self._columns, buffers, strict=True))

    def _order(self, epoch):
        if not self.shuffle:
            return None
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(epoch,))).permutation(self.rows)


class _Column:
    """One member of the data: how many rows it has, and how to copy some of them."""

    def __init__(self, thing, name):
        self.array = self.dtype = None
        if isinstance(thing, (list, range)):
            try:
                thing = np.asarray(thing)
            except ValueError as error:
                raise ValueError(f"{name} is a list that makes no array: {error}") from None
        if isinstance(thing, np.ndarray) and not isinstance(thing, np.ma.MaskedArray):
            self.array = np.asarray(thing)  # a memmap's rows are still read one by one
            self.dtype = thing.dtype.newbyteorder("=")
        elif hasattr(thing, "tocsr"):
            thing = thing.tocsr()
        elif not hasattr(thing, "shape") and not (hasattr(thing, "__len__") and hasattr(thing, "__getitem__")):
            raise TypeError(f"{name} must be an array, or have a length and take a slice, not {describe(thing)}.")
        elif isinstance(thing, (str, bytes, Mapping)):
            raise TypeError(f"{name} must be an array, not {describe(thing)}.")
        self.thing = getattr(thing, "iloc", thing)  # a data frame's [] picks columns
        shape = getattr(thing, "shape", None)
        if shape is not None and not len(shape):
            raise ValueError(f"{name} has no first axis to take batches along; it is {describe(thing)}.")
        self.rows = len(thing) if shape is None else shape[0]
        self.fancy = self.array is None and self.rows and self._takes_indices()

    def _takes_indices(self):
        try:
            return _length(self.thing[np.array([0])]) == 1
        except (TypeError, IndexError, KeyError, ValueError, NotImplementedError):
            return False

    def take(self, order, lo, hi, out=None):
        """Copy rows ``order[lo:hi]``, or ``lo:hi``."""
        index = slice(lo, hi) if order is None else order[lo:hi]
        if self.array is not None:
            if out is None:
                out = np.empty((hi - lo, *self.array.shape[1:]), self.dtype)
            if order is not None and self.array.dtype == self.dtype:
                return np.take(self.array, index, axis=0, out=out, mode="clip")  # mode "raise" would buffer `out`
            out[...] = self.array[index]
            return out
        if order is None:
            rows = self.thing[index]
            return rows.copy() if hasattr(rows, "copy") else rows
        if self.fancy:
            ascending = np.argsort(index)  # files want to be read in order
            return self.thing[index[ascending]][np.argsort(ascending)]
        return np.concatenate([np.asarray(self.thing[i : i + 1]) for i in index.tolist()])


def _things(data):
    """Return the members of data that share a first axis; or None for a stream."""
    if isinstance(data, (str, bytes, Mapping)) or data is None:
        hint = f"; ({', '.join(f'data[{key!r}]' for key in data)}) would reach fun in this order" if isinstance(data, Mapping) else ""
        raise TypeError(f"data must be a tuple of arrays, an array, or an iterable of batches, not {describe(data)}{hint}.")
    if hasattr(data, "shape") or isinstance(data, range):
        return (data,)
    if isinstance(data, (tuple, list)) and not data:
        raise ValueError("data is empty.")
    if isinstance(data, tuple) or (isinstance(data, list) and all(hasattr(thing, "shape") for thing in data)):
        return data
    if isinstance(data, list) and not all(isinstance(batch, tuple) for batch in data):
        raise TypeError("data as a list holds arrays that share their first axis, or batches as tuples; for one array, use np.asarray.")
    try:
        iter(data)
    except TypeError:
        raise TypeError(
            f"data must be a tuple of arrays, an array, or an iterable of batches, not {describe(data)}."
        ) from None
    return None


def _as_tuple(batch):
    if isinstance(batch, tuple):
        return batch
    if isinstance(batch, list) and all(hasattr(thing, "shape") for thing in batch):
        return tuple(batch)  # as torch's DataLoader yields them
    return (batch,)


def _length(thing):
    shape = getattr(thing, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else 1
    return len(thing) if hasattr(thing, "__len__") else 1


def _spans(end, size):
    return pairwise([*range(0, end, size), end])


def _positive(number, name):
    try:
        if isinstance(number, (bool, np.bool_)):
            raise TypeError
        number = operator.index(number)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {describe(number)}.") from None
    if number < 1:
        raise ValueError(f"{name} must be at least 1, not {number}.")
    return number


def _entropy(seed):
    if seed is None:
        return np.random.SeedSequence().entropy
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(2**63))
    try:
        if isinstance(seed, (bool, np.bool_)):
            raise TypeError
        seed = operator.index(seed)
    except TypeError:
        raise TypeError(f"seed must be a whole number, a numpy.random.Generator or None, not {describe(seed)}.") from None
    if seed < 0:
        raise ValueError(f"seed must not be negative; it is {seed}.")
    return seed
