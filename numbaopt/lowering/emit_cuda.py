"""Writing passes as the text of CUDA kernels, and of the step that launches them."""

import ast
import functools

from numbaopt.lowering import emit_cpu, passes, runtime_text, writing
from numbaopt.lowering.layout import layout

SUMS = '''
@jit
def block_sum(z, w):
    """Return the sum of one number of each thread of a block, added up as a tree in w, which the threads share."""
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
    sweeps = passes.passes(program)
    if program.matrix or any(sweep.whole for sweep in sweeps):
        return emit_cpu.emit(name, program)  # linear algebra and sorting stay on the host: see Hosted
    on_device = bool(program.carried) and any(sweep.sums for sweep in sweeps)  # whether it computes carried numbers
    rows = {z: row for row, z in enumerate(z for sweep in sweeps for z in sweep.sums)}
    functions, lines = [SUMS] * bool(rows), []
    for k, sweep in enumerate(sweeps):
        part = _Launch(k, sweep, program)
        part.pass_keys()
        part.pass_numbers(rows, on_device)
        part.loop(rows)
        functions, lines = functions + part.functions, lines + part.lines
    made, calls = _carry(program, rows, on_device)
    functions += [*made, writing.function("step(t, x, g, s, h, on)", lines + calls)]
    return runtime_text.assemble(name, program, "math", functions, called=runtime_text.calls(program, sweeps))


class _Launch:
    """The text of one pass: its functions and kernels, and the lines of `step` that launch them."""

    def __init__(self, k, sweep, program):
        self.k, self.sweep, self.program = k, sweep, program
        self.functions, self.lines = [], []
        slots = [slot for slot in program.slots if slot in sweep.arrays]
        self.arguments = {a: a for a in sweep.arrays if a not in slots}  # the kernel's parameters and their values
        self.arguments |= {"slots_": "s"} if slots else {}
        self.arguments |= {"parts_": "on.parts"} if sweep.sums else {}
        self.head = ["at = 0"] * sweep.uses_place
        self.head += [f"{slot} = slots_[{program.slots.index(slot)}]" for slot in slots]

    def pass_keys(self):
        """Compute the keys of noise on the host: they have 64 bits, more than fit in a real number."""
        keys = [name for name in self.sweep.tests if self.program.kind[name] == "key"]
        if keys:
            lines = writing.scalars(layout(self.program), passes.scalars(self.program, keys))
            lines += [f"return {', '.join(keys)},"]
            self.functions += [writing.function(f"keys{self.k}(t, size_, h)", lines, "@jit")]
            self.arguments[", ".join(keys)] = f"*map(uint64, keys{self.k}(t, x.size, h))"

    def pass_numbers(self, rows, on_device):
        """Compute the other numbers on the host, or on the device if what they depend on is there."""
        k, sweep = self.k, self.sweep
        entering = sweep.numbers + [name for name in sweep.tests if self.program.kind[name] != "key"]
        if not entering and not sweep.scalars.totals:
            return
        one = "," * (len(entering) == 1)
        names = ", ".join(entering) + one
        places = ", ".join(f"numbers_[{i}]" for i in range(len(entering))) + one
        call = f"scalars{k}({', '.join(['t', '{size}', 'h', *sweep.scalars.totals])})"
        lines = [*writing.scalars(layout(self.program), sweep.scalars), f"return {names}"]
        self.functions += [writing.function(call.format(size="size_"), lines, "@jit")]
        if sweep.scalars.totals or on_device:
            body = [*_collected(sweep.scalars.totals, rows), f"{places} = {call.format(size='size_')}"]
            self.functions += [writing.function(f"finish{k}(t, size_, h, parts_, numbers_)", body, "@kernel")]
            self.lines += [f"on.run(finish{k}, 1)(t, x.size, on.copy(h), on.parts, on.numbers)"]
            self.head += [f"{names} = {places}"]
            self.arguments["numbers_"] = "on.numbers"
        else:
            self.arguments[", ".join(entering)] = f"*map(real, {call.format(size='x.size')})"

    def loop(self, rows):
        """Write the kernel: a loop over the entries, and the sums over a block."""
        k, sweep = self.k, self.sweep
        head = list(self.head)
        if sweep.sums:
            head += ["shared_ = cuda.shared.array(THREADS, real)", *(f"{z} = real(0)" for z in sweep.sums)]
        head += ["i = uint64(cuda.grid(1))", f"while i < uint64({sweep.arrays[0]}.size):"]
        loop = writing.statements(sweep.body)
        loop += [f"{z} += {writing.expression(term)}" for z, term in sweep.sums.items()]  # before anything is stored
        loop += [*writing.statements(sweep.stores), "i += uint64(cuda.gridsize(1))"]
        tail = [f"parts_[{rows[z]}, cuda.blockIdx.x] = block_sum({z}, shared_)" for z in sweep.sums]
        lines = [*head, *writing.indented(loop), *tail]
        self.functions += [writing.function(f"sweep{k}({', '.join(self.arguments)})", lines, "@kernel")]
        blocks = f"on.{'chunks' if sweep.sums else 'blocks'}"
        self.lines += [f"on.run(sweep{k}, {blocks})({', '.join(self.arguments.values())})"]


def _carry(program, rows, on_device):
    """Return functions that compute the new values of carried numbers, and the lines of `step` that call them."""
    numbers, stores = passes.carry(program)
    if not stores:
        return [], []
    call = f"carry({', '.join(['t', '{size}', 'h', *numbers.totals])})"
    body = writing.scalars(layout(program), numbers) + writing.carried(layout(program), stores)
    functions = [writing.function(call.format(size="size_"), body, "@jit")]
    if not on_device:
        return functions, [call.format(size="x.size")]
    body = [*_collected(numbers.totals, rows), "if cuda.threadIdx.x == 0:", f"    {call.format(size='size_')}"]
    functions += [writing.function("carried(t, size_, h, parts_)", body, "@kernel")]
    return functions, ["on.run(carried, 1)(t, x.size, on.copy(h), on.parts)"]


def _collected(totals, rows):
    """Return the lines that add up the sums of the blocks."""
    lines = ["shared_ = cuda.shared.array(THREADS, float64)"] * bool(totals)
    return lines + [f"{z} = row_sum(parts_[{rows[z]}], shared_)" for z in totals]


class Exact(ast.NodeTransformer):
    """Products as calls of ``mul``, which are never contracted with a sum: Numba cannot pass ``-fma=0`` to NVVM."""

    def visit_BinOp(self, node):  # noqa: D102
        self.generic_visit(node)
        match node:
            case ast.BinOp(left=a, op=ast.Mult(), right=b):
                return ast.Call(ast.Name("mul", ast.Load()), [a, b], [])
            case ast.BinOp(left=a, op=ast.Pow() as op, right=ast.Constant(value=2 | 3 | 4 as n)):
                p, q = (a if k == 1 else ast.BinOp(a, op, ast.Constant(k)) for k in (n // 2, n - n // 2))
                return self.visit(ast.BinOp(p, ast.Mult(), q))  # grouped as Numba does on the CPU
        return node
