"""Every error text, provoked: ``pytest tests/api/test_error_texts.py -s`` prints them as one list, to be read.

Each ``raise`` statement of the package is reached by a case, or stands in a table with the reason why not.
"""

import ast
import functools
import re
from pathlib import Path

import numpy as np
import pytest
from numba import njit
from scipy import optimize

import numbaopt
import numbaopt.plot
from numbaopt import (
    Optimizer,
    Result,
    adam,
    chain,
    check_grad,
    compare,
    hooks,
    lbfgs,
    minimize,
    minimize_many,
    problems,
    schedules,
    sgd,
    transforms,
    warmup,
)
from numbaopt.common import array_file
from numbaopt.comparison.comparison import Comparison
from numbaopt.rule import rule

HOME = Path(numbaopt.__file__).parent
X = np.array([1.0, -2.0])
MATRIX = np.ones((3, 2))


def fun(x, *args):
    return float(np.sum(x**2))


def both(x):
    return float(np.sum(x**2)), 2 * x


def run(**given):
    return lambda: minimize(given.pop("fun", fun), given.pop("x0", X), **given)


def option(**options):
    return lambda: minimize(fun, X, options=options)


def batches(data=(MATRIX,), **given):
    return lambda: minimize(fun, X, data=data, **given)


def many(X0=MATRIX, **given):
    return lambda: minimize_many(fun, X0, **given)


def stepped(x, g, rule=adam, state=None, **given):
    return lambda: rule.step(x, g, rule.init(X.copy()) if state is None else state, **given)


def loaded(change):
    def load():
        optimizer = Optimizer("adam", X.copy())
        saved = optimizer.state_dict()
        change(saved["groups"][0])
        optimizer.load_state_dict(saved)

    return load


def two_groups():
    return Optimizer("adam", [{"params": X.copy()}, {"params": X.copy()}])


def ruled(text):
    """Return a case that makes a rule of a text, which stands in a file of its own."""

    def make(path):
        name = re.search(r"def (\w+)", text)
        path.write_text(text)
        space = dict(globals())
        exec(compile(text, str(path), "exec"), space)
        rule(space[name[1]])

    return make


def step(body, signature="x, g, m, t, lr=0.1"):
    return ruled(f"def r({signature}):\n    " + body.replace("; ", "\n    "))


def grads(value):
    def assign():
        optimizer = Optimizer("adam", {"w": X.copy()})
        optimizer.step({"w": value})

    return assign


def replaced():
    optimizer = Optimizer("adam", {"w": X.copy()})
    optimizer.grads["w"] = X.copy()
    optimizer.step()


def other_rule():
    optimizer = Optimizer("adam", X.copy())
    optimizer.groups[0].rule = sgd


def no_zeros():
    optimizer = Optimizer("prodigy", {"w": X.copy(), "b": X.copy()})
    optimizer.step({"w": X, "b": None})


def two_of_one_name(factor):
    def lr(k, init):
        return init * k

    def other(k, init):
        return init + k

    other.__name__ = other.__qualname__ = "lr"
    parts = [schedules.schedule(f)(1.0) for f in (lr, other)]
    return schedules.product(parts) if factor else chain(sgd(lr=parts[0]), transforms.prox_l1(lr=parts[1])).init(X)


def scheduled(body, **bounds):
    def make(path):
        path.write_text(f"def f(k, init):\n    return {body}\n")
        space = {}
        exec(compile(path.read_text(), str(path), "exec"), space)
        schedules.schedule(**bounds)(space["f"]) if bounds else schedules.schedule(space["f"])

    return make


def interrupted(x, *args):
    raise KeyboardInterrupt


def failing(x, *args):
    raise ZeroDivisionError("the objective's own error, which passes as it is")


def kept(first, then=None, **more):
    """Return a case that writes a checkpoint and resumes a run of something else from it."""

    def resume(path):
        given = {"jac": True, "checkpoint": path} | more
        minimize(both if "data" not in more else lambda x, rows: both(x), X, options={"maxiter": 3}, **given | first)
        minimize(both if "data" not in more else lambda x, rows: both(x), X, resume=True, **given | (then or {}))

    return resume


