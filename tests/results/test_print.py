"""Results print concisely and correctly, whatever the structure of x0."""

import numpy as np
import pytest

from numbaopt import Result, minimize
from numbaopt.many.result import ManyResult


def layers(count, fill=1.0):
    return {f"w{i}": np.full((5, 4), fill + i) for i in range(count)} | {"b": [np.zeros(3), np.zeros(2)]}


def test_many_arrays_print_as_shapes_and_ranges():
    text = repr(Result(message="No.", success=False, fun=1.0, x=layers(20)))
    assert text.splitlines() == [
        " message: No.",
        " success: False",
        "     fun: 1.0",
        "       x:   w0: shape (5, 4), 1.000e+00 to 1.000e+00",
        "            w1: shape (5, 4), 2.000e+00 to 2.000e+00",
        "            w2: shape (5, 4), 3.000e+00 to 3.000e+00",
        "            w3: shape (5, 4), 4.000e+00 to 4.000e+00",
        "            w4: shape (5, 4), 5.000e+00 to 5.000e+00",
        "            w5: shape (5, 4), 6.000e+00 to 6.000e+00",
        "           ...  14 more",
        "          b[0]: shape (3,), 0.000e+00 to 0.000e+00",
        "          b[1]: shape (2,), 0.000e+00 to 0.000e+00",
    ]


def test_nonfinite_entries_are_counted():
    jac = np.arange(125.0).reshape(5, 5, 5)
    jac[0, 0, :2] = np.nan, np.inf
    text = repr(Result(jac=jac, x=np.full((3, 4, 5, 6), np.nan)))
    assert "jac: shape (5, 5, 5), 2.000e+00 to 1.240e+02, 2 not finite" in text
    assert "x: shape (3, 4, 5, 6), 360 not finite" in text


@pytest.mark.parametrize(
    "x",
    [
        np.zeros(10**6),
        np.zeros((1000, 1000)),
        np.zeros((9, 9, 9, 9)),
        layers(300),
        [np.zeros(3)] * 100,
        {"deep": {"er": [{"w": np.zeros((50, 50)), "none": {}}] * 50}},
        {str(i): float(i) for i in range(100)},
        {str(i): {} for i in range(100)},
    ],
    ids=lambda x: type(x).__name__,
)
def test_long_values_are_summarized(x):
    lines = repr(Result(message="Done.", success=True, x=x)).splitlines()
    assert len(lines) <= 2 + 12
    assert max(map(len, lines)) <= 100


def test_small_values_print_in_full():
    text = repr(Result(fun=1.0, x={"w": np.ones(2), "b": 5.0}))
    assert text.splitlines() == [" fun: 1.0", "   x: w: [ 1.000e+00  1.000e+00]", "      b: 5.0"]


def test_a_history_prints_on_one_line():
    options = {"maxiter": 3, "history": "x"}
    text = repr(minimize(lambda x: (x @ x, 2 * x), np.ones(3), jac=True, options=options))
    assert text.splitlines()[-1] == " history: History of 3 steps: nit, fun, norm, lr, seconds, x"


def test_errors_of_many_problems():
    errors = {b: ValueError(f"no {b}\n" + "long " * 50) for b in range(0, 400, 2)}
    many = ManyResult(message="Of 400 problems 200 raised.", status=np.zeros(400, int), errors=errors)
    lines = repr(many).splitlines()
    assert len(lines) <= 12 and max(map(len, lines)) <= 100
    assert "  0: ValueError('no 0" in repr(many) and "192 more" in repr(many)


def test_a_failure_shows():
    text = str(minimize(lambda x: (np.nan, x), np.ones(3), jac=True))
    assert text.splitlines()[0].startswith(" message: The objective is nan")
    assert text.splitlines()[1] == " success: False"
