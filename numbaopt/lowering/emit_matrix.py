"""The text of the CPU step of a rule that takes x as a matrix: expressions of whole arrays, statement by statement.

Here statements are not arranged in passes. Slots lie one after another in s, each with its own shape.
"""

import ast
import copy

from numbaopt.lowering import grammar, runtime_text, writing
from numbaopt.lowering.grammar import MATRICES, Assign, If, call, mentioned, required
from numbaopt.lowering.layout import layout
from numbaopt.lowering.passes import carry

WHOLE = {"max": "maximum", "min": "minimum", "abs": "absolute", "sign": "signs", "normal": "noise"}  # for arrays
UFUNCS = {"maximum", "minimum", "absolute", "square", "where"}
OWN = {"added", "averaged", "filled", *MATRICES}


class Arrays(ast.NodeTransformer):
    """Rewrite expressions of coordinates as expressions of arrays, with every number cast to x's dtype."""

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
        for k, arm in enumerate((node.body, node.orelse)):  # in Numba, both arms need the same type
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
        """Return a factor of a product of matrices; a transposed one is not copied, since BLAS can read it as it is."""
        match node:
            case ast.Call(func=ast.Name(id="transpose"), args=[a]):
                return ast.Attribute(self.visit(a), "T")
        return self.visit(node)


def shape(start):
    """Return the two dimensions of a slot, as text, from the expression for its initial value."""
    for node in ast.walk(ast.parse(start or "0", mode="eval")):
        match node:
            case ast.Call(func=ast.Name(id="zeros"), args=[a, b]):
                return ast.unparse(a), ast.unparse(b)
            case ast.Call(func=ast.Name(id="identity"), args=[a]):
                return ast.unparse(a), ast.unparse(a)
    return "rows", "columns"


def emit(name, program):
    """Return the text of the step of a matrix."""
    places = layout(program)
    shapes = {slot: shape(program.starts[slot]) for slot in program.slots}
    needed = " + ".join([f"{a} * {b}" for a, b in shapes.values()]) or "0"
    lines = [
        "n = x.size",
        f"if g.size != n or s.shape[1] != n or h.size != {places.size}:",
        f'    raise ValueError("{name}: x, g and rows of s must have the same length; s and h must come from it")',
        "real_ = x.dtype.type",
        "if t < 1 or real_(0.5) == 0:",
        f'    raise ValueError("{name}: t must be at least 1, and x an array of floats")',
        f"size_, rows, columns = n, int64({places.access('rows')}), int64({places.access('columns')})",
        f"if rows * columns != n or s.size < {needed}:",
        f'    raise ValueError("{name}: h and s are for a matrix of another shape; make them with rule.shaped(shape)")',
        "x, g, at = x.reshape((rows, columns)), g.reshape((rows, columns)), s.reshape(s.size)",
    ]
    lines += [f"{slot}, at = at[:{a} * {b}].reshape(({a}, {b})), at[{a} * {b}:]" for slot, (a, b) in shapes.items()]
    live = required([*program.end.values(), *program.carried.values()], program.items)[0]
    used = set().union(*(item.uses for item in live), program.carried.values())
    used |= {b for name, b in places.bases.items() if name in used}
    read = [name for name in places.offsets if name in used and name not in ("rows", "columns")]
    statements = [statement for item in live for statement in _statements(item, program)]
    called = {"int64"} | grammar.called(grammar.expressions(statements))
    called |= {"power", "edited"} if places.bases.keys() & set(read) else set()
    lines += writing.reads(places, read) + ["t = float(t)"] * ("t" in used) + writing.statements(statements)
    ends = {"x": "x"} | {slot: slot for slot in program.slots}
    lines += [f"{ends[old]}[:, :] = {new}" for old, new in program.end.items() if new != old]
    lines += writing.carried(places, carry(program)[1])
    theirs = sorted(called & UFUNCS) + ["sign as signs"] * ("signs" in called)
    imports = f"from numpy import {', '.join(theirs)}\n" * bool(theirs)
    own = sorted(called & OWN)
    imports += f"\nfrom numbaopt.backends.linalg import {', '.join(own)}\n" * bool(own)
    step = writing.function("step(t, x, g, s, h)", lines, "@step")
    return runtime_text.assemble(name, program, "numpy", [step], imports, called - UFUNCS - OWN)


def _statements(item, program):
    """Return the statements of an item, with expressions of arrays."""
    if item.scope == "scalar":
        return item.body
    numbers = {n for n, kind in program.kind.items() if kind == "number"}
    if item.scope == "sum":
        reducer = "added" if item.reducer == "sum" else item.reducer
        return [Assign(item.name, call(reducer, _of_arrays(item.value, numbers)))]
    return _rewritten(item.body, numbers)


def _rewritten(statements, numbers):
    out = []
    for statement in statements:
        if isinstance(statement, If):
            arms = [_rewritten(arm, numbers) for arm in (statement.body, statement.orelse)]
            out.append(If(statement.test, *arms))
        else:
            out.append(Assign(statement.name, _of_arrays(statement.value, numbers)))
    return out


def _of_arrays(node, numbers):
    return Arrays(numbers).visit(copy.deepcopy(node))