def found(content, **given):
    """Return a case that finds a file of this content at the path to resume from, or to write to."""

    def find(path):
        path.write_bytes(content(path) if callable(content) else content)
        minimize(fun, X, **{name: path for name in given})

    return find


def odd(arrays):
    """Return what has the right checksum, but is none of ours."""

    def content(path):
        array_file.write(str(path), {}, {"a": X})
        described = path.read_bytes()[: -array_file._DIGEST].replace(b'"<f8"', b'"<i8"') if arrays else b""
        whole = described or path.read_bytes()[: -array_file._DIGEST] + b"more"
        return whole + array_file.hashlib.sha256(whole).digest()

    return content


def checked(fun=both, **given):
    return lambda: check_grad(fun, given.pop("x0", X), **given)


def compared(*methods, **given):
    return lambda: compare(given.pop("fun", fun), given.pop("x0", X), given.pop("methods", methods), **given)


def convergence(results, **given):
    return lambda: numbaopt.plot.convergence(results, **given)


def path_of(result, fun=fun, **given):
    return lambda: numbaopt.plot.path(fun, result, **given)


def raised(found):
    [error] = found.errors.values()
    raise error


def walked(x):
    return Result(fun=1.0, x=X, history={"x": x})


class Liar:
    def __float__(self):
        raise TypeError("it is none")


class Iterator:
    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration


