"""The conditions for solving problems in SIMD lanes, the compiled loop for it, and the memory of a thread."""

import re
import warnings
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import njit, types
from numba.extending import is_jitted

from numbaopt.backends.cpu import load, only
from numbaopt.backends.lane_errors import no_lanes
from numbaopt.backends.pointers import shown as readonly
from numbaopt.common.locking import once
from numbaopt.common.per_coordinate import PerCoordinate
from numbaopt.drivers.assemble import assemble
from numbaopt.drivers.compiled_loop import array_types
from numbaopt.drivers.flags import flags_of
from numbaopt.drivers.stopping import BEST_G, BEST_X, NFEV, NIT, SIZE, G, X, projected
from numbaopt.drivers.termination import finish
from numbaopt.lowering import emit_init
from numbaopt.many import simd_loop
from numbaopt.many.simd_loop import STEP
from numbaopt.objectives.compiled import STORE

LANES = 64  # bytes of a group of lanes, which is the size of a wide vector register
CACHED = 2**16  # bytes of a pool, approximately, so that it remains in a fast cache
LARGEST = 512  # problems in a pool, at most
MAX_COORDINATES = 64  # a problem with more coordinates can use vector instructions by itself


def simd_driver(run, rows, args):
    """Return the compiled loop for problems in SIMD lanes, or None if they must be solved one after another.

    The caller has to ensure that inlining does not change the results of the objective.

    Parameters
    ----------
    run : Run
        The run of one such problem.
    rows : tuple of ndarray
        The data that differ from problem to problem.
    args : tuple
        The arguments that all problems share.
    """
    rule, objective, jac = run.rule, run.objective, run.objective.jac
    if (
        run.program is None
        or rule.needs_value
        or rule.handles_nonfinite
        or rule.needs_global_sum
        or objective.x0.size > MAX_COORDINATES
    ):
        return None  # the steps of the problems may differ, or a problem can use vector instructions by itself
    if any(isinstance(rule.hyper.get(name), PerCoordinate) for name in rule.slots_of):
        return None
    structure, functions = objective.structure, [objective.fun, *([jac] if callable(jac) else [])]
    if structure.tree != 0 or len(structure.shapes[0]) != 1 or not objective.analytic:
        return None
    if not all(map(is_jitted, functions)) or any(array.dtype not in (np.float32, np.float64) for array in rows):
        return None
    shapes = tuple((numba.from_dtype(array.dtype), array.shape[1:]) for array in rows)
    kind = numba.from_dtype(objective.x0.dtype), objective.x0.size, shapes, numba.typeof(args)
    return _compiled(objective.fun, jac, rule, run.limits is not None, kind)


@once(most=64)
def _compiled(*arguments):
    """Compile the loop, once; a failure takes as long, so it is also remembered."""
    try:
        return _compile(*arguments)
    except Exception as error:
        if not no_lanes(error):  # an error other than an operation that lanes lack is a bug, which costs only speed
            text = f"numbaopt could not use SIMD instructions and solves the problems one after another: {error!r}"
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        return None


def _compile(fun, jac, rule, bounded, kind):
    from numbaopt.backends.simd import any_, select, viewer

    real, n, shapes, args_type = kind
    width = LANES // real.bitwidth * 8
    parts = simd_loop.put, simd_loop.load, simd_loop.unload, simd_loop.end, simd_loop.close_up, simd_loop.run_simd
    *functions, evaluation = _texts(jac, shapes)
    helpers = "\n\n\n".join(["@jit\n" + emit_init.emit(rule, bounded), *functions])
    inlined = simd_loop.largest_entry, simd_loop.largest_projected, simd_loop.keep_if, projected, evaluation
    names = {"W": width, "N": n, "view": viewer(width), "readonly": readonly, "any_": any_, "select": select}
    names |= {"fun_": _for_lanes(fun), "jac_": _for_lanes(jac)}
    text = assemble(parts, rule.program, flags_of(rule), helpers, inlined=inlined, provided=tuple(names))
    driver = load.__wrapped__(text, "simd", cached=False, **names)
    f8, i8 = types.float64, types.int64
    block, s, h, record = array_types(np.dtype(real.name))
    data = types.Tuple([dtype[:, ::1] for dtype, _ in shapes])
    held = types.Tuple([dtype[::1] for dtype, _ in shapes])
    flat = real[::1]
    pool = [flat, flat, flat, f8[::1], block, s, h, *[f8[::1]] * 3, *[i8[::1]] * 3, held, block, record]
    problems = real[:, ::1], real[:, :, ::1], f8[:, ::1], f8[::1], data, args_type, types.NamedTuple(pool, Pool)
    return only(driver, (*problems, real[:, ::1], real[:, ::1], f8[:, ::1], i8[::1], i8))


def _for_lanes(fun):
    """Return a copy of the user's function to compile for lanes, without the option to cache its machine code."""
    if not is_jitted(fun):
        return fun
    options = {name: value for name, value in fun.targetoptions.items() if name != "nopython"}
    return njit(**options | {"forceinline": True})(fun.py_func)


