"""Every rule against its reference: 100 steps of torch or optax, recorded by golden/record.py."""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest

import numbaopt

GOLDEN = Path(__file__).parent / "golden"
VERSIONS = {"torch": "2.13.0", "optax": "0.2.8"}
ORACLES = {
    "sgd": "torch",
    "rmsprop": "torch",
    "adagrad": "torch",
    "adam": "torch",
    "adamw": "torch",
    "amsgrad": "torch",
    "radam": "torch",
    "lamb": "optax",
}
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


def load(rule):
    with np.load(GOLDEN / f"{rule}.npz") as file:
        arrays = dict(file)
    return json.loads(str(arrays.pop("about"))), arrays


ABOUT = {rule: load(rule)[0] for rule in ORACLES}
CASES = [(rule, name, dtype) for rule in ORACLES for name in ABOUT[rule]["sets"] for dtype in TOLERANCE]


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


@pytest.mark.parametrize(("rule", "name", "dtype"), CASES)
def test_rule_walks_as_its_reference(rule, name, dtype):
    about, arrays = load(rule)
    x0 = arrays.get(f"{name}.x0", arrays["x0"]).astype(dtype)
    g = arrays.get(f"{name}.g", arrays["g"]).astype(dtype)
    bound = getattr(numbaopt, rule)(**about["sets"][name])
    x = x0.copy()
    state = bound.init(x)
    walk = np.empty_like(g)
    for t, gradient in enumerate(g):
        bound.step(x, gradient, state)
        walk[t] = x
    assert_same_walk(walk, arrays[f"{name}.{dtype}"], x0, TOLERANCE[dtype])


@pytest.mark.parametrize("rule", ORACLES)
def test_defaults_are_those_of_the_reference(rule):
    assert dict(getattr(numbaopt, rule).hyper) == ABOUT[rule]["sets"]["defaults"]


@pytest.mark.parametrize("rule", ORACLES)
def test_recording_is_whole_and_of_the_version_named(rule):
    about, arrays = load(rule)
    assert about["rule"] == rule
    assert (about["oracle"], about["version"]) == (ORACLES[rule], VERSIONS[ORACLES[rule]])
    for name in about["sets"]:
        for dtype in TOLERANCE:
            walk = arrays[f"{name}.{dtype}"]
            assert walk.shape == (100, 7) == arrays["g"].shape
            assert walk.dtype == dtype
            assert np.isfinite(walk).all()


def installed(package):
    try:
        return version(package).split("+")[0]
    except PackageNotFoundError:
        return None


@pytest.mark.skipif(installed("torch") != VERSIONS["torch"], reason=f"needs torch {VERSIONS['torch']}")
def test_recording_agrees_with_torch_here():
    # In a process of its own, for torch brings threads. sgd depends least on how a CPU rounds multiply-adds.
    command = [sys.executable, GOLDEN / "record.py", "--check", "sgd"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
