"""Every method finds the known minimum of every problem, with the settings listed here.

The expected minima are known from the definition of the problems or from NumPy's least squares, not from our methods.
Rules that are not listed use DEFAULT, where lr decreases along a cosine so that steps of constant size end too.
"""

from typing import NamedTuple

import numpy as np
import pytest

import numbaopt
from numbaopt import minimize, problems, schedules

# The answer is (1e6, 2e-6), and curvatures there differ by 1e24: where lr suits one coordinate, the other stands still.
FOR_SOLVERS = {"brown_badly_scaled"}
GAP = 1e-8  # f - f* <= GAP (1 + |f*|), and then...
NEAR = 1e-3  # ...x is so near to a minimizer
FLAT = {"powell_singular": 1e-6}  # the Hessian is singular: f shrinks slowly, and a small f says little of x


class At(NamedTuple):
    """Settings: lr, whether it falls to zero, the most steps, lr where a problem wants another, other hyperparameters."""

    lr: float | None = 0.03
    falls: bool = True
    steps: int = 20_000
    but: dict[str, float] = {}
    hyper: dict[str, float] = {}


DEFAULT = At()
SETTINGS = {
    "accsgd": At(3e-3),
    "acprop": At(3e-4, False, 50_000, hyper={"eps": 1e-8, "eps_root": 1e-8}),  # or the first step is g / 1e-8 long
    "adabound": At(0.3, hyper={"final_lr": 0.01}),  # what becomes of it, gradient descent, is too fast at 0.1
    "adadelta": At(1.0),
    "adafactor": At(0.01),
    "adagrad": At(1.0, False, 200_000),
    "adamw": At(0.1, but={"rosenbrock": 3e-3}),  # its weight decay, times lr, moves the minimum
    "adopt": At(3.0, False),
    "amsbound": At(0.3, hyper={"final_lr": 0.01}),
    "amsgrad": At(1.0),
    "asgd": At(1e-3, False, 200_000, hyper={"lambd": 1e-9}),  # lambd decays the weights
    "cocob": At(1.0, False, 200_000),
    "dog": At(1.0, False, 200_000),
    "dowg": At(1.0, False, 200_000),
    "ftrl": At(1.0, False, 200_000),
    "lars": At(1.0),
    "momo": At(1.0, False),
    "muon": At(hyper={"wd": 1e-9}),  # an array of one dimension gets AdamW
    "noisy_sgd": At(3e-3, steps=200_000),
    "optimistic_gradient_descent": At(3e-4, False, 200_000, but={"powell_singular": 1e-3}),
    "padam": At(0.1),
    "polyak_sgd": At(1.0, False),
    "qhsgd": At(0.01),
    "radam": At(3e-3, False),
    "rmsprop": At(3e-3),
    "rprop": At(1e-3, False, hyper={"min_step_size": 1e-9}),  # or it ends hopping by 1e-6
    "schedule_free_sgd": At(3e-3, False, 200_000),
    "sgd": At(3e-3, False, hyper={"momentum": 0.9}),
    "shampoo": At(1.0, False, 200_000),
    "sign_sgd": At(3e-4, steps=200_000),
    "simplified_ademamix": At(1e-3),
    "sm3": At(3.0, False),
    "soap": At(3e-3),
    "wngrad": At(3e-3, False, 200_000),
    "yogi": At(1.0),
}
SOLVER = At(None, False)
TOLD = {"f_min", "lower_bound"}  # what methods that know the least value call it


def solved(method, problem, at):
    """Return f - f* relative to 1 + |f*|, and the distance to the nearest minimizer."""
    p, base = problems.get(problem), numbaopt.get(method)
    hyper = at.hyper | {name: p.minimum for name in TOLD.intersection(base.hyper)}
    lr = at.but.get(problem, at.lr)
    if lr is not None:
        hyper["lr"] = schedules.cosine(lr, at.steps) if at.falls else lr
    options = {"maxiter": at.steps}
    result = minimize(p.fun, p.x0, p.args, base(**hyper), jac="inplace", tol=1e-7, options=options)
    f = p.fun(result.x, np.empty_like(p.x0), *p.args)
    assert result.fun == pytest.approx(f, rel=1e-12, abs=1e-15)  # sums may be taken in another order
    return (f - p.minimum) / (1 + abs(p.minimum)), np.min(np.linalg.norm(p.minimizers - result.x, axis=1))


@pytest.mark.slow
@pytest.mark.parametrize("method", [*numbaopt.names(), *numbaopt.names("solvers")])
def test_a_method_finds_the_minimum_of_every_problem(method):
    solver = method in numbaopt.names("solvers")
    at, failed = SOLVER if solver else SETTINGS.get(method, DEFAULT), {}
    for problem in problems.names():
        if solver or problem not in FOR_SOLVERS:
            gap, distance = solved(method, problem, at)
            if not -1e-10 <= gap <= FLAT.get(problem, GAP) or (distance > NEAR and problem not in FLAT):
                failed[problem] = gap, distance
    assert not failed


@pytest.mark.parametrize("method", sorted(SETTINGS))
def test_settings_are_for_rules_that_there_are(method):
    assert method in numbaopt.names()


def least_squares(W, A, B):
    """Return half the mean square, over the rows, and its gradient."""
    R = A @ W - B
    return np.sum(R**2) / (2 * len(A)), A.T @ R / len(A)


MATRICES = {  # on which methods take more of an array than its entries
    "adafactor": At(0.1),
    "lars": At(1.0),
    "muon": At(hyper={"wd": 1e-9}),
    "shampoo": At(1.0),
    "sm3": At(1.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("method", [name for name in numbaopt.names() if numbaopt.get(name).layerwise])
def test_a_method_for_layers_solves_least_squares_for_a_matrix(method):
    at, steps = MATRICES.get(method, DEFAULT), 2000
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((40, 6)), rng.standard_normal((40, 4))
    rule = numbaopt.get(method)(lr=schedules.cosine(at.lr, steps), **at.hyper)
    start = rng.standard_normal((6, 4))
    result = minimize(least_squares, start, (A, B), rule, jac=True, tol=1e-9, options={"maxiter": steps})
    best = np.linalg.lstsq(A, B)[0]
    np.testing.assert_allclose(result.x, best, rtol=0, atol=NEAR)
    assert abs(result.fun - least_squares(best, A, B)[0]) <= GAP
