"""The public surface as a user's program has it: ``mypy --strict --follow-imports=silent tests/typing/usage.py``.

A line that must be an error says so with ``type: ignore``, which is an error itself where there is none.
"""

from typing import Any, assert_type

import numpy as np
import scipy.optimize

import numbaopt
from numbaopt import problems, schedules, transforms
from numbaopt.rule import rule, sqrt


def fun(x: np.ndarray) -> tuple[float, np.ndarray]:
    return float((x**2).sum()), 2 * x


def loss(w: np.ndarray, X: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    r = X @ w - y
    return float(r @ r) / len(y), 2 * X.T @ r / len(y)


x0 = np.array([1.0, -2.0])

# Call it.
result = numbaopt.minimize(fun, x0, jac=True, method="adam", options={"lr": 0.1, "maxiter": 100})
assert_type(result, numbaopt.Result)
assert_type(result.fun, float)
assert_type(result.success, bool)
assert_type(result.status, int)
assert_type(result.nit, int)
assert_type(result.message, str)
numbaopt.minimize(fun, [1.0, 2.0], (), numbaopt.lbfgs(history=20), "3-point", bounds=[(0, None), (None, 1)], tol=1e-6)
numbaopt.minimize(fun, {"a": x0}, callback=lambda intermediate_result: None)
X, y = np.ones((9, 2)), np.ones(9)
numbaopt.minimize(loss, x0, data=(X, y), batch_size=3, epochs=2, jac=True, seed=0, shuffle=False, drop_last=True)
numbaopt.minimize(fun, x0, jac="2point")  # type: ignore[arg-type]
numbaopt.minimize(fun, x0, jacobian=True)  # type: ignore[call-arg]
scipy.optimize.minimize(fun, x0, jac=True, method=numbaopt.adam(lr=1e-2))

many = numbaopt.minimize_many(loss, np.zeros((3, 2)), data=(np.ones((3, 4, 2)), np.ones((3, 4))), jac=True, threads=1)
assert_type(many, numbaopt.ManyResult)
assert_type(many[0], numbaopt.Result)
assert_type(many[0].fun, float)
assert_type(many.errors, dict[int, Exception])
many.status.sum()

try:
    numbaopt.minimize(fun, x0)
except numbaopt.OptimizationInterrupted as interrupt:
    assert_type(interrupt.result, numbaopt.Result)

# Rules: hyperparameters are known by name.
adam = numbaopt.adam(lr=1e-2, b1=0.8, decoupled=True)
numbaopt.adam(lr=schedules.cosine(1e-2, 1000))
numbaopt.adam(lr=np.array([1e-2, 1e-3]))
numbaopt.adam(bta1=0.9)  # type: ignore[call-overload]
numbaopt.adam(lr="fast")  # type: ignore[call-overload]
numbaopt.adam(0.1)  # type: ignore[call-overload]
numbaopt.nonlinear_cg(beta="HS")
numbaopt.nonlinear_cg(beta="XY")  # type: ignore[call-overload]
print(numbaopt.adm)  # type: ignore[attr-defined]
assert_type(numbaopt.adam(fun, x0, jac=True), numbaopt.Result)
assert_type(numbaopt.names("solvers"), list[str])
assert_type(adam.name, str)
assert_type(adam.source("cuda"), str)
print(adam.hyper["lr"], adam.slots_of, adam.elementwise, adam.h, adam.jit, adam.math)

# Embed them.
state = adam.init(x0)
assert_type(state, numbaopt.State)
adam.step(x0, 2 * x0, state)
assert_type(state.t, int)
print(state["m"])
numbaopt.polyak_sgd.step(x0, 2 * x0, numbaopt.polyak_sgd.init(x0), f=5.0)
opt = numbaopt.Optimizer(adam, {"w": x0})
opt.step({"w": 2 * x0})
opt.step({"w": 2 * x0}, f=1.0)
opt.grads["w"][:] = 1.0
opt.zero_grad()
opt.set(lr=1e-4)
saved = opt.state_dict()
assert_type(saved, dict[str, Any])
opt.load_state_dict(saved)
print(opt.reported(), opt.params)
numbaopt.Optimizer("adam", [{"params": x0, "lr": 0.1}])

# Chains, schedules, rules and schedules of one's own.
chained = numbaopt.chain(transforms.clip_by_global_norm(max_norm=1.0), adam, transforms.ema(decay=0.9))
assert_type(chained, numbaopt.Rule)
transforms.clip(max_dlta=1.0)  # type: ignore[call-overload]
print(transforms.clop)  # type: ignore[attr-defined]
assert_type(schedules.cosine(0.1, 100), schedules.Schedule)
assert_type(schedules.cosine(0.1, steps=100, final=0.01)(5), float)
schedules.cosine(0.1, stepps=100)  # type: ignore[call-arg]
lr = schedules.joined([schedules.linear(0, 0.1, 10), schedules.constant(0.1)], [10])
assert_type(schedules.staircase(schedules.product([lr, schedules.exponential(1, 0.9)]), 5), schedules.Schedule)
schedules.delayed(schedules.warmup(lr, 5), 5)
schedules.multistep(0.1, [5, 10], [0.1, 0.2])
schedules.interpolated([0, 1], [10], "cosine")
schedules.interpolated([0, 1], [10], "cubic")  # type: ignore[arg-type]
schedules.onecycle(1.0, 100)
schedules.warmup_cosine(0, 1, 10, 100)
schedules.warmup_exponential(0, 1, 10, 0.5)
schedules.warmup_stable_decay(1, 10, 80, 10, curve="1-sqrt")


@rule
def own(x: Any, g: Any, v: Any, t: int, lr: Any = 0.1, b2: float = 0.9) -> Any:
    v = b2 * v + (1 - b2) * g**2
    return x - lr * g / sqrt(v), v


@rule(evaluations=2)
def pair(x: Any, g: Any, t: int, lr: Any = 0.1) -> Any:
    return x - lr * g


@schedules.schedule
def harmonic(k: float, init: float) -> float:
    return init / (1 + k)


@schedules.schedule(power="positive")
def slower(k: float, init: float, power: float = 1.0) -> float:
    return init / (1 + power * k)


assert_type(own, numbaopt.Rule)
assert_type(own(lr=harmonic(0.1)), numbaopt.Rule)
assert_type(pair(lr=slower(0.1, power=2)), numbaopt.Rule)
slower(0.1, pwer=2)  # type: ignore[call-arg]

# Problems.
problem = problems.rosenbrock(n=10)
assert_type(problem, problems.Problem)
assert_type(problem.minimum, float)
assert_type(problems.get("quadratic", n=3).minimizers, np.ndarray)
assert_type(problems.names(), tuple[str, ...])
problems.quadratic(n=3, cond=10.0, seed=1)
problems.logistic_regression(n_samples=10, n_features=2)
problems.rosenbrok()  # type: ignore[attr-defined]
numbaopt.minimize(problem.fun, problem.x0, problem.args, jac="inplace", bounds=problem.domain)
assert_type(numbaopt.workspace_size(10, "lbfgs", bounds=False, jac="inplace"), int)
