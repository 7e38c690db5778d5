"""Minibatches contain each row once an epoch, in an order that depends on the seed, and compiled code makes the same."""

import numba
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from numbaopt.data.batches import Batches
from numbaopt.data.gather import gather
from numbaopt.data.shuffle import below, draw, seed_key

compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="Numba is disabled")
overflowing = pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")  # by NumPy, with Numba disabled

N = 23
X = np.arange(N * 3.0).reshape(N, 3)
Y = np.arange(N)


def rows(batches, epoch=0):
    """Return the row numbers of the batches of an epoch, taken from the last column."""
    return [np.asarray(batch[-1]).tolist() for batch, _ in batches.epoch(epoch)]


def gathered(batches, epoch=0):
    """Yield the batches of an epoch as compiled code makes them."""
    feed = batches.feed()
    for lo in range(0, feed.end, batches.batch_size):
        hi = min(lo + batches.batch_size, feed.end)
        if feed.order.size:
            draw(feed.order, feed.key, epoch, lo, hi)
        gather(feed.plan, feed.order, hi if feed.order.size else 0, lo, hi)
        yield tuple(buffer[: hi - lo].copy() for buffer in feed.buffers)


@compiled
@given(
    n=st.integers(1, 60),
    size=st.integers(1, 60),
    seed=st.integers(0, 2**70),
    epoch=st.integers(0, 2**40),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
)
def test_an_epoch_is_every_row_once_and_compiled_code_makes_the_same(n, size, seed, epoch, shuffle, drop_last):
    size = min(size, n)
    x, y = np.arange(2.0 * n).reshape(n, 2), np.arange(n)
    batches = Batches((x, y), size, 3, shuffle, seed, drop_last)
    found = list(batches.epoch(epoch))
    assert [count for _, count in found] == [len(batch[0]) for batch, _ in found]
    assert [count for _, count in found[:-1]] == [size] * (len(found) - 1)
    order = np.concatenate([batch[1] for batch, _ in found])
    used = n - n % size if drop_last else n
    assert batches.steps == len(found) and len(order) == used
    assert len(set(order.tolist())) == used
    if not shuffle:
        assert order.tolist() == list(range(used))
    for batch, _ in found:
        np.testing.assert_array_equal(batch[0], x[batch[1]])
        assert batch[0].flags.c_contiguous
    for one, (other, _) in zip(gathered(batches, epoch), found, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b, strict=True)


def test_the_order_follows_from_seed_and_epoch_alone():
    one, other = Batches((X, Y), 5, 3, seed=7), Batches(Y, 5, 9, seed=7)
    first, second = rows(one, 0), rows(one, 1)
    assert first != second
    assert rows(one, 0) == first  # the same after another epoch was drawn
    assert rows(other, 1) == second  # independent of the other columns
    assert rows(Batches(Y, 5, seed=8)) != first
    assert sum(second, []) == shuffled(N, 7, 1)


