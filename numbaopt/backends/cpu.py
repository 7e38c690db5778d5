"""Text to compiled CPU steps, serial and parallel; the only module that names JIT options and the cache."""

import functools
import hashlib
import linecache
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
from numba import njit, types
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.registry import cpu_target

from numbaopt.backends.cache_files import Files
from numbaopt.common.locking import forked, lock, once
from numbaopt.common.signals import held
from numbaopt.lowering import emit_matrix, passes

OPTIONS = {"nogil": True, "error_model": "numpy"}  # no fastmath: vector body, scalar tail, serial, parallel: same bits
PARALLEL_FROM = 50_000  # entries; below, waking a second thread costs more than it brings
BLOCK = 4096  # entries a thread takes at a time; fixed, so that sums do not depend on the number of threads
# Names that `step` itself uses.
TAKEN = {"t", "x", "g", "s", "h", "n", "T", "b", "lo", "hi", "blocks", "total", "in_order", "empty", "int64", "prange"}
# What a compiled step raises for arguments that are not its own: RuntimeError while it is compiled for another dtype.
REFUSED = (TypeError, ValueError, AttributeError, RuntimeError, numba.core.errors.NumbaError)


@functools.cache
def fingerprint():
    """Return a hash of this package's own modules: Numba looks only at the file of the function it compiles."""
    home = Path(__file__).parent
    files = sorted([*home.glob("*.py"), *home.glob("solvers/*.py"), *home.glob("lanes/*.py")])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _homeless():
    """Tell whether the user has no home: expanding ``~`` then gives a relative path of that name."""
    return not os.environ.get("XDG_CACHE_HOME") and os.path.expanduser("~").startswith("~")


class _Places(CompileResultCacheImpl):
    """Where Numba looks for a place to keep things, except in a home that there is not."""

    if _homeless():
        _locator_classes = [c for c in CompileResultCacheImpl._locator_classes if "UserWide" not in c.__name__]


