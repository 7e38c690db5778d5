"""Every rule compared with 100 recorded steps of its reference implementation (golden/record.py)."""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pytest

import numbaopt
from tests.paths import GOLDEN

TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


def load(recording):
    with np.load(GOLDEN / f"{recording}.npz") as file:
        arrays = dict(file)
    return json.loads(str(arrays.pop("about"))), arrays


FILES = sorted(path.stem for path in GOLDEN.glob("*.npz") if path.stem.split(".")[0] in numbaopt.names())
ABOUT = {file: load(file)[0] for file in FILES}
CASES = [(file, name, dtype) for file in FILES for name in ABOUT[file]["sets"] for dtype in TOLERANCE]


def assert_same_walk(x, reference, x0, tolerance):
    """Compare each coordinate with the largest value that it itself has had so far, x0 included.

    Relative to |x| as it is now would demand the impossible where x crosses zero: the rounding errors of
    earlier, larger values stay in it. Relative to the largest coordinate would hide the small ones. Where x0
    is zero, as in two coordinates, this is a relative error in the steps; what never left zero must be zero.
    """
    scale = np.maximum.accumulate(abs(np.vstack([x0, reference]).astype(float)))[1:]
    wrong = ~(abs(x.astype(float) - reference) <= tolerance * scale)  # so that NaN is wrong
    if wrong.any():
        step, i = np.argwhere(wrong)[0]
        pytest.fail(f"step {step + 1}, coordinate {i}: {x[step, i]!r}, the reference {reference[step, i]!r}")


@pytest.mark.parametrize(("file", "name", "dtype"), CASES)
def test_rule_walks_as_its_reference(file, name, dtype):
    about, arrays = load(file)
    x0 = arrays.get(f"{name}.x0", arrays["x0"]).astype(dtype)
    g = arrays.get(f"{name}.g", arrays["g"]).astype(dtype)
    bound = getattr(numbaopt, about["rule"])(**about["sets"][name])
    x = x0.copy()
    state = bound.init(x)
    walk = np.empty_like(g)
    for t, gradient in enumerate(g):
        bound.step(x, gradient, state, *arrays["f"][t : t + 1] if bound.needs_value else ())
        walk[t] = bound.reported(x, state.s, state.h, state.t) if about.get("reported") else x
    assert_same_walk(walk, arrays[f"{name}.{dtype}"], x0, TOLERANCE[dtype])


@pytest.mark.parametrize("file", [file for file in FILES if "." not in file])
def test_defaults_are_those_of_the_reference(file):
    about = ABOUT[file]
    assert dict(getattr(numbaopt, about["rule"]).hyper) == about["sets"]["defaults"] | about.get("ours", {})


@pytest.mark.parametrize("file", FILES)
def test_recording_is_whole(file):
    about, arrays = load(file)
    assert about["rule"] == file.split(".")[0]
    assert about["version"] or about["oracle"] == "paper"
    for name in about["sets"]:
        start = arrays.get(f"{name}.x0", arrays["x0"])
        for dtype in TOLERANCE:
            walk = arrays[f"{name}.{dtype}"]
            assert walk.shape == (100, 7) == arrays["g"].shape
            assert walk.dtype == dtype
            assert np.isfinite(walk).all()
            if name == "defaults":
                assert (walk != start.astype(dtype)).any(0).all(), "a coordinate that never moves tells nothing"


@pytest.mark.parametrize("rule", numbaopt.names())
def test_every_hyperparameter_has_been_walked_with(rule):
    own = [ABOUT[file] for file in FILES if ABOUT[file]["rule"] == rule]
    sets = [hyper for about in own for hyper in about["sets"].values()]
    assert any("defaults" in about["sets"] for about in own), "no recording by the rule's oracle"
    assert len(sets) >= 3
    usual = getattr(numbaopt, rule).hyper
    still = [name for name, value in usual.items() if all(hyper.get(name, value) == value for hyper in sets)]
    assert not still, f"at its default in every set: {', '.join(still)}"


def installed(package):
    try:
        return version(package).split("+")[0]
    except PackageNotFoundError:
        return None


# One each, in a process of its own, for torch and jax bring threads. These two depend least on how a CPU rounds
# multiply-adds.
@pytest.mark.slow
@pytest.mark.parametrize("rule", ["sgd", "optimistic_gradient_descent"])
def test_recording_agrees_with_its_oracle_here(rule):
    oracle, wanted = ABOUT[rule]["oracle"], ABOUT[rule]["version"]
    if installed(oracle) != wanted:
        pytest.skip(f"needs {oracle} {wanted}")
    command = [sys.executable, GOLDEN / "record.py", "--check", rule]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
