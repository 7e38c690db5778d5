"""Lanes: numbers side by side, one for each of several problems, as one number of a Numba type.

A scalar objective compiled for arrays of lanes evaluates several problems at once. What types gives in each lane
the bits that the scalar function gives, compiled with the same options and without fastmath; a question whose
answer may differ between lanes (``if x[0] > 0``) has no type, and the compiler says so. Memory holds the lanes of
one coordinate side by side: n coordinates have shape (n, width).

What no type can see counts for all lanes at once, not for each: a random draw, a print, a counter in an argument.
"""

from numbaopt.backends.simd import arithmetic  # noqa: F401
from numbaopt.backends.simd.arrays import LaneArray, view, viewer
from numbaopt.backends.simd.kinds import Lanes, all_, any_, broadcast, lane, select

__all__ = ["LaneArray", "Lanes", "all_", "any_", "broadcast", "lane", "select", "view", "viewer"]
