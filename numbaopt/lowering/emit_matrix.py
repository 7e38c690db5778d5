"""What sees x as a matrix, written out: whole-array expressions, statement by statement.

Where a rule has no use for a matrix, `passes` arranges it; here nothing is arranged. Slots lie one after another in s,
each of its own shape.
"""

import ast
import re

from numbaopt.lowering import layout, passes, runtime_text
from numbaopt.lowering.grammar import MATRICES, mentioned

WHOLE = {"max": "maximum", "min": "minimum", "abs": "absolute", "sign": "signs", "normal": "noise"}  # for arrays
UFUNCS = {"maximum", "minimum", "absolute", "square", "where"}
OWN = {"added", "averaged", "filled", *MATRICES}


class Arrays(ast.NodeTransformer):
    """Expressions of coordinates as expressions of arrays, every number among them cast to x's dtype."""

    def __init__(self, numbers):
        self.numbers = numbers

    def visit_Name(self, node):  # noqa: D102
        return ast.Call(ast.Name("real_"), [node], []) if node.id in self.numbers else node

    def visit_Call(self, node):  # noqa: D102
        function = ast.Name(WHOLE.get(node.func.id, node.func.id))
        casts = node.func.id not in MATRICES  # these cast numbers themselves
        args = [a if isinstance(a, ast.Name) and not casts else self.visit(a) for a in node.args]
        return ast.Call(function, args, [])

    def visit_IfExp(self, node):  # noqa: D102
        arms = [self.visit(arm) for arm in (node.body, node.orelse)]
        for k, arm in enumerate((node.body, node.orelse)):  # Numba has no variable that is a number or an array
            if not mentioned(arm) - self.numbers:
                arms[k] = ast.Call(ast.Name("filled"), [arms[1 - k], arms[k]], [])
        return ast.IfExp(node.test, *arms)

    def visit_BinOp(self, node):  # noqa: D102
        match node:
            case ast.BinOp(left=a, op=ast.Pow(), right=ast.Constant(value=2)):
                return ast.Call(ast.Name("square"), [self.visit(a)], [])
            case ast.BinOp(left=a, op=ast.MatMult() as op, right=b):
                return ast.BinOp(self.factor(a), op, self.factor(b))
        return self.generic_visit(node)

    def factor(self, node):
        """Return a factor of a product of matrices: a transposed one is not made, BLAS reads it as it lies."""
        match node:
            case ast.Call(func=ast.Name(id="transpose"), args=[a]):
                return ast.Attribute(self.visit(a), "T")
        return self.visit(node)


def arrays(line, numbers):
    """Rewrite a line of coordinates; one that holds no expression (``if``, ``else``) stays."""
    match = re.fullmatch(r"(\s*\w+ = )(.*)", line)
    text = match[2] if match else line
    if match is None and re.fullmatch(r"\s*(if .*:|else:|pass)", line):
        return line
    tree = Arrays(numbers).visit(ast.parse(text.strip(), mode="eval"))
    return (match[1] if match else "") + ast.unparse(ast.fix_missing_locations(tree))


def shape(start):
    """Return the shape of a slot, as texts, by the expression that it starts from."""
    for node in ast.walk(ast.parse(start or "0", mode="eval")):
        match node:
            case ast.Call(func=ast.Name(id="zeros"), args=[a, b]):
                return ast.unparse(a), ast.unparse(b)
            case ast.Call(func=ast.Name(id="identity"), args=[a]):
                return ast.unparse(a), ast.unparse(a)
    return "rows", "columns"


def emit(name, program):
    """Return the text of the step of a matrix."""
    source, length = layout.layout(program)
    numbers = {n for n, kind in program.kind.items() if kind == "number"}
    shapes = {slot: shape(program.starts[slot]) for slot in program.slots}
    needed = " + ".join([f"{a} * {b}" for a, b in shapes.values()]) or "0"
    lines = [
        "n = x.size",
        f"if g.size != n or s.shape[1] != n or h.size != {length}:",
        f'    raise ValueError("{name}: x, g and the rows of s have one length, and s and h are made for this rule")',
        "real_ = x.dtype.type",
        "if t < 1 or real_(0.5) == 0:",
        f'    raise ValueError("{name}: steps count from t = 1, and x is an array of floats")',
        f"size_, rows, columns = n, int64({source['rows']}), int64({source['columns']})",
        f"if rows * columns != n or s.size < {needed}:",
        f'    raise ValueError("{name}: h and s are for a matrix of another shape; make them with rule.shaped(shape)")',
        "x, g, at = x.reshape((rows, columns)), g.reshape((rows, columns)), s.reshape(s.size)",
    ]
    lines += [f"{slot}, at = at[:{a} * {b}].reshape(({a}, {b})), at[{a} * {b}:]" for slot, (a, b) in shapes.items()]
    live = passes.resting_on([*program.end.values(), *program.carried.values()], program.items)[0]
    used = set().union(*(item.uses for item in live), program.carried.values())
    used |= {n.removesuffix("_t") for n in used if n in source}
    lines += [f"{n} = {text}" for n, text in source.items() if n in used and n not in ("rows", "columns")]
    lines += ["t = float(t)"] * ("t" in used)
    for item in live:
        if item.scope == "scalar":
            lines += item.lines
        elif item.scope == "sum":
            reducer = "added" if item.reducer == "sum" else item.reducer
            lines += [f"{item.names[0]} = {reducer}({arrays(item.lines[0], numbers)})"]
        else:
            lines += [arrays(line, numbers) for line in item.lines]
    ends = {"x": "x"} | {slot: slot for slot in program.slots}
    lines += [f"{ends[old]}[:, :] = {new}" for old, new in program.end.items() if new != old]
    lines += passes.carry(program)[2]
    body = "\n".join(["@step", "def step(t, x, g, s, h):", *(f"    {line}" for line in lines)]) + "\n"
    called = set(re.findall(r"[a-z_0-9]+(?=[(])", body))
    own, theirs = sorted(called & OWN), sorted(called & UFUNCS) + ["sign as signs"] * ("signs" in called)
    more = f"from numpy import {', '.join(theirs)}\n" * bool(theirs)
    more += f"\nfrom numbaopt.backends.linalg import {', '.join(own)}\n" * bool(own)
    return runtime_text.assemble(name, program, "numpy", [body], more)
