"""What a rule may say, and the statements that it is lowered to."""

import ast
from dataclasses import dataclass

CALLS = {"sqrt": 1, "abs": 1, "sign": 1, "exp": 1, "log": 1, "min": 2, "max": 2, "where": 3}
CALLS |= {"sum": 1, "norm": 1, "mean": 1, "isfinite": 1, "normal": 3, "simplex_threshold": 1}
MATRICES = {"matrix": 1, "rows": 1, "columns": 1, "rowmean": 1, "columnmean": 1, "transpose": 1}
MATRICES |= {"rowmax": 1, "columnmax": 1, "descending": 1, "eigenvectors": 1, "orthonormal": 1}
MATRICES |= {"inverse_root": 3, "orthogonal": 6}
SHAPES = {"rows", "columns", "zeros", "identity"}  # what the start of a slot may be made with, where x is a matrix
# What the text itself calls by these names.
RESERVED = {"h", "i", "at", "real_", "size_", "value_", "skip", "power", "bool", "float", "range"}
RESERVED |= {*CALLS, *MATRICES, *SHAPES}
ACCEPTED = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Name, ast.Constant)
OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Mod, ast.Pow, ast.BitAnd, ast.BitOr, ast.MatMult)


@dataclass
class Item:
    """A statement as lowered: ``scalar`` (once a step), ``vector`` (each coordinate) or ``sum`` (over them all)."""

    scope: str
    names: list
    lines: list
    uses: set
    reducer: str = "sum"  # or what else makes one number of all coordinates


def rebuild(node, f):
    """Return ``node`` with ``f`` applied to the expressions directly below it."""
    fields = {}
    for key, value in ast.iter_fields(node):
        if isinstance(value, list):
            value = [f(v) if isinstance(v, ast.expr) else v for v in value]
        fields[key] = f(value) if isinstance(value, ast.expr) and key != "func" else value
    return type(node)(**fields)


def literal(value):
    """Return a number as it is parsed: with its minus as an operator, so that ``(-0.5) ** 2`` keeps its brackets."""
    return ast.parse(ast.unparse(ast.Constant(float(value))), mode="eval").body


PER_COORDINATE = "per coordinate"


def call(name, *args):
    """Return a call as a syntax tree."""
    return ast.Call(ast.Name(name), list(args), [])


def mentioned(node):
    """Return the names an expression mentions, called functions aside."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - {*CALLS, *MATRICES}


def resting_on(wanted, items, known=frozenset()):
    """Return the items that ``wanted`` rests on, where ``known`` needs no computing, and all names they use."""
    used, chosen = set(wanted), []
    for item in reversed(items):
        if (used - known).intersection(item.names):
            chosen.append(item)
            used |= item.uses
    return chosen[::-1], used
