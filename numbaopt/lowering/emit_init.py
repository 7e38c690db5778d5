"""The text of a function that sets the slots of a method to their initial values."""

import ast

from numbaopt.common.per_coordinate import PerCoordinate
from numbaopt.lowering import emit_matrix
from numbaopt.lowering.grammar import entry, mentioned, substitute
from numbaopt.lowering.layout import layout

LIMITS = ("lower", "upper")  # slots of `transforms.box`, and the last rows of a solver that takes bounds


def emit(rule, bounded):
    """Return the text of ``begin(x, s, h, box, own)``, which initializes the slots of a rule or solver.

    Parameters
    ----------
    rule : Rule or Solver
    bounded : bool
        Whether ``box`` holds the lower and upper bounds. ``own`` holds the hyperparameters with one value per
        coordinate, in the order of their slots.
    """
    if rule.program is None:
        lines = ["s[:] = 0"] + [f"s[-{2 - k}, :] = box[{k}]" for k in (0, 1) if bounded]
    elif rule.program.matrix:
        lines = _matrices(rule)
    else:
        lines = _rows(rule, bounded)
    return "\n    ".join(["def begin(x, s, h, box, own):", *(lines or ["pass"])])


def _rows(rule, bounded):
    head, body, own = [], [], 0
    for k, slot in enumerate(rule.slots_of):
        if bounded and slot in LIMITS:
            value = f"box[{LIMITS.index(slot)}, i]"
        elif isinstance(rule.hyper.get(slot), PerCoordinate):
            value, own = f"own[{own}, i]", own + 1
        else:
            value, read = begun(rule, slot, x=entry("x"))
            head += [line for line in read if line not in head]
        body.append(f"    s[{k}, i] = {value}")
    return [*head, "for i in range(x.size):", *body] if body else []


def _matrices(rule):
    places = layout(rule.program)
    lines = ["s[:] = 0", *(f"{name} = int({places.access(name)})" for name in ("rows", "columns"))]
    lines += ["at = s.reshape(s.size)"]
    x = ast.Call(ast.Attribute(ast.Name("x"), "reshape"), [ast.Tuple([ast.Name("rows"), ast.Name("columns")])], [])
    for slot in rule.slots_of:
        a, b = emit_matrix.shape(rule.program.starts[slot])
        value, read = begun(rule, slot, x=x)
        lines += [line for line in read if line not in lines]
        lines += [f"at[: {a} * {b}].reshape(({a}, {b}))[:, :] = {value}", f"at = at[{a} * {b} :]"]
    return lines


def begun(rule, slot, x=None, mark=""):
    """Return the expression for the initial value of a slot or number, and the lines that read its numbers from h.

    Parameters
    ----------
    rule : Rule
    slot : str
    x : ast.expr, optional
        The expression that stands for x.
    mark : str
        Suffix of the names of the numbers, as in ``lr_``, if the name itself may be that of a parameter.
    """
    places = layout(rule.program)
    for math, pairs in rule._stages:
        for author, whole in pairs:
            if whole == slot and math.starts.get(author) is not None:
                wholes = {a: w for a, w in pairs if w in places.offsets}
                start = ast.parse(math.starts[author], mode="eval").body
                read = [name for name in places.offsets if name in {wholes.get(n, n) for n in mentioned(start)}]
                names = {name: name + mark for name in read}
                lines = [f"{names[n]} = {places.access(n, steps='0')}" for n in read]
                new = {a: ast.Name(names.get(w, w)) for a, w in {**names, **wholes}.items()}
                new |= {"x": x} if x is not None else {}
                return ast.unparse(substitute(_Filled().visit(start), new)), lines
    return "0.0", []


class _Filled(ast.NodeTransformer):
    """Replace ``zeros(...)`` by a number, which is assigned to all entries, and ``identity(...)`` by `numpy.eye`."""

    def visit_Call(self, node):  # noqa: D102
        match node.func:
            case ast.Name(id="zeros"):
                return ast.Constant(0.0)
            case ast.Name(id="identity"):
                return ast.Call(ast.Attribute(ast.Name("np"), "eye"), node.args, [])
        return node