def mixed(z):
    """Return the finalizer of SplitMix64, computed with Python integers."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def shuffled(n, seed, epoch):
    """Return the order of an epoch, computed independently: it must not change between releases."""
    golden, order = 0x9E3779B97F4A7C15, list(range(n))
    start = mixed((int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]) + epoch * golden) % 2**64)
    for i in range(n):
        bits = mixed((start + (i + 1) * golden) % 2**64)
        while bits >= 2**64 // (n - i) * (n - i):
            bits = mixed((bits + golden) % 2**64)
        j = i + bits % (n - i)
        order[i], order[j] = order[j], order[i]
    return order


@overflowing
@given(
    n=st.integers(1, 40), seed=st.integers(0, 2**130), epoch=st.integers(0, 2**60), cuts=st.lists(st.integers(0, 40))
)
def test_an_order_drawn_in_parts_is_the_order(n, seed, epoch, cuts):
    order, key = np.empty(n, np.int64), seed_key(seed)
    cuts = sorted({0, n, *(cut for cut in cuts if cut < n)})
    for lo, hi in zip(cuts, cuts[1:], strict=False):
        draw(order, key, epoch, lo, hi)
    assert order.tolist() == shuffled(n, seed, epoch)


@overflowing
@pytest.mark.parametrize("end", [1, 2, 3, 6, 2**31 + 11, 2**62 + 1, 2**63, 2**63 + 1])
def test_numbers_below_an_end_are_unbiased(end):
    whole = 2**64 // end * end  # the number of 64-bit values that are accepted
    for bits in {0, 1, end - 1, end, whole - 1, min(whole, 2**64 - 1), 2**64 - 1}:
        expected = bits
        while expected >= whole:
            expected = mixed((expected + 0x9E3779B97F4A7C15) % 2**64)
        assert below(np.uint64(end), np.uint64(bits)) == expected % end


@overflowing
@pytest.mark.parametrize("vary", ["seed", "epoch"])
def test_rows_are_equally_likely_at_each_place(vary):
    from scipy.stats import chi2  # here, for it takes a second to import

    n, trials, order = 12, 6000, np.empty(12, np.int64)
    counts = np.zeros((n, n))
    for k in range(trials):
        draw(order, seed_key(k if vary == "seed" else 5), k if vary == "epoch" else 3, 0, n)
        counts[np.arange(n), order] += 1
    statistic = ((counts - trials / n) ** 2).sum() / (trials / n) * (n - 1) / n
    assert 1e-3 < chi2.sf(statistic, (n - 1) ** 2) < 1 - 1e-3


@overflowing
def test_all_orders_are_equally_likely():
    from scipy.stats import chisquare

    order, found = np.empty(4, np.int64), {}
    for epoch in range(24 * 300):
        draw(order, seed_key(11), epoch, 0, 4)
        found[tuple(order)] = found.get(tuple(order), 0) + 1
    assert len(found) == 24
    assert 1e-3 < chisquare([*found.values()]).pvalue < 1 - 1e-3


def test_without_a_seed_the_seed_in_use_is_reported():
    one, other = Batches(Y, 5), Batches(Y, 5)
    assert one.seed != other.seed
    assert rows(one) == rows(Batches(Y, 5, seed=one.seed)) != rows(other)


def test_a_generator_as_seed():
    one, other = (Batches(Y, 5, seed=np.random.default_rng(3)) for _ in range(2))
    assert rows(one) == rows(other)
    rng = np.random.default_rng(3)
    assert rows(Batches(Y, 5, seed=rng)) != rows(Batches(Y, 5, seed=rng))


class SliceOnly:
    """A sequence that supports only slices, like some readers of files."""

    def __init__(self, array):
        self.array = array

    def __len__(self):
        return len(self.array)

    def __getitem__(self, index):
        if not isinstance(index, slice):
            raise TypeError("slices only")
        return self.array[index]


class Ascending:
    """A sequence that accepts only strictly increasing index arrays, like h5py."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __getitem__(self, index):
        if isinstance(index, np.ndarray) and (np.diff(index) <= 0).any():
            raise TypeError("Indexing elements must be in increasing order")
        return self.array[index]


def memmap(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, X)
    return np.load(path, mmap_mode="r")


KINDS = {
    "array": lambda tmp_path: X,
    "memmap": memmap,
    "fortran": lambda tmp_path: np.asfortranarray(X),
    "strided": lambda tmp_path: np.repeat(X, 2, axis=0)[::2],
    "big-endian": lambda tmp_path: X.astype(">f8"),
    "read-only": lambda tmp_path: np.broadcast_to(X, X.shape),
    "masked": lambda tmp_path: np.ma.array(X, mask=X == 4),
    "list": lambda tmp_path: X.tolist(),
    "csr_array": lambda tmp_path: scipy.sparse.csr_array(X),
    "csr_matrix": lambda tmp_path: scipy.sparse.csr_matrix(X),
    "csc_array": lambda tmp_path: scipy.sparse.csc_array(X),
    "coo_array": lambda tmp_path: scipy.sparse.coo_array(X),
    "slices": lambda tmp_path: SliceOnly(X),
    "ascending": lambda tmp_path: Ascending(X),
    "matrix": lambda tmp_path: np.asmatrix(X),
}