MASKED = np.ma.array([1.0, 2.0], mask=[True, False])
READ_ONLY = X.copy()
READ_ONLY.flags.writeable = False
CASES = [
    # minimize: what it minimizes
    run(fun=3),
    run(fun=lambda x: None),
    run(fun=lambda x: (1.0, x)),
    run(fun=lambda x: x),
    run(fun=lambda x: "one"),
    run(fun=lambda x: [[1.0], [1.0, 2.0]]),
    run(fun=lambda x: Liar()),
    run(fun=fun, jac=True),
    run(fun=lambda x: 1j * x[0], jac="cs"),
    run(fun=lambda x, grad: 1.0, jac="inplace"),
    run(jac="2point"),
    run(jac="nonsense"),
    run(jac=lambda x: x[:1]),
    run(x0=[]),
    run(x0=[np.nan, 1.0]),
    run(x0={"a": [1.0], "b": [np.inf]}),
    run(x0="start"),
    run(x0=np.ones(2, np.clongdouble)),
    run(x0=np.ones(2, np.float16)),
    run(x0=MASKED),
    run(x0={"a": X}, jac=lambda x: [1.0], fun=lambda x: 1.0),
    run(x0={"a": X}, jac=lambda x: {"b": X}, fun=lambda x: 1.0),
    run(x0=(X, X), jac=lambda x: 1.0, fun=lambda x: 1.0),
    run(x0=(X, X), jac=lambda x: (X,), fun=lambda x: 1.0),
    run(x0=[[1.0], [1.0, 2.0]]),
    run(fun=interrupted),
    run(fun=failing),
    # how
    run(method="adm"),
    run(method=3),
    run(bounds=3),
    run(bounds=[(0, 1), (0, 1), (0, 1)]),
    run(bounds=[(0, "one"), (0, 1)]),
    run(bounds=[(1, 0), (0, 1)]),
    run(x0=np.ones(2, np.float32), bounds=[(1 + 1e-10, 1 + 2e-10), (0, 1)]),
    run(bounds=[(np.inf, np.inf), (0, 1)]),
    run(constraints=[{"type": "eq", "fun": fun}]),
    run(callback=3),
    run(options=3),
    run(tol=np.nan),
    run(tol="small"),
    run(method="lbfgs", jac="spsa"),
    run(method="lbfgs", data=(MATRIX,)),
    run(method="lbfgs", bounds=[(0, 1), (0, 1)]),
    run(method="BFGS", data=(MATRIX,)),
    run(method="BFGS", jac="spsa"),
    run(method="trust-constr", x0=MATRIX, hess=fun),
    run(batch_size=3),
    run(jac="spsa", tol=1e-3),
    run(jac="spsa", options={"finite_diff_rel_step": 1e-3}),
    run(jac="spsa", options={"spsa_c": 0.0}),
    run(jac="spsa", options={"spsa_gamma": -1.0}),
    option(gtoll=1e-3),
    option(seed=3),
    option(checkpoint="run"),
    option(spsa_c=3),
    option(**{"return": "first"}),
    option(finite_diff_rel_step="big"),
    option(lr=-1.0),
    # minibatches
    batches(data=3),
    batches(data=()),
    batches(data=[np.ones(3), np.ones(3), 4]),
    batches(data=[]),
    batches(data=(3,)),
    batches(data=(np.float64(3.0),)),
    batches(data=([[1.0], [1.0, 2.0]],)),
    batches(data=(MATRIX, X)),
    batches(data=(np.ones((0, 2)),)),
    batches(batch_size=4),
    batches(batch_size=0),
    batches(batch_size=2.5),
    batches(batch_size=True),
    batches(shuffle=3),
    batches(options={"ftol": 1e-3}),
    batches(data=iter([(X,)]), epochs=2),
    batches(data=Iterator()),
    batches(data=iter([(X,)]), batch_size=3),
    # many problems
    many(X0=X),
    many(X0=MATRIX.astype(complex)),
    lambda: minimize_many(fun, MATRIX, jac="3-point")[9],
    many(X0=np.ones((0, 2))),
    many(method="BFGS"),
    many(jac="spsa"),
    many(data=X),
    many(data=([[1.0], [1.0, 2.0]],)),
    many(options={"lr": X}),
    many(options={"wd": np.array([0.0, 1.0, 0.0])}),
    many(callback=3),
    many(threads=0),
    many(bounds=np.ones((3, 2, 3))),
    many(bounds=np.ones((4, 2, 2))),
    lambda: minimize_many(interrupted, MATRIX),
    lambda: minimize_many(failing, MATRIX),
    # rules
    lambda: adam(bta1=0.9),
    lambda: adam(lr="fast"),
    lambda: adam(lr=schedules.cosine),
    lambda: adam(b1=1.0),
    lambda: adam(lr=np.array(["a"])),
    lambda: adam(lr=np.ones(2), eps=np.ones(2), b1=0.9) and numbaopt.nadam(lr=np.ones(2), b1=np.zeros(2)),
    lambda: adam(lr=np.ones(3)).init(X),
    lambda: numbaopt.adafactor(lr=np.ones(6)).init(MATRIX),
    lambda: adam(0.1),
    lambda: adam(fun),
    lambda: adam.source("gpu"),
    lambda: chain(adam, 3),
    lambda: chain(adam, sgd),
    lambda: chain(transforms.cautious, sgd),
    lambda: Optimizer(
        chain(transforms.adaptive_grad_clip, transforms.clip_by_global_norm, sgd), {"a": X, "b": MATRIX}
    ).step({"a": X, "b": MATRIX}),
    lambda: numbaopt.admm,
    lambda: transforms.clop,
    lambda: lbfgs(histry=3),
    lambda: lbfgs(history=2.5),
    lambda: lbfgs(history=0),
    lambda: lbfgs(c1=0.95),
    lambda: lbfgs(0.1),
    lambda: lbfgs(fun),
    lambda: numbaopt.nonlinear_cg(beta="XY"),
    lambda: lbfgs.slots(X, lower=X),
    lambda: numbaopt.Result().x,
    lambda: delattr(numbaopt.Result(), "x"),
    # steps
    lambda: adam.init([1.0]),
    lambda: adam.init(np.ones(2, int)),
    lambda: adam.init(MATRIX.T),
    lambda: adam.init(READ_ONLY),
    stepped(X.copy(), np.ones(3)),
    stepped(X.astype(np.float32), X),
    stepped(X.copy(), np.array(["a", "b"])),
    stepped(MATRIX.copy(), np.ma.masked_equal(MATRIX, 1.0), state=adam.init(MATRIX.copy())),
    stepped(X.copy(), X, state=3),
    stepped(X.copy(), X, state=sgd.init(X.copy())),
    stepped(X.copy(), X, rule=sgd(momentum=0.9), state=sgd.init(X.copy())),
    stepped(X.copy(), X, rule=numbaopt.polyak_sgd),
    stepped(np.ones(3), np.ones(3), rule=sgd(nesterov=True, momentum=0.5), state=sgd(momentum=0.5).init(X.copy())),
    stepped(X.copy(), X, rule=lbfgs, f="low"),
    lambda: adam.init(X.copy())["vmax"],
    # Optimizer
    lambda: Optimizer("adam", [X, X]),
    lambda: Optimizer("adam", {"w": X.copy(), "v": np.ones(2, np.float32)}),
    lambda: two_groups().step(X),
    grads(np.ones(3)),
    grads("steep"),
    replaced,
    other_rule,
    no_zeros,
    lambda: two_groups().load_state_dict(Optimizer("adam", X.copy()).state_dict()),
    lambda: Optimizer("adam", X.copy()).load_state_dict({}),
    loaded(lambda group: group.update(rule="sgd")),
    loaded(lambda group: group["hyper"].update(beta=3)),
    loaded(lambda group: group.update(t=[1, 2])),
    loaded(lambda group: group.update(t=["one"])),
    loaded(lambda group: group.update(t=[-1])),
    loaded(lambda group: group.update(numbers=[{"d": 1.0}])),
    loaded(lambda group: group["slots"][0].update(m=np.ones(3))),
    loaded(lambda group: group["slots"][0].update(m=np.array(["a", "b"]))),
    loaded(lambda group: group["hyper"].update(lr=np.array([0.1, 0.2]))),  # which takes a slot
    # schedules and problems
    lambda: schedules.cosine("fast", 100),
    lambda: schedules.cosine(0.1, 0),
    lambda: schedules.cosine(0.1),
    lambda: schedules.joined([schedules.constant(1)], [3]),
    lambda: schedules.joined([3], []),
    lambda: schedules.staircase(3, 10),
    lambda: schedules.delayed(3, 10),
    lambda: schedules.multistep(0.1, [3], [0.1, 0.2]),
    lambda: schedules.multistep(0.1, [3, 2]),
    lambda: schedules.interpolated([1], [3]),
    lambda: schedules.interpolated([1, 2], [3], "cubic"),
    lambda: schedules.warmup_cosine(0, 1, 10, 10),
    lambda: schedules.schedule(eval("lambda k, init: init")),
    scheduled("init * k", pwer="positive"),
    scheduled("init * other"),
    lambda: two_of_one_name(True),
    lambda: two_of_one_name(False),
    lambda: problems.get("rosenbrok"),
    lambda: problems.booth(n=3),
    # rules of one's own
    lambda: rule(eval("lambda x, g, t: x")),
    lambda: rule(lambda x, g, t: x),
    step("return x - lr * g, m", "x, g, m, *t, lr=0.1"),
    step("return x - lr * g, m", "g0, x, t, lr=0.1"),
    step("return x - lr * g, m", "x, g, h, t, lr=0.1"),
    step("return x - lr * g, m", "x, g, m=0, t=1, lr=0.1"),
    step("return x - lr * g, m", "x, g, m, t, lr='fast'"),
    step("x = x - lr * g"),
    step("return x - lr * g"),
    step("return x - lr * g, m", "x, g, m: 'y', t, lr=0.1"),
    step("x[0] = 3; return x - lr * g, m"),
    step("return (g if g > 0 else skip)", "g, t, lr=0.1"),
    step("return x - lr * g, g", "x, g, t, m, lr=0.1"),
    ruled("def r(x, g, t, lr=0.1):\n    if g > 0:\n        x = x - lr\n    return x\n"),
    ruled("def r(x, g, t, lr=0.1):\n    if t > 1:\n        s = sum(g)\n        x = x - s\n    return x\n"),
    step("d = skip; return x - lr * g, m"),
    step("return x - lr * y, m"),
    step("return x - 'a', m"),
    step("return x - (g // 2), m"),
    step("return x - tanh(g), m"),
    step("return x - where(g), m"),
    step("return x - [g], m"),
    step("return x - (1 if g > 0 else 2), m"),
    step("return x - sum(lr), m"),
    step("return x - normal(x, g, t), m"),
]

