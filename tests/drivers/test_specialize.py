"""Drivers with the objective inside, on disk: a later process begins with one, and never with one that is out of date."""

import os
import subprocess
import sys

import pytest

MAIN = """
import numpy as np
from numba import njit
from helper import shifted
from numbaopt import minimize, sgd
from numbaopt.drivers import specialize

specialize.PATIENCE = 0.0
compiled, original = [], specialize.Driver._specialize
specialize.Driver._specialize = lambda driver: (original(driver), compiled.append(driver))
FACTOR = {factor}

@njit
def fun(x, grad):
    f = 0.0
    for i in range(x.size):
        f += FACTOR * shifted(x[i]) ** 2 + {extra}
        grad[i] = 2 * FACTOR * shifted(x[i])
    return f

for _ in range(2):
    value = minimize(fun, np.ones(2), (), sgd(lr=0.125), "inplace", options={{"maxiter": 2, "gtol": None}}).fun
print(value, len(compiled))
"""
HELPER = """
from numba import njit

@njit
def shifted(a):
    return a - {shift}
"""


@pytest.mark.slow
def test_edits_are_seen(tmp_path):
    """Of the objective, of a function in another file, of a global variable; what is as before is not compiled again."""

    def run(factor=1.0, shift=0.0, extra=0.0):
        (tmp_path / "main.py").write_text(MAIN.format(factor=factor, extra=extra))
        (tmp_path / "helper.py").write_text(HELPER.format(shift=shift))
        cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
        environment = os.environ | cache | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
        given = {"env": environment, "capture_output": True, "text": True, "check": True}
        value, compiled = subprocess.run([sys.executable, tmp_path / "main.py"], **given).stdout.split()
        return float(value), int(compiled)

    # x = 1 - shift shrinks by 1 - 2 * factor / 8 in each of two steps, to the bit.
    cases = {"extra": 0.5}, {"shift": 0.5}, {"factor": 2.0}
    values = 2 * 0.75**4 + 1.0, 2 * (0.5 * 0.75**2) ** 2, 2 * 2 * 0.5**4
    assert run() == (2 * 0.75**4, 1)
    assert run() == (2 * 0.75**4, 0)
    for case, value in zip(cases, values, strict=True):
        assert run(**case) == (value, 1)
    assert run() == (2 * 0.75**4, 0)
