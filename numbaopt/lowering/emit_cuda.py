"""Passes to the text of CUDA kernels, and of the step that launches them."""

import ast
import functools

from numbaopt.lowering import emit_cpu, passes, runtime_text

SUMS = '''
@jit
def block_sum(z, w):
    """Return the sum of what the threads of a block bring, added up as a tree in w, which they share."""
    j, k = cuda.threadIdx.x, THREADS // 2
    w[j] = z
    cuda.syncthreads()
    while k:
        if j < k:
            w[j] += w[j + k]
        cuda.syncthreads()
        k >>= 1
    z = w[0]
    cuda.syncthreads()
    return z


@jit
def row_sum(row, w):
    """Return the sum of a row, in a grid of one block."""
    z = 0.0
    for b in range(cuda.threadIdx.x, row.size, THREADS):
        z += row[b]
    return block_sum(z, w)
'''


@functools.lru_cache(512)
def emit(name, program):
    """Return the text of a lowered rule's kernels, and of the step that launches them."""
    if program.matrix or any(sweep.whole for sweep in passes.passes(program)):
        return emit_cpu.emit(name, program)  # linear algebra and sorting stay on the host: see Hosted
    sweeps = passes.passes(program)
    there = bool(program.carried) and any(sweep.sums for sweep in sweeps)  # whether numbers are carried on there
    rows = {z: row for row, z in enumerate(z for sweep in sweeps for z in sweep.sums)}
    out, lines = [SUMS] * bool(rows), []
    for k, sweep in enumerate(sweeps):
        keys = [name for name in sweep.tests if program.kind[name] == "key"]
        entering = sweep.numbers + [name for name in sweep.tests if name not in keys]
        one = "," * (len(entering) == 1)
        names = ", ".join(entering) + one
        places = ", ".join(f"numbers_[{i}]" for i in range(len(entering))) + one
        scalars = f"scalars{k}({', '.join(['t', 'size_', 'h', *sweep.totals])})"
        held = [slot for slot in program.slots if slot in sweep.arrays]
        given = {a: a for a in sweep.arrays if a not in held}  # the kernel's parameters and their values
        given |= {"slots_": "s"} if held else {}
        given |= {"parts_": "on.parts"} if sweep.sums else {}
        if keys:  # 64 bits each, which no real number holds
            lines_of = [*passes.resolved(program, keys)[0], f"return {', '.join(keys)},"]
            out += [define("@jit", f"keys{k}(t, size_, h)", lines_of)]
            given[", ".join(keys)] = f"*map(uint64, keys{k}(t, x.size, h))"
        head = ["at = 0"] * emit_cpu.placed(sweep) + [f"{slot} = slots_[{program.slots.index(slot)}]" for slot in held]
        if entering:
            out += [define("@jit", scalars, [*sweep.scalars, f"return {names}"])]
        if sweep.totals or (there and entering):
            body = [*collected(sweep.totals, rows), f"{places} = {scalars}"]
            out += [define("@kernel", f"finish{k}(t, size_, h, parts_, numbers_)", body)]
            lines += [f"on.run(finish{k}, 1)(t, x.size, on.copy(h), on.parts, on.numbers)"]
            head += [f"{names} = {places}"]
            given["numbers_"] = "on.numbers"
        elif entering:
            given[", ".join(entering)] = f"*map(real, {scalars.replace(' size_,', ' x.size,')})"
        if sweep.sums:
            head += ["shared_ = cuda.shared.array(THREADS, real)", *(f"{z} = real(0)" for z in sweep.sums)]
        head += ["i = uint64(cuda.grid(1))", f"while i < uint64({sweep.arrays[0]}.size):"]
        stores = [line for line in sweep.body if line.partition("[i] = ")[0] in sweep.arrays]
        loop = [line for line in sweep.body if line not in stores]
        loop += [f"{z} += {term}" for z, term in sweep.sums.items()]  # before stores: nothing is read twice
        loop += [*stores, "i += uint64(cuda.gridsize(1))"]
        tail = [f"parts_[{rows[z]}, cuda.blockIdx.x] = block_sum({z}, shared_)" for z in sweep.sums]
        out += [define("@kernel", f"sweep{k}({', '.join(given)})", [*head, *(f"    {line}" for line in loop), *tail])]
        lines += [f"on.run(sweep{k}, on.{'chunks' if sweep.sums else 'blocks'})({', '.join(given.values())})"]
    scalars, totals, stores = passes.carry(program)
    if stores:
        carry = f"carry({', '.join(['t', 'size_', 'h', *totals])})"
        out += [define("@jit", carry, [*scalars, *stores])]
        if there:
            body = [*collected(totals, rows), "if cuda.threadIdx.x == 0:", f"    {carry}"]
            out += [define("@kernel", "carried(t, size_, h, parts_)", body)]
            lines += ["on.run(carried, 1)(t, x.size, on.copy(h), on.parts)"]
        else:
            lines += [carry.replace(" size_,", " x.size,")]
    return runtime_text.assemble(
        name, program, "math", [*out, define("", "step(t, x, g, s, h, on)", lines or ["pass"])]
    )


def collected(totals, rows):
    """Return the lines that add up what the blocks have left."""
    lines = ["shared_ = cuda.shared.array(THREADS, float64)"] * bool(totals)
    return lines + [f"{z} = row_sum(parts_[{rows[z]}], shared_)" for z in totals]


def define(decorator, head, lines):
    """Return the text of a function."""
    return f"{decorator}\ndef {head}:\n    ".lstrip() + "\n    ".join(lines)


class Exact(ast.NodeTransformer):
    """Products as calls of ``mul``, never contracted with a sum: Numba has no word for NVVM's ``-fma=0``."""

    def visit_BinOp(self, node):  # noqa: D102
        self.generic_visit(node)
        match node:
            case ast.BinOp(left=a, op=ast.Mult(), right=b):
                return ast.Call(ast.Name("mul", ast.Load()), [a, b], [])
            case ast.BinOp(left=a, op=ast.Pow() as op, right=ast.Constant(value=2 | 3 | 4 as n)):
                p, q = (a if k == 1 else ast.BinOp(a, op, ast.Constant(k)) for k in (n // 2, n - n // 2))
                return self.visit(ast.BinOp(p, ast.Mult(), q))  # grouped as Numba does on the CPU
        return node
