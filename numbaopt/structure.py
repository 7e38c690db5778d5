"""Structured parameters: how an array, or a dict, list or tuple of arrays, lies in one flat buffer.

Every kernel works on one flat array; every user thinks in `{"w": (784, 10), "b": (10,)}`. A `Structure` is the map
between the two: it hands out views of a flat buffer, and reads another tree of the same structure (a gradient) into one,
naming the leaf in which something is wrong before anything is written.
"""

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


class Structure:
    """The shapes of a tree of arrays and their places in a flat buffer.

    Attributes
    ----------
    size : int
        Number of scalars in the flat buffer.
    dtype : numpy.dtype
        float32 or float64: that of the widest floating leaf; integers, bools and Python numbers follow it, and are float64
        where there is none to follow.
    shapes : list of tuple
        The shape of each leaf, in the order of the tree.
    segments : list of (int, int)
        Where each leaf lies: `flat[lo:hi]`.
    paths : list of str
        How to reach each leaf: `"['w']"`, `"[0][1]"`; empty for a single array.
    tree : object
        The tree with each leaf replaced by its number, an int.
    """

    __slots__ = ("dtype", "paths", "segments", "shapes", "size", "tree")

    def __init__(self, tree, name="x0"):
        self.paths = []
        self.tree, arrays = self._plant(tree, "", name), []
        for path, leaf in zip(self.paths, self.leaves(tree, name), strict=True):
            arrays.append(_real(leaf, name + path))
        if isinstance(self.tree, int):
            arrays = [np.atleast_1d(arrays[0])]  # SciPy's x is never 0-d
        widest = max((a.dtype.itemsize for a in arrays if a.dtype.kind == "f"), default=8)
        self.dtype = FLOATS[widest // 8]
        self.shapes = [a.shape for a in arrays]
        ends = np.cumsum([0, *(a.size for a in arrays)]).tolist()
        self.segments, self.size = list(pairwise(ends)), ends[-1]

    def _plant(self, node, path, name):
        if isinstance(node, Mapping):
            return {key: self._plant(child, f"{path}[{key!r}]", name) for key, child in node.items()}
        if isinstance(node, (list, tuple)) and not _array_like(node):
            return _like(node, [self._plant(child, f"{path}[{i}]", name) for i, child in enumerate(node)])
        self.paths.append(path)
        return len(self.paths) - 1

    def views(self, flat):
        """Hand out a tree of this structure whose leaves are views of `flat`."""
        leaves = [flat[lo:hi].reshape(shape) for (lo, hi), shape in zip(self.segments, self.shapes, strict=True)]
        return _grow(self.tree, leaves)

    def leaves(self, tree, name):
        """List the leaves of a tree of this structure, unread; raise where its keys or lengths differ."""
        found = []
        _collect(self.tree, tree, name, found)
        return found

    def convert(self, i, leaf, name):
        """Return `leaf` with the shape of leaf number `i` and the buffer's dtype, or raise saying what it is instead."""
        array, shape = _real(leaf, name), self.shapes[i]
        if array.ndim == 0 and shape == (1,):  # a scalar x0 is shown to fun as one entry; its gradient may be a scalar
            array = array.reshape(1)
        if array.shape == shape:
            with np.errstate(over="ignore"):  # what is beyond float32 is inf: the drivers report that
                return array.astype(self.dtype, copy=False)
        hint = ""
        if array.size == math.prod(shape):
            hint = f"; it has as many entries, so .reshape({shape}) may be all it needs"
        raise ValueError(f"{name} has shape {array.shape}, but {shape} is the shape of its parameter in x0{hint}.")

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
    tree : array_like, or dict, list or tuple of array_like (nested at will)
        Real and finite numbers. A list or tuple of plain numbers, or of lists of them, is one array, as in NumPy.
    name : str
        What to call it in error messages.

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
    if not np.isfinite(flat).all():
        at = int(np.flatnonzero(~np.isfinite(flat))[0])
        leaf = next(i for i, (lo, hi) in enumerate(structure.segments) if lo <= at < hi)
        index = np.unravel_index(at - structure.segments[leaf][0], structure.shapes[leaf])
        where = ", ".join(map(str, index)) or "()"
        raise ValueError(f"{name}{structure.paths[leaf]}[{where}] is {flat[at]}; start from finite numbers.")
    return structure, flat


def describe(value):
    """Say in a few words what a value is, for error messages."""
    if value is None:
        return "None"
    if isinstance(value, (np.ndarray, np.generic)) and np.ndim(value):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"


def _real(value, name):
    """Return a value as an array of real numbers, without copying where it is one."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is not an array: {error}") from None
    kind = array.dtype.kind
    if kind == "c":
        raise TypeError(f"{name} is complex ({array.dtype}); it must be real: treat real and imaginary parts as two parameters.")
    if kind not in "fiub":
        raise TypeError(f"{name} must be an array of real numbers, not {describe(value)}.")
    if kind == "f" and array.dtype.newbyteorder("=") not in FLOATS:
        raise TypeError(f"{name} is {array.dtype}; only float32 and float64 are computed with: convert it with .astype(float).")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} has masked entries; fill them (.filled(...)) or leave them out.")
    return array


def _array_like(node):
    """Tell a list of numbers (of lists of numbers ...), which is one array, from a list of arrays, which is a structure."""
    if isinstance(node, (list, tuple)):
        return all(map(_array_like, node)) and not hasattr(node, "_fields")
    return isinstance(node, (bool, int, float, complex, np.generic)) or (isinstance(node, np.ndarray) and node.ndim == 0)


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
            raise TypeError(f"{name} must be a dict with the keys {_keys(node)}, as x0 is, not {describe(tree)}.")
        if tree.keys() != node.keys():
            raise ValueError(f"{name} has the keys {_keys(tree)}, but x0 has {_keys(node)}.")
        for key, child in node.items():
            _collect(child, tree[key], f"{name}[{key!r}]", found)
    else:
        if not isinstance(tree, (list, tuple)):
            raise TypeError(f"{name} must be a {type(node).__name__} of {len(node)}, as x0 is, not {describe(tree)}.")
        if len(tree) != len(node):
            raise ValueError(f"{name} has {len(tree)} entries, but x0 has {len(node)}.")
        for i, (child, branch) in enumerate(zip(node, tree, strict=True)):
            _collect(child, branch, f"{name}[{i}]", found)


def _keys(mapping):
    return ", ".join(map(repr, mapping)) or "(none)"
