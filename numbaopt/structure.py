"""Structured parameters: how an array, or a dict, list or tuple of arrays, lies in one flat buffer.

Every kernel works on one flat array; every user thinks in `{"w": w, "b": b}`. A `Structure` is the map
between the two. It hands out views of a flat buffer, and reads another tree of the same structure, a
gradient, into one. What is wrong with that, and in which leaf, it says before anything is written.
"""

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from numbaopt.checks import FLOATS, describe, real_array


class Structure:
    """The shapes of a tree of arrays, and their places in a flat buffer.

    Parameters
    ----------
    tree : array_like, or dict, list or tuple of array_like, nested at will
        A list or tuple of plain numbers, or of lists of them, is one array, as in NumPy.
    name : str
        What to call it in error messages.

    Attributes
    ----------
    size : int
        Entries of the flat buffer.
    dtype : numpy.dtype
        float32 or float64: that of the widest floating leaf. Integers, bools and Python numbers do not count,
        unless there is nothing else: then it is float64.
    shapes : list of tuple
        The shape of each leaf, in the order of the tree.
    segments : list of (int, int)
        Where each leaf lies: ``flat[lo:hi]``.
    paths : list of str
        How to reach each leaf: ``"['w']"``, ``"[0][1]"``; empty for a single array.
    tree : object
        The tree with each leaf replaced by its number, an int.

    Raises
    ------
    TypeError, ValueError
        For a leaf that is not an array of real numbers.
    """

    __slots__ = ("dtype", "paths", "segments", "shapes", "size", "tree")

    def __init__(self, tree, name="x0"):
        self.paths = []
        self.tree = self._plant(tree, "")
        leaves = self.leaves(tree, name)
        arrays = [real_array(leaf, name + path) for path, leaf in zip(self.paths, leaves, strict=True)]
        if self.tree == 0:
            arrays = [np.atleast_1d(arrays[0])]  # as SciPy has it, x is never 0-d
        floats = [a.dtype.itemsize for a, leaf in zip(arrays, leaves, strict=True) if _is_typed(a, leaf)]
        widest = max(floats, default=8)
        self.dtype = FLOATS[widest // 8]
        self.shapes = [a.shape for a in arrays]
        ends = np.cumsum([0, *(a.size for a in arrays)]).tolist()
        self.segments, self.size = list(pairwise(ends)), ends[-1]

    def _plant(self, node, path):
        if isinstance(node, Mapping):
            return {key: self._plant(child, f"{path}[{key!r}]") for key, child in node.items()}
        if isinstance(node, (list, tuple)) and not _is_array(node):
            return _like(node, [self._plant(child, f"{path}[{i}]") for i, child in enumerate(node)])
        self.paths.append(path)
        return len(self.paths) - 1

    def views(self, flat):
        """Hand out a tree of this structure whose leaves are views of `flat`."""
        places = zip(self.segments, self.shapes, strict=True)
        return _grow(self.tree, [flat[lo:hi].reshape(shape) for (lo, hi), shape in places])

    def leaves(self, tree, name):
        """List the leaves of a tree, unread; raise where its keys or lengths differ from these."""
        found = []
        _collect(self.tree, tree, name, found)
        return found

    def convert(self, i, leaf, name):
        """Return a leaf as an array of this dtype, if it has the shape of leaf number `i`; else raise."""
        array, shape = real_array(leaf, name), self.shapes[i]
        if array.ndim == 0 and shape == (1,):  # of a scalar x0, shown as one entry
            array = array.reshape(1)
        if array.shape == shape:
            with np.errstate(over="ignore"):  # what is beyond float32 is inf: the drivers report that
                return array.astype(self.dtype, copy=False)
        hint = f"; .reshape({shape}) may be all it needs" if array.size == math.prod(shape) else ""
        raise ValueError(f"{name} has shape {array.shape}, but its parameter has shape {shape}{hint}.")

    def write(self, tree, flat, name):
        """Copy a tree of this structure into `flat`, checking all of it before writing any of it."""
        leaves = self.leaves(tree, name)
        for i, leaf in enumerate(leaves):
            if type(leaf) is not np.ndarray or leaf.dtype is not self.dtype or leaf.shape != self.shapes[i]:
                leaves[i] = self.convert(i, leaf, name + self.paths[i])
        for (lo, hi), shape, leaf in zip(self.segments, self.shapes, leaves, strict=True):
            flat[lo:hi].reshape(shape)[...] = leaf


def flatten(tree, name="x0"):
    """Lay a starting point out in a private flat buffer.

    Parameters
    ----------
    tree, name :
        As for `Structure`.

    Returns
    -------
    structure : Structure
    flat : ndarray, shape (structure.size,)
        A C-contiguous copy in `structure.dtype`.

    Raises
    ------
    TypeError
        For what is not an array of real numbers.
    ValueError
        For an empty tree, a masked entry, NaN or infinity.

    Examples
    --------
    >>> structure, flat = flatten({"w": [[1, 2], [3, 4]], "b": 5.0})
    >>> flat
    array([1., 2., 3., 4., 5.])
    >>> structure.views(flat)["w"]
    array([[1., 2.],
           [3., 4.]])
    """
    structure = Structure(tree, name)
    if not structure.size:
        raise ValueError(f"{name} is empty: there is nothing to optimise.")
    flat = np.empty(structure.size, structure.dtype)
    structure.write(tree, flat, name)
    wrong = np.flatnonzero(~np.isfinite(flat))
    if wrong.size:
        at = int(wrong[0])
        i = next(i for i, (lo, hi) in enumerate(structure.segments) if lo <= at < hi)
        index = np.unravel_index(at - structure.segments[i][0], structure.shapes[i])
        where = f"[{', '.join(map(str, index))}]" if index else ""
        raise ValueError(f"{name}{structure.paths[i]}{where} is {flat[at]}; start from finite numbers.")
    return structure, flat


def _is_typed(array, leaf):
    """Tell floats of a chosen dtype from Python's, and from integers."""
    chosen = array.dtype.itemsize == 4 or hasattr(leaf, "dtype") or not isinstance(leaf, (float, list, tuple))
    return array.dtype.kind == "f" and chosen


def _is_array(node):
    """Tell a list of numbers, or of lists of numbers, which is one array, from a list of arrays."""
    if isinstance(node, (list, tuple)):
        return not hasattr(node, "_fields") and all(map(_is_array, node))
    if isinstance(node, np.ndarray):
        return node.ndim == 0
    return isinstance(node, (bool, int, float, complex, np.generic))


def _like(node, children):
    if hasattr(node, "_fields"):  # a namedtuple
        return type(node)(*children)
    return tuple(children) if isinstance(node, tuple) else children


def _grow(node, leaves):
    if isinstance(node, int):
        return leaves[node]
    if isinstance(node, dict):
        return {key: _grow(child, leaves) for key, child in node.items()}
    return _like(node, [_grow(child, leaves) for child in node])


def _collect(node, tree, name, found):
    if isinstance(node, int):
        found.append(tree)
    elif isinstance(node, dict):
        if not isinstance(tree, Mapping):
            raise TypeError(f"{name} must be a dict with the keys {_keys(node)}, not {describe(tree)}.")
        if tree.keys() != node.keys():
            raise ValueError(f"{name} must have the keys {_keys(node)}; it has {_keys(tree)}.")
        for key, child in node.items():
            _collect(child, tree[key], f"{name}[{key!r}]", found)
    else:
        if not isinstance(tree, (list, tuple)):
            raise TypeError(f"{name} must be a {type(node).__name__} of {len(node)}, not {describe(tree)}.")
        if len(tree) != len(node):
            raise ValueError(f"{name} must be a {type(node).__name__} of {len(node)}; it has {len(tree)}.")
        for i, (child, branch) in enumerate(zip(node, tree, strict=True)):
            _collect(child, branch, f"{name}[{i}]", found)


def _keys(mapping):
    return ", ".join(map(repr, mapping)) or "(none)"
