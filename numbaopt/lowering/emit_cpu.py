"""Writing passes as the text of a CPU step, serial or parallel."""

from dataclasses import replace

from numbaopt.lowering import emit_matrix, runtime_text, writing
from numbaopt.lowering.grammar import Store
from numbaopt.lowering.layout import layout
from numbaopt.lowering.passes import Pass, carry, passes, scalars

BLOCK = 4096  # entries in a block, computed by one thread; fixed, so that sums do not depend on the number of threads


# Names that `step` itself uses.
TAKEN = {"t", "x", "g", "s", "h", "n", "T", "b", "lo", "hi", "blocks", "total", "in_order", "empty", "int64", "prange"}


def emit(name, program, parallel=False, apart=False):
    """Return the text of a lowered rule's CPU step: readable Python that compiles as it stands.

    With ``apart``, a parallel step is ``step(t, x, x_, g, s, h)``, which leaves x unchanged and writes the new x to x_.
    """
    if program.matrix:
        return emit_matrix.emit(name, program)
    sweeps, parameters = passes(program), "x"
    if apart:
        (new,) = _marked(("x",), program.kind).values()
        sweeps[-1], parameters = _elsewhere(sweeps[-1], new), f"x, {new}"
    lines = [
        "n = x.size",
        f"if g.size != n or s.shape != ({len(program.slots)}, n) or h.size != {layout(program).size}:",
        f'    raise ValueError("{name}: x, g and rows of s must have the same length; s and h must come from it")',
        "T = x.dtype.type",
        "if t < 1 or T(0.5) == 0:",
        f'    raise ValueError("{name}: t must be at least 1, and x an array of floats")',
    ]
    functions, called = [], runtime_text.calls(program, sweeps)
    if parallel or not _alone(sweeps):
        for k, sweep in enumerate(sweeps):
            made, calls = _functions(k, sweep, program), _calls(k, sweep, program, parallel)
            functions, lines = functions + made, lines + calls
            called |= _called(sweep, parallel)
        numbers, stores = carry(program)
        if stores:
            head = f"carry({', '.join(['t', '{size}', 'h', *numbers.totals])})"
            body = writing.scalars(layout(program), numbers) + writing.carried(layout(program), stores)
            functions += [writing.function(head.format(size="size_"), body, "@jit")]
            lines += [head.format(size="n")]
    else:
        lines += _inlined(sweeps, program, _marked(("s", "n", "T"), program.kind))
    functions += [writing.function(f"step(t, {parameters}, g, s, h)", lines, "@step")]
    return runtime_text.assemble(name, program, "numpy", functions, called=called)


def inline(program):
    """Return the step as lines that replace a call ``step(t, x, g, s, h)``; None if it takes several passes."""
    sweeps = passes(program)
    if program.matrix or not _alone(sweeps):
        return None
    own = {name: f"{name}_" for name in program.kind if name not in ("x", "g")}
    return ["n, T, t_ = x.size, x.dtype.type, t", *_inlined(sweeps, program, own)]


def _elsewhere(sweep, new):
    """Return the last pass with the new x written to another array."""
    stores = [Store(new, store.value) if store.array == "x" else store for store in sweep.stores]
    return replace(sweep, stores=stores, arrays=[*sweep.arrays, new])


def _alone(sweeps):
    """Return whether there is at most one pass and no sum, so that the pass can be part of `step` itself."""
    return not sweeps or (len(sweeps) == 1 and not sweeps[0].sums)


def _marked(names, known):
    """Return {name: new name}, where no new name is among the known ones."""
    mark = "_"
    while any(name + mark in known for name in names):
        mark += "_"
    return {name: name + mark for name in names}


def _inlined(sweeps, program, own):
    """Return the only pass as lines of `step`, because a call would count references to every array that is passed.

    ``own`` maps some of the program's names to the names that are used instead.
    """
    (sweep,) = sweeps or [Pass()]  # none for a rule that changes no coordinate
    numbers = scalars(program, [*sweep.numbers, *sweep.tests, *program.carried.values()])
    lines = writing.scalars(layout(program), numbers, own)
    lines += writing.carried(layout(program), carry(program)[1], own)
    lines += [f"{c} = T({c})" for c in (own.get(c, c) for c in sweep.numbers)]
    rows = {slot: own.get(slot, slot) for slot in program.slots if slot in sweep.arrays}
    lines += [f"{row} = s[{program.slots.index(slot)}]" for slot, row in rows.items()]
    lines += ["at, real_ = 0, T"] * sweep.uses_place
    body = writing.statements([*sweep.body, *sweep.stores], own)
    lines += ["for i in range(n):", *writing.indented(body)] * bool(body)
    return lines or ["pass"]


