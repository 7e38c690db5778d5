"""Minibatches of arrays that share their first axis, shuffled by a seed; or of a stream that makes its own batches.

The order of the rows in an epoch depends only on the seed and on the number of the epoch, so every driver uses the same
batches, and a run can be resumed at any epoch. A batch is a copy: the objective may overwrite it.
"""

from collections.abc import Mapping
from itertools import chain, islice, pairwise

import numpy as np

from numbaopt.common.validation import describe, whole
from numbaopt.data.columns import Column, length
from numbaopt.data.shuffle import draw, seed_key


class Batches:
    """The minibatches of a data set, epoch by epoch.

    Parameters
    ----------
    data : tuple of arrays, array, or iterable of batches
        A tuple, or a list of arrays, has members that share their first axis: arrays, memory maps, sparse matrices,
        data frames, lists, or any other object that has a length and can be sliced. A single array is equivalent
        to a tuple with one member. ``np.arange(n)`` passes row numbers, for data that only the objective can access.
        Any other iterable is a stream: in each epoch it is iterated anew, and yields batches, each a tuple or a
        single object.
    batch_size : int, optional
        The number of rows in a batch, at most the number of rows of the data. By default 200, or all rows if there
        are fewer, as in scikit-learn. The last batch of an epoch may be smaller. Not allowed for a stream.
    epochs : int, optional
        The number of passes over the data, by default 1.
    shuffle : bool
        Whether each epoch takes the rows in a new random order. Ignored for a stream.
    seed : int or numpy.random.Generator, optional
        Determines the order of the rows: equal seeds give equal batches. By default every object has a new seed.
        Not allowed for a stream.
    drop_last : bool
        Whether to omit the last batch of an epoch if it is smaller than the others. Not allowed for a stream.

    Attributes
    ----------
    rows, batch_size, steps : int or None
        The number of rows of the data, of rows in a batch and of batches in an epoch; None for a stream.
    epochs : int
        The number of passes over the data.
    end : int or None
        The number of rows that an epoch uses; None for a stream.
    shuffle : bool
        Whether each epoch has a new order.
    once : bool
        Whether data is a stream that can be iterated only once.
    seed : int or None
        The seed in use, with which a run without an explicit seed can be repeated; None for a stream.
    columns : tuple of ndarray, or None
        Arrays without rows that have the dtypes and the other dimensions of the batches; None unless all members of
        the data are arrays.

    Raises
    ------
    TypeError, ValueError
        If the data or the settings are invalid.

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
        self.epochs = 1 if epochs is None else whole(epochs, "epochs", 1)
        self.rows = self.batch_size = self.steps = self.seed = self.columns = self.end = self._stream = None
        self.shuffle, self.once = shuffle, False
        members = _members(data)
        if members is None:
            self._take_stream(data, batch_size, seed, drop_last)
        else:
            self._take_arrays(members, batch_size, seed, drop_last)

    def _take_stream(self, data, batch_size, seed, drop_last):
        for name, value in (("batch_size", batch_size), ("seed", seed), ("drop_last", drop_last or None)):
            if value is not None:
                text = f"{name} applies only to arrays, but data is a stream, which makes its own batches"
                raise ValueError(f"{text}: omit {name}, or pass arrays.")
        self.once = hasattr(data, "__next__")
        if self.once and self.epochs > 1:
            raise ValueError(
                f"data is an iterator, which can be used for one epoch only, but epochs={self.epochs}. "
                f"Pass an object whose __iter__ starts again each time, a list of batches (tuples), or arrays."
            )
        self._stream = data

    def _take_arrays(self, members, batch_size, seed, drop_last):
        self._columns = [Column(member, f"data[{i}]") for i, member in enumerate(members)]
        lengths = [column.rows for column in self._columns]
        self.rows = lengths[0]
        if set(lengths) != {self.rows}:
            counts = ", ".join(f"data[{i}] has {rows}" for i, rows in enumerate(lengths))
            raise ValueError(f"all members of data must have the same number of rows, but {counts}.")
        if not self.rows:
            raise ValueError("data is empty: it has no rows.")
        self.batch_size = min(200, self.rows) if batch_size is None else whole(batch_size, "batch_size", 1)
        if self.batch_size > self.rows:
            raise ValueError(
                f"batch_size={self.batch_size} is more than the {self.rows} rows of the data. "
                f"Are the samples along the first axis? Use batch_size={self.rows} for one batch of all rows."
            )
        self.seed = entropy(seed)
        self._key = seed_key(self.seed)
        self.end = self.rows - self.rows % self.batch_size if drop_last else self.rows
        self.steps = -(-self.end // self.batch_size)
        if all(column.array is not None for column in self._columns):
            self.columns = tuple(column.empty(0) for column in self._columns)

    def epoch(self, epoch, first=0):
        """Yield the batches of an epoch.

        Parameters
        ----------
        epoch : int
            The number of the epoch, counted from 0.
        first : int
            The number of the first batch to yield, counted from 0.

        Yields
        ------
        batch : tuple
            What the objective receives after x.
        rows : int
            The number of rows in the batch.
        """
        if self._stream is None:
            order = self._order(epoch)
            for lo, hi in islice(_spans(self.end, self.batch_size), first, None):
                yield tuple(column.take(order, lo, hi) for column in self._columns), hi - lo
            return
        count = 0
        for count, batch in enumerate(self._stream, 1):
            if count > first:
                batch = _as_tuple(batch)
                yield batch, _rows(batch)
        if count < first:
            text = f"data yielded only {count} batches in epoch {epoch + 1}, of which the resumed run has already used"
            raise ValueError(f"{text} {first}: pass the same stream that the run with the checkpoint was started with.")
        if not count:
            text = f"data yielded no batches in epoch {epoch + 1} of {self.epochs}"
            raise ValueError(f"{text}: if its iterator is exhausted, pass an object whose __iter__ starts again.")

    def first(self):
        """Return the first batch without consuming it, even from a stream that can be iterated only once."""
        if not hasattr(self._stream, "__next__"):
            return next(self.epoch(0))[0]
        for batch in self._stream:
            self._stream = chain([batch], self._stream)
            return _as_tuple(batch)
        return next(self.epoch(0))[0]  # raises the error for a stream without batches

    def feed(self):
        """Return a `Feed`, from which compiled code makes the same batches; only for data that consists of arrays."""
        return Feed(self._columns, self.batch_size, self.rows if self.shuffle else 0, self.end, self._key)

    def _order(self, epoch):
        if not self.shuffle:
            return None
        order = np.empty(self.rows, np.int64)
        with np.errstate(over="ignore"):  # with NUMBA_DISABLE_JIT, NumPy warns of the intended overflow
            draw(order, self._key, epoch, 0, self.end)
        return order


class Feed:
    """The arrays from which compiled code makes batches, for one run at a time.

    Parameters
    ----------
    columns : list of Column
        The members of the data.
    batch_size : int
        The number of rows in a batch.
    shuffled_rows : int
        The number of rows of the data; 0 to take them in the order of the data.
    end : int
        The number of rows that an epoch uses.
    key : uint64
        The return value of `seed_key`.

    Attributes
    ----------
    buffers : list of ndarray
        For each column an array that holds one batch.
    plan : ndarray of int64
        The addresses and layouts of columns and buffers, for `gather`.
    order : ndarray of int64
        Memory for the order of the rows in an epoch; empty if they are taken in the order of the data.
    end, key
        As above.
    """

    def __init__(self, columns, batch_size, shuffled_rows, end, key):
        self.buffers = [column.buffer(batch_size) for column in columns]
        pairs = zip(columns, self.buffers, strict=True)
        self.plan = np.array([n for column, buffer in pairs for n in (buffer.ctypes.data, *column.layout())], np.int64)
        self.order, self.key, self.end = np.empty(shuffled_rows, np.int64), key, end

    def resume(self, epoch, rows):
        """Draw the first `rows` entries of the order of an epoch again, for a run that resumes in its middle."""
        if rows and self.order.size:
            with np.errstate(over="ignore"):  # with NUMBA_DISABLE_JIT, NumPy warns of the intended overflow
                draw(self.order, self.key, epoch, 0, rows)


def _members(data):
    """Return the members of data, which share their first axis; None if data is a stream."""
    if hasattr(data, "shape") or isinstance(data, range):
        return (data,)
    if isinstance(data, (tuple, list)):
        if not data:
            raise ValueError("data is empty: it has no batches.")
        if isinstance(data, tuple) or all(hasattr(member, "shape") for member in data):
            return data
        if not all(isinstance(batch, tuple) for batch in data):
            raise TypeError(
                "data, if it is a list, must contain arrays that share their first axis, or batches, which are tuples; "
                "convert a list of samples with numpy.asarray."
            )
    if isinstance(data, (str, bytes, Mapping)) or not hasattr(data, "__iter__"):
        hint = " Pass tuple(data.values()): fun receives them in that order." if isinstance(data, Mapping) else ""
        expected = "a tuple of arrays, an array, or an iterable of batches"
        raise TypeError(f"data must be {expected}, not {describe(data)}.{hint}")
    return None


def _as_tuple(batch):
    if isinstance(batch, tuple):
        return batch
    if isinstance(batch, list) and all(hasattr(part, "shape") for part in batch):
        return tuple(batch)  # torch's DataLoader yields lists of tensors
    return (batch,)


def _spans(end, size):
    return pairwise([*range(0, end, size), end])


def is_stream(data):
    """Return whether data is a stream, which makes its own batches."""
    return _members(data) is None


def entropy(seed):
    """Return a seed as an int: the seed itself, one drawn from a generator, or for None a new one at each call."""
    if seed is None:
        return np.random.SeedSequence().entropy
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(2**63))
    return whole(seed, "seed", 0, ", a numpy.random.Generator or None")


def _rows(batch):
    """Return the number of rows in a batch of a stream: the length of the first array in it, also inside a dict."""
    parts = [value for part in batch for value in (part.values() if isinstance(part, Mapping) else [part])]
    return next((length(part) for part in parts if hasattr(part, "__len__") or np.ndim(part)), min(1, len(parts)))