CASES += [
    # complex numbers, where they cannot be
    run(x0=X + 1j, bounds=[(0, 1), (0, 1)]),
    run(bounds=[(0, 1j), (0, 1)]),
    many(bounds=np.ones((3, 2, 2)) * 1j),
    many(X0=MATRIX * 1j),
    run(x0=X + 1j, jac="cs"),
    run(fun=lambda x: (x * x).sum(), x0=X + 1j),
    run(fun=lambda x: (1.0, 2j * x), jac=True),
    option(lr=1j),
    option(lr=X * 1j),
    option(finite_diff_rel_step=np.complex128(1j)),
    option(gtol=1j),
    stepped(X.copy(), X * 1j),
    stepped(X.copy(), X, rule=numbaopt.polyak_sgd, f=np.complex128(1j)),
    many(bounds=optimize.Bounds(MATRIX * 1j, MATRIX)),
    compared("adam", x0=X + 1j, bounds=[(0, 1), (0, 1)]),
    lambda: optimize.minimize(fun, X + 1j, method=lbfgs, bounds=[(0, 1)] * 4),
    run(fun=lambda x: np.array([np.complex128(1j)], object)),
    path_of(walked(np.ones((3, 2))), fun=lambda x: 1j * x[0]),
    lambda: lbfgs(c1=1j),
    # checkpoints
    run(checkpoint=3.5),
    run(resume=3.5),
    run(resume=True),
    run(checkpoint="run", checkpoint_every="1"),
    run(checkpoint="run", checkpoint_every=-1),
    run(checkpoint_every=1),
    run(checkpoint="no/where"),
    run(checkpoint="."),
    run(resume="."),
    run(resume="nowhere"),
    run(method="BFGS", checkpoint="run"),
    kept({}, {"method": "sgd"}),
    kept({"bounds": [(0, 1), (0, 1)]}, {"bounds": [(0, 1), (0, 2)]}),
    kept({"data": [(MATRIX,)] * 5}, {"data": [(MATRIX,)] * 2}, data=True),
    lambda path: minimize(both, X, jac=True, data=iter([(MATRIX,)]), checkpoint=path),
    found(b"thesis", checkpoint=True),
    found(b"thesis", resume=True),
    found(b"", resume=True),
    found(b"numbaopt checkpoint 2\n", resume=True),
    found(b"numbaopt checkpoint 1\n" + bytes(99), resume=True),
    found(odd(True), resume=True),
    found(odd(False), resume=True),
    # options
    option(history=3),
    option(progress=3),
    option(check_grad=3),
    option(nonfinite="skp"),
    run(method="BFGS", options={"history": True}),
    run(method="lbfgs", options={"nonfinite": "skip"}),
    batches(method="sophia", options={"nonfinite": "skip"}),
    many(options={"history": True}),
    # check_grad
    checked(jac="3-point"),
    checked(lambda x: (np.nan, x)),
    checked(lambda x: (1.0, x * np.nan)),
    checked(entries=0),
    run(fun=lambda x: (fun(x), 3 * x), jac=True, options={"check_grad": True}),
    # compare
    compared(fun=3),
    compared(),
    compared(methods="adam"),
    compared("adam", "adam"),
    compared("adem"),
    compared("sgd", "BFGS", options=3),
    compared("adam", data=iter([np.ones(2)])),
    lambda: compare(fun, X, ["BFGS"])["bfg"],
    compared("sgd", "BFGS", options={"lrr": 1}),
    compared("BFGS", options={"lr": 1}),
    compared("adam", fun=interrupted),
    lambda: compare(fun, X, ["BFGS", "adam"], bounds=[(0, 1), (0, 1)])["BFGS"],
    lambda: raised(compare(fun, X, ["BFGS"], bounds=[(0, 1), (0, 1)])),
    lambda: raised(compare(fun, X, ["L-BFGS-B"], jac=lambda x: np.ones(3), bounds=[(0, 1), (0, 1)])),
    lambda: Comparison([], {}, None, 2).best,
    lambda: Comparison([], {}, None, 2).plot(),
    # pictures
    convergence(3),
    convergence([]),
    convergence([3]),
    convergence(Result(fun=1.0)),
    convergence({"a": Result(fun=1.0, history={"nit": [0]})}),
    convergence(Result(fun=1.0, history={"nit": [], "fun": []})),
    path_of(Result(fun=1.0, x=np.ones(3), history={"x": np.ones((4, 3))})),
    path_of(Result(fun=1.0, x=X, history={"nit": [0]})),
    path_of(walked(np.ones((3, 2))), bounds=[(0, None), (0, 1)]),
    path_of(Result(fun=1.0, x=X * np.nan, history={"x": np.full((3, 2), np.nan)})),
    path_of(walked(np.ones((3, 2))), fun=lambda x: np.nan),
    lambda: numbaopt.plot.parameters([3]),
    lambda: numbaopt.plot.convergence(minimize(fun, X, options={"history": True}).history),
    # hooks, custom methods, warmup
    lambda: hooks.loop("polyak_sgd"),
    lambda: hooks.neural_network("adem"),
    lambda: warmup("adem"),
    lambda: warmup("sgd", dtypes=["float16"]),
    lambda: warmup([]),
    lambda: warmup("BFGS"),
    lambda: warmup("sgd", jobs=0),
    lambda: warmup([sgd, "adam"], jobs=2),
    # autograd
    run(fun=njit(lambda x: x[0]), jac="autograd"),
    run(fun=lambda x: float(x[0]), jac="autograd"),
    run(fun=lambda x: 3.0, jac="autograd"),
]

