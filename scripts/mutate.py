"""Measure what the tests notice: ``python scripts/mutate.py --count 40 --seed 1``.

A mutation is one small change of the package's source that a good test suite should notice. The script draws
mutations by a fixed seed, spread evenly over the packages, and applies them one at a time to a copy of the repository
in a temporary directory; the checkout itself is never changed. For each mutation it runs the one to three test files
that belong to the changed module, first their quick tests and then their slow ones, and prints one line with the
place, the change, and the outcome:

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
import collections
import concurrent.futures
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from mutations import ROOT, drawn, mutations

TABLE = Path(__file__).with_name("mutations.toml")
MOST_FILES = 3  # test files for one module


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


class Judge:
    """Runs tests of mutated copies, and remembers which test files pass without any mutation.

    Parameters
    ----------
    copies : sequence of Path
        Copies of the repository; each of them is used by one mutation at a time.
    limit : float
        Seconds that the tests of one mutation may take.
    table : dict
        What ``scripts/mutations.toml`` holds.
    """

    def __init__(self, copies, limit, table):
        self.limit, self.table, self.sound, self.running = limit, table, {}, set()
        self.free = queue.Queue()
        for copy in copies:
            self.free.put(copy)

    def passed(self, copy, files, limit, selected=()):
        """Run test files in a copy; return True, False, or None where the time limit was exceeded.

        ``selected`` are options of pytest that select tests.

        The exit status 5 of pytest, for no tests at all, counts as a failure unless tests are selected.
        """
        # Without files of byte code: Python would take a stale one for a file of the same size and second.
        environment = dict(os.environ, PYTHONPATH=str(copy), PYTHONDONTWRITEBYTECODE="1")
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *selected, *files]
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        # In a group of its own, so that what the tests started ends with them.
        with subprocess.Popen(command, cwd=copy, env=environment, start_new_session=True, **pipes) as process:
            self.running.add(process)
            try:
                return process.wait(limit) in ((0, 5) if selected else (0,))
            except subprocess.TimeoutExpired:
                return None
            finally:
                _end(process)
                self.running.discard(process)

    def stop(self):
        """End all tests that are running."""
        for process in list(self.running):
            _end(process)

    def __call__(self, mutation):
        """Return the outcome for a mutation, in words."""
        because = reason(mutation, self.table)
        if because is not None:
            return f"invisible ({because})"
        files = tuple(tests_of(mutation.path, self.table))
        copy = self.free.get()
        try:
            if files not in self.sound:
                self.sound[files] = self.passed(copy, files, None)
            if not self.sound[files]:
                return f"unclear (without it, the tests fail: {' '.join(files)})"
            path = copy / mutation.path
            original = path.read_bytes()
            try:
                path.write_bytes(mutation.apply(original))
                outcome = self.passed(copy, files, self.limit)
                if outcome:  # the quick tests do not notice it; slow tests and cross products may
                    outcome = self.passed(copy, files, self.limit, ["--rest", "-m", "slow"])
            finally:
                path.write_bytes(original)
        finally:
            self.free.put(copy)
        if outcome is None:
            return f"caught (the time limit of {self.limit:.0f} s was exceeded)"
        return f"survived ({' '.join(files)})" if outcome else "caught"


def _end(process):
    """End a process and those that it started, if it is still running."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()


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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    outcomes = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        # Copies share machine code on disk: its key holds the sources that it was made of.
        os.environ.setdefault("NUMBA_CACHE_DIR", os.path.join(folder, "cache"))
        copies = [copied(Path(folder, f"copy{k}")) for k in range(arguments.jobs)]
        judge = Judge(copies, arguments.limit, table)
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            try:
                for mutation, outcome in zip(chosen, pool.map(judge, chosen), strict=True):
                    outcomes[outcome.split()[0]] += 1
                    print(f"{mutation.path}:{mutation.line}: {mutation.kind}: {mutation.what}: {outcome}", flush=True)
            except BaseException:  # Ctrl-C, or the signal to terminate
                pool.shutdown(wait=False, cancel_futures=True)
                judge.stop()
                raise
    caught, survived = outcomes["caught"], outcomes["survived"]
    rate = f" ({caught / (caught + survived):.0%})" if caught + survived else ""
    rest = f"{outcomes['invisible']} invisible, {outcomes['unclear']} unclear"
    print(f"Seed {arguments.seed}: {caught} of {caught + survived} mutations caught{rate}; {rest}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