@compiled
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_data(kind, shuffle, tmp_path):
    member = KINDS[kind](tmp_path)
    batches = Batches((member, Y), 5, shuffle=shuffle, seed=1)
    for (x, y), _ in batches.epoch(0):
        dense = x.toarray() if scipy.sparse.issparse(x) else np.asarray(x)
        np.testing.assert_array_equal(dense, X[y])
        assert not scipy.sparse.issparse(x) or x.format == "csr"
        if isinstance(x, np.ndarray):
            x += 1000  # a batch is a copy
            assert x.dtype.isnative
    np.testing.assert_array_equal(np.asarray(Batches((X,), N, shuffle=False).epoch(0).__next__()[0][0]), X)
    if batches.columns is not None:
        assert [(c.dtype, c.shape) for c in batches.columns] == [(np.dtype(float), (0, 3)), (Y.dtype, (0,))]
        for x, y in gathered(batches):
            np.testing.assert_array_equal(x, X[y], strict=True)
    assert (batches.columns is None) == (
        kind in {"masked", "csr_array", "csr_matrix", "csc_array", "coo_array", "slices", "ascending"}
    )


def unaligned(array):
    """Return a copy of an array at an odd address."""
    memory = np.zeros(array.nbytes + 1, np.uint8)
    copy = memory[1:].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


WHOLE = np.arange(7 * 4 * 3 * 2).reshape(7, 4, 3, 2)


@compiled
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("dtype", ["f4", ">f4", "<c16", ">c16", "?", "u1", ">i2", ">i8", "f2"])
def test_columns_of_any_dtype_and_layout(dtype, shuffle):
    whole = WHOLE.astype(dtype)
    columns = {
        "whole": whole,
        "no axes": whole[:, 1, 2, 0].copy(),
        "strided": whole[:, 1, 2, 0],
        "axes in another order": whole.transpose(0, 3, 1, 2),
        "Fortran": np.asfortranarray(whole),
        "backwards": whole[::-1, :, ::-1, :],
        "part": whole[:, 1:3, :, :1],
        "broadcast": np.broadcast_to(whole[0], whole.shape),
        "nothing": whole[:, :0],
        "nothing, strided": whole[:, ::2, :0, ::-1],
        "unaligned": unaligned(whole),
    }
    batches = Batches((*columns.values(), np.arange(7)), 3, shuffle=shuffle, seed=4)
    for *found, y in gathered(batches):
        for (name, column), rows in zip(columns.items(), found, strict=True):
            np.testing.assert_array_equal(rows, column[y].astype(column.dtype.newbyteorder("=")), name, strict=True)


def test_a_masked_array_keeps_its_mask():
    ((x,), _), *_ = Batches((np.ma.array(X, mask=X == 4),), N, seed=0).epoch(0)
    assert np.ma.count_masked(x) == 1


def test_a_data_frame_is_taken_by_rows():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": np.arange(N) * 10, "b": np.arange(N)}, index=np.arange(N)[::-1])
    for (x, a), _ in Batches((frame, frame["a"]), 5, seed=1).epoch(0):
        assert list(x.columns) == ["a", "b"]
        np.testing.assert_array_equal(x["a"], x["b"] * 10)
        np.testing.assert_array_equal(x["a"], a)


def test_tensors_stay_tensors():
    torch = pytest.importorskip("torch")
    for (x, y), _ in Batches((torch.tensor(X), Y), 5, seed=1).epoch(0):
        assert isinstance(x, torch.Tensor)
        np.testing.assert_array_equal(x.numpy(), X[y])


def test_a_loader_of_torch_is_a_stream():
    torch = pytest.importorskip("torch")
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y)), 5)
    batches = Batches(loader, epochs=2)
    for epoch in range(2):
        found = list(batches.epoch(epoch))
        assert [count for _, count in found] == [5, 5, 5, 5, 3]
        assert all(len(batch) == 2 for batch, _ in found)


@pytest.mark.parametrize("data", [np.arange(N), range(N), (range(N),), [np.arange(N)], (np.arange(N).tolist(),)])
def test_indices_for_data_that_only_the_callback_can_reach(data):
    batches = Batches(data, 5, shuffle=False)
    assert rows(batches) == [
        [*range(0, 5)],
        [*range(5, 10)],
        [*range(10, 15)],
        [*range(15, 20)],
        [20, 21, 22],
    ]
    assert all(len(batch) == 1 for batch, _ in batches.epoch(0))