# Where no case leads, and why. By file, or by file and function.
ELSEWHERE = {
    "backends/cuda.py": "device arrays: tests/backends/test_cuda.py",
    "api/param_group.py:_check": "device arrays beside others: tests/backends/test_cuda.py",
    "backends/protocol.py": "slots of several dtypes: tests/backends/test_dispatch.py",
    "methods/state.py:__reduce__": "a state on a device: tests/backends/test_cuda.py",
    "drivers/assemble.py": "an assertion about the package's own text: tests/drivers/test_assemble.py",
    "embedded/codegen.py": "errors of minimize in compiled code: tests/embedded/test_typing.py",
    "embedded/helpers.py": "errors of minimize in compiled code: tests/embedded/test_typing.py",
    "embedded/method.py": "errors of minimize in compiled code: tests/embedded/test_typing.py",
    "lowering/runtime.py": "compiled code: tests/lowering/test_runtime.py",
    "methods/state.py:adopt": "a state of another shape under other switches: tests/methods/test_rule.py",
    "embedded/objective.py": "errors of minimize in compiled code: tests/embedded/test_typing.py",
    "embedded/typing.py": "errors of minimize in compiled code: tests/embedded/test_typing.py",
    "backends/simd/arithmetic.py": "a sign to the compiler, caught in the package",
    "backends/simd/arrays.py": "a sign to the compiler, caught in the package",
    "backends/simd/kinds.py": "a sign to the compiler, caught in the package",
    "objectives/compiled_estimates.py": "a sign that Python has to evaluate, caught in the package",
    "objectives/compiled.py": "a sign that Python has to evaluate, caught in the package",
    "many/workers.py": "what a thread raised, raised again",
    "drivers/digest.py": "a sign that nothing is kept on disk, caught in the package",
    "objectives/autograd.py:__init__": "without autograd: tests/objectives/test_autograd.py; jitted functions are a case",
    "plot/axes.py:axes_or_new": "without matplotlib: tests/plot/test_figures.py",
    "drivers/progress.py:__init__": "without tqdm: tests/drivers/test_recorder.py",
    "backends/cache_files.py": "a sign to what loads compiled code, which then compiles: tests/backends/test_processes.py damages files",
    "tools/warmup.py:warmup": "nothing kept, nothing compiled: tests/backends/test_processes.py; others are cases",
    "tools/warmup.py:_in_processes": "a process that was ended from outside",
    "comparison/scipy_history.py:_fun": "a sign that all is compiled, caught in the package",
    "methods/method.py:_rebound": "what a base class leaves to others",
    "objectives/objective.py:__call__": "what a base class leaves to others; jac=True is a case",
    "solvers/lbfgs.py": "compiled code: tests/solvers/test_solvers.py",
    "solvers/nonlinear_cg.py": "compiled code: tests/solvers/test_solvers.py",
    "solvers/barzilai_borwein.py": "compiled code: tests/solvers/test_solvers.py",
}


