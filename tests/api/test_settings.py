"""Settings complete the options once; `minimize`, `compare` and `minimize_many` share them."""

import math
import sys

import numba
import numpy as np
import pytest
from numba import njit

import numbaopt
from numbaopt import adam, minimize, minimize_many, sgd
from numbaopt.api.settings import Settings, bounded, find, read_method, read_minibatch
from numbaopt.drivers.options import DEFAULTS


def test_options_are_completed():
    assert Settings({}).options == DEFAULTS
    assert Settings({"maxiter": 7}, tol=0.5).options == DEFAULTS | {"maxiter": 7, "gtol": 0.5}
    assert Settings({"gtol": 0.1}, tol=0.5).options["gtol"] == 0.1
    settings = Settings({}, minibatch={"data": np.arange(10), "batch_size": 5, "seed": 3})
    assert settings.options["maxiter"] == math.inf and settings.batches.steps == 2 and settings.seed == 3
    assert Settings({}, minibatch={"data": np.arange(10), "shuffle": False}).seed is None
    settings = Settings({"spsa_c": 0.5}, minibatch={"seed": 3}, spsa=True)
    assert settings.batches is None and settings.seed == 3 and settings.spsa.c == 0.5
    assert settings.options["gtol"] is None and settings.options["return"] == "last"


def test_minibatch_arguments_that_differ_from_their_defaults():
    data = np.arange(3)
    assert read_minibatch(None, None, None, True, None, False) == {}
    given = {"data": data, "batch_size": 2, "epochs": 4, "seed": 0, "shuffle": False, "drop_last": True}
    assert read_minibatch(data, 2, 4, False, 0, True) == given
    with pytest.raises(ValueError, match="batch_size without data"):
        Settings({}, minibatch=read_minibatch(None, 2, None, True, None, False))


def test_methods_and_their_options():
    rule, others, unknown = read_method(find("ADAM"), {"lr": 0.5, "maxiter": 3, "what": 1})
    assert (rule, others, unknown) == (adam(lr=0.5), {"maxiter": 3}, {"what": 1})
    assert read_method(adam, {"maxiter": 3})[0] is adam and find(None) is adam
    assert bounded(adam).name == "adam_box"


def test_runs_do_not_change_the_settings_that_they_share():
    """Bounds that fix all of x end a run at once, also without gtol; the next problem is not to be ended by that."""

    def pair(x, center):
        return float(((x - center) ** 2).sum()), 2 * (x - center)

    bounds, centers = np.array([[[1.0, 1.0]], [[-9.0, 9.0]]]), np.array([0.5, 0.25])
    options = {"gtol": None, "maxiter": 3}
    result = minimize_many(
        pair, np.ones((2, 1)), data=centers, method=sgd(lr=0.5), jac=True, bounds=bounds, options=options
    )
    alone = [
        minimize(pair, [1.0], (c,), sgd(lr=0.5), True, bounds=box, options=options)
        for c, box in zip(centers, bounds, strict=True)
    ]
    assert result.status.tolist() == [one.status for one in alone] == [0, 1]
    assert result.x.tolist() == [one.x.tolist() for one in alone] == [[1.0], [0.25]]


# What a plain run passes through of these packages: nothing for features that it does not use.
PASSED = {
    "api": {"minimize", "settings"},
    "common": {"locking", "tree", "validation"},
    "objectives": {"compiled", "objective", "problem"},
    "data": set(),
}


@pytest.mark.slow
@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
def test_a_run_passes_through_no_module_that_it_does_not_need():
    @njit
    def fun(x, grad):
        grad[:] = 2 * x
        return (x * x).sum()

    def run():
        minimize(fun, np.ones(3), jac="inplace", method="adam", options={"maxiter": 50})

    def profile(frame, event, argument):
        if event == "call":
            passed.add(frame.f_globals.get("__name__", ""))

    run()
    passed, before = set(), sys.getprofile()
    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(before)
    for package, names in PASSED.items():
        start = f"{numbaopt.__name__}.{package}."
        assert {name.removeprefix(start) for name in passed if name.startswith(start)} <= names
