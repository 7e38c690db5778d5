"""Bits that a refactoring must keep: ``python -m benchmarks.bits FILE`` writes digests, or compares them with a file.

Where FILE does not exist it is written, with digests of runs by every rule in many dtypes and drivers. Where it exists
the digests are computed again, and those that differ are printed; a second argument restricts them to names in which it
occurs. Write the file in a checkout of the commit before, and compare in the one after, on one machine, because the
order of sums depends on the processor.
"""

import hashlib
import inspect
import json
import os
import sys
import tempfile
from functools import partial

import numpy as np
from numba import njit

import numbaopt
from numbaopt import Optimizer, chain, minimize, minimize_many, problems, schedules, transforms

STEPS = 30


@njit
def valley(x, grad):
    f = 0.0
    for i in range(x.size):
        grad[i] = 0.0
    for i in range(x.size - 1):
        a, b = x[i + 1] - x[i] ** 2, 1 - x[i]
        f += 100 * a**2 + b**2
        grad[i] += -400 * x[i] * a - 2 * b
        grad[i + 1] += 200 * a
    return f


@njit
def value(x):
    return ((x - 0.5) ** 2).sum() + x[0] * x[1]


@njit
def bowl(x, grad, center):
    f = 0.0
    for i in range(x.size):
        grad[i] = 2 * (x[i] - center[i])
        f += (x[i] - center[i]) ** 2
    return f


@njit
def loss(x, grad, rows, targets):
    f = 0.0
    grad[:] = 0.0
    for i in range(rows.shape[0]):
        r = -targets[i]
        for j in range(x.size):
            r += rows[i, j] * x[j]
        f += r * r / rows.shape[0]
        for j in range(x.size):
            grad[j] += 2 * r * rows[i, j] / rows.shape[0]
    return f


def digest(*things):
    """Return a short hash of arrays and numbers."""
    seen = hashlib.sha256()
    for thing in things:
        array = np.asarray(thing)
        seen.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return seen.hexdigest()[:16]


def of(result):
    """Return what is compared of a result."""
    return digest(result.x, result.fun, result.jac, result.nit, result.nfev, result.njev, result.status)


def in_python(x, *rest):
    """Call the compiled objective's function from Python."""
    with np.errstate(all="ignore"):
        return valley.py_func(x, *rest)


def steps(rule, dtype, shape):
    """Return the digest of steps by hand."""
    random = np.random.RandomState(3)
    x = random.standard_normal(shape).astype(dtype)
    state = rule.init(x)
    for _ in range(STEPS):
        g = random.standard_normal(shape).astype(dtype)
        needs_value = "f" in inspect.signature(rule.math).parameters
        rule.step(x, g, state, *[float(abs(g).sum())] if needs_value else ())
    return digest(x, state.s, state.h)


# One rule of each form goes through every driver in both dtypes, the others through the main ones in float64.
FORMS = (
    "adam",
    "sgd",
    "lamb",
    "nadam",
    "polyak_sgd",
    "noisy_sgd",
    "muon",
    "schedule_free_sgd",
    "lbfgs",
    "barzilai_borwein",
)