def test_strings_and_records_are_data_for_python_callbacks():
    names = np.array(["a", "bb", "ccc"])
    records = np.array([(1, 2.0), (3, 4.0), (5, 6.0)], "i4,f8")
    (batch, _), *_ = Batches((names, records), 2, shuffle=False).epoch(0)
    assert batch[0].tolist() == ["a", "bb"] and batch[1].tolist() == [(1, 2.0), (3, 4.0)]


class Stream:
    """An iterable of batches that starts again each time."""

    def __init__(self, batches):
        self.batches, self.begun = batches, 0

    def __iter__(self):
        self.begun += 1
        return iter(self.batches)


@pytest.mark.parametrize(
    ("batch", "expected", "count"),
    [
        ((X[:4], Y[:4]), (X[:4], Y[:4]), 4),
        ([X[:4], Y[:4]], (X[:4], Y[:4]), 4),
        (X[:2], (X[:2],), 2),
        ((scipy.sparse.csr_array(X[:3]), Y[:3]), None, 3),
        ([1, 2, 3], ([1, 2, 3],), 3),
        ("text", ("text",), 4),
        (5, (5,), 1),
        ((), (), 0),
    ],
)
def test_a_stream_makes_its_own_batches(batch, expected, count):
    stream = Stream([batch, batch])
    batches = Batches(stream, epochs=3)
    assert (batches.rows, batches.batch_size, batches.steps, batches.columns) == (None,) * 4
    for epoch in range(3):
        for found, size in batches.epoch(epoch):
            assert size == count and isinstance(found, tuple)
            if expected is not None:
                np.testing.assert_equal(found, expected)
    assert stream.begun == 3


def test_a_list_of_tuples_is_a_stream():
    batches = Batches([(X[:3], Y[:3]), (X[3:], Y[3:])], epochs=2)
    assert rows(batches, 1) == [[0, 1, 2], [*range(3, N)]]


def test_a_generator_lasts_one_epoch():
    batches = Batches((X[i : i + 4], Y[i : i + 4]) for i in range(0, N, 4))
    assert sum(rows(batches), []) == Y.tolist()
    with pytest.raises(ValueError, match="can be used for one epoch only, but epochs=2. Pass an object"):
        Batches(((x,) for x in X), epochs=2)


def test_an_exhausted_stream_is_an_error():
    class Once:
        def __init__(self):
            self.iterator = iter([(X, Y)])

        def __iter__(self):
            return iter(list(self.iterator))

    batches = Batches(Once(), epochs=2)
    assert len(list(batches.epoch(0))) == 1
    with pytest.raises(ValueError, match="data yielded no batches in epoch 2 of 2: if its iterator is exhausted"):
        list(batches.epoch(1))


def test_defaults():
    small, large = Batches(Y), Batches(np.arange(500))
    assert (small.batch_size, small.steps, small.epochs) == (N, 1, 1)
    assert (large.batch_size, large.steps) == (200, 3)