@functools.cache
def sites():
    """Return every raise statement: {(file, first line, last line): function}."""
    found = {}
    for path in sorted(HOME.rglob("*.py")):
        tree = ast.parse(path.read_text())
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and node.exc is not None:  # not what is raised again
                around = [f for f in functions if f.lineno <= node.lineno <= f.end_lineno]
                place = path.relative_to(HOME).as_posix()
                found[place, node.lineno, node.end_lineno] = max(around, key=lambda f: f.lineno).name
    return found


def reached(error):
    """Return the raise statements that an error has come by, and those of the errors behind it."""
    found = set()
    while error is not None:
        frame = error.__traceback__
        while frame is not None:
            place = Path(frame.tb_frame.f_code.co_filename)
            if HOME in place.parents:
                name = place.relative_to(HOME).as_posix()
                found |= {site for site in sites() if site[0] == name and site[1] <= frame.tb_lineno <= site[2]}
            frame = frame.tb_next
        error = error.__context__
    return found


@pytest.fixture(scope="module")
def provoked(tmp_path_factory):
    """Run all cases; return their errors."""
    home, errors = tmp_path_factory.mktemp("rules"), []
    for i, case in enumerate(CASES):
        with pytest.raises(BaseException) as info:
            case(home / f"rule{i}.py") if case.__code__.co_varnames[: case.__code__.co_argcount] == (
                "path",
            ) else case()
        errors.append(info.value)
    return errors


