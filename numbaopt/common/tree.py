"""Structured parameters: how an array, or a dict, list or tuple of arrays, lies in one flat buffer.

Every kernel works on one flat array; every user thinks in `{"w": w, "b": b}`. A `Structure` is the map
between the two. It hands out views of a flat buffer, and reads another tree of the same structure, a
gradient, into one. What is wrong with that, and in which leaf, it says before anything is written.

The buffer is real. A complex array lies in it as NumPy keeps it, real and imaginary parts in turn, each a coordinate
of its own to every rule.
"""

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from numbaopt.common.validation import COMPLEXES, FLOATS, describe, real_array


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
        float32 or float64: that of the widest floating leaf, or of the parts of a complex one. Integers, bools and
        Python numbers do not count, unless there is nothing else: then it is float64.
    shapes : list of tuple
        The shape of each leaf, in the order of the tree.
    complexes : list of bool
        Whether a leaf is complex.
    real : bool
        Whether none is.
    segments : list of (int, int)
        Where each leaf lies: ``flat[lo:hi]``.
    paths : list of str
        How to reach each leaf: ``"['w']"``, ``"[0][1]"``; empty for a single array.
    tree : object
        The tree with each leaf replaced by its number, an int.

    Raises
    ------
    TypeError, ValueError
        For a leaf that is not an array of numbers.
    """

    __slots__ = ("complexes", "dtype", "paths", "real", "segments", "shapes", "size", "tree")

    def __init__(self, tree, name="x0"):
        self.paths = []
        self.tree = self._plant(tree, "")
        leaves = self.leaves(tree, name)
        arrays = [real_array(leaf, name + path, True) for path, leaf in zip(self.paths, leaves, strict=True)]
        if self.tree == 0:
            arrays = [np.atleast_1d(arrays[0])]  # as SciPy has it, x is never 0-d
        self.shapes = [a.shape for a in arrays]
        self.complexes = [a.dtype.kind == "c" for a in arrays]
        self.real = not any(self.complexes)
        floats = [_part(a) for a, leaf in zip(arrays, leaves, strict=True) if _is_typed(a, leaf)]
        widest = max(floats, default=8)
        self.dtype = FLOATS[widest // 8]
        sizes = [math.prod(shape) for shape in self.real_shapes]
        ends = np.cumsum([0, *sizes]).tolist()
        self.segments, self.size = list(pairwise(ends)), ends[-1]

    def _plant(self, node, path):
        if isinstance(node, Mapping):
            return {key: self._plant(child, f"{path}[{key!r}]") for key, child in node.items()}
        if isinstance(node, (list, tuple)) and not _is_array(node):
            return _like(node, [self._plant(child, f"{path}[{i}]") for i, child in enumerate(node)])
        self.paths.append(path)
        return len(self.paths) - 1

    @property
    def real_shapes(self):
        """The shape of each leaf as rules see it: a complex one with twice as many columns, as NumPy views it."""
        return [_doubled(shape) if c else shape for shape, c in zip(self.shapes, self.complexes, strict=True)]

    def views(self, flat):
        """Hand out a tree of this structure whose leaves are views of `flat`."""
        return self.grow(self.parts(flat))

    def parts(self, flat):
        """List the leaves of `views`."""
        parts = [flat[lo:hi] for lo, hi in self.segments]
        if not self.real:
            both = zip(parts, self.complexes, strict=True)
            parts = [part.view(COMPLEXES[part.itemsize // 8]) if c else part for part, c in both]
        return [part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def grow(self, leaves):
        """Return a tree of this structure with these leaves."""
        return _grow(self.tree, leaves)

    def where(self, at):
        """Return how to reach an entry of the flat buffer: ``"['w'][3, 2]"``, for complex leaves also the part."""
        i = next(i for i, (lo, hi) in enumerate(self.segments) if lo <= at < hi)
        at, part = divmod(at - self.segments[i][0], 1 + self.complexes[i])
        index = ", ".join(map(str, np.unravel_index(at, self.shapes[i])))
        return self.paths[i] + f"[{index}]" * bool(index) + (".real", ".imag")[part] * self.complexes[i]

    def leaves(self, tree, name):
        """List the leaves of a tree, unread; raise where its keys or lengths differ from these."""
        found = []
        _collect(self.tree, tree, name, found)
        return found

    def convert(self, i, leaf, name):
        """Return a leaf as an array of this dtype, if it has the shape of leaf number `i`; else raise."""
        double = self.complexes[i]
        array, shape = real_array(leaf, name, double), self.shapes[i]
        if array.ndim == 0 and shape == (1,):  # of a scalar x0, shown as one entry
            array = array.reshape(1)
        if array.shape == shape:
            with np.errstate(over="ignore"):  # what is beyond float32 is inf: the drivers report that
                return array.astype(self._kind(i), copy=False)
        hint = f"; .reshape({shape}) may be all it needs" if array.size == math.prod(shape) else ""
        raise ValueError(f"{name} has shape {array.shape}, but its parameter has shape {shape}{hint}.")

    def write(self, tree, flat, name):
        """Copy a tree of this structure into `flat`, checking all of it before writing any of it."""
        leaves = self.leaves(tree, name)
        for i, leaf in enumerate(leaves):
            if type(leaf) is not np.ndarray or leaf.dtype is not self._kind(i) or leaf.shape != self.shapes[i]:
                leaves[i] = self.convert(i, leaf, name + self.paths[i])
        for part, leaf in zip(self.parts(flat), leaves, strict=True):
            part[...] = leaf

    def _kind(self, i):
        """Return the dtype of a leaf."""
        return COMPLEXES[self.dtype.itemsize // 8] if self.complexes[i] else self.dtype


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
        For what is not an array of numbers.
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
        raise ValueError(f"{name}{structure.where(at)} is {flat[at]}; start from finite numbers.")
    return structure, flat


def _is_typed(array, leaf):
    """Tell floats of a chosen dtype from Python's, and from integers."""
    chosen = _part(array) == 4 or hasattr(leaf, "dtype") or not isinstance(leaf, (float, complex, list, tuple))
    return array.dtype.kind in "fc" and chosen


def _doubled(shape):
    *rows, columns = shape or (1,)
    return (*rows, 2 * columns)


def _part(array):
    """Return the bytes of a real number, or of each part of a complex one."""
    return array.dtype.itemsize // (1 + (array.dtype.kind == "c"))


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