def _texts(jac, shapes):
    """Return the texts of the functions that depend on the form of the objective and the shapes of the data."""
    sizes = [int(np.prod(shape)) for _, shape in shapes]
    store, move, rows = [], [], []
    for k, ((_, shape), size) in enumerate(zip(shapes, sizes, strict=True)):
        store += [f"for i in range({size}):", f"    held[{k}][(j // W) * {size} * W + j % W + i * W] = data[{k}][b, i]"]
        move += [
            f"for i in range({size}):",
            f"    held[{k}][(j // W) * {size} * W + j % W + i * W] = "
            f"held[{k}][(last // W) * {size} * W + last % W + i * W]",
        ]
        row = f"view(held[{k}], a * {size} * W, {shape if len(shape) > 1 else size})"
        rows.append(f"readonly({row})" if shape else f"{row}[0]")
    arguments = "".join(f", {row}" for row in rows)
    if jac == "inplace":
        lines = [f"value[0] = fun_(point, grad{arguments}, *args)"]
    else:
        call = f"(point{arguments}, *args)"
        both = f"fun_{call}" if jac is True else f"fun_{call}, jac_{call}"
        store_gradient = [re.sub(r"\bgrad\b", "returned", line) for line in STORE]
        store_gradient = [re.sub(r"\bg\b", "grad", line) for line in store_gradient]
        lines = [f"value[0], returned = {both}", *store_gradient]
    heads = {"store_data(held, data, b, j)": store, "move_data(held, j, last)": move}
    texts = ["\n    ".join([f"@jit\ndef {head}:", *(body or ["pass"])]) for head, body in heads.items()]
    return *texts, "\n    ".join(["def evaluate(point, grad, value, held, args, a):", *lines])


class Pool(NamedTuple):
    """The memory of the problems of a thread; the lanes of a group are adjacent, and groups follow one another.

    Attributes
    ----------
    xs, gs : ndarray, shape (n * size,)
        Iterates and gradients.
    bests : ndarray, shape (2 * n * size,)
        The best points and the gradients there, group by group.
    records : ndarray, shape (SIZE * size,)
    box : ndarray, shape (2 or 0, n * size)
    s, h : ndarray
        Slots; numbers, which all problems share.
    fs, flags, alive, ids : ndarray, shape (size,)
        The value, the reason to stop, whether the problem is still being solved, and the number of the problem.
    redo : ndarray
        The numbers of problems that must be solved again, separately.
    state : ndarray of int64
        See `numbaopt.many.simd_loop`.
    held : tuple of ndarray
        The data of each problem.
    block, record
        Workspace for one problem, in the layout of a separate run.
    """

    xs: Any
    gs: Any
    bests: Any
    records: Any
    box: Any
    s: Any
    h: Any
    fs: Any
    flags: Any
    alive: Any
    ids: Any
    redo: Any
    state: Any
    held: Any
    block: Any
    record: Any

    @classmethod
    def of(cls, run, rows, count):
        """Allocate a pool for this many problems, or for fewer if it would take too much memory."""
        return cls(*_arrays(run, rows, count))

    def store(self, j, stop, results):
        """Store the result so far of the problem in lane j, which was interrupted."""
        width, n = LANES // self.xs.itemsize, self.block.shape[1]
        group, lane = divmod(j, width)
        arrays = (self.xs, n), (self.gs, n), (self.bests, 2 * n), (self.records, SIZE)
        x, g, best, record = (flat.reshape(-1, rows, width)[group, :, lane] for flat, rows in arrays)
        self.block[X], self.block[G], self.block[BEST_X : BEST_G + 1], self.record[:] = x, g, best.reshape(2, n), record
        self.record[[NIT, NFEV]] = self.state[STEP], self.state[STEP] + 1
        finish(stop, self.ids[j], self.block, self.h, self.record, results.points, results.slopes, results.table)


def _arrays(run, rows, count):
    x = run.block[0]
    n, dtype, width = x.size, x.dtype, LANES // x.dtype.itemsize
    each = (4 + len(run.s) + 2 * (run.limits is not None)) * n * dtype.itemsize
    each += 8 * (SIZE + 4) + sum(array[0].nbytes for array in rows)
    groups = min(max(2, CACHED // (each * width)), LARGEST // width, -(-count // width))
    size = groups * width
    flat = [*(_aligned(k * size, dtype) for k in (n, n, 2 * n)), _aligned(SIZE * size, np.dtype(float))]
    box = np.zeros((0 if run.limits is None else 2, n * size), dtype)
    floats = [np.zeros(size) for _ in range(3)]
    whole = [np.zeros(size, np.int64) for _ in range(2)]
    held = tuple(_aligned(array[0].size * size, array.dtype) for array in rows)
    s = np.zeros((len(run.s), n * size), dtype)
    state = np.zeros(4, np.int64)
    return (*flat, box, s, run.h.copy(), *floats, *whole, state, held, run.block.copy(), run.record.copy())


def _aligned(size, dtype):
    """Return zeros that are aligned like a vector register."""
    raw = np.zeros(size * dtype.itemsize + LANES, np.uint8)
    start = -raw.ctypes.data % LANES
    return raw[start : start + size * dtype.itemsize].view(dtype)
