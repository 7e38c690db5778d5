"""The text of a driver does what its source does: calls are inlined without a change of meaning, flags decide branches."""

import ast

import numpy as np
import pytest
from numba import njit

import numbaopt
from numbaopt import minimize
from numbaopt.drivers import termination
from numbaopt.drivers.assemble import Inliner, _imports

HELPER = """
def scaled(a, b):
    c = a * 10
    if DOUBLED:
        c = c * 2
    return c + b
"""


def inlined(caller, flags, functions=HELPER, open_=()):
    """Return the text of a function after inlining, and the function."""
    trees = {tree.name: tree for tree in ast.parse(functions).body}
    text = ast.unparse(ast.fix_missing_locations(Inliner(trees, flags, (), open_).visit(ast.parse(caller).body[0])))
    space = {}
    exec(text, space)
    return text, space[ast.parse(caller).body[0].name]


@pytest.mark.parametrize(("doubled", "value"), [(False, 57.0), (True, 107.0)])
def test_a_call_becomes_what_it_does(doubled, value):
    # The caller has a variable of the helper's name c, which must keep its value.
    caller = "def f(x):\n    c = 2\n    y = scaled(x + c, c)\n    return y + c + 3"
    text, function = inlined(caller, {"DOUBLED": doubled})
    assert function(3) == value  # 10 (3 + 2), doubled or not, + 2, + 2 + 3
    assert "scaled" not in text and "DOUBLED" not in text


def test_branches_on_flags_are_decided_and_others_stay():
    caller = "def f(x):\n    if DOUBLED and not OTHER:\n        return 1\n    if x > 0:\n        return 2\n    return 3"
    text, function = inlined(caller, {"DOUBLED": True, "OTHER": True})
    assert (function(1), function(-1)) == (2, 3) and "return 1" not in text
    _, function = inlined(caller, {"DOUBLED": True, "OTHER": False})
    assert function(-1) == 1


def test_a_global_that_the_caller_hides_is_refused():
    helper = "def draws(a):\n    return key(a)"
    with pytest.raises(AssertionError, match="draws uses the global key, which is a variable of its caller"):
        inlined("def f(x, key):\n    y = draws(x)\n    return y", {}, helper)
    _, function = inlined("def f(x, key):\n    y = draws(x)\n    return y", {}, helper, {"draws"})
    assert function(3, lambda a: a + 1) == 4


@njit
def loss(w, grad, rows):
    f = 0.0
    grad[:] = 0.0
    for i in range(rows.shape[0]):
        r = rows[i, 0] * w[0] + rows[i, 1] * w[1] - 1
        f += r * r / rows.shape[0]
        for j in range(2):
            grad[j] += 2 * r * rows[i, j] / rows.shape[0]
    return f


@pytest.mark.slow
@pytest.mark.parametrize("method", ["noisy_sgd", "sophia"])
def test_rules_with_noise_take_compiled_minibatches(method):
    given = {"data": np.linspace(-1, 1, 20).reshape(10, 2), "batch_size": 4, "epochs": 3, "seed": 1, "jac": "inplace"}
    compiled = minimize(loss, np.ones(2), method=getattr(numbaopt, method), **given)
    plain = minimize(loss.py_func, np.ones(2), method=getattr(numbaopt, method), **given)
    np.testing.assert_array_equal(compiled.x, plain.x)
    assert (compiled.fun, compiled.nfev) == (plain.fun, plain.nfev)


def test_a_name_that_one_function_stores_is_imported_for_another():
    text = "def f(x):\n    finite = x\n    return finite\n\n\ndef g(x):\n    return finite(f(x))\n"
    assert _imports(text, [vars(termination)], set()) == ["from numbaopt.drivers.termination import finite"]
