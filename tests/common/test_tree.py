"""Structures: any tree goes into a flat buffer and comes back; what does not fit is named, not written."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from numbaopt.common.tree import Structure, flatten

Params = namedtuple("Params", "w b")

arrays = hnp.arrays(
    st.sampled_from(["f4", "f8", ">f8", ">f4", "i8", "u2", "?"]),
    hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3),
    elements=st.integers(0, 1),
)
# Each list holds an array: one of plain numbers alone would be an array itself.
trees = st.recursive(
    arrays | st.floats(-9, 9) | st.integers(-9, 9),
    lambda child: (
        st.dictionaries(st.text(max_size=3), child, max_size=3)
        | st.builds(lambda array, rest: [array, *rest], arrays, st.lists(child, max_size=2))
        | st.tuples(child, arrays)
        | st.builds(Params, child, child)
    ),
    max_leaves=6,
)


def leaves(tree):
    if isinstance(tree, dict):
        return [leaf for child in tree.values() for leaf in leaves(child)]
    if isinstance(tree, (list, tuple)):
        return [leaf for child in tree for leaf in leaves(child)]
    return [tree]


@given(trees)
def test_what_goes_in_comes_out_as_views(tree):
    structure = Structure(tree, "x0")
    if not structure.size:
        with pytest.raises(ValueError, match="empty"):
            flatten(tree)
        return
    structure, flat = flatten(tree)
    views = structure.views(flat)
    again, flat2 = flatten(views)
    np.testing.assert_array_equal(flat, flat2)
    expected = np.concatenate([np.ravel(leaf) for leaf in leaves(tree)]).astype(flat.dtype)
    np.testing.assert_array_equal(flat, expected)
    assert flat.flags.c_contiguous and flat.flags.owndata
    assert [flat[lo:hi].size for lo, hi in structure.segments] == [np.size(leaf) for leaf in leaves(tree)]
    flat += 1
    np.testing.assert_array_equal(np.concatenate([np.ravel(leaf) for leaf in leaves(views)]), expected + 1)


@given(trees)
def test_a_tree_is_written_back_to_the_bit(tree):
    structure = Structure(tree, "x0")
    source = np.arange(structure.size, dtype=structure.dtype)
    flat = np.zeros_like(source)
    structure.write(structure.views(source), flat, "g")
    np.testing.assert_array_equal(flat, source)


@pytest.mark.parametrize(
    ("tree", "dtype"),
    [
        ([1, 2], "f8"),
        (np.ones(2, "f4"), "f4"),
        (np.ones(2, ">f4"), "f4"),
        (np.ones(2, int), "f8"),
        ({"w": np.ones(2, "f4"), "b": 0.0}, "f4"),
        ({"w": np.ones(2, "f4"), "k": np.ones(2, int)}, "f4"),
        ({"w": np.ones(2, "f4"), "b": np.ones(2)}, "f8"),
        ({"k": True, "b": 1}, "f8"),
    ],
)
def test_dtype(tree, dtype):
    structure, flat = flatten(tree)
    assert structure.dtype == flat.dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("tree", "shapes"),
    [
        (3.0, [(1,)]),
        (np.float32(3.0), [(1,)]),
        (np.array(3.0), [(1,)]),
        ([1.0, 2.0], [(2,)]),
        ((1.0, np.float64(2.0), np.array(3.0)), [(3,)]),
        ([[1, 2, 3], [4, 5, 6]], [(2, 3)]),
        (np.ones((2, 3)), [(2, 3)]),
        ([np.ones(2), np.ones(2)], [(2,), (2,)]),
        ([np.ones(2), 1.0], [(2,), ()]),
        (([1.0, 2.0], {"a": 3.0}), [(2,), ()]),
        (Params(1.0, 2.0), [(), ()]),
        (np.ma.array([1.0, 2.0]), [(2,)]),
    ],
)
def test_a_list_of_numbers_is_an_array_and_a_list_of_arrays_a_structure(tree, shapes):
    assert flatten(tree)[0].shapes == shapes


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_a_matrix_is_an_array():
    structure, flat = flatten(np.asmatrix("1 2 3"))
    assert type(structure.views(flat)) is np.ndarray and structure.shapes == [(1, 3)]


def test_containers_keep_their_kind():
    tree = {"p": Params(np.ones(1), [np.ones(2), (np.ones(3),)]), "o": OrderedDict(z=1.0, a=2.0)}
    structure, flat = flatten(tree)
    views = structure.views(flat)
    assert isinstance(views["p"], Params)
    assert isinstance(views["p"].b, list) and isinstance(views["p"].b[1], tuple)
    assert list(views["o"]) == ["z", "a"]
    assert structure.paths == ["['p'][0]", "['p'][1][0]", "['p'][1][1][0]", "['o']['z']", "['o']['a']"]


def test_the_given_arrays_are_neither_written_nor_kept():
    w = np.ones(3)
    w.flags.writeable = False
    _, flat = flatten({"w": w, "s": np.arange(10.0)[::-2]})
    flat[:] = 7
    assert w.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("tree", "error", "text"),
    [
        ([], ValueError, "x0 is empty"),
        ({}, ValueError, "x0 is empty"),
        (np.zeros((3, 0)), ValueError, "x0 is empty"),
        (None, TypeError, "x0 must be an array of real numbers, not None"),
        ("abc", TypeError, "'abc'"),
        (["1", "2"], TypeError, r"x0\[0\] must be"),
        ([1.0, None], TypeError, r"x0\[1\] must be an array of real numbers, not None"),
        (np.ones(2, np.clongdouble), TypeError, "complex64 or complex128, not complex256|complex192"),
        ([1j, complex(0, np.inf)], ValueError, r"x0\[1\].imag is inf"),
        (np.array([1, None]), TypeError, "dtype object"),
        (np.ones(2, np.float16), TypeError, "float32 or float64, not float16"),
        (np.ones(2, np.longdouble), TypeError, "float32 or float64, not float128|float96|longdouble"),
        (np.ones(2, "M8[s]"), TypeError, "real numbers"),
        (np.ones(2, "i4,f8"), TypeError, "real numbers"),
        ({1, 2}, TypeError, "real numbers"),
        (iter([1, 2]), TypeError, "real numbers"),
        (lambda x: x, TypeError, "real numbers"),
        ([1.0, np.nan], ValueError, r"x0\[1\] is nan; start from finite numbers"),
        ({"w": [[1, 2], [3, -np.inf]]}, ValueError, r"x0\['w'\]\[1, 1\] is -inf"),
        ({"w": np.ones(2), "b": np.inf}, ValueError, r"x0\['b'\] is inf"),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), ValueError, "masked"),
        ([[1, 2], [3]], ValueError, "x0 is not an array: .*inhomogeneous"),
    ],
    ids=repr,
)
def test_a_start_that_cannot_be(tree, error, text):
    if getattr(tree, "dtype", None) in (np.longdouble, np.clongdouble) and np.dtype(np.longdouble).itemsize == 8:
        pytest.skip("longdouble is float64 here")
    with pytest.raises(error, match=text):
        flatten(tree)


PARAMETERS = {"w": np.zeros((2, 3), "f4"), "l": [np.zeros(2, "f4"), np.zeros((), "f4")]}


def gradient(**changes):
    return {"w": np.ones((2, 3), "f4"), "l": [np.ones(2, "f4"), 1.0]} | changes


@pytest.mark.parametrize(
    ("g", "error", "text"),
    [
        (np.ones(9), TypeError, r"grad must be a dict with the keys 'w', 'l', not an array of shape \(9,\)"),
        ({"w": 1}, ValueError, "grad must have the keys 'w', 'l'; it has 'w'"),
        (gradient(b=1), ValueError, "it has 'w', 'l', 'b'"),
        (gradient(l=np.ones(2)), TypeError, r"grad\['l'\] must be a list of 2, not an array"),
        (gradient(l=[np.ones(2)]), ValueError, r"grad\['l'\] must be a list of 2; it has 1"),
        (gradient(l=[np.ones(3), 1.0]), ValueError, r"grad\['l'\]\[0\] has shape \(3,\), but .* \(2,\)\."),
        (gradient(w=np.ones(6)), ValueError, r"shape \(6,\), .* \(2, 3\); \.reshape\(\(2, 3\)\) may"),
        (gradient(w=np.ones((3, 2))), ValueError, r"grad\['w'\] has shape \(3, 2\)"),
        (gradient(w=np.ones((2, 3), complex)), TypeError, r"grad\['w'\] must be real"),
        (gradient(w=None), TypeError, r"grad\['w'\] must be an array of real numbers, not None"),
        (gradient(l=[np.ones(2), np.ones(1)]), ValueError, r"grad\['l'\]\[1\] has shape \(1,\)"),
        (gradient(l=[np.ones(2), np.ma.masked]), ValueError, "masked"),
    ],
)
def test_a_tree_that_does_not_fit_is_named_and_nothing_is_written(g, error, text):
    structure, flat = flatten(PARAMETERS)
    with pytest.raises(error, match=text):
        structure.write(g, flat, "grad")
    assert not flat.any()


@pytest.mark.parametrize(
    "w",
    [
        np.arange(6).reshape(2, 3),
        np.arange(6.0).reshape(3, 2).T,
        np.arange(6, dtype=">f8").reshape(2, 3),
        np.arange(12.0).reshape(2, 6)[:, ::2],
        [[0, 1, 2], [3, 4, 5]],
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    ],
)
def test_what_converts_without_loss_is_taken(w):
    structure, flat = flatten(PARAMETERS)
    structure.write(gradient(w=w, l=(np.array([7, 8]), np.float64(9))), flat, "grad")
    assert flat.tolist() == [*np.asarray(w, float).ravel(), 7, 8, 9]


def test_beyond_float32_is_infinite_and_no_warning():
    structure, flat = flatten(np.zeros(2, "f4"))
    structure.write(np.array([1e300, -1e300]), flat, "grad")
    assert flat.tolist() == [np.inf, -np.inf]
