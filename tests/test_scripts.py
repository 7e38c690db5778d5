"""The scripts of the repository: what is regenerated is current, and mutations are what they say."""

import ast
import importlib.util
import shutil
import tomllib

import pytest

from tests.paths import ROOT


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def repository(tmp_path):
    """Return a copy of the files that are regenerated, all of them current."""
    for name in ("README.md", "numbaopt/typed.pyi", "numbaopt/transforms/typed.pyi"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    assert script("regenerate").main([], tmp_path) == 0
    return tmp_path


def test_generated_files_are_current(capsys):
    assert script("regenerate").main(["--check"]) == 0, capsys.readouterr().err


def test_one_command_makes_stale_files_current(repository, capsys):
    regenerate = script("regenerate")
    wanted = {path: path.read_text() for path in regenerate.generated(repository)}
    assert len(wanted) == 3 and regenerate.main(["--check"], repository) == 0
    readme = repository / "README.md"
    table = next(line for line in readme.read_text().splitlines() if line.startswith("| `adam` |"))
    readme.write_text(readme.read_text().replace(table + "\n", "").replace(" 3 solvers", " 2 solvers"))
    (repository / "numbaopt" / "typed.pyi").write_text("")
    stale = {path: path.read_text() for path in wanted}
    capsys.readouterr()
    assert regenerate.main(["--check"], repository) == 1
    told = capsys.readouterr().err
    assert told.count("is not current") == 2 and "README.md" in told and "numbaopt/typed.pyi" in told
    assert stale == {path: path.read_text() for path in wanted}  # nothing was written
    assert regenerate.main([], repository) == 0
    assert wanted == {path: path.read_text() for path in wanted}


def test_every_example_needs_a_row(repository, capsys):
    (repository / "examples" / "new.py").write_text("")
    (repository / "examples" / "quickstart.py").unlink()
    assert script("regenerate").main(["--check"], repository) == 1
    assert capsys.readouterr().err.splitlines() == [
        "README.md has no row for examples/new.py.",
        "README.md has a row for examples/quickstart.py, which does not exist.",
    ]


SAMPLE = '''
def f(a, b, flag=True):
    """No number 1 of a docstring is changed."""
    if a is None:
        raise ValueError("3 + 4 < 8")
    c = (a.copy()) + (  # a comment, and parentheses
        b
    )
    if a < 0.5 and flag:
        c[0] = max(a, b)
        c.sort()
    return g(c, "naïve", strict=True)
'''
MUTATED = {
    "removed: if a is None: raise ...": ('    if a is None:\n        raise ValueError("3 + 4 < 8")', "    pass"),
    "a.copy() -> a": ("a.copy()", "a"),
    "< -> <= in a < 0.5": ("a < 0.5", "a <= 0.5"),
    "0.5 -> 1.0": ("0.5", "1.0"),
    "0 -> 1": ("c[0]", "c[1]"),
    "True -> False": ("flag=True", "flag=False"),
    "is -> is not in a is None": ("a is None", "a is not None"),
    "c[0] = max(a, b) -> pass": ("c[0] = max(a, b)", "pass"),
    "c.sort() -> pass": ("c.sort()", "pass"),
    'arguments swapped: g(c, "naïve")': ('c, "naïve"', '"naïve", c'),
    "a < 0.5 and flag -> ((a < 0.5) or (flag))": ("a < 0.5 and flag", "((a < 0.5) or (flag))"),
}


def test_mutations_change_what_they_say():
    found = script("mutate").Finder("numbaopt/sample.py", SAMPLE).find()
    assert {mutation.what for mutation in found} == set(MUTATED)
    for mutation in found:
        text = mutation.apply(SAMPLE.encode()).decode()
        assert text == SAMPLE.replace(*MUTATED[mutation.what], 1)
        assert SAMPLE.splitlines()[mutation.line - 1].strip() == mutation.source
        ast.parse(text)


def test_mutations_are_spread_over_the_packages_and_follow_from_the_seed():
    mutate = script("mutate")
    found = mutate.mutations()
    packages = {path.stem for path in (ROOT / "numbaopt").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert found.keys() <= packages and {"common", "drivers", "lowering", "methods", "rules"} <= found.keys()
    count = len(found) + 3
    chosen = mutate.drawn(found, count, seed=1)
    assert {mutation.package for mutation in chosen} == found.keys()
    assert len(chosen) == count == len(set(chosen)) and all(mutation.works() for mutation in chosen)
    assert chosen == mutate.drawn(found, count, seed=1) != mutate.drawn(found, count, seed=2)


def test_every_module_has_tests_to_run():
    mutate = script("mutate")
    table = tomllib.loads(mutate.TABLE.read_text())
    for path in sorted((ROOT / "numbaopt").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        files = mutate.tests_of(name, table)
        assert all((ROOT / file).is_file() for file in files), files
        assert 1 <= sum(file.startswith("tests/") for file in files) <= 3
    assert mutate.tests_of("numbaopt/data/batches.py", table)[-1] == "tests/data/test_batches.py"
    for name in table["tests"]:
        assert (ROOT / name).is_file(), f"scripts/mutations.toml names {name}, which does not exist"


def test_listed_mutations_are_left_out():
    mutate = script("mutate")
    (first, *_) = mutate.Finder("numbaopt/sample.py", SAMPLE).find()
    row = {"file": first.path, "line": first.source, "what": first.what, "reason": "nothing depends on it"}
    assert mutate.reason(first, {"equivalent": [row]}) == "nothing depends on it"
    assert mutate.reason(first, {"equivalent": [row | {"line": "another"}]}) is None
    assert mutate.Judge([], 1.0, {"tests": {}, "equivalent": [row]})(first) == "invisible (nothing depends on it)"
