"""Regenerate everything that is derived from the methods: ``python scripts/regenerate.py``.

These files, or parts of files, are written from what the rules, solvers, stages and schedules say about themselves:

- ``numbaopt/typed.pyi`` and ``numbaopt/transforms/typed.pyi``, the types that editors and type checkers read;
- the table of rules in ``README.md``;
- the number of rules, solvers, stages and schedules in ``README.md``.

The script also verifies that ``README.md`` has a row for every example. It prints the name of each file that it
changed. With ``--check`` it changes nothing, and returns 1 if a file is not current.
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from numbaopt import schedules, transforms  # noqa: E402
from numbaopt.methods.registry import names  # noqa: E402
from numbaopt.tools import method_table, stubs  # noqa: E402

TABLE = re.compile(r"^\| rule \| source \|.*\n(?:\|.*\n)*", re.MULTILINE)
COUNTS = re.compile(r"\d+ rules, \d+ solvers, \d+ stages, \d+ schedules")
EXAMPLE = re.compile(r"^\| `(\w+\.py)` \|", re.MULTILINE)


def counts():
    """Return the sentence part of ``README.md`` that says how many methods there are."""
    makers = [name for name in schedules.__all__ if name.islower() and name != "schedule"]
    found = len(names()), len(names("solvers")), len(transforms.__all__), len(makers)
    return "{} rules, {} solvers, {} stages, {} schedules".format(*found)


def readme(text):
    """Return the text of ``README.md`` with its generated parts replaced.

    Raises
    ------
    ValueError
        If a part that is to be replaced does not occur exactly once.
    """
    for pattern, new in ((TABLE, method_table.table() + "\n"), (COUNTS, counts())):
        found = len(pattern.findall(text))
        if found != 1:
            raise ValueError(f"README.md must match {pattern.pattern!r} exactly once, and matches it {found} times")
        text = pattern.sub(lambda _: new, text)  # noqa: B023
    return text


def generated(root=ROOT):
    """Return the text that each generated file should have, by its path."""
    files = {root / "numbaopt" / name: text for name, text in stubs.stubs().items()}
    path = root / "README.md"
    return files | {path: readme(path.read_text(encoding="utf-8"))}


def rows_at_fault(root=ROOT):
    """Return a sentence for each example without a row in ``README.md``, and each row without an example."""
    rows = set(EXAMPLE.findall((root / "README.md").read_text(encoding="utf-8")))
    files = {path.name for path in (root / "examples").glob("*.py")}
    missing = [f"README.md has no row for examples/{name}." for name in sorted(files - rows)]
    return missing + [
        f"README.md has a row for examples/{name}, which does not exist." for name in sorted(rows - files)
    ]


def main(arguments=None, root=ROOT):
    """Write what is not current, or only report it; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; return 1 if a file is not current")
    check = parser.parse_args(arguments).check
    faults = rows_at_fault(root)
    for path, text in generated(root).items():
        name = path.relative_to(root).as_posix()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if check:
            faults.append(f"{name} is not current; run: python scripts/regenerate.py")
        else:
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"{name} was regenerated.")
    for fault in faults:
        print(fault, file=sys.stderr)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
