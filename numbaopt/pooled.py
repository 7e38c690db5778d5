"""Whether problems can be solved side by side, and what that takes: the compiled loop, and the memory of a thread."""

import functools
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import njit, types
from numba.extending import is_jitted

from numbaopt import pool, start
from numbaopt.addresses import shown
from numbaopt.coordinates import Coordinates
from numbaopt.cpu import load, only
from numbaopt.ending import finish
from numbaopt.loop import memory as kinds
from numbaopt.observe import BEST, BEST_G, BEST_X, LATEST, NFEV, NIT, NORM, PREVIOUS, G, X
from numbaopt.pool import STEP
from numbaopt.rule import Rule
from numbaopt.splice import marks, splice
from numbaopt.wrapper import STORE

LANES = 64  # bytes: as many numbers stand side by side as a wide vector register holds
CACHED = 2**17  # bytes of a pool, so that it stays near
MOST = 64  # coordinates; with more of them a problem fills vectors by itself


def swimmer(run, rows, args):
    """Return the compiled loop for problems side by side, or None where they are to be solved one after another.

    Parameters
    ----------
    run : Run
        Of a problem like them.
    rows : tuple of ndarray
        What each problem has of its own.
    args : tuple
        What all have.
    """
    rule, objective = run.rule, run.objective
    n, real = objective.x0.size, numba.from_dtype(objective.x0.dtype)
    alone = not isinstance(rule, Rule) or run.program is None or rule.valued or rule.tolerant or rule.joint
    own = any(isinstance(rule.hyper.get(name), Coordinates) for name in rule.slots_of)
    flat = len(objective.structure.shapes) == 1 and objective.structure.tree == 0 and len(objective.structure.shapes[0]) == 1
    floats = all(array.dtype in (np.float32, np.float64) for array in rows)
    jac = objective.jac
    known = jac is True or jac == "inplace" or (callable(jac) and is_jitted(jac))
    if alone or own or not flat or not floats or not known or not is_jitted(objective.fun) or n > MOST:
        return None
    if any(getattr(f, "targetoptions", {}).get("fastmath") for f in (objective.fun, jac)):
        return None  # each lane is to have the bits of a problem alone
    shapes = tuple((numba.from_dtype(array.dtype), array.shape[1:]) for array in rows)
    try:
        seen = numba.typeof(args)
        return _compiled(objective.fun, jac, run.program, marks(rule), rule, n, real, shapes, seen, run.limits is not None)
    except Exception:  # what has no type, or what Numba stumbles over on the way to saying so
        return None


@functools.lru_cache(64)
def _compiled(fun, jac, program, marked, rule, n, real, shapes, seen, bounded):
    from numbaopt.lanes import viewer

    width = LANES // real.bitwidth * 8
    parts = (pool._load, pool._judge, pool._end, pool._close_up, pool._swim)
    text = splice(parts, program, marked, "\n\n\n".join(["@jit\n" + start.emit(rule, bounded), *_texts(jac, shapes)]))
    names = {"W": width, "N": n, "view": viewer(width), "shown": shown, "fun_": _again(fun), "jac_": _again(jac)}
    swim = load.__wrapped__(text, "pool", cached=False, **names)
    f8, i8 = types.float64, types.int64
    block, s, h, record = kinds(np.dtype(real.name))
    data = types.Tuple([dtype[:, ::1] for dtype, _ in shapes])
    held = types.Tuple([dtype[::1] for dtype, _ in shapes])
    top = types.int32[::1] if real == types.float32 else i8[::1]
    lanes = [*[real[::1]] * 4, block, s, h, *[f8[::1]] * 4, *[i8[::1]] * 5, held, block, record, top]
    rest = (real[:, ::1], real[:, ::1], f8[:, ::1], i8[::1], i8)
    return only(swim, (real[:, ::1], real[:, :, ::1], f8[:, ::1], f8[::1], data, seen, types.NamedTuple(lanes, Pool), *rest))


def _again(fun):
    """Return a function of the user's to be compiled for lanes: what is made of it is not for his cache."""
    if not is_jitted(fun):
        return fun
    return njit(**{name: value for name, value in fun.targetoptions.items() if name != "nopython"})(fun.py_func)