def text_of(error):
    if isinstance(error, SyntaxError):
        return error.msg
    return error.args[0] if isinstance(error, KeyError) else str(error)


def test_every_raise_is_reached(provoked):
    seen = set().union(*map(reached, provoked))
    missed = [
        f"{file}:{line} in {function}"
        for (file, line, last), function in sites().items()
        if (file, line, last) not in seen and not {file, f"{file}:{function}"} & set(ELSEWHERE)
    ]
    assert not missed, "\n".join(["no case provokes these:", *missed])


def test_the_reasons_are_needed():
    places = {place for (file, _, _), function in sites().items() for place in (file, f"{file}:{function}")}
    assert set(ELSEWHERE) <= places


PASSED_ON = ("the objective's own error", "module 'numbaopt' has", "module 'numbaopt.transforms' has")
KINDS = (
    "TypeError",
    "ValueError",
    "KeyError",
    "IndexError",
    "FileNotFoundError",
    "RuleError",
    "OptimizationInterrupted",
)
INTERNAL = re.compile(r"\b(_(?!_)\w+|NoneType|self|tb_frame|PerCoordinate|program|dispatcher|kernel|Lowering)\b")
SAYS_WHAT = re.compile(
    r"\b(is|are|has|have|must|takes?|took|of|lies|gave|not|no|unknown|needs?|returns?|asks|starts?|stands?|decides?|"
    r"missing|shares?|was|compares|joins|less|may|cannot|after|makes|with)\b"
)


def test_the_texts(provoked):
    texts = []
    for error in provoked:
        text = text_of(error)
        texts.append(f"{type(error).__name__}: {text}")
    print("", *sorted(set(texts)), sep="\n")
    print(f"{len(set(texts))} texts, from {len(CASES)} cases; {len(sites())} raise statements")
    for text in set(texts):
        kind, _, said = text.partition(": ")
        if said.startswith(PASSED_ON) or kind == "AttributeError":
            continue
        assert kind in KINDS, text
        assert SAYS_WHAT.search(said), f"says not what is wrong: {text}"
        assert not INTERNAL.search(said), f"names what users do not know: {text}"
        short = re.sub(r"(?<=there are ).*?(?=\.( Did|$))|(?<=it has ).*?(?=\.( Did|$))|(?<=known are ).*", "...", said)
        assert 15 <= len(short) <= 300, f"{len(short)} characters: {text}"
        assert said == said.strip() and not re.search(r"[,;:]$|\.\.$|(?<!\n)  ", said), (
            f"ends, or is spaced, badly: {text!r}"
        )
