"""`minimize` inside compiled code: the oracle is `minimize` called from Python, to the bit."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from numba import config, float64, get_num_threads, get_thread_id, njit, prange, types
from numba.core.errors import TypingError
from numba.core.runtime import _nrt_python, rtsys

import numbaopt
from numbaopt import adam, chain, lbfgs, minimize, workspace_size
from numbaopt.transforms import clip_by_global_norm, ema

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")

START = np.array([-1.2, 1.0, 0.7])
WEIGHTS = np.array([1.0, 10.0, 3.0])
gentle = adam(lr=np.array([0.05, 0.02, 0.01]), b1=0.8)
averaged = chain(clip_by_global_norm(max_norm=1.0), adam(lr=0.02), ema(decay=0.9))
short = lbfgs(history=3)


@njit
def inplace(x, grad, w, c):
    f = c
    for i in range(x.size):
        f += w[i] * (x[i] - i) ** 4
        grad[i] = 4 * w[i] * (x[i] - i) ** 3
    return f


@njit
def value(x, w, c):
    f = c + 0.0 * x[0]
    for i in range(x.size):
        f += w[i] * (x[i] - i) ** 4
    return f


@njit
def slope(x, w, c):
    return 4 * w * (x - np.arange(x.size)) ** 3


@njit
def both(x, w, c):
    return value(x, w, c), slope(x, w, c)


@njit
def writing(x, w, c):
    f = value(x, w, c)
    x[:] = np.nan
    return f


@njit
def bowl(x, grad):
    f = 0.0
    for i in range(x.size):
        f += x[i] * x[i]
        grad[i] = 2 * x[i]
    return f


def alone(fun, *args, **given):
    """Minimize from Python, with the objective in Python's hands: that needs no driver of the method's own."""
    return minimize(lambda *each: fun(*each), *args, **given)


def same(ours, theirs):
    assert np.array_equal(ours.x, theirs.x, equal_nan=True) and ours.x.dtype == theirs.x.dtype
    assert np.array_equal(ours.jac, theirs.jac, equal_nan=True)
    assert ours.fun == theirs.fun or (np.isnan(ours.fun) and np.isnan(theirs.fun))
    assert (ours.nit, ours.nfev, ours.status) == (theirs.nit, theirs.nfev, theirs.status)
    assert ours.success == theirs.success


def written(call, parameters="x0"):
    """Return a compiled function that is one call of `minimize`, written out."""
    space = dict(globals())
    exec(f"def caller({parameters}):\n    return {call}\n", space)
    return njit(space["caller"])


@pytest.mark.slow
@pytest.mark.parametrize("method", [adam(lr=np.ones(3)), adam(lr=np.ones(2), eps=np.ones((1, 3)))])
def test_hyperparameters_of_another_number_of_coordinates(method):
    @njit
    def caller(x0):
        return minimize(bowl, x0, method=method, jac="inplace", maxiter=3)

    with pytest.raises(ValueError, match=r"adam: (lr|eps) has 3 values, but must have one for each entry"):
        caller(np.ones(2))


# What stands in the call, and the same for Python: what is not in options is an argument.
CALLS = {
    "default": ('jac="inplace"', {"jac": "inplace"}, {}),
    "limits": ('method="sgd", lr=1e-3, nesterov=True, momentum=0.9, jac=True, maxiter=40, gtol=0',
               {"method": "sgd", "jac": True},
               {"lr": 1e-3, "nesterov": True, "momentum": 0.9, "maxiter": 40, "gtol": 0}),
    "by jac": ('method="adagrad", lr=0.5, initial_accumulator=0.2, jac=slope, tol=0.1',
               {"method": "adagrad", "jac": slope, "tol": 0.1}, {"lr": 0.5, "initial_accumulator": 0.2}),
    "last": ('method="prodigy", jac="inplace", ftol=1e-6, best=False, d0=0.1',
             {"method": "prodigy", "jac": "inplace"}, {"ftol": 1e-6, "return": "last", "d0": 0.1}),
    "coordinates": ('method=gentle, jac="inplace", maxfev=100', {"method": gentle, "jac": "inplace"}, {"maxfev": 100}),
    "chain that reports": ('method=averaged, jac="inplace", maxiter=60',
                           {"method": averaged, "jac": "inplace"}, {"maxiter": 60}),
    "reports in bounds": ('method="schedule_free_adamw", lr=0.1, maxiter=50, bounds=((-1, 0.5), (None, 2.0), (0, 1.0))',
                          {"method": "schedule_free_adamw", "bounds": [(-1, 0.5), (None, 2), (0, 1)]},
                          {"lr": 0.1, "maxiter": 50}),
    "lbfgs": ('method=short, jac="inplace", ftol=1e-9', {"method": short, "jac": "inplace"}, {"ftol": 1e-9}),
    "conjugate": ('method="nonlinear_cg", jac="3-point"', {"method": "nonlinear_cg", "jac": "3-point"}, {}),
    "spectral": ('method="barzilai_borwein", jac="inplace", bounds=((-2.0, 0.5), (2.0, 2.0), (0.0, 9.0))',
                 {"method": "barzilai_borwein", "jac": "inplace", "bounds": [(-2, 0.5), (2, 2), (0, 9)]}, {}),
    "complex": ('method="sgd", lr=0.01, maxiter=50, jac="cs"', {"method": "sgd", "jac": "cs"},
                {"lr": 0.01, "maxiter": 50}),
    "writes": ('method="sgd", lr=0.01, maxiter=50', {"method": "sgd"}, {"lr": 0.01, "maxiter": 50}),
}  # fmt: skip
FUNCTIONS = {"limits": both, "by jac": value, "reports in bounds": value, "conjugate": value, "complex": value}
FUNCTIONS["writes"] = writing


@pytest.mark.parametrize("name", CALLS)
def test_same_as_from_python(name):
    call, given, options = CALLS[name]
    fun = FUNCTIONS.get(name, inplace)
    ours = written(f"minimize({fun.__name__}, x0, (WEIGHTS, c), {call})", "x0, c")(START, 0.25)
    same(ours, alone(fun, START, (WEIGHTS, 0.25), options=options, **given))


@njit
def kept(x0, lr, workspace):
    return minimize(bowl, x0, jac="inplace", lr=lr, b1=lr + 0.5, maxiter=300, workspace=workspace)


@njit
def last_of(starts, lr, workspace):
    total = 0.0
    for start in starts:
        total += kept(start, lr, workspace).fun
    return total


@pytest.fixture
def counted():
    """Let Numba count what it allocates."""
    _nrt_python.memsys_enable_stats()
    yield lambda: rtsys.get_allocation_stats().alloc
    _nrt_python.memsys_disable_stats()


def by_python(x0, lr):
    return alone(bowl, x0, jac="inplace", options={"lr": lr, "b1": lr + 0.5, "maxiter": 300})


@pytest.mark.slow
def test_workspace_without_allocation(counted):
    starts, workspace = np.random.default_rng(0).normal(size=(5, 3)), np.empty(workspace_size(3, jac="inplace"))
    minimum = kept(starts[0], 0.1, workspace)
    same(minimum, by_python(starts[0], 0.1))
    assert np.shares_memory(minimum.x, workspace) and np.shares_memory(minimum.jac, workspace)
    last_of(starts, 0.1, workspace)
    before = counted()
    total = last_of(starts, 0.1, workspace)
    assert counted() - before == 2  # Numba's own, one for each array that goes in, whatever the number of starts
    assert total == sum(by_python(start, 0.1).fun for start in starts)


@pytest.mark.slow
def test_refused_at_run_time():
    workspace = np.full(workspace_size(3, jac="inplace"), 7.0)
    with pytest.raises(ValueError, match=r"adam: lr must be finite and lie in \[0, inf\)"):
        kept(START, -1.0, workspace)
    with pytest.raises(ValueError, match="workspace is too short"):
        kept(START, 0.1, workspace[:-1])
    with pytest.raises(ValueError, match="x0 is empty"):
        kept(START[:0], 0.1, workspace)
    start = np.array([1.0, np.nan, 2.0])
    with pytest.raises(ValueError, match="x0 is not finite"):
        kept(start, 0.1, workspace)


@pytest.mark.slow
def test_many_threads():
    @njit(parallel=True)
    def with_and_without(starts, rates, workspaces):
        found = np.empty((2, len(starts)))
        for i in prange(len(starts)):
            found[0, i] = kept(starts[i], rates[i], workspaces[get_thread_id()]).fun
            found[1, i] = minimize(bowl, starts[i], jac="inplace", method="sgd", maxiter=i).fun
        return found

    starts, rates = np.random.default_rng(0).normal(size=(20, 3)), np.linspace(0.01, 0.3, 20)
    workspaces = np.empty((get_num_threads(), workspace_size(3, jac="inplace")))
    one, other = with_and_without(starts, rates, workspaces)
    for i, start in enumerate(starts):
        assert one[i] == by_python(start, rates[i]).fun
        given = {"jac": "inplace", "method": "sgd", "options": {"maxiter": i}}
        assert other[i] == alone(bowl, start, **given).fun


@njit
def faulty(x, kind):
    if kind == 1:
        raise RuntimeError("out of range")
    f = np.sqrt(x[0]) if kind == 0 else x[0]
    return f, np.ones(x.size - (1 if kind == 2 else 0))


@pytest.mark.slow
def test_objectives_that_fail():
    caller = written('minimize(faulty, x0, kind, jac=True, method="sgd", lr=0.3)', "x0, kind")
    result = caller(np.array([1, 2]), 0)  # whole numbers
    same(result, alone(faulty, [1, 2], 0, jac=True, method="sgd", options={"lr": 0.3}))
    assert result.status == 3
    with pytest.raises(RuntimeError, match="out of range"):
        caller(np.array([1, 2]), 1)
    with pytest.raises(ValueError, match="does not have the length of x0"):
        caller(np.array([1, 2]), 2)


@pytest.mark.slow
def test_float32_in_a_workspace(counted):
    caller = written('minimize(value, x0, (w, c), "rmsprop", maxiter=60, workspace=flat)', "x0, w, c, flat")
    x0, w = START.astype(np.float32), WEIGHTS.astype(np.float32)
    flat = np.empty(workspace_size(3, "rmsprop"))
    ours = caller(x0, w, np.float32(0.5), flat)
    same(ours, alone(value, x0, (w, np.float32(0.5)), "rmsprop", options={"maxiter": 60}))
    before = counted()
    for _ in range(3):
        caller(x0, w, np.float32(0.5), flat)
    assert counted() - before == 3 * 3  # Numba's own, one for each array that goes in


@pytest.mark.slow
def test_same_types_by_other_names():
    @njit
    def two(fun, rate):
        first = minimize(fun, (1, 2.0), jac="inplace", maxiter=20, lr=rate)
        return first.x, minimize(fun, (1, 2.0), jac="inplace", maxiter=20, eps=rate).x

    for ours, name in zip(two(bowl, 0.1), ("lr", "eps"), strict=True):
        theirs = alone(bowl, (1, 2.0), jac="inplace", options={"maxiter": 20, name: 0.1}).x
        assert np.array_equal(ours, np.array(theirs))


@pytest.mark.slow
def test_bounds_of_another_length():
    caller = written('minimize(bowl, x0, jac="inplace", method="sgd", bounds=bounds)', "x0, bounds")
    limits = np.array([[0.5, 2.0], [-1.0, -0.25], [-np.inf, 9.0]])
    same(caller(START, limits), alone(bowl, START, jac="inplace", method="sgd", bounds=limits))
    for wrong in (limits[:2], limits.T[:, :2], limits[:, :1]):
        with pytest.raises(ValueError, match="one for each entry of x0"):
            caller(START, wrong.copy())
    with pytest.raises(ValueError, match="upper bound is less"):
        caller(START, limits[:, ::-1].copy())


@pytest.mark.parametrize("call, said", [
    ('minimize(bowl, x0, jac="inplace", beta1=0.3)', r"no option 'beta1'.*Did you mean 'b1'"),
    ('minimize(bowl, x0, jac="inplace", method="adm")', r"unknown method 'adm'.*Did you mean 'adam'"),
    ('minimize(bowl, x0, jac="inplace", method="sgd" if x0[0] > 0 else "adam")', "method must be a literal name"),
    ('minimize(bowl, x0, jac="inplace", lr="fast")', "lr must be a real number or a schedule, not 'fast'"),
    ('minimize(bowl, x0, jac="inplace", nesterov=x0[0] > 0, method="sgd")', "must be a literal"),
    ('minimize(bowl, jac="inplace")', "x0 is missing"),
    ('minimize(bowl, 2.0, jac="inplace")', "x0 must be a one-dimensional array"),
    ('minimize(3.0, x0, jac="inplace")', "fun must be a function compiled by Numba, not"),
    ("minimize(bowl, x0)", "fun does not compile for .* the types of x and args"),
    ("minimize(value, x0, (x0, 1.0), jac=True)", r"fun must return \(f, gradient\), not float64"),
    ('minimize(bowl, x0, jac="spsa")', "jac='spsa' is for calls from Python"),
    ('minimize(bowl, x0, jac="4-point")', "jac must be .* or None, not '4-point'"),
    ('minimize(bowl, x0, jac="inplace", callback=1)', "has no callback"),
    ('minimize(bowl, x0, jac="inplace", options=1)', "pass each option as a keyword"),
    ('minimize(bowl, x0, jac="inplace", method="lbfgs", bounds=((0, 1),))', "lbfgs takes no bounds"),
    ('minimize(bowl, x0, jac="inplace", bounds=((0, 1, 2),))', r"bounds must be pairs \(lower, upper\)"),
    ('minimize(bowl, x0, jac="inplace", workspace=3)', "workspace must be a contiguous one-dimensional array of float64"),
    ('minimize(bowl, x0, (), "adam", "inplace", 3)', "only fun, x0, args, method, jac of minimize may be passed by position"),
])  # fmt: skip
def test_refused_when_compiled(call, said):
    with pytest.raises(TypingError) as refusal:
        written(call)(START)
    first = str(refusal.value).splitlines()[1]  # Numba's own headline stands before it
    assert re.search(said, first), first


PROGRAM = """
import numpy as np
from numba import njit
from numbaopt import minimize

