"""The README is true: its Python runs, its test command is the one CI runs, and what it names is there."""

import re
import runpy

import numpy as np
import pytest

import numbaopt
from tests.paths import ROOT

README = (ROOT / "README.md").read_text()


@pytest.mark.slow
def test_python_blocks_run(tmp_path, capsys):
    """All blocks run, one after another, in one file whose line numbers are the README's."""
    inside, lines = False, []
    for line in README.splitlines():
        fence = line.startswith("```")
        lines.append(line if inside and not fence else "")
        if fence:
            inside = line == "```python"
    script = tmp_path / "readme.py"
    script.write_text("\n".join(lines))
    runpy.run_path(str(script))
    printed = capsys.readouterr().out
    assert "within gtol=1e-05." in printed  # as the README's comment says
    assert "def step(t, x, g, s, h):" in printed


def test_the_adam_shown_steps_as_the_adam_shipped(tmp_path):
    (tmp_path / "shown.py").write_text(re.search(r"```python\n(from numbaopt.rule.*?)```", README, re.S)[1])
    shown = runpy.run_path(str(tmp_path / "shown.py"))["adam"]
    assert dict(shown.hyper).items() <= dict(numbaopt.adam.hyper).items()
    rng = np.random.default_rng(0)
    x, y = np.ones(5), np.ones(5)
    state, other = shown.init(x), numbaopt.adam.init(y)
    for g in rng.normal(size=(20, 5)):
        shown.step(x, g, state)
        numbaopt.adam.step(y, g, other)
    np.testing.assert_array_equal(x, y)


def test_ci_runs_the_two_commands_of_the_readme():
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv .venv && ")]
    assert [line.split()[-3:][0] for line in commands] == ["&&", "pytest"]
    ci = (ROOT / ".ci" / "run").read_text()
    assert "grep '^python3 -m venv .venv && ' README.md" in ci  # taken from the README, not copied


def test_every_rule_is_named():
    for name in numbaopt.names():
        assert f"`{name}`" in README, f"README.md does not name {name}"


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https:)([^)#]+)\)|^\| `(\w+\.py)`", README, re.M))
def test_files_named_exist(link):
    image, example = link
    path = ROOT / (image or f"examples/{example}")
    assert path.is_file()
    assert path.suffix != ".png" or path.stat().st_size < 100_000


def test_every_example_is_named():
    for path in (ROOT / "examples").glob("*.py"):
        assert f"`{path.name}`" in README
