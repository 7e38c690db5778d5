"""Compiled runs of so many coordinates that copying takes time: points stay where they were evaluated.

A step reads one row of memory and writes another, so the best point and its gradient are not copied: their rows are not
overwritten, and rows change their roles. Between two calls into compiled code every row is where `Run` expects it.
"""

import functools

import numba
import numpy as np
from numba import types

from numbaopt.backends import cpu
from numbaopt.common.signals import interrupts_deferred
from numbaopt.drivers.stopping import BEST_G, BEST_X, G, X
from numbaopt.lowering import emit_cpu

# Roles: the point, the best one, the row that the next step writes; the gradient, that of the best point.
POINT, BEST_POINT, NEXT, SLOPE, BEST_SLOPE = range(5)
FIRST = 0, 1, 2, 0, 1  # the row of each, where `Run` expects it


def suits(run):
    """Return whether a run's compiled steps should write to another row: plain steps, done by several threads."""
    if run.iterations is not None or run.limits is not None or run.skips_nonfinite or len(run.leaves) > 1:
        return False
    rule, end = run.rule, run.rule.program.end
    moves = end.get("x", "x") != "x" and "g" not in end  # it writes a new x, and leaves g alone
    return moves and rule.shape is None and not rule.needs_value and cpu.parallel_pays(run.block.shape[1])


class DoubleBuffer:
    """Which row is what, of a `Run` that `suits`.

    Attributes
    ----------
    given : tuple
        What a driver takes for it: another row for a point; ``place``, the number of the row for each role; ``kept``,
        whether the latest point is the best one, and below it a 1, which `keep_if` copies there in place of the point.
    type : numba type
        Of that.
    step : numba dispatcher
        ``step(t, x, to, g, s, h)``.
    signature : tuple of numba types
        Of what it takes.
    """

    def __init__(self, run):
        block, real = run.block, numba.from_dtype(run.block.dtype)
        self._points = block[X], block[BEST_X], np.empty_like(block[X])
        self._slopes = block[G], block[BEST_G]
        self._place, self._kept = np.array(FIRST), np.array([[0], [1]], block.dtype)
        self.given = self._points[2], self._place, self._kept
        self.type = types.Tuple((real[::1], types.int64[::1], real[:, ::1]))
        t, x, *rest = cpu.signature(block.dtype)
        self.signature = t, x, x, *rest
        self.step = cpu.kernel(_step(run.rule.name, run.rule.program), block.dtype, kinds=self.signature)

    def settle(self):
        """Move every row to the place where `Run` expects it."""
        best, slope = (POINT, SLOPE) if self._kept[0, 0] else (BEST_POINT, BEST_SLOPE)
        with interrupts_deferred():  # done by halves, and then once more, it would lose a row
            for rows, parts in ((self._points, [POINT, best]), (self._slopes, [SLOPE, slope])):
                moves = [(to, at) for to, at in enumerate(self._place[parts]) if to != at]
                lost = [to for to, _ in moves]
                for to, row in [(to, rows[at].copy() if at in lost else rows[at]) for to, at in moves]:
                    rows[to][:] = row
            self._place[:], self._kept[0] = FIRST, 0


@functools.lru_cache(64)
def _step(name, program):
    return cpu.load(emit_cpu.emit(name, program, parallel=True, apart=True), name, True)


@cpu.jit
def turn(place, kept):
    """Change roles after a step: the row that it wrote is the point; the one that it read is kept if it is the best."""
    if kept[0, 0] == 0:
        place[POINT], place[NEXT] = place[NEXT], place[POINT]
        return
    place[POINT], place[BEST_POINT], place[NEXT] = place[NEXT], place[POINT], place[BEST_POINT]
    place[SLOPE], place[BEST_SLOPE] = place[BEST_SLOPE], place[SLOPE]
    kept[0, 0] = 0