def _texts(jac, shapes):
    """Return the texts of what is written for the problem at hand."""
    sizes = [int(np.prod(shape)) for _, shape in shapes]
    hold, shift, rows = [], [], []
    for k, ((_, shape), size) in enumerate(zip(shapes, sizes, strict=True)):
        hold += [f"for i in range({size}):", f"    held[{k}][(j // W) * {size} * W + j % W + i * W] = data[{k}][b, i]"]
        shift += [
            f"for i in range({size}):",
            f"    held[{k}][(j // W) * {size} * W + j % W + i * W] = "
            f"held[{k}][(last // W) * {size} * W + last % W + i * W]",
        ]
        row = f"view(held[{k}], a * {size} * W, {shape if len(shape) > 1 else size})"
        rows.append(f"shown({row})" if shape else f"{row}[0]")
    x, g, given = "shown(view(xs, a * N * W, N))", "view(gs, a * N * W, N)", "".join(f", {row}" for row in rows)
    if jac == "inplace":
        lines = [f"view(fs, a * W, 1)[0] = fun_({x}, {g}{given}, *args)"]
    else:
        both = f"fun_({x}{given}, *args)" if jac is True else f"fun_({x}{given}, *args), jac_({x}{given}, *args)"
        lines = [f"value, grad = {both}", f"g = {g}", *STORE, "view(fs, a * W, 1)[0] = value"]
    heads = {"hold(held, data, b, j)": hold, "shift(held, j, last)": shift, "evaluate(xs, gs, fs, a, held, args)": lines}
    return ["\n    ".join([f"@jit\ndef {head}:", *(body or ["pass"])]) for head, body in heads.items()]


class Pool(NamedTuple):
    """The memory of problems side by side; lanes lie together, groups one after another.

    Attributes
    ----------
    xs, gs, bx, bg : ndarray, shape (n * size,)
        Iterates, gradients, and both at the best points.
    box : ndarray, shape (2 or 0, n * size)
    s, h : ndarray
        Slots; numbers, which are the same for all.
    fs, best, before, norms, flags, alive, ids : ndarray, shape (size,)
        Values, the gradients' largest entries, why a problem ends, whether it goes on, which one it is.
    again : ndarray
        Problems to be done over.
    state : ndarray of int64
        See `numbaopt.pool`.
    held : tuple of ndarray
        What each problem has of its own.
    block, record, top
        Scratch.
    """

    xs: Any
    gs: Any
    bx: Any
    bg: Any
    box: Any
    s: Any
    h: Any
    fs: Any
    best: Any
    before: Any
    norms: Any
    flags: Any
    alive: Any
    ids: Any
    again: Any
    state: Any
    held: Any
    block: Any
    record: Any
    top: Any

    @classmethod
    def of(cls, run, rows, count):
        """Make a pool for as many problems, or for fewer if that is a lot of memory."""
        return cls(*_arrays(run, rows, count))

    def keep(self, j, verdict, template, ends):
        """Keep how far the problem in lane j had come when it was broken off."""
        n, width = self.block.shape[1], len(self.top)
        column = slice(j // width * n * width + j % width, (j // width + 1) * n * width, width)
        latest = template[LATEST] != 0
        for row, array in ((X, self.xs), (G, self.gs), (BEST_X, self.xs if latest else self.bx)):
            self.block[row] = array[column]
        self.block[BEST_G] = self.gs[column] if latest else self.bg[column]
        self.record[:] = template
        self.record[[BEST, PREVIOUS, NORM]] = self.fs[j] if latest else self.best[j], self.fs[j], self.norms[j]
        self.record[[NIT, NFEV]] = self.state[STEP], self.state[STEP] + 1
        finish(verdict, self.ids[j], self.block, self.h, self.record, ends.points, ends.slopes, ends.table)


def _arrays(run, rows, count):
    x = run.block[0]
    n, dtype, width = x.size, x.dtype, LANES // x.dtype.itemsize
    each = (4 + len(run.s) + 2 * (run.limits is not None)) * n * dtype.itemsize
    each += sum(array[0].nbytes for array in rows)
    groups = min(max(2, CACHED // (each * width), 1), 256 // width * 2, -(-count // width))
    size = groups * width
    flat = [_aligned(n * size, dtype) for _ in range(4)]
    box = np.zeros((0 if run.limits is None else 2, n * size), dtype)
    floats = [np.zeros(size) for _ in range(4)]
    whole = [np.zeros(size, np.int64) for _ in range(4)]
    held = tuple(_aligned(array[0].size * size, array.dtype) for array in rows)
    top = np.zeros(width, f"i{dtype.itemsize}")
    s = np.zeros((len(run.s), n * size), dtype)
    state = np.zeros(4, np.int64)
    return (*flat, box, s, run.h.copy(), *floats, *whole, state, held, run.block.copy(), run.record.copy(), top)


def _aligned(size, dtype):
    """Return zeros that begin where a vector does."""
    raw = np.zeros(size * dtype.itemsize + LANES, np.uint8)
    at = -raw.ctypes.data % LANES
    return raw[at : at + size * dtype.itemsize].view(dtype)
