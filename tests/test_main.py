"""The commands of ``python -m numbaopt``: what they print, and their exit status."""

import re

import pytest

import numbaopt
from numbaopt import __main__ as command
from numbaopt.tools import info


def test_warmup_prints_what_it_compiles(monkeypatch, capsys):
    def warmup(methods, dtypes, *, large, jobs, progress):
        assert (methods, dtypes, large, jobs) == (["adam", "lion"], ["float32"], True, 2)
        progress(1, 2, "adam, float32", 0.25)
        progress(2, 2, "lion, float32", 1.0)
        return 7

    monkeypatch.setattr(command, "warmup", warmup)
    assert command.main(["warmup", "--methods", "adam", "lion", "--dtypes", "float32", "--large", "--jobs", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "[1/2] adam, float32: 0.2 s",
        "[2/2] lion, float32: 1.0 s",
        "7 kernels compiled.",
    ]


def test_warmup_of_what_is_cached(monkeypatch, capsys):
    monkeypatch.setattr(command, "warmup", lambda *given, **options: 0)
    assert command.main(["warmup"]) == 0
    assert capsys.readouterr().out == "Everything was in the cache: nothing had to be compiled.\n"


@pytest.mark.parametrize("error", [TypeError, ValueError, OSError])
def test_an_error_is_one_line_and_exit_status_2(monkeypatch, capsys, error):
    def fail(*given, **options):
        raise error("the reason")

    monkeypatch.setattr(command, "warmup", fail)
    assert command.main(["warmup"]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", "python -m numbaopt warmup: the reason\n")


@pytest.mark.parametrize(("faults", "status"), [(0, 0), (1, 1), (3, 1)])
def test_info_has_a_status_that_tells_of_faults(monkeypatch, capsys, faults, status):
    monkeypatch.setattr(info, "text", lambda: ("The report.", faults))
    assert command.main(["info"]) == status
    assert capsys.readouterr().out == "The report.\n"


def test_without_a_command_the_help_is_printed(capsys):
    assert command.main([]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: python -m numbaopt") and re.search(r"\binfo\b[\s\S]*\bwarmup\b", out)
    with pytest.raises(SystemExit) as end:
        command.main(["--version"])
    assert end.value.code == 0 and capsys.readouterr().out == f"numbaopt {numbaopt.__version__}\n"
