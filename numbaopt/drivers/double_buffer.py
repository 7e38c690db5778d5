"""Double buffering, for compiled runs of so many coordinates that copying a point takes considerable time.

A step reads one row of memory and writes another. The best point and its gradient are therefore not copied; instead,
rows change their roles, and those of the best point are not overwritten. Between two calls of compiled code, every row
is where `Run` expects it.
"""

import functools

import numba
import numpy as np
from numba import types

from numbaopt.backends import cpu
from numbaopt.common.signals import interrupts_deferred
from numbaopt.drivers.stopping import BEST_G, BEST_X, G, X
from numbaopt.lowering import emit_cpu

# Roles of rows: the point, the best point, and the row that the next step writes; the gradients at the first two.
POINT, BEST_POINT, NEXT, SLOPE, BEST_SLOPE = range(5)
EXPECTED = 0, 1, 2, 0, 1  # the row in which `Run` expects each of them


def suits(run):
    """Return whether the compiled steps of a run should write to another row: simple steps on several threads."""
    if run.iterations is not None or run.limits is not None or run.skips_nonfinite or len(run.leaves) > 1:
        return False
    rule, end = run.rule, run.rule.program.end
    writes_only_x = end.get("x", "x") != "x" and "g" not in end
    return writes_only_x and rule.shape is None and not rule.needs_value and cpu.parallel_pays(run.block.shape[1])


class DoubleBuffer:
    """The rows of a `Run` for which `suits` is true, and their roles.

    Attributes
    ----------
    arrays : tuple
        The argument ``buffer`` of a driver: a further row for points; ``row_of``, the number of the row of each role;
        and ``is_best``, shape (2, 1), whose first entry says whether the latest point is the best one, and whose second
        entry is a 1, which `keep_if` copies to the first in place of the point.
    type : numba type
        The type of ``arrays``.
    step : numba dispatcher
        ``step(t, x, to, g, s, h)``.
    signature : tuple of numba types
        The types of the arguments of ``step``.
    """

    def __init__(self, run):
        block, real = run.block, numba.from_dtype(run.block.dtype)
        self._points = block[X], block[BEST_X], np.empty_like(block[X])
        self._slopes = block[G], block[BEST_G]
        self._row_of, self._is_best = np.array(EXPECTED), np.array([[0], [1]], block.dtype)
        self.arrays = self._points[2], self._row_of, self._is_best
        self.type = types.Tuple((real[::1], types.int64[::1], real[:, ::1]))
        t, x, *others = cpu.signature(block.dtype)
        self.signature = t, x, x, *others
        self.step = cpu.kernel(_step(run.rule.name, run.rule.program), block.dtype, kinds=self.signature)

    def restore_rows(self):
        """Move every row to the position at which `Run` expects it."""
        best, slope = (POINT, SLOPE) if self._is_best[0, 0] else (BEST_POINT, BEST_SLOPE)
        with interrupts_deferred():  # if this were interrupted halfway and repeated, a row would be lost
            for rows, roles in ((self._points, [POINT, best]), (self._slopes, [SLOPE, slope])):
                moves = [(target, source) for target, source in enumerate(self._row_of[roles]) if target != source]
                overwritten = [target for target, _ in moves]
                copies = [rows[source].copy() if source in overwritten else rows[source] for _, source in moves]
                for target, row in zip(overwritten, copies, strict=True):
                    rows[target][:] = row
            self._row_of[:], self._is_best[0] = EXPECTED, 0


@functools.lru_cache(64)
def _step(name, program):
    return cpu.load(emit_cpu.emit(name, program, parallel=True, apart=True), name, True)


@cpu.jit
def change_roles(row_of, is_best):
    """Change roles after a step: the row that it wrote is the point, and the one that it read remains if it is best."""
    if is_best[0, 0] == 0:
        row_of[POINT], row_of[NEXT] = row_of[NEXT], row_of[POINT]
        return
    row_of[POINT], row_of[BEST_POINT], row_of[NEXT] = row_of[NEXT], row_of[POINT], row_of[BEST_POINT]
    row_of[SLOPE], row_of[BEST_SLOPE] = row_of[BEST_SLOPE], row_of[SLOPE]
    is_best[0, 0] = 0
