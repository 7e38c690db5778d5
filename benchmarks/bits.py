"""Bits that a refactoring must keep: ``python -m benchmarks.bits FILE`` writes digests, or compares them with a file.

Where FILE does not exist it is written: one digest for every rule, dtype and driver. Where it exists the digests are
computed again, and those that differ are printed. Write the file in a checkout of the commit before, and compare in the
one after, on one machine: sums depend on the processor.
"""

import hashlib
import json
import os
import sys
import tempfile

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
    """Call the compiled objectives from Python."""
    return valley.py_func(x, *rest)


def steps(rule, dtype, shape):
    """Return the digest of steps by hand."""
    random = np.random.RandomState(3)
    x = random.standard_normal(shape).astype(dtype)
    state = rule.init(x)
    for _ in range(STEPS):
        g = random.standard_normal(shape).astype(dtype)
        rule.step(x, g, state, *[float(abs(g).sum())] if rule.name in VALUED else ())
    return digest(x, state.s, state.h)


VALUED = {"momo", "momo_adam", "polyak_sgd", "plateau"}
LR = {"polyak_sgd": {"f_min": 0.0}, "momo": {}, "momo_adam": {}}


def all_bits():
    """Yield (name, digest) for everything that is compared."""
    few = {"maxiter": STEPS}
    data = np.random.RandomState(0).standard_normal((40, 3)), np.random.RandomState(1).standard_normal(40)
    for name in [*numbaopt.names(), *numbaopt.names("solvers")]:
        method, solver = numbaopt.get(name), name in numbaopt.names("solvers")
        for dtype in ("float32", "float64"):
            x0, key = np.array([-1.2, 1.0, 0.3], dtype), f"{name} {dtype}"
            if not solver:
                yield f"{key} steps", steps(method, dtype, 300)
                yield f"{key} steps of a matrix", steps(method, dtype, (6, 5))
            yield f"{key} Python", of(minimize(in_python, x0, jac="inplace", method=method, options=few))
            yield f"{key} compiled", of(minimize(valley, x0, jac="inplace", method=method, options=few))
            last = few | {"return": "last"}
            yield f"{key} last", of(minimize(valley, x0, jac="inplace", method=method, options=last))
            starts = np.linspace(-1, 1, 33, dtype=dtype).reshape(11, 3)
            many = minimize_many(
                bowl, starts, data=starts[::-1] * 2, jac="inplace", method=method, options=few, threads=1
            )
            yield f"{key} many", of(many)
            if not solver:
                fed = {"data": data, "batch_size": 7, "epochs": 2, "seed": 1}
                w0 = np.zeros(3, dtype)
                yield f"{key} minibatches compiled", of(minimize(loss, w0, jac="inplace", method=method, **fed))
                fed["seed"] = 2
                yield f"{key} minibatches Python", of(minimize(loss.py_func, w0, jac="inplace", method=method, **fed))
            if not solver or name == "barzilai_borwein":
                bounds = [(-1.0, 0.5), (None, 0.7), (0.0, None)]
                given = {"jac": "inplace", "method": method, "bounds": bounds, "options": few}
                yield f"{key} bounds Python", of(minimize(in_python, x0, **given))
                yield f"{key} bounds compiled", of(minimize(valley, x0, **given))
    for name in ("adam", "sgd", "lamb", "lbfgs", "barzilai_borwein"):
        for jac in ("2-point", "3-point", "cs", "spsa"):
            if jac == "spsa" and name in numbaopt.names("solvers"):
                continue
            for fun, what in ((value, "compiled"), (value.py_func, "Python")):
                result = minimize(fun, np.ones(3), jac=jac, method=name, options=few, seed=4 if jac == "spsa" else None)
                yield f"{name} {jac} {what}", of(result)
    scheduled = numbaopt.adam(lr=schedules.cosine(0.1, 50))
    stages = {
        "clip": chain(transforms.clip(max_delta=0.1), scheduled),
        "norm": chain(transforms.clip_by_global_norm(max_norm=0.5), numbaopt.adam(lr=0.1), transforms.ema(decay=0.9)),
        "gate": chain(transforms.accumulate(k=3), numbaopt.sgd(lr=0.01)),
        "finite": chain(transforms.apply_if_finite(), numbaopt.adam(lr=0.01)),
        "sam": chain(transforms.sam(rho=0.1), numbaopt.sgd(lr=0.01)),
        "plateau": chain(transforms.plateau(), numbaopt.sgd(lr=0.01)),
        "simplex": chain(numbaopt.sgd(lr=0.1), transforms.simplex()),
        "noise": chain(transforms.add_noise(), numbaopt.sgd(lr=0.1)),
        "lookahead": chain(numbaopt.adam(lr=0.1), transforms.lookahead()),
        "swa": chain(numbaopt.adam(lr=0.1), transforms.swa()),
        "lamb": chain(transforms.clip_by_global_norm(max_norm=0.5), numbaopt.lamb(lr=0.1)),
        "prox": chain(numbaopt.sgd(lr=0.1), transforms.prox_l1(lr=0.1, strength=0.01)),
    }
    for name, rule in stages.items():
        for fun, what in ((valley, "compiled"), (in_python, "Python")):
            yield (
                f"chain {name} {what}",
                of(minimize(fun, np.array([-1.2, 1.0]), jac="inplace", method=rule, options=few)),
            )
    for policy in ("skip", "shrink"):
        for fun, what in ((pit, "compiled"), (pit.py_func, "Python")):
            options = few | {"nonfinite": policy, "lr": 0.7}
            yield (
                f"{policy} {what}",
                of(minimize(fun, np.array([3.0, 2.0]), jac="inplace", method="sgd", options=options)),
            )
    for name in ("adam", "lbfgs", "lamb"):
        kept = few | {"history": "x"}
        for fun, what in ((valley, "compiled"), (in_python, "Python")):
            result = minimize(fun, np.array([-1.2, 1.0]), jac="inplace", method=name, options=kept)
            history = result.history
            yield f"{name} history {what}", digest(*(history[k] for k in ("nit", "fun", "norm", "lr", "x")))
    big = np.linspace(-1, 1, 60_000)
    for name in ("adam", "lamb", "sgd"):
        yield f"{name} large", of(minimize(valley, big, jac="inplace", method=name, options={"maxiter": 5}))
    yield "structured", structured()
    yield "embedded", digest(*embedded(np.array([-1.2, 1.0]))[:3])
    yield "optimizer", optimizer()
    yield "resumed", resumed()
    for problem in ("rosenbrock", "beale", "powell_singular"):
        p = problems.get(problem)
        for method in ("lbfgs", "nonlinear_cg", "barzilai_borwein", "adam"):
            yield f"{problem} {method}", of(minimize(p.fun, p.x0, p.args, method, "inplace", options={"maxiter": 300}))


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


def main():
    path = sys.argv[1]
    found = dict(all_bits())
    if not os.path.exists(path):
        with open(path, "w") as file:
            json.dump(found, file, indent=0)
        print(f"{len(found)} digests written.")
        return 0
    with open(path) as file:
        wanted = json.load(file)
    differing = [name for name in wanted if found.get(name) != wanted[name]]
    for name in differing:
        print(f"differs: {name}")
    print(f"{len(differing)} of {len(wanted)} digests differ.")
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