def _functions(k, sweep, program):
    """Return pass ``k`` as functions: one for its numbers, one for its loop."""
    entering, functions = sweep.numbers + sweep.tests, []
    one = "," * (len(entering) == 1)
    if entering:
        head = f"scalars{k}({', '.join(['t', 'size_', 'h', *sweep.scalars.totals])})"
        lines = [*writing.scalars(layout(program), sweep.scalars), f"return {', '.join(entering)}{one}"]
        functions += [writing.function(head, lines, "@jit")]
    body = writing.statements([*sweep.body, *sweep.stores])
    body += [f"w_{z}[i] = {writing.expression(term)}" for z, term in sweep.sums.items()]
    lines = [f"real_ = {sweep.arrays[0]}.dtype.type"] * sweep.uses_place
    lines += [f"for i in range({sweep.arrays[0]}.size):", *writing.indented(body)]
    parameters = [*sweep.arrays, *(f"w_{z}" for z in sweep.sums), *entering, *["at"] * sweep.uses_place]
    return [*functions, writing.function(f"sweep{k}({', '.join(parameters)})", lines, "@jit")]


def _calls(k, sweep, program, parallel):
    """Return the lines of `step` that call the functions of pass ``k``: for all entries, or block by block."""
    entering, lines = sweep.numbers + sweep.tests, []
    own = _marked(TAKEN, entering)
    named = {name: own.get(name, name) for name in entering}
    if entering:
        arguments = ", ".join(["t", "n", "h", *sweep.scalars.totals])
        lines += [f"{', '.join(named.values())}{',' * (len(entering) == 1)} = scalars{k}({arguments})"]
    row = {name: str(i) for i, name in enumerate(program.slots)}
    cast = [f"T({named[c]})" for c in sweep.numbers] + [named[c] for c in sweep.tests]
    if not _in_blocks(sweep, parallel):
        arrays = [f"s[{row[a]}]" if a in row else a for a in sweep.arrays]
        return [*lines, f"sweep{k}({', '.join([*arrays, *cast, *['0'] * sweep.uses_place])})"]
    summed = [z for z in sweep.sums if z not in sweep.whole]
    lines += [f"blocks = (n + {BLOCK - 1}) // {BLOCK}", *(f"parts_{z} = empty(blocks)" for z in summed)]
    lines += [f"all_{z} = empty(n, T)" for z in sweep.whole]
    lines += ["for b in prange(blocks):", f"    lo = int64(b) * {BLOCK}", f"    hi = min(lo + {BLOCK}, n)"]
    lines += [f"    w_{z} = empty(hi - lo, T)" for z in summed] + [f"    w_{z} = all_{z}[lo:hi]" for z in sweep.whole]
    views = [f"s[{row[a]}, lo:hi]" if a in row else f"{a}[lo:hi]" for a in sweep.arrays]
    terms = [f"w_{z}" for z in sweep.sums]
    lines += [f"    sweep{k}({', '.join([*views, *terms, *cast, *['lo'] * sweep.uses_place])})"]
    lines += [f"    parts_{z}[b] = total(w_{z})" for z in summed]
    lines += [f"{z} = {reducer}(all_{z})" for z, reducer in sweep.whole.items()]
    return lines + [f"{z} = in_order(parts_{z})" for z in summed]


def _in_blocks(sweep, parallel):
    return parallel or bool(sweep.sums)


def _called(sweep, parallel):
    """Return the names of the functions that the lines of `_calls` call."""
    called = {"min", "int64"} if _in_blocks(sweep, parallel) else set()
    called |= {"empty"} if sweep.sums else set()
    called |= {"total", "in_order"} if sweep.sums.keys() - sweep.whole.keys() else set()
    return called.union(sweep.whole.values())