@njit(cache=True)
def bowl(x, grad):
    grad[:] = 2 * x
    return np.sum(x * x)

@njit(cache=True)
def caller(x0, lr):
    return minimize(bowl, x0, method="sgd", jac="inplace", lr=lr, maxiter=30).fun

print(repr(caller(np.array([1.0, 2.0]), 0.1)), *caller.stats.cache_hits.values())
"""


@pytest.mark.slow
@pytest.mark.xfail(strict=True, reason="functions among the arguments keep Numba from caching the caller")
def test_caller_kept_on_disk(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    home = os.path.dirname(os.path.dirname(numbaopt.__file__))
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": home}
    command, said, files = [sys.executable, "-W", "error", str(tmp_path / "program.py")], [], []
    for _ in range(2):
        said.append(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split())
        files.append({path for path in (tmp_path / "cache").rglob("*") if path.is_file()})
    assert said[0][0] == said[1][0] and said[1][1:] == ["1"]
    assert files[0] == files[1]


@pytest.mark.slow
def test_function_as_a_value():
    signature = types.FunctionType(float64(float64[::1], float64[::1]))

    @njit
    def caller(fun, x0):
        return minimize(fun, x0, jac="inplace", method="sgd", lr=0.2)

    space = float64[::1]
    compiled = njit(float64(space, space))(bowl.py_func)
    caller.compile((signature, space))
    caller.disable_compile()
    same(caller(compiled, START), alone(bowl, START, jac="inplace", method="sgd", options={"lr": 0.2}))
