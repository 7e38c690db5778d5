"""Work in pools of processes, for test_processes: a script of its own, with a rule and objectives in ``__main__``."""

import concurrent.futures
import json
import multiprocessing
import sys
import warnings

import numpy as np
from numba import njit

from numbaopt import Optimizer, adam, minimize, minimize_many
from numbaopt.backends import cpu
from numbaopt.rule import rule

RATE = 0.1


@rule
def mine(x, g, m: "x", t, lr=RATE):
    m = 0.5 * m + g
    return x - lr * m, m


@njit
def bowl(x, grad, c):
    f = 0.0
    for i in range(x.size):
        grad[i] = 2 * (x[i] - c)
        f += (x[i] - c) ** 2
    return f


def fails(x):
    if x[0] < 2.9:
        raise ValueError("mine", 7)
    return (x * x).sum(), 2 * x


def interrupts(x):
    if x[0] < 2.9:
        raise KeyboardInterrupt
    return (x * x).sum(), 2 * x


def raised(fun):
    try:
        minimize(fun, [3.0, 1.0], jac=True, options={"lr": 0.1})
    except BaseException as error:
        return error


def task(k):
    x = np.linspace(-1, k, cpu.PARALLEL_FROM + 3)
    state = adam.init(x)
    for _ in range(3):
        adam.step(x, x, state)
    one = minimize(bowl, [k, 1.0], args=(1.5,), jac="inplace", method=mine(lr=0.05), options={"maxiter": 100})
    starts, centers = np.full((10, 2), float(k)), np.arange(10.0)
    many = minimize_many(bowl, starts, data=centers, jac="inplace", method="adam", options={"maxiter": 50}, threads=2)
    return x, one, many, raised(fails), raised(interrupts)


def shown(results):
    x, one, many, error, interrupt = results
    told = [x.sum(), one.x.tolist(), one.message, one.success, many.x.tolist(), many[3].message]
    told += [type(error).__name__, *error.args, error.result.x.tolist(), error.__notes__]
    return [*told, type(interrupt).__name__, interrupt.result.nit, str(interrupt)]


def carry_on(x, state, optimizer):
    state.rule.step(x, x, state)
    optimizer.step()
    return x, state, optimizer


def begun():
    x = np.linspace(0, 1, 5)
    state, optimizer = mine.init(x), Optimizer(adam(lr=0.1), {"w": np.ones((2, 2))})
    optimizer.grads["w"][:] = 1
    return carry_on(x, state, optimizer)


def carried(things):
    x, state, optimizer = carry_on(*things)  # what came back goes on here
    mine.step(x, x, state)
    return [x.tolist(), state.t, state.s.tolist(), optimizer.params["w"].tolist(), repr(optimizer.groups[0].rule)]


def through(name):
    """Return what `task` and `carry_on` give in other processes."""
    if name in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(name).Pool(2) as pool:
            ends = pool.map_async(task, (1, 2)).get(200)
            return ends, pool.apply_async(carry_on, begun()).get(60)
    if name == "executor":
        with concurrent.futures.ProcessPoolExecutor(2) as pool:
            return list(pool.map(task, (1, 2), timeout=200)), pool.submit(carry_on, *begun()).result(60)
    import joblib

    with joblib.Parallel(2, backend=name) as pool:
        ends = pool(joblib.delayed(task)(k) for k in (1, 2))
        return ends, *pool([joblib.delayed(carry_on)(*begun())])


def main():
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)  # beside threads: it is such a one
    alone, there = [shown(task(k)) for k in (1, 2)], carried(carry_on(*begun()))
    told = {"parallel": cpu.parallel_pays(cpu.PARALLEL_FROM)}
    for name in sys.argv[1:]:
        ends, things = through(name)
        told[name] = [*(shown(end) == own for end, own in zip(ends, alone, strict=True)), carried(things) == there]
    print(json.dumps(told))


if __name__ == "__main__":
    main()
