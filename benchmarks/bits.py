"""Digests of results, to check that a refactoring changes no bit: ``python -m benchmarks.bits FILE``.

If FILE does not exist, it is written, with one digest for every combination of rule, dtype and driver. If it exists,
the digests are computed again, and those that differ are printed. Write the file with the commit before the change and
compare with the one after it, on the same machine: the order of summation depends on the processor.
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
SHORT = {"maxiter": STEPS}
DATA = np.random.RandomState(0).standard_normal((40, 3)), np.random.RandomState(1).standard_normal(40)


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


def digest(*values):
    """Return a short hash of arrays and numbers."""
    sha = hashlib.sha256()
    for value in values:
        array = np.asarray(value)
        sha.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()[:16]


def digest_of(result):
    """Return the digest of a result."""
    return digest(result.x, result.fun, result.jac, result.nit, result.nfev, result.njev, result.status)


def in_python(x, *arguments):
    """Evaluate `valley` without the compiler."""
    return valley.py_func(x, *arguments)


def steps(rule, dtype, shape):
    """Return the digest of the state after some calls of ``rule.step``."""
    random = np.random.RandomState(3)
    x = random.standard_normal(shape).astype(dtype)
    state = rule.init(x)
    for _ in range(STEPS):
        g = random.standard_normal(shape).astype(dtype)
        rule.step(x, g, state, *[float(abs(g).sum())] if rule.name in NEEDS_VALUE else ())
    return digest(x, state.s, state.h)


NEEDS_VALUE = {"momo", "momo_adam", "polyak_sgd", "plateau"}


def all_bits():
    """Yield (name, digest) for every combination."""
    for name in [*numbaopt.names(), *numbaopt.names("solvers")]:
        for dtype in ("float32", "float64"):
            for what, found in method_bits(name, dtype):
                yield f"{name} {dtype} {what}", found
    yield from estimated_bits()
    yield from chain_bits()
    yield from nonfinite_bits()
    yield from history_bits()
    yield from large_bits()
    yield "structured", structured()
    yield "embedded", digest(*embedded(np.array([-1.2, 1.0]))[:3])
    yield "optimizer", optimizer()
    yield "resumed", resumed()
    for problem in ("rosenbrock", "beale", "powell_singular"):
        p = problems.get(problem)
        for method in ("lbfgs", "nonlinear_cg", "barzilai_borwein", "adam"):
            yield f"{problem} {method}", run(p.fun, p.x0, method, args=p.args, options={"maxiter": 300})


def run(fun, x0, method, **keywords):
    """Return the digest of a run with ``jac="inplace"``."""
    return digest_of(minimize(fun, x0, jac="inplace", method=method, **({"options": SHORT} | keywords)))


def method_bits(name, dtype):
    """Yield (what, digest) for one method in each driver."""
    method, solver = numbaopt.get(name), name in numbaopt.names("solvers")
    x0 = np.array([-1.2, 1.0, 0.3], dtype)
    if not solver:
        yield "steps", steps(method, dtype, 300)
        yield "steps of a matrix", steps(method, dtype, (6, 5))
    yield "Python", run(in_python, x0, method)
    yield "compiled", run(valley, x0, method)
    yield "last", run(valley, x0, method, options=SHORT | {"return": "last"})
    starts = np.linspace(-1, 1, 33, dtype=dtype).reshape(11, 3)
    many = {"data": starts[::-1] * 2, "jac": "inplace", "method": method, "options": SHORT, "threads": 1}
    yield "many", digest_of(minimize_many(bowl, starts, **many))
    if not solver:
        w0, feed = np.zeros(3, dtype), {"data": DATA, "batch_size": 7, "epochs": 2, "options": None}
        yield "minibatches compiled", run(loss, w0, method, seed=1, **feed)
        yield "minibatches Python", run(loss.py_func, w0, method, seed=2, **feed)
    if not solver or name == "barzilai_borwein":
        bounds = [(-1.0, 0.5), (None, 0.7), (0.0, None)]
        yield "bounds Python", run(in_python, x0, method, bounds=bounds)
        yield "bounds compiled", run(valley, x0, method, bounds=bounds)


def estimated_bits():
    """Yield (name, digest) for estimated gradients."""
    for name in ("adam", "sgd", "lamb", "lbfgs", "barzilai_borwein"):
        for jac in ("2-point", "3-point", "cs", "spsa"):
            if jac == "spsa" and name in numbaopt.names("solvers"):
                continue
            for fun, driver in ((value, "compiled"), (value.py_func, "Python")):
                seed = 4 if jac == "spsa" else None
                yield (
                    f"{name} {jac} {driver}",
                    digest_of(minimize(fun, np.ones(3), jac=jac, method=name, options=SHORT, seed=seed)),
                )


def chain_bits():
    """Yield (name, digest) for chains."""
    scheduled = numbaopt.adam(lr=schedules.cosine(0.1, 50))
    chains = {
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
    for name, rule in chains.items():
        for fun, driver in ((valley, "compiled"), (in_python, "Python")):
            yield f"chain {name} {driver}", run(fun, np.array([-1.2, 1.0]), rule)


def nonfinite_bits():
    """Yield (name, digest) for an objective that is NaN in a region."""
    for policy in ("skip", "shrink"):
        for fun, driver in ((pit, "compiled"), (pit.py_func, "Python")):
            options = SHORT | {"nonfinite": policy, "lr": 0.7}
            yield f"{policy} {driver}", run(fun, np.array([3.0, 2.0]), "sgd", options=options)


def history_bits():
    """Yield (name, digest) for histories."""
    for name in ("adam", "lbfgs", "lamb"):
        for fun, driver in ((valley, "compiled"), (in_python, "Python")):
            options = SHORT | {"history": "x"}
            result = minimize(fun, np.array([-1.2, 1.0]), jac="inplace", method=name, options=options)
            history = result.history
            yield f"{name} history {driver}", digest(*(history[k] for k in ("nit", "fun", "norm", "lr", "x")))


def large_bits():
    """Yield (name, digest) for parameters that several threads step."""
    for name in ("adam", "lamb", "sgd"):
        yield f"{name} large", run(valley, np.linspace(-1, 1, 60_000), name, options={"maxiter": 5})


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
    """Return the digest of runs on a dict of arrays, also with rules that need the norm of each array."""

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
    """Return the digest of parameters that `Optimizer` steps in two groups."""
    params = [{"params": [np.ones((2, 2)), np.ones(3)]}, {"params": np.ones(5, np.float32), "lr": 0.3}]
    steps = Optimizer("adamw", params)
    for k in range(5):
        steps.step([[np.full((2, 2), k + 1.0), np.arange(3.0)], np.full(5, 0.5)])
    return digest(params[0]["params"][0], params[0]["params"][1], params[1]["params"])


def resumed():
    """Return the digest of a run that was resumed from a checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "run")
        keywords = {"jac": "inplace", "method": "adam", "checkpoint": path}
        minimize(valley, np.array([-1.2, 1.0]), options={"maxiter": 10, "lr": 0.01}, **keywords)
        result = minimize(valley, np.array([-1.2, 1.0]), options={"maxiter": 25, "lr": 0.01}, resume=True, **keywords)
        assert result.nit == 25
        return digest_of(result)


def main():
    path = sys.argv[1]
    computed = dict(all_bits())
    if not os.path.exists(path):
        with open(path, "w") as file:
            json.dump(computed, file, indent=0)
        print(f"{len(computed)} digests written.")
        return 0
    with open(path) as file:
        recorded = json.load(file)
    differing = [name for name in recorded if computed.get(name) != recorded[name]]
    for name in differing:
        print(f"differs: {name}")
    print(f"{len(differing)} of {len(recorded)} digests differ.")
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
