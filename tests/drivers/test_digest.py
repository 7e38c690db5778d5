"""The digest of a jitted function: it changes with everything that its machine code depends on."""

import types

import numpy as np
import pytest
from numba import njit

from numbaopt.drivers.digest import digest
from numbaopt.objectives.problem import Problem

FACTOR = "FACTOR = {}\n"
CALLEE = """
from numba import njit
@njit
def shifted(a):
    return a - {}
"""
OBJECTIVE = """
@njit
def fun(x):
    f = 0.0
    for i in range(x.size):
        f += FACTOR * shifted(x[i]) ** {}
    return f
"""


def built(factor=2.0, shift=1.0, power=2, **options):
    """Return an objective that calls a function of another module and reads a global variable."""
    other, here = types.ModuleType("other"), types.ModuleType("here")
    exec(CALLEE.format(shift), vars(other))
    vars(here).update(njit=njit(**options) if options else njit, shifted=other.shifted, FACTOR=factor)
    exec(OBJECTIVE.format(power), vars(here))
    return here.fun


def test_equal_functions_have_one_digest():
    assert digest(built()) == digest(built()) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"factor": 3.0},
        {"factor": 2},  # an integer
        {"factor": np.float32(2)},
        {"factor": np.array(2.0)},
        {"shift": 1.5},  # of the callee, in another module
        {"power": 3},
        {"fastmath": True},
        {"error_model": "numpy"},
    ],
    ids=str,
)
def test_it_changes_with_what_is_compiled(change):
    assert digest(built()) != digest(built(**change)) is not None


def test_arrays_and_closures():
    def made(values):
        @njit
        def fun(x):
            return (x * values).sum()

        return digest(fun)

    one = made(np.arange(3.0))
    assert one is not None and one == made(np.arange(3.0))
    assert len({one, made(np.arange(3.0) + 1), made(np.arange(3)), made(np.arange(3.0)[:, None]), made(2.0)}) == 5


def test_globals_that_only_an_inner_function_reads():
    def made(value):
        space = {"njit": njit, "VALUE": value}
        exec("@njit\ndef fun(x):\n    def inner(a):\n        return a * VALUE\n    return inner(x[0])", space)
        return digest(space["fun"])

    assert made(1.0) is not None and made(1.0) != made(2.0)


def test_what_cannot_be_covered_is_refused():
    class Thing:
        pass

    for value in (Thing(), [1.0], lambda a: a, np.zeros(2**18), types.ModuleType("mine")):
        space = {"njit": njit, "VALUE": value}
        exec("@njit\ndef fun(x):\n    return VALUE", space)
        assert digest(space["fun"]) is None


@pytest.mark.parametrize("jac", ["2-point", "cs", None])
def test_a_compiled_objective_has_one(jac):
    """The wrapper that a driver calls is made anew for each objective; its digest follows from what is in it."""

    @njit
    def fun(x, a):
        return ((x - a) ** 2).sum()

    def made(args):
        return digest(Problem(fun, np.ones(2), args, jac).objective().compiled(None).function)

    assert made((1.0,)) is not None
    assert made((1.0,)) == made((2.0,))  # the value is an argument...
    assert made((1.0,)) != made((np.ones(2),))  # ...its type is not