def cases():
    """Yield (name, function) for everything that is compared; the function returns a digest."""
    few, last = {"maxiter": STEPS}, {"maxiter": STEPS, "return": "last"}
    data = np.random.RandomState(0).standard_normal((40, 3)), np.random.RandomState(1).standard_normal(40)
    for name in [*numbaopt.names(), *numbaopt.names("solvers")]:
        method, solver = numbaopt.get(name), name in numbaopt.names("solvers")
        for dtype in ("float32", "float64"):
            key, usual = f"{name} {dtype}", {"jac": "inplace", "method": method}
            x0, w0 = np.array([-1.2, 1.0, 0.3], dtype), np.zeros(3, dtype)
            if not solver:
                yield f"{key} steps", partial(steps, method, dtype, 300)
                yield f"{key} steps of a matrix", partial(steps, method, dtype, (6, 5))
            if dtype == "float32" and name not in FORMS:
                continue
            yield f"{key} Python", partial(minimized, in_python, x0, options=few, **usual)
            yield f"{key} compiled", partial(minimized, valley, x0, options=few, **usual)
            fed = usual | {"data": data, "batch_size": 7, "epochs": 2, "seed": 1}
            if not solver:
                yield f"{key} minibatches compiled", partial(minimized, loss, w0, **fed)
            if name not in FORMS:
                continue
            yield f"{key} last", partial(minimized, valley, x0, options=last, **usual)
            starts = np.linspace(-1, 1, 33, dtype=dtype).reshape(11, 3)
            yield f"{key} many", partial(many, starts, options=few, **usual)
            if not solver:
                yield f"{key} minibatches Python", partial(minimized, loss.py_func, w0, **fed | {"seed": 2})
            if not solver or name == "barzilai_borwein":
                given = usual | {"bounds": [(-1.0, 0.5), (None, 0.7), (0.0, None)], "options": few}
                yield f"{key} bounds Python", partial(minimized, in_python, x0, **given)
                yield f"{key} bounds compiled", partial(minimized, valley, x0, **given)
    for name in ("adam", "sgd", "lamb", "lbfgs", "barzilai_borwein"):
        for jac in ("2-point", "3-point", "cs", "spsa"):
            if jac == "spsa" and name in numbaopt.names("solvers"):
                continue
            for fun, what in ((value, "compiled"), (value.py_func, "Python")):
                given = {"jac": jac, "method": name, "options": few, "seed": 4 if jac == "spsa" else None}
                yield f"{name} {jac} {what}", partial(minimized, fun, np.ones(3), **given)
    start = np.array([-1.2, 1.0])
    for name, rule in stages().items():
        for fun, what in ((valley, "compiled"), (in_python, "Python")):
            yield f"chain {name} {what}", partial(minimized, fun, start, jac="inplace", method=rule, options=few)
    for policy in ("skip", "shrink"):
        for fun, what in ((pit, "compiled"), (pit.py_func, "Python")):
            given = {"jac": "inplace", "method": "sgd", "options": few | {"nonfinite": policy, "lr": 0.7}}
            yield f"{policy} {what}", partial(minimized, fun, np.array([3.0, 2.0]), **given)
    for name in ("adam", "lamb", "lbfgs"):
        for fun, what in ((valley, "compiled"), (in_python, "Python")):
            yield f"{name} history {what}", partial(history, fun, start, name)
    big = np.linspace(-1, 1, 60_000)
    for name in ("adam", "lamb", "sgd"):
        yield f"{name} large", partial(minimized, valley, big, jac="inplace", method=name, options={"maxiter": 5})
    yield "structured", structured
    yield "embedded", lambda: digest(*embedded(start)[:3])
    yield "optimizer", optimizer
    yield "resumed", resumed
    for problem in ("rosenbrock", "beale", "powell_singular"):
        p = problems.get(problem)
        for method in ("lbfgs", "nonlinear_cg", "barzilai_borwein", "adam"):
            given = {"args": p.args, "method": method, "jac": "inplace", "options": {"maxiter": 300}}
            yield f"{problem} {method}", partial(minimized, p.fun, p.x0, **given)


def minimized(*args, **given):
    """Return the digest of a run."""
    return of(minimize(*args, **given))


def many(starts, **given):
    """Return the digest of many problems."""
    return of(minimize_many(bowl, starts, data=starts[::-1] * 2, threads=1, **given))


def history(fun, x0, method):
    """Return the digest of what a run has recorded."""
    kept = minimize(fun, x0, jac="inplace", method=method, options={"maxiter": STEPS, "history": "x"}).history
    return digest(*(kept[name] for name in ("nit", "fun", "norm", "lr", "x")))


