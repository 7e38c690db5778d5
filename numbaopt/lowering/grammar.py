"""What the body of a rule may contain, and the statements that it is lowered to."""

import ast
from dataclasses import dataclass
from typing import ClassVar

CALLS = {"sqrt": 1, "abs": 1, "sign": 1, "exp": 1, "log": 1, "min": 2, "max": 2, "where": 3}
CALLS |= {"sum": 1, "norm": 1, "mean": 1, "isfinite": 1, "normal": 3, "simplex_threshold": 1}
MATRICES = {"matrix": 1, "rows": 1, "columns": 1, "rowmean": 1, "columnmean": 1, "transpose": 1}
MATRICES |= {"rowmax": 1, "columnmax": 1, "descending": 1, "eigenvectors": 1, "orthonormal": 1}
MATRICES |= {"inverse_root": 3, "orthogonal": 6}
SHAPES = {"rows", "columns", "zeros", "identity"}  # functions in the start of a slot, where x is a matrix
# Names with a meaning in generated texts.
RESERVED = {"h", "i", "at", "real_", "size_", "value_", "skip", "power", "bool", "float", "range"}
RESERVED |= {*CALLS, *MATRICES, *SHAPES}
ACCEPTED = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Name, ast.Constant)
OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Mod, ast.Pow, ast.BitAnd, ast.BitOr, ast.MatMult)


@dataclass
class Assign:
    """The statement ``name = value``."""

    name: str
    value: ast.expr


@dataclass
class Store:
    """The statement ``array[i] = value``."""

    array: str
    value: ast.expr


@dataclass
class If:
    """Two lists of statements, one of which is executed; ``test`` is the name of a truth value."""

    test: str
    body: list
    orelse: list


@dataclass
class Item:
    """Statements that belong together, executed once a step ("scalar") or for each coordinate ("vector")."""

    scope: str
    names: list  # that the statements assign
    body: list
    uses: set  # names that the statements read


@dataclass
class Sum:
    """The reduction of an expression over all coordinates to one number: the sum, or what ``reducer`` names."""

    name: str
    value: ast.expr
    reducer: str = "sum"
    scope: ClassVar[str] = "sum"

    @property
    def names(self):
        """The name of the number, in a list."""
        return [self.name]

    @property
    def uses(self):
        """The names that the expression reads."""
        return mentioned(self.value)


def rebuild(node, f):
    """Return ``node`` with ``f`` applied to the expressions directly below it."""
    fields = {}
    for key, value in ast.iter_fields(node):
        if isinstance(value, list):
            value = [f(v) if isinstance(v, ast.expr) else v for v in value]
        fields[key] = f(value) if isinstance(value, ast.expr) and key != "func" else value
    return type(node)(**fields)


def literal(value):
    """Return a number as a syntax tree, its minus as an operator, so that ``(-0.5) ** 2`` keeps its parentheses."""
    return ast.parse(ast.unparse(ast.Constant(float(value))), mode="eval").body


PER_COORDINATE = "per coordinate"


def call(name, *args):
    """Return a call as a syntax tree."""
    return ast.Call(ast.Name(name), list(args), [])


def entry(array):
    """Return the expression ``array[i]``."""
    return ast.Subscript(ast.Name(array), ast.Name("i"))


def substitute(node, new):
    """Return an expression in which names are replaced by the expressions that ``new`` holds for them."""
    if isinstance(node, ast.Name):
        return new.get(node.id, node)
    return rebuild(node, lambda child: substitute(child, new))


def mentioned(node):
    """Return the names that an expression reads; those of the functions that it calls are not among them."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - {*CALLS, *MATRICES}


def same(a, b):
    """Return whether two expressions have the same text."""
    return ast.unparse(a) == ast.unparse(b)


def expressions(statements):
    """Return the expressions in a list of statements, from the first to the last."""
    found = []
    for statement in statements:
        if isinstance(statement, If):
            found += [ast.Name(statement.test), *expressions(statement.body), *expressions(statement.orelse)]
        else:
            found.append(statement.value)
    return found


def called(nodes):
    """Return the names of the functions that some expressions call."""
    return {node.func.id for top in nodes for node in ast.walk(top) if isinstance(node, ast.Call)}


def required(wanted, items, known=frozenset()):
    """Return the items on which ``wanted`` depends if ``known`` is available, and all names that they read."""
    used, chosen = set(wanted), []
    for item in reversed(items):
        if (used - known).intersection(item.names):
            chosen.append(item)
            used |= item.uses
    return chosen[::-1], used