@pytest.mark.parametrize(
    ("data", "options", "error", "text"),
    [
        (None, {}, TypeError, "data must be a tuple of arrays, .* not None"),
        (3.0, {}, TypeError, r"not 3\.0"),
        ("abc", {}, TypeError, "'abc'"),
        ({"x": X}, {}, TypeError, r"Pass tuple\(data.values\(\)\)"),
        ((), {}, ValueError, "data is empty"),
        ([], {}, ValueError, "data is empty"),
        (np.ones((0, 3)), {}, ValueError, "data is empty: it has no rows"),
        (([], []), {}, ValueError, "no rows"),
        (np.array(3.0), {}, ValueError, r"data\[0\] must have at least one axis"),
        ((X, np.float64(3)), {}, ValueError, r"data\[1\] must have at least one axis"),
        ((X, Y[:-1]), {}, ValueError, r"data\[0\] has 23, data\[1\] has 22"),
        ((X, None), {}, TypeError, r"data\[1\] must be an array or another sequence of rows, not None"),
        ((X, 3), {}, TypeError, r"data\[1\] must be an array"),
        ((X, "a" * N), {}, TypeError, r"data\[1\] must be an array"),
        ((X, {0: 1}), {}, TypeError, r"data\[1\] must be an array"),
        ((X, iter(Y)), {}, TypeError, r"data\[1\] must be an array"),
        ((X, [[1], [1, 2]]), {}, ValueError, r"data\[1\] is a list that cannot be converted to an array"),
        ([1, 2, 3], {}, TypeError, "numpy.asarray"),
        ([X, 3], {}, TypeError, "numpy.asarray"),
        (X, {"batch_size": 0}, ValueError, "batch_size must be at least 1, not 0"),
        (X, {"batch_size": -2}, ValueError, "at least 1, not -2"),
        (X, {"batch_size": 2.5}, TypeError, r"batch_size must be a whole number, not 2\.5"),
        (X, {"batch_size": 2.0}, TypeError, "whole number"),
        (X, {"batch_size": "2"}, TypeError, "whole number, not '2'"),
        (X, {"batch_size": True}, TypeError, "whole number, not True"),
        (X.T, {"batch_size": 20}, ValueError, "batch_size=20 is more than the 3 rows .*first axis"),
        (X, {"epochs": 0}, ValueError, "epochs must be at least 1, not 0"),
        (X, {"epochs": -1}, ValueError, "epochs"),
        (X, {"epochs": 1.5}, TypeError, "epochs must be a whole number"),
        (X, {"seed": -1}, ValueError, "seed must be at least 0, not -1"),
        (X, {"seed": 1.0}, TypeError, "seed must be a whole number, a numpy.random.Generator or None"),
        (X, {"seed": "a"}, TypeError, "seed"),
        (X, {"seed": np.random.RandomState(0)}, TypeError, "seed"),
        (X, {"shuffle": "no"}, TypeError, "shuffle must be True or False, not 'no'"),
        (X, {"drop_last": 1}, TypeError, "drop_last must be True or False"),
        (Stream([]), {"batch_size": 5}, ValueError, "batch_size applies only to arrays, but data is a stream"),
        (Stream([]), {"seed": 0}, ValueError, "seed applies only to arrays"),
        (Stream([]), {"drop_last": True}, ValueError, "drop_last applies only to arrays"),
        (lambda: iter([X]), {}, TypeError, "an iterable of batches, not <function"),
    ],
    ids=str,
)
def test_invalid_data_and_settings(data, options, error, text):
    with pytest.raises(error, match=text):
        Batches(data, **options)


def test_numpy_integers_are_whole_numbers():
    batches = Batches(Y, np.int8(5), np.uint8(2), np.bool_(True), np.int64(3), np.False_)
    assert rows(batches) == rows(Batches(Y, 5, 2, seed=3))


@compiled
def test_a_memmap_is_not_read_as_a_whole(tmp_path):
    """A sparse file much larger than the memory can be used."""
    shape = (2**20, 2**17)  # half a terabyte, of which a few pages are accessed
    try:
        big = np.memmap(tmp_path / "big", np.float32, "w+", shape=shape)
    except OSError:
        pytest.skip("no sparse files here")
    big[7, 5] = 3
    batches = Batches(big, 2, shuffle=False)
    found = [x for _, ((x,), _) in zip(range(4), batches.epoch(0), strict=False)]
    assert found[3][1, 5] == 3 and found[3].shape == (2, 2**17)
    for batches in (Batches(big, 2, shuffle=False), Batches(big, 2, seed=0)):
        feed = batches.feed()
        feed.order[:8] = np.arange(8)[: feed.order.size]
        gather(feed.plan, feed.order, feed.order[:8].size, 6, 8)
        assert feed.buffers[0].shape == (2, 2**17) and feed.buffers[0][1, 5] == 3


def test_numpys_global_state_is_left_alone():
    state = np.random.get_state()[1].tolist()
    rows(Batches(Y, 5))
    assert np.random.get_state()[1].tolist() == state
