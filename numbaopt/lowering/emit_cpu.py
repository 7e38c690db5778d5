"""Passes to the text of a CPU step, serial or parallel."""

from dataclasses import replace

from numbaopt.lowering import emit_matrix, layout, passes, runtime_text

BLOCK = 4096  # entries a thread takes at a time; fixed, so that sums do not depend on the number of threads


# Names that `step` itself uses.
TAKEN = {"t", "x", "g", "s", "h", "n", "T", "b", "lo", "hi", "blocks", "total", "in_order", "empty", "int64", "prange"}


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
        f"if g.size != n or s.shape != ({len(program.slots)}, n) or h.size != {layout.layout(program)[1]}:",
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
    return runtime_text.assemble(name, program, "numpy", out)


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
