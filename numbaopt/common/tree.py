"""Structured parameters: an array, or a dict, list or tuple of arrays, stored in one flat buffer.

Kernels work on one flat array, while users work with structures such as ``{"w": w, "b": b}``. A `Structure` converts
between the two: it returns views of a flat buffer, and copies another tree of the same structure, such as a gradient,
into a buffer. Before it writes anything it checks all leaves, and its error messages name the leaf.

The buffer is real. A complex array is stored as in NumPy, with real and imaginary parts in turn, which are separate
coordinates to every rule.
"""

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from numbaopt.common.validation import COMPLEXES, FLOATS, describe, real_array


class Structure:
    """The shapes of a tree of arrays, and their positions in a flat buffer.

    Parameters
    ----------
    tree : array_like, or dict, list or tuple of array_like, nested to any depth
        A list or tuple of plain numbers, or of lists of them, is one array, as in NumPy.
    name : str
        Its name in error messages.

    Attributes
    ----------
    size : int
        The number of entries of the flat buffer.
    dtype : numpy.dtype
        float32 or float64: that of the widest floating-point leaf, or of the parts of a complex one. Integers, bools
        and Python numbers are ignored; if there is nothing else, it is float64.
    shapes : list of tuple
        The shape of each leaf, in the order of the tree.
    complexes : list of bool
        Whether each leaf is complex.
    real : bool
        Whether no leaf is complex.
    segments : list of (int, int)
        The position of each leaf: ``flat[lo:hi]``.
    paths : list of str
        The path to each leaf: ``"['w']"``, ``"[0][1]"``; empty for a single array.
    tree : object
        The tree, with each leaf replaced by its number, an int.

    Raises
    ------
    TypeError, ValueError
        If a leaf is not an array of numbers.
    """

    __slots__ = ("complexes", "dtype", "paths", "real", "segments", "shapes", "size", "tree")

    def __init__(self, tree, name="x0"):
        self.paths = []
        self.tree = self._numbered(tree, "")
        leaves = self.leaves(tree, name)
        arrays = [real_array(leaf, name + path, True) for path, leaf in zip(self.paths, leaves, strict=True)]
        if self.tree == 0:
            arrays = [np.atleast_1d(arrays[0])]  # as in SciPy, x is never 0-d
        self.shapes = [a.shape for a in arrays]
        self.complexes = [a.dtype.kind == "c" for a in arrays]
        self.real = not any(self.complexes)
        floats = [_part(a) for a, leaf in zip(arrays, leaves, strict=True) if _is_typed(a, leaf)]
        widest = max(floats, default=8)
        self.dtype = FLOATS[widest // 8]
        sizes = [math.prod(shape) for shape in self.real_shapes]
        ends = np.cumsum([0, *sizes]).tolist()
        self.segments, self.size = list(pairwise(ends)), ends[-1]

    def _numbered(self, node, path):
        """Return a tree with leaves replaced by their numbers; collect their paths."""
        if isinstance(node, Mapping):
            return {key: self._numbered(child, f"{path}[{key!r}]") for key, child in node.items()}
        if isinstance(node, (list, tuple)) and not _is_array(node):
            return _like(node, [self._numbered(child, f"{path}[{i}]") for i, child in enumerate(node)])
        self.paths.append(path)
        return len(self.paths) - 1

    @property
    def real_shapes(self):
        """The shape of each leaf as rules see it: a complex leaf has twice as many columns, as in ``x.view(float)``."""
        return [_doubled(shape) if c else shape for shape, c in zip(self.shapes, self.complexes, strict=True)]

    def views(self, flat):
        """Return a tree of this structure whose leaves are views of `flat`."""
        return self.grow(self.parts(flat))

    def parts(self, flat):
        """Return the leaves of `views` as a list."""
        parts = [flat[lo:hi] for lo, hi in self.segments]
        if not self.real:
            both = zip(parts, self.complexes, strict=True)
            parts = [part.view(COMPLEXES[part.itemsize // 8]) if c else part for part, c in both]
        return [part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def grow(self, leaves):
        """Return a tree of this structure with these leaves."""
        return _grow(self.tree, leaves)

    def where(self, at):
        """Return the path to an entry of the flat buffer: ``"['w'][3, 2]"``; for complex leaves, also which part."""
        i = next(i for i, (lo, hi) in enumerate(self.segments) if lo <= at < hi)
        at, part = divmod(at - self.segments[i][0], 1 + self.complexes[i])
        index = ", ".join(map(str, np.unravel_index(at, self.shapes[i])))
        return self.paths[i] + f"[{index}]" * bool(index) + (".real", ".imag")[part] * self.complexes[i]

    def leaves(self, tree, name):
        """Return the leaves of a tree as they are; raise if its keys or lengths differ from those of this structure."""
        found = []
        _collect(self.tree, tree, name, found)
        return found

    def convert(self, i, leaf, name):
        """Return a leaf as an array of this dtype; raise if it does not have the shape of leaf `i`."""
        double = self.complexes[i]
        array, shape = real_array(leaf, name, double), self.shapes[i]
        if array.ndim == 0 and shape == (1,):  # a scalar x0 is passed to fun as one entry
            array = array.reshape(1)
        if array.shape == shape:
            with np.errstate(over="ignore"):  # a number too large for float32 becomes inf, which the drivers report
                return array.astype(self._kind(i), copy=False)
        hint = f"; .reshape({shape}) may be all it needs" if array.size == math.prod(shape) else ""
        raise ValueError(f"{name} has shape {array.shape}, but its parameter has shape {shape}{hint}.")

    def write(self, tree, flat, name):
        """Copy a tree of this structure into `flat`; all of it is checked before any of it is written."""
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
    """Copy a starting point into a new flat buffer.

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
        If a leaf is not an array of numbers.
    ValueError
        If the tree is empty, or has a masked entry, NaN or infinity.

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
        raise ValueError(f"{name} is empty: there is nothing to optimize.")
    flat = np.empty(structure.size, structure.dtype)
    structure.write(tree, flat, name)
    wrong = np.flatnonzero(~np.isfinite(flat))
    if wrong.size:
        at = int(wrong[0])
        raise ValueError(f"{name}{structure.where(at)} is {flat[at]}; start from finite numbers.")
    return structure, flat


def _is_typed(array, leaf):
    """Return whether a leaf has a floating-point dtype that the user chose, unlike Python's numbers and integers."""
    chosen = _part(array) == 4 or hasattr(leaf, "dtype") or not isinstance(leaf, (float, complex, list, tuple))
    return array.dtype.kind in "fc" and chosen


def _doubled(shape):
    *rows, columns = shape or (1,)
    return (*rows, 2 * columns)


def _part(array):
    """Return the bytes of a real number, or of each part of a complex number."""
    return array.dtype.itemsize // (1 + (array.dtype.kind == "c"))


def _is_array(node):
    """Return whether a node is one array: a list of numbers, or of lists of numbers, and not a list of arrays."""
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
