"""The mutations that ``scripts/mutate.py`` applies one at a time: found in the source, and drawn by a seed."""

import ast
import bisect
import collections
import itertools
import random
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UNCHANGED = "strict", "stacklevel"  # arguments that assert or report and do not compute
SYMMETRIC = "min", "max"  # functions whose arguments may be swapped
COMPARISONS = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}


@dataclass(frozen=True)
class Mutation:
    """One change: the bytes from ``start`` to ``stop`` of the file ``path`` become ``new``."""

    path: str
    line: int
    source: str
    kind: str
    what: str
    start: int
    stop: int
    new: bytes

    @property
    def package(self):
        """Return the package that the file belongs to; a module at the top counts as a package."""
        return Path(self.path).parts[1].removesuffix(".py")

    def apply(self, text):
        """Return the changed text of the file, as bytes."""
        return text[: self.start] + self.new + text[self.stop :]

    def works(self):
        """Tell whether the changed module can be parsed, and is another program than the original."""
        text = (ROOT / self.path).read_bytes()
        try:
            return ast.dump(ast.parse(self.apply(text))) != ast.dump(ast.parse(text))
        except (SyntaxError, ValueError):
            return False


class Finder(ast.NodeVisitor):
    """Collects the mutations of one module.

    Parameters
    ----------
    path : str
        Path of the module in the repository, with forward slashes.
    text : str
        Its source.
    """

    def __init__(self, path, text):
        self.path, self.data, self.found, self.depth = path, text.encode(), [], 0
        self.lines = self.data.splitlines(keepends=True)
        self.starts = [0, *itertools.accumulate(map(len, self.lines))]

    def offset(self, line, column):
        """Return the position of a line and a column (in bytes) in the file."""
        return self.starts[line - 1] + column

    def span(self, node):
        """Return where the text of a node starts and stops."""
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset)

    def text(self, node):
        """Return the source of a node."""
        start, stop = self.span(node)
        return self.data[start:stop].decode()

    def add(self, node, kind, new, what=None, span=None):
        """Note a mutation of a node."""
        start, stop = span or self.span(node)
        old = " ".join(self.data[start:stop].decode().split())
        line = bisect.bisect_right(self.starts, start)
        source = self.lines[line - 1].decode().strip()
        short = old if len(old) <= 60 else old[:57] + "..."
        what = what or f"{short} -> {' '.join(new.split())}"
        self.found.append(Mutation(self.path, line, source, kind, what, start, stop, new.encode()))

    def find(self):
        """Return all mutations of the module."""
        self.visit(ast.parse(self.data))
        return self.found

    def between(self, left, right):
        """Return the span of the operator between two nodes, without parentheses, comments and spaces."""
        start, stop = self.span(left)[1], self.span(right)[0]
        part = self.data[start:stop].decode()
        match = re.fullmatch(r"[\s)]*([-+<>=!]+|not\s+in|is\s+not|is|in)[\s(]*", part)
        return match and (start + match.start(1), start + match.end(1))

    def visit_FunctionDef(self, node):  # noqa: D102, N802
        self.depth += 1
        for part in (*node.args.defaults, *filter(None, node.args.kw_defaults), *node.decorator_list):
            self.visit(part)
        for part in node.body:
            self.visit(part)
        self.depth -= 1

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_AnnAssign(self, node):  # noqa: D102, N802
        if node.value is not None:
            self.visit(node.value)

    def visit_If(self, node):  # noqa: D102, N802
        if ast.unparse(node.test) in ("TYPE_CHECKING", "__name__ == '__main__'"):
            return
        lone = len(node.body) == 1 and isinstance(node.body[0], ast.Raise) and not node.orelse
        if lone and self.text(node).startswith("if"):  # and not "elif", which another branch may precede
            condition = " ".join(self.text(node.test).split())
            self.add(node, "check", "pass", f"removed: if {condition}: raise ...")
        self.generic_visit(node)

    def visit_Raise(self, node):  # noqa: D102, N802
        """Leave messages of errors alone."""

    def visit_Expr(self, node):  # noqa: D102, N802
        if isinstance(node.value, ast.Constant):  # a docstring
            return
        if self.depth and isinstance(node.value, ast.Call):
            self.add(node, "statement", "pass")
        self.generic_visit(node)

    def visit_AugAssign(self, node):  # noqa: D102, N802
        if self.depth:
            self.add(node, "statement", "pass")
        self.generic_visit(node)

    def visit_Assign(self, node):  # noqa: D102, N802
        if self.depth and all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
            self.add(node, "statement", "pass")
        self.generic_visit(node)

    def visit_Compare(self, node):  # noqa: D102, N802
        for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            span = self.between(left, right)
            if span is not None:
                old, new = COMPARISONS[type(operator)]
                self.add(node, "comparison", new, f"{old} -> {new} in {' '.join(self.text(node).split())}", span)
        self.generic_visit(node)

    def visit_BinOp(self, node):  # noqa: D102, N802
        if isinstance(node.op, ast.Add | ast.Sub):
            span = self.between(node.left, node.right)
            old, new = ("+", "-") if isinstance(node.op, ast.Add) else ("-", "+")
            if span is not None:
                self.add(node, "arithmetic", new, f"{old} -> {new} in {' '.join(self.text(node).split())}", span)
        self.generic_visit(node)

    def visit_BoolOp(self, node):  # noqa: D102, N802
        word = " or " if isinstance(node.op, ast.And) else " and "
        self.add(node, "boolean", "(" + word.join(f"({self.text(value)})" for value in node.values) + ")")
        self.generic_visit(node)

    def visit_Constant(self, node):  # noqa: D102, N802
        value = node.value
        if isinstance(value, bool):
            self.add(node, "truth", repr(not value))
        elif isinstance(value, int):
            self.add(node, "number", repr(value + 1))
        elif isinstance(value, float):
            self.add(node, "number", repr(2 * value if value else 1.0))

    def visit_keyword(self, node):  # noqa: D102
        if node.arg not in UNCHANGED:
            self.visit(node.value)

    def visit_JoinedStr(self, node):  # noqa: D102, N802
        """Leave texts alone: their parts have no place of their own before Python 3.12."""

    def visit_Call(self, node):  # noqa: D102, N802
        copied = isinstance(node.func, ast.Attribute) and node.func.attr == "copy" and not (node.args or node.keywords)
        if copied and not (isinstance(node.func.value, ast.Name) and node.func.value.id == "copy"):
            self.add(node, "copy", self.text(node.func.value))
        first, second = (node.args + [None, None])[:2]
        starred = any(isinstance(part, ast.Starred) for part in (first, second))
        if second is not None and not starred and self.text(node.func) not in SYMMETRIC:
            (start, end), (begin, stop) = self.span(first), self.span(second)
            middle = self.data[end:begin].decode()
            swapped = self.text(second) + middle + self.text(first)
            what = f"arguments swapped: {self.text(node.func)}({' '.join(self.data[start:stop].decode().split())}"
            self.add(node, "arguments", swapped, what + ")", (start, stop))
        self.generic_visit(node)


def mutations(root=ROOT, only=None):
    """Return all mutations of the package, or of one of its packages, by package."""
    found = collections.defaultdict(list)
    for path in sorted((root / "numbaopt").rglob("*.py")):
        name = path.relative_to(root).as_posix()
        each = Finder(name, path.read_text(encoding="utf-8")).find()
        if each and only in (None, each[0].package):
            found[each[0].package] += each
    return found


def drawn(found, count, seed):
    """Return ``count`` mutations: from each package in turn and, in a package, from each kind with equal chances."""
    chance = random.Random(seed)
    left = {}
    for package, each in sorted(found.items()):
        kinds = collections.defaultdict(list)
        for mutation in each:
            kinds[mutation.kind].append(mutation)
        left[package] = kinds
    chosen = []
    while len(chosen) < count and left:
        for package in sorted(left):
            kind = chance.choice(sorted(left[package]))
            each = left[package][kind]
            mutation = each.pop(chance.randrange(len(each)))
            if mutation.works():
                chosen.append(mutation)
            if not each:
                del left[package][kind]
            if not left[package]:
                del left[package]
            if len(chosen) == count:
                break
    return sorted(chosen, key=lambda mutation: (mutation.path, mutation.start, mutation.what))
