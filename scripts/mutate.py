"""Measure what the tests notice: ``python scripts/mutate.py --count 40 --seed 1``.

A mutation is one small change of the package's source that a good test suite should notice. The script draws
mutations by a fixed seed, spread evenly over the packages, and applies them one at a time to a copy of the repository
in a temporary directory; the checkout itself is never changed. For each mutation it runs the one to three test files
that belong to the changed module, and prints one line with the place, the change, and the outcome:

caught
    A test failed, or the tests exceeded the time limit, which the script says.
survived
    All tests passed. A test is missing.
invisible
    The mutation is listed in ``scripts/mutations.toml`` as one that nothing outside the package can observe, together
    with the reason. It is not run.
unclear
    The test files fail, or find no test, without any mutation.

The last line is the rate: the share of caught mutations among those that were caught or survived.

The kinds of mutations are: a comparison off by one (``<`` to ``<=``, ``==`` to ``!=``), a changed number, ``+`` to
``-``, ``and`` to ``or``, ``True`` to ``False``, a dropped ``.copy()``, two swapped arguments, a removed check
(``if ...: raise``), and a dropped statement.

The tests of a module ``numbaopt/package/module.py`` are ``tests/package/test_module.py`` and those test files of
``tests/package/`` that mention the names defined in the module most often. ``scripts/mutations.toml`` names others
where these are the wrong ones. The examples in the module's docstrings are run as well.

A run takes minutes to hours, because changed kernels are compiled anew. It is therefore done by hand and not in CI.
"""

import argparse
import ast
import bisect
import collections
import concurrent.futures
import itertools
import os
import queue
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = Path(__file__).with_name("mutations.toml")
MOST_FILES = 3  # test files for one module
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


def tests_of(path, table, root=ROOT):
    """Return the module itself if it has doctests, and its one to three test files, the most specific first."""
    parts = Path(path).parts[1:]
    exact = root / "tests" / Path(*parts[:-1]) / f"test_{parts[-1]}"
    named = [root / name for name in table["tests"].get(path, [])]
    chosen = named + [exact] * (exact.is_file() and exact not in named)
    tree = ast.parse((root / path).read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.ClassDef
    words = {node.name for node in tree.body if isinstance(node, kinds)} | {parts[-1].removesuffix(".py")}
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(words)))})\b")
    folder = root / "tests" / parts[0] if len(parts) > 1 else root / "tests"
    others = folder.rglob("test_*.py") if len(parts) > 1 else folder.glob("test_*.py")
    mentions = {other: len(pattern.findall(other.read_text(encoding="utf-8"))) for other in others}
    ranked = sorted(mentions, key=lambda other: (-mentions[other], other))
    if not named:
        chosen += [other for other in ranked if other not in chosen and (mentions[other] or not chosen)]
    if not chosen:
        chosen = sorted((root / "tests" / "api").glob("test_minimize.py"))
    doctests = [path] if ">>> " in (root / path).read_text(encoding="utf-8") else []
    return doctests + [other.relative_to(root).as_posix() for other in chosen[:MOST_FILES]]


def reason(mutation, table):
    """Return why a mutation cannot be observed, or None."""
    for row in table.get("equivalent", []):
        if (row["file"], row["line"], row["what"]) == (mutation.path, mutation.source, mutation.what):
            return row["reason"]
    return None


def copied(target):
    """Copy what the tests need to a directory."""
    ignored = shutil.ignore_patterns(
        "__pycache__", ".git", ".venv", "venv", ".asv", ".*_cache", ".hypothesis", "build", "dist"
    )
    shutil.copytree(ROOT, target, ignore=ignored, symlinks=True)
    return target


def passed(copy, files, limit):
    """Run test files in a copy; return True, False, or None where the time limit was exceeded.

    The exit status 5 of pytest, for no tests at all, counts as a failure.
    """
    # Without files of byte code: Python would take a stale one for a file of the same size and second.
    environment = dict(os.environ, PYTHONPATH=str(copy), PYTHONDONTWRITEBYTECODE="1")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *files]
    sink = subprocess.DEVNULL
    # In a group of its own, so that what the tests started ends with them.
    with subprocess.Popen(
        command, cwd=copy, env=environment, stdout=sink, stderr=sink, start_new_session=True
    ) as process:
        try:
            return process.wait(limit) == 0
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                (os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill())


class Judge:
    """Runs tests of mutated copies, and remembers which test files pass without any mutation."""

    def __init__(self, copies, limit, table):
        self.limit, self.table, self.sound = limit, table, {}
        self.free = queue.Queue()
        for copy in copies:
            self.free.put(copy)

    def __call__(self, mutation):
        """Return the outcome for a mutation, in words."""
        because = reason(mutation, self.table)
        if because is not None:
            return f"invisible ({because})"
        files = tuple(tests_of(mutation.path, self.table))
        copy = self.free.get()
        try:
            if files not in self.sound:
                self.sound[files] = passed(copy, files, None)
            if not self.sound[files]:
                return f"unclear (without it, the tests fail: {' '.join(files)})"
            path = copy / mutation.path
            original = path.read_bytes()
            try:
                path.write_bytes(mutation.apply(original))
                outcome = passed(copy, files, self.limit)
            finally:
                path.write_bytes(original)
        finally:
            self.free.put(copy)
        if outcome is None:
            return f"caught (the time limit of {self.limit:.0f} s was exceeded)"
        return f"survived ({' '.join(files)})" if outcome else "caught"


def arguments_of(given):
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same mutations (0)")
    parser.add_argument("--count", type=int, default=20, help="number of mutations (20)")
    parser.add_argument("--only", metavar="PACKAGE", help="only mutations of this package, such as drivers")
    parser.add_argument("--jobs", type=int, default=1, help="number of mutations that are run at the same time (1)")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for the tests of one mutation (600)")
    parser.add_argument("--list", action="store_true", help="print the mutations and their tests without running them")
    return parser.parse_args(given)


def main(given=None):
    """Draw, run and report mutations; return 0."""
    arguments = arguments_of(given)
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    found = mutations(only=arguments.only)
    if not found:
        print(f"There is no package {arguments.only!r} in numbaopt.", file=sys.stderr)
        return 2
    chosen = drawn(found, arguments.count, arguments.seed)
    if arguments.list:
        for mutation in chosen:
            tests = " ".join(tests_of(mutation.path, table))
            print(f"{mutation.path}:{mutation.line}: {mutation.kind}: {mutation.what} | {tests}")
        print(f"{len(chosen)} of {sum(map(len, found.values()))} mutations.")
        return 0
    outcomes = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        # Copies share machine code on disk: its key holds the sources that it was made of.
        os.environ.setdefault("NUMBA_CACHE_DIR", os.path.join(folder, "cache"))
        copies = [copied(Path(folder, f"copy{k}")) for k in range(arguments.jobs)]
        judge = Judge(copies, arguments.limit, table)
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            for mutation, outcome in zip(chosen, pool.map(judge, chosen), strict=True):
                outcomes[outcome.split()[0]] += 1
                print(f"{mutation.path}:{mutation.line}: {mutation.kind}: {mutation.what}: {outcome}", flush=True)
    caught, survived = outcomes["caught"], outcomes["survived"]
    rate = f" ({caught / (caught + survived):.0%})" if caught + survived else ""
    rest = f"{outcomes['invisible']} invisible, {outcomes['unclear']} unclear"
    print(f"Seed {arguments.seed}: {caught} of {caught + survived} mutations caught{rate}; {rest}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
