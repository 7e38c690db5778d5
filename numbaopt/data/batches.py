"""Data -> minibatches: arrays that share their first axis, shuffled by seed; or a stream that makes its own.

The order of an epoch follows from the seed and the epoch's number alone. So every driver sees the same
batches, and a run can be taken up again at any epoch. A batch is a copy: a function may overwrite what it is
given.
"""

from collections.abc import Mapping
from itertools import chain, islice, pairwise

import numpy as np

from numbaopt.common.validation import describe, whole
from numbaopt.data.columns import Column, length
from numbaopt.data.shuffle import draw, seed_key


class Batches:
    """The minibatches of some data, epoch by epoch.

    Parameters
    ----------
    data : tuple of arrays, array, or iterable of batches
        A tuple, or a list of arrays, holds things that share their first axis: arrays, memmaps, CSR matrices,
        data frames, lists, anything else that has a length and takes a slice. One array stands for a tuple of
        one; ``np.arange(n)`` hands over indices, for data that only the function knows how to reach.
        Any other iterable is a stream: it yields batches, a tuple or one thing each, anew at each epoch.
    batch_size : int, optional
        Rows a batch, at most those of the data; by default 200, or all where there are fewer, as in
        scikit-learn. The last batch of an epoch may be shorter. A stream decides itself.
    epochs : int, optional
        Passes over the data, by default 1.
    shuffle : bool
        Whether each epoch takes the rows in a new order. A stream decides itself.
    seed : int or numpy.random.Generator, optional
        What the order follows from: same seed, same batches. By default another each time.
    drop_last : bool
        Whether a shorter last batch is left out.

    Attributes
    ----------
    rows, batch_size, steps : int or None
        Rows of the data, rows a batch, batches an epoch; None for a stream.
    epochs : int
    end : int or None
        Rows an epoch.
    shuffle, once : bool
        Whether each epoch has a new order; whether data is a stream that can be gone through but once.
    seed : int or None
        The seed in use: with it a run for which none was given can be repeated.
    columns : tuple of ndarray, or None
        Empty arrays with the dtypes and dimensions of what `feed` fills; None if not all are arrays.

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
        self.epochs = 1 if epochs is None else whole(epochs, "epochs", 1)
        self.rows = self.batch_size = self.steps = self.seed = self.columns = self.end = self._stream = None
        self.shuffle, self.once = shuffle, False
        things = _things(data)
        if things is None:
            self._take_stream(data, batch_size, seed, drop_last)
        else:
            self._take_arrays(things, batch_size, seed, drop_last)

    def _take_stream(self, data, batch_size, seed, drop_last):
        for name, value in (("batch_size", batch_size), ("seed", seed), ("drop_last", drop_last or None)):
            if value is not None:
                raise ValueError(f"{name} is for arrays; data is a stream, which makes its own batches.")
        self.once = hasattr(data, "__next__")
        if self.once and self.epochs > 1:
            raise ValueError(
                f"data can be gone through once, but epochs={self.epochs}. Give what starts anew each time: "
                f"an object with __iter__, a list of batches (tuples), or arrays."
            )
        self._stream = data

    def _take_arrays(self, things, batch_size, seed, drop_last):
        self._columns = [Column(thing, f"data[{i}]") for i, thing in enumerate(things)]
        lengths = [column.rows for column in self._columns]
        self.rows = lengths[0]
        if set(lengths) != {self.rows}:
            given = ", ".join(f"data[{i}] has {rows}" for i, rows in enumerate(lengths))
            raise ValueError(f"data must have as many rows in each of its members: {given}.")
        if not self.rows:
            raise ValueError("data is empty: it has no rows.")
        self.batch_size = min(200, self.rows) if batch_size is None else whole(batch_size, "batch_size", 1)
        if self.batch_size > self.rows:
            raise ValueError(
                f"batch_size={self.batch_size} is more than the {self.rows} rows of the data. "
                f"Are the samples along the first axis? batch_size={self.rows} takes all at once."
            )
        self.seed = entropy(seed)
        self._key = seed_key(self.seed)
        self.end = self.rows - self.rows % self.batch_size if drop_last else self.rows
        self.steps = -(-self.end // self.batch_size)
        if all(column.array is not None for column in self._columns):
            self.columns = tuple(column.empty(0) for column in self._columns)

    def epoch(self, epoch, first=0):
        """Yield the batches of an epoch, both counted from 0, as pairs ``(batch, rows)``: a tuple, its length."""
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
            text = f"data gave {count} batches in epoch {epoch + 1}, of which a run resumed has had {first}"
            raise ValueError(f"{text}: is it the stream that the checkpoint is of?")
        if not count:
            raise ValueError(f"data gave no batches in epoch {epoch + 1} of {self.epochs}; is it used up?")

    def first(self):
        """Return the first batch. It will be there again, also of a stream that can be gone through once."""
        if not hasattr(self._stream, "__next__"):
            return next(self.epoch(0))[0]
        for batch in self._stream:
            self._stream = chain([batch], self._stream)
            return _as_tuple(batch)
        return next(self.epoch(0))[0]  # raises what there is to say

    def feed(self):
        """Return what compiled code needs to make the same batches of arrays."""
        return Feed(self._columns, self.batch_size, self.rows if self.shuffle else 0, self.end, self._key)

    def _order(self, epoch):
        if not self.shuffle:
            return None
        order = np.empty(self.rows, np.int64)
        with np.errstate(over="ignore"):  # without the compiler: the draws count in 64 bits
            draw(order, self._key, epoch, 0, self.end)
        return order


class Feed:
    """What `numbaopt.drivers.minibatch_loop.run_on_batches` makes batches of, for one run at a time.

    Attributes
    ----------
    buffers : list of ndarray
        A batch of each column.
    plan : ndarray of int64
        Where rows come from and go to: it points into the columns and the buffers.
    order : ndarray of int64
        Memory for the order of an epoch; empty for that of the data.
    key : uint64
        What the order follows from.
    end : int
        Rows an epoch.
    """

    def __init__(self, columns, batch_size, places, end, key):
        self.buffers = [column.buffer(batch_size) for column in columns]
        pairs = zip(columns, self.buffers, strict=True)
        self.plan = np.array([n for column, buffer in pairs for n in (buffer.ctypes.data, *column.layout())], np.int64)
        self.order, self.key, self.end = np.empty(places, np.int64), key, end

    def resume(self, epoch, rows):
        """Draw the order of an epoch as far as rows of it are known."""
        if rows and self.order.size:
            with np.errstate(over="ignore"):  # without the compiler: the draws count in 64 bits
                draw(self.order, self.key, epoch, 0, rows)


def _things(data):
    """Return the members of data that share a first axis; or None for a stream."""
    if hasattr(data, "shape") or isinstance(data, range):
        return (data,)
    if isinstance(data, (tuple, list)):
        if not data:
            raise ValueError("data is empty: it has no batches.")
        if isinstance(data, tuple) or all(hasattr(thing, "shape") for thing in data):
            return data
        if not all(isinstance(batch, tuple) for batch in data):
            raise TypeError(
                "data, as a list, holds arrays that share their first axis, or batches as tuples; "
                "for a list of samples see numpy.asarray."
            )
    if isinstance(data, (str, bytes, Mapping)) or not hasattr(data, "__iter__"):
        hint = " A tuple of its values would reach fun in their order." if isinstance(data, Mapping) else ""
        wanted = "a tuple of arrays, an array, or an iterable of batches"
        raise TypeError(f"data must be {wanted}, not {describe(data)}.{hint}")
    return None


def _as_tuple(batch):
    if isinstance(batch, tuple):
        return batch
    if isinstance(batch, list) and all(hasattr(thing, "shape") for thing in batch):
        return tuple(batch)  # as torch's DataLoader yields them
    return (batch,)


def _spans(end, size):
    return pairwise([*range(0, end, size), end])


def is_stream(data):
    """Tell whether data makes its own batches."""
    return _things(data) is None


def entropy(seed):
    """Return a seed as a whole number: the one given, one that a generator gives, or for None another each time."""
    if seed is None:
        return np.random.SeedSequence().entropy
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(2**63))
    return whole(seed, "seed", 0, ", a numpy.random.Generator or None")


def _rows(batch):
    """Return the rows of a stream's batch: those of the first thing in it that has any, also inside a dict."""
    things = [thing for part in batch for thing in (part.values() if isinstance(part, Mapping) else [part])]
    return next((length(thing) for thing in things if hasattr(thing, "__len__") or np.ndim(thing)), min(1, len(things)))