class _Cache(FunctionCache):
    """Numba's cache, except that what cannot be read is compiled again and what cannot be written is let go."""

    _impl_class = _Places

    def __init__(self, function):
        super().__init__(function)
        self._cache_file = Files(self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp())

    def _index_key(self, sig, codegen):
        checked = bool(numba.config.BOUNDSCHECK)  # which Numba's own key leaves out
        return (*super()._index_key(sig, codegen), fingerprint(), checked)

    def load_overload(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a truncated or foreign pickle, or machine code, raises what it likes
            return None

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except OSError:
            pass


def uncached(function, **options):
    """Compile with the options shared by every kernel here, at the first call; for each process anew."""
    return njit(**(OPTIONS | options))(function)


def jit(function=None, *, cached=True, **options):
    """Compile as `uncached` does; kept on disk where that can be."""
    if function is None:
        return functools.partial(jit, cached=cached, **options)
    dispatcher = uncached(function, **options)
    if dispatcher is function:  # under NUMBA_DISABLE_JIT
        return np.errstate(all="ignore")(function)  # what is compiled does not warn
    if cached:
        try:
            dispatcher._cache = _Cache(function)
        except (RuntimeError, OSError):  # no writable place, or a file that is gone
            pass
    return dispatcher


def kept(dispatcher):
    """Tell whether what a dispatcher compiles is kept on disk."""
    return isinstance(getattr(dispatcher, "_cache", None), FunctionCache)


def emit(name, program, parallel=False, apart=False):
    """Return the text of a lowered rule's CPU step: readable Python that compiles as it stands.

    With ``apart`` a parallel one is ``step(t, x, x_, g, s, h)``: it leaves x as it is, and writes the new one to x_.
    """
    if program.matrix:
        return emit_matrix.emit(name, program)
    sweeps, given = passes.passes(program), "x"
    if apart:
        (new,) = _marked(("x",), program.kind).values()
        sweeps[-1], given = _elsewhere(sweeps[-1], new), f"x, {new}"
    lines = [
        "n = x.size",
        f"if g.size != n or s.shape != ({len(program.slots)}, n) or h.size != {passes.layout(program)[1]}:",
        f'    raise ValueError("{name}: x, g and the rows of s have one length, and s and h are made for this rule")',
        "T = x.dtype.type",
        "if t < 1 or T(0.5) == 0:",
        f'    raise ValueError("{name}: steps count from t = 1, and x is an array of floats")',
    ]
    out = []
    if parallel or not _alone(sweeps):
        for k, sweep in enumerate(sweeps):
            functions, calls = _called(k, sweep, program, parallel)
            out, lines = out + functions, lines + calls
        scalars, totals, stores = passes.carry(program)
        if stores:
            head = f"carry({', '.join(['t', 'n', 'h', *totals])})"
            out += ["@jit\n" + _function(head.replace(" n,", " size_,"), [*scalars, *stores])]
            lines += [head]
    else:
        lines += _spliced(sweeps, program, _marked(("s", "n", "T"), program.kind))
    out += ["\n".join(["@step", f"def step(t, {given}, g, s, h):", *(f"    {line}" for line in lines)]) + "\n"]
    return passes.assemble(name, program, "numpy", out)


def inline(program):
    """Return the step as lines to stand where ``step(t, x, g, s, h)`` stands; None when it takes several passes."""
    sweeps = passes.passes(program)
    if program.matrix or not _alone(sweeps):
        return None
    own = {name: f"{name}_" for name in program.kind if name not in ("x", "g")}
    return ["n, T, t_ = x.size, x.dtype.type, t", *_spliced(sweeps, program, own)]


def _elsewhere(sweep, new):
    """Return the last pass with the new x written to another array."""
    body = [f"{new}{line[1:]}" if line.startswith("x[i] = ") else line for line in sweep.body]
    return replace(sweep, body=body, arrays=[*sweep.arrays, new])


def _alone(sweeps):
    """Tell whether one pass without sums is all: it can stand in `step` itself."""
    return not sweeps or (len(sweeps) == 1 and not sweeps[0].sums)


def _marked(names, known):
    """Return {name: another name}, none of them among the known ones."""
    mark = "_"
    while any(name + mark in known for name in names):
        mark += "_"
    return {name: name + mark for name in names}


def _spliced(sweeps, program, own):
    """Return the only pass as lines of `step`: every call that hands an array on would count its references."""
    (sweep,) = sweeps or [passes.Pass([], [], [], [], [], [], {}, {})]  # none for a rule that changes no coordinate
    scalars, _ = passes.resolved(program, [*sweep.numbers, *sweep.tests, *program.carried.values()])
    lines = [passes.replace(line, own) for line in [*scalars, *passes.carry(program)[2]]]
    lines += [f"{c} = T({c})" for c in (own.get(c, c) for c in sweep.numbers)]
    rows = {slot: own.get(slot, slot) for slot in program.slots if slot in sweep.arrays}
    lines += [f"{row} = s[{program.slots.index(slot)}]" for slot, row in rows.items()]
    lines += ["at, real_ = 0, T"] * placed(sweep)
    lines += ["for i in range(n):", *(f"    {passes.replace(line, own)}" for line in sweep.body)] * bool(sweep.body)
    return lines or ["pass"]


def placed(sweep):
    """Tell whether a pass asks which coordinate it is at: the noise does."""
    return any("at + i" in line for line in [*sweep.body, *sweep.sums.values()])


def _function(head, lines):
    """Return the text of a function."""
    return "\n    ".join([f"def {head}:", *lines])


def _called(k, sweep, program, parallel):
    """Return pass ``k`` as functions, and the lines of `step` that call them: whole, or block by block."""
    entering = sweep.numbers + sweep.tests
    own = _marked(TAKEN, entering)
    named = {name: own.get(name, name) for name in entering}
    terms = [f"w_{z}" for z in sweep.sums]
    one = "," * (len(entering) == 1)
    out, lines, at = [], [], ["at"] * placed(sweep)
    if entering:
        head = f"scalars{k}({', '.join(['t', 'size_', 'h', *sweep.totals])})"
        out += ["@jit\n" + _function(head, [*sweep.scalars, f"return {', '.join(entering)}{one}"])]
        lines += [f"{', '.join(named.values())}{one} = {head.replace(' size_,', ' n,')}"]
    body = [f"real_ = {sweep.arrays[0]}.dtype.type"] * bool(at)
    body += [f"for i in range({sweep.arrays[0]}.size):", *(f"    {line}" for line in sweep.body)]
    body += [f"    w_{z}[i] = {term}" for z, term in sweep.sums.items()]
    out += ["@jit\n" + _function(f"sweep{k}({', '.join([*sweep.arrays, *terms, *entering, *at])})", body)]

    row = {name: f"s[{i}]" for i, name in enumerate(program.slots)}
    cast = [f"T({named[c]})" for c in sweep.numbers] + [named[c] for c in sweep.tests]
    if not sweep.sums and not parallel:
        zero = ["0"] * bool(at)
        return out, [*lines, f"sweep{k}({', '.join([*(row.get(a, a) for a in sweep.arrays), *cast, *zero])})"]
    summed = [z for z in sweep.sums if z not in sweep.whole]
    lines += [f"blocks = (n + {BLOCK - 1}) // {BLOCK}", *(f"parts_{z} = empty(blocks)" for z in summed)]
    lines += [f"all_{z} = empty(n, T)" for z in sweep.whole]
    lines += ["for b in prange(blocks):", f"    lo = int64(b) * {BLOCK}", f"    hi = min(lo + {BLOCK}, n)"]
    lines += [f"    w_{z} = empty(hi - lo, T)" for z in summed] + [f"    w_{z} = all_{z}[lo:hi]" for z in sweep.whole]
    views = [f"{row[a][:-1]}, lo:hi]" if a in row else f"{a}[lo:hi]" for a in sweep.arrays]
    lines += [f"    sweep{k}({', '.join([*views, *terms, *cast, *(['lo'] * bool(at))])})"]
    lines += [f"    parts_{z}[b] = total(w_{z})" for z in summed]
    lines += [f"{z} = {reducer}(all_{z})" for z, reducer in sweep.whole.items()]
    return out, lines + [f"{z} = in_order(parts_{z})" for z in summed]


def directory():
    """Return the directory where texts lie, beside which Numba puts what it made of them; None if there is none."""
    base = os.environ.get("NUMBA_CACHE_DIR")
    if not base:
        if _homeless():
            return None
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = Path(base) / "numbaopt"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return path if os.access(path, os.W_OK) else None


def _file(text, name):
    """Keep the text in a file named after its hash: Numba's cache is keyed by that file."""
    key = f"{name}_{hashlib.sha256(f'{numba.__version__}{text}'.encode()).hexdigest()[:16]}"
    folder = directory()
    if folder is not None:
        path = folder / f"{key}.py"
        try:
            if not path.exists() or path.read_bytes() != text.encode():
                handle, temporary = tempfile.mkstemp(dir=folder)
                try:
                    with os.fdopen(handle, "wb") as file:
                        file.write(text.encode())
                    os.replace(temporary, path)
                except OSError:  # no room
                    os.unlink(temporary)
                    raise
            return str(path), key
        except OSError:
            pass
    return f"<numbaopt {key}>", key


@once
def load(text, name, parallel=False, cached=True, **names):
    """Compile a text (lazily: at its first call or `signature`); return its function decorated with ``@step``.

    What is not ``cached`` may use further ``names``.
    """
    filename, key = _file(text, name)
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    made, module = [], ModuleType(f"numbaopt_{key}")
    sys.modules[module.__name__] = module  # where Numba looks for a function's globals when it comes from the cache
    vars(module).update(
        __file__=filename,
        jit=functools.partial(jit, cached=cached),
        step=lambda function: made.append(jit(function, parallel=parallel, cached=cached)),
        prange=numba.prange,
        **names,
    )
    exec(compile(text, filename, "exec"), vars(module))
    return made[0]


@functools.cache
def signature(dtype):
    """Return the types of ``step(t, x, g, s, h)``."""
    real = numba.from_dtype(dtype)
    return (types.int64, real[::1], real[::1], real[:, ::1], types.float64[::1])


def kernel(step, dtype, kinds=None):
    """Compile ``step`` for ``dtype`` now and for nothing else: what does not fit is a TypeError, not a compilation."""
    if not hasattr(step, "compile"):  # under NUMBA_DISABLE_JIT
        return step
    if dtype not in step.__dict__.setdefault("ready", set()):  # else there is nothing to wait for
        with lock:
            only(step, kinds or signature(dtype))
            step.ready.add(dtype)
    return step


def only(function, kinds):
    """Compile a jitted function for these types, and for no others at a later call."""
    with lock:
        with held():  # what is registered by halves stays so: after that nothing compiles any more
            cpu_target.typing_context.refresh()
            cpu_target.target_context.refresh()
        function.disable_compile(False)
        try:
            function.compile(kinds)
        finally:
            if function.signatures:
                function.disable_compile()
    return function


def parallel_pays(n):
    """Tell whether to step ``n`` entries on several threads: enough work, a thread-safe layer, not a forked child."""
    return n >= PARALLEL_FROM and not forked() and numba.get_num_threads() > 1 and threading_layer() in ("omp", "tbb")


@functools.cache
def threading_layer():
    """Return Numba's threading layer; under workqueue two threads entering at once would abort the process."""
    try:
        numba.np.ufunc.parallel._launch_threads()
        return numba.threading_layer()
    except (ValueError, ImportError):
        return "none"
