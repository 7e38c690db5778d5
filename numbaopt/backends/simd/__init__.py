"""Lanes: a Numba type of several numbers side by side, one for each of several problems.

A scalar objective compiled for arrays of lanes evaluates several problems at once. If it compiles, each lane has the
bits that the scalar function gives, compiled with the same options and without fastmath. A condition that may differ
between lanes (``if x[0] > 0``) has no type, and compiling fails. The lanes of one coordinate are adjacent in memory: n
coordinates have shape (n, width).

Side effects, which types do not show, happen once for all lanes: a random draw, a print, a counter in an argument.
"""

from numbaopt.backends.simd import arithmetic  # noqa: F401
from numbaopt.backends.simd.arrays import LaneArray, view, viewer
from numbaopt.backends.simd.kinds import Lanes, all_, any_, broadcast, lane, select

__all__ = ["LaneArray", "Lanes", "all_", "any_", "broadcast", "lane", "select", "view", "viewer"]