def stages():
    """Return a chain with each kind of stage."""
    adam, sgd = numbaopt.adam, numbaopt.sgd
    return {
        "clip": chain(transforms.clip(max_delta=0.1), adam(lr=schedules.cosine(0.1, 50))),
        "norm": chain(transforms.clip_by_global_norm(max_norm=0.5), adam(lr=0.1), transforms.ema(decay=0.9)),
        "gate": chain(transforms.accumulate(k=3), sgd(lr=0.01)),
        "finite": chain(transforms.apply_if_finite(), adam(lr=0.01)),
        "sam": chain(transforms.sam(rho=0.1), sgd(lr=0.01)),
        "plateau": chain(sgd(lr=0.01), transforms.plateau()),
        "simplex": chain(sgd(lr=0.1), transforms.simplex()),
        "noise": chain(transforms.add_noise(), sgd(lr=0.1)),
        "lookahead": chain(adam(lr=0.1), transforms.lookahead()),
        "swa": chain(adam(lr=0.1), transforms.swa()),
        "lamb": chain(transforms.clip_by_global_norm(max_norm=0.5), numbaopt.lamb(lr=0.1)),
        "prox": chain(sgd(lr=0.1), transforms.prox_l1(lr=0.1, strength=0.01)),
    }


@njit
def pit(x, grad):
    f = 0.0
    for i in range(x.size):
        grad[i] = 2 * x[i]
        f += x[i] ** 2
    return np.nan if x[0] > -2 and x[0] < -1 else f


@njit
def embedded(x0):
    return numbaopt.minimize(valley, x0, jac="inplace", method="adam", lr=0.01, maxiter=30)


def structured():
    """Return the digest of a run over a dict of arrays, by a rule with norms of each."""

    def fun(p):
        return (p["w"] ** 2).sum() + ((p["b"] - 1) ** 2).sum(), {"w": 2 * p["w"], "b": 2 * (p["b"] - 1)}

    parts = []
    for method in ("lamb", "adam", chain(transforms.clip_by_global_norm(max_norm=0.5), numbaopt.lamb(lr=0.1))):
        result = minimize(
            fun, {"w": np.ones((2, 3)), "b": np.zeros(4)}, jac=True, method=method, options={"maxiter": 9}
        )
        parts += [result.x["w"], result.x["b"], result.fun]
    return digest(*parts)


def optimizer():
    """Return the digest of parameters in groups."""
    params = [{"params": [np.ones((2, 2)), np.ones(3)]}, {"params": np.ones(5, np.float32), "lr": 0.3}]
    steps = Optimizer("adamw", params)
    for k in range(5):
        steps.step([[np.full((2, 2), k + 1.0), np.arange(3.0)], np.full(5, 0.5)])
    return digest(params[0]["params"][0], params[0]["params"][1], params[1]["params"])


def resumed():
    """Return the digest of a run that was taken up again."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "run")
        given = {"jac": "inplace", "method": "adam", "checkpoint": path}
        minimize(valley, np.array([-1.2, 1.0]), options={"maxiter": 10, "lr": 0.01}, **given)
        result = minimize(valley, np.array([-1.2, 1.0]), options={"maxiter": 25, "lr": 0.01}, resume=True, **given)
        assert result.nit == 25
        return of(result)


def computed(function):
    """Return a digest, or what was raised instead."""
    try:
        with np.errstate(all="ignore"):
            return function()
    except Exception as error:
        return f"raises {type(error).__name__}"


def main():
    """Write the file, or compare with it; return the exit status."""
    path, only = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    if not os.path.exists(path):
        found = {name: computed(function) for name, function in cases()}
        with open(path, "w") as file:
            json.dump(found, file, indent=0)
        print(f"{len(found)} digests written.")
        return 0
    with open(path) as file:
        wanted = json.load(file)
    differing = compared = 0
    for name, function in cases():
        if only in name:
            found, compared = computed(function), compared + 1
            if found != wanted.get(name):
                differing += 1
                print(f"differs: {name}: {wanted.get(name)} before, {found} now", flush=True)
    print(f"{differing} of {compared} digests differ.")
    return int(differing > 0)


if __name__ == "__main__":
    sys.exit(main())
