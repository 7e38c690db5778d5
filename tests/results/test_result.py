"""A result behaves like SciPy's, without importing SciPy."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.optimize

from numbaopt.results.result import OptimizationInterrupted, Result


@pytest.fixture
def fields():
    return {
        "nit": 3,
        "x": np.arange(3.0) / 3,
        "message": "Done.",
        "success": True,
        "status": 0,
        "fun": 0.125,
        "jac": np.array([1e-9, np.nan, -np.inf]),
    }


def test_attributes_are_keys(fields):
    result = Result(fields)
    assert result.nit == result["nit"] == 3
    result.extra = 5
    assert result["extra"] == 5 and "extra" in dir(result) and dir(result) == sorted(result)
    del result.extra
    assert "extra" not in result
    with pytest.raises(AttributeError, match="extra"):
        _ = result.extra
    with pytest.raises(AttributeError, match="extra"):
        del result.extra
    assert not hasattr(result, "hess") and getattr(result, "hess", 1) == 1
    assert result == fields and isinstance(result, dict)


def test_it_is_a_result_of_scipy(fields):
    assert isinstance(Result(fields), scipy.optimize.OptimizeResult)
    assert type(Result(fields)) is Result and isinstance(Result(fields), Result)


def test_scipy_is_not_imported_for_it():
    code = """
        import sys
        from numbaopt.results.result import Result
        result = Result(x=1)
        assert isinstance(result, dict) and isinstance(result, Result)
        repr(result)
        assert not any(name.startswith("scipy") for name in sys.modules), "imported"
        import scipy.optimize
        assert isinstance(result, scipy.optimize.OptimizeResult)
    """
    code = "\n".join(line.strip() for line in code.splitlines())
    package = "import sys, types; package = types.ModuleType('numbaopt'); package.__path__ = [sys.argv[1]]"
    package += "; sys.modules['numbaopt'] = package"  # so that only this module is imported
    path = str(__import__("numbaopt").__path__[0])
    subprocess.run([sys.executable, "-W", "error", "-c", f"{package}\n{code}", path], check=True)


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"x": np.linspace(0, 1, 30)},
        {"x": np.linspace(0, 1, 30).reshape(6, 5)},
        {"nested": {"a": np.ones((2, 2)), "longer": 1}},
        {"x": np.arange(20), "hess_inv": np.eye(2)},
        {"text": "two\nlines"},
        {"x": np.float32([1, 2])},
    ],
    ids=lambda extra: ",".join(extra),
)
def test_it_prints_as_scipys(fields, extra):
    assert repr(Result(fields | extra)) == repr(scipy.optimize.OptimizeResult(fields | extra))
    assert str(Result(fields | extra)) == str(scipy.optimize.OptimizeResult(fields | extra))


def test_it_prints_structures():
    assert repr(Result()) == "Result()"
    text = repr(Result(fun=1.0, x={"w": np.ones(2), "b": [np.zeros(1)], 3: {}}))
    assert text.splitlines() == [
        " fun: 1.0",
        "   x: w: [ 1.000e+00  1.000e+00]",
        "      b: [array([ 0.000e+00])]",
        "      3: {}",
    ]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_pickled_and_copied(fields, protocol):
    result = Result(fields)
    for again in (pickle.loads(pickle.dumps(result, protocol)), copy.copy(result), copy.deepcopy(result)):
        assert type(again) is Result and again.keys() == result.keys()
        np.testing.assert_equal(dict(again), fields)
    assert copy.deepcopy(result).x is not result.x


def test_an_interrupt_carries_the_result(fields):
    error = OptimizationInterrupted(Result(fields))
    assert isinstance(error, KeyboardInterrupt) and not isinstance(error, Exception)
    assert error.result.nit == 3
    assert str(error) == "Done. The result so far is the attribute `.result` of this exception."
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is OptimizationInterrupted and again.result.fun == 0.125
