"""Oracles for rules of which no package that installs is right: loops over single numbers, in the papers' notation.

They are slow on purpose. A moving average is the weighted sum over the whole history that it stands for, not the
recurrence that a rule carries from step to step, so that the two have little to get wrong together. All of them count
in float64, from float32 gradients too.
"""

from math import fsum, sqrt

import numpy as np
from recording import Recording


def average(history, beta):
    """Return the moving average of all values so far: sum over i of (1 - beta) beta^(t-i) history_i."""
    return fsum((1 - beta) * beta**age * value for age, value in enumerate(reversed(history)))


def by_coordinate(walk):
    """Return what runs ``walk(hyper, x0, gradients)``, which yields one coordinate's x, for every coordinate."""

    def run(hyper, x0, g):
        columns = [list(walk(hyper, float(x0[i]), g[:, i].tolist())) for i in range(len(x0))]
        return np.array(columns).T

    return run


def padam(hyper, theta, gradients):
    """Walk Chen et al.'s Algorithm 1: theta -= alpha_t m_t / vhat_t^p, vhat_t the largest v so far."""
    beta1, beta2, p, epsilon = hyper["b1"], hyper["b2"], hyper["partial"], hyper["eps"]
    gs, vs = [], []
    for t, g in enumerate(gradients, 1):
        gs.append(g + hyper["wd"] * theta)
        m = average(gs, beta1)
        vs.append(average([g**2 for g in gs], beta2))
        alpha = hyper["lr"] * sqrt(1 - beta2**t) / (1 - beta1**t)  # Adam's, as in the authors' code
        theta -= alpha * m / (sqrt(max(vs)) + epsilon) ** (2 * p)
        yield theta


def smorms3(hyper, p, gradients):
    """Walk Funk's program: the memory is an age in steps, r the weight of the newest gradient."""
    mem, g, g2, epsilon = 1.0, 0.0, 0.0, hyper["eps"]
    for grad in gradients:
        r = 1 / (mem + 1)
        g += r * (grad - g)
        g2 += r * (grad * grad - g2)
        denoise = g * g / (g2 + epsilon)
        mem = 1 + (1 - denoise) * mem
        p -= min(hyper["lr"], denoise) * grad / (sqrt(g2) + epsilon)
        yield p


def ftml(hyper, theta, gradients):
    """Walk Zheng & Kwok's equation for the leader itself, of which Algorithm 1 is the recursive form.

    theta_t is the minimum of sum_i beta1^(t-i) ((1 - beta1) g_i theta + sigma_i/2 (theta - theta_{i-1})^2).
    """
    eta, beta1, beta2, epsilon = hyper["lr"], hyper["b1"], hyper["b2"], hyper["eps"]
    gs, ds, sigmas, thetas = [], [0.0], [], []
    for t, g in enumerate(gradients, 1):
        thetas.append(theta)
        gs.append(g + hyper["wd"] * theta)
        v = average([g**2 for g in gs], beta2)
        ds.append((1 - beta1**t) / eta * (sqrt(v / (1 - beta2**t)) + epsilon))
        sigmas.append(ds[-1] - beta1 * ds[-2])
        weights = [beta1 ** (t - i) for i in range(1, t + 1)]
        pull = [w * (s * old - (1 - beta1) * g) for w, s, old, g in zip(weights, sigmas, thetas, gs, strict=True)]
        theta = fsum(pull) / fsum(w * s for w, s in zip(weights, sigmas, strict=True))
        yield theta


def mars(hyper, x0, g):
    """Walk Yuan et al.'s Algorithm 2 with the previous batch's gradient, zero before the first (MARS-approx)."""
    beta1, beta2, gamma, epsilon = hyper["b1"], hyper["b2"], hyper["gamma"], hyper["eps"]
    x, previous, clipped = x0.tolist(), [0.0] * len(x0), [[] for _ in x0]
    walk = []
    for t, row in enumerate(g.tolist(), 1):
        c = [new + gamma * beta1 / (1 - beta1) * (new - old) for new, old in zip(row, previous, strict=True)]
        norm = sqrt(fsum(value * value for value in c))
        for i, value in enumerate(c):
            clipped[i].append(value / norm if norm > 1 else value)
            m = average(clipped[i], beta1) / (1 - beta1**t)
            v = average([value**2 for value in clipped[i]], beta2) / (1 - beta2**t)
            x[i] -= hyper["lr"] * (m / (sqrt(v) + epsilon) + hyper["wd"] * x[i])
        previous = row
        walk.append(list(x))
    return np.array(walk)


RULES = {
    "padam": Recording(
        "paper",
        None,
        {"lr": 0.1, "b1": 0.9, "b2": 0.999, "partial": 0.25, "eps": 1e-8, "wd": 0.0},
        {
            "defaults": {},
            "all": {"lr": 0.02, "b1": 0.8, "b2": 0.9, "partial": 0.4, "eps": 1e-4, "wd": 0.1},
            "not_adaptive": {"partial": 0.0, "b1": 0.5},
            "b1_above_b2": {"lr": 5.0, "b1": 0.99, "b2": 0.5, "partial": 0.5, "eps": 1.0},
            "no_memory": {"lr": 1.0, "b1": 0.0, "b2": 0.0, "eps": 1e-30},
        },
        by_coordinate(padam),
        note="eps, bias correction and defaults are those of the authors' code, which is no package.",
    ),
    "smorms3": Recording(
        "paper",
        None,
        {"lr": 1e-3, "eps": 1e-16},
        {
            "defaults": {},
            "all": {"lr": 0.3, "eps": 1e-4},
            "never_cut": {"lr": 1e3, "eps": 1e-30},
            "large_eps": {"lr": 1.0, "eps": 1.0},
        },
        by_coordinate(smorms3),
        note="Chainer 7.8.1, run apart with NumPy 1.23, agrees to 3e-16 over 60 steps.",
    ),
    "ftml": Recording(
        "paper",
        None,
        {"lr": 2.5e-3, "b1": 0.6, "b2": 0.999, "eps": 1e-8, "wd": 0.0},
        {
            "defaults": {},
            "all": {"lr": 0.02, "b1": 0.8, "b2": 0.99, "eps": 1e-4, "wd": 0.1},
            "no_memory": {"lr": 1.0, "b1": 0.0, "b2": 0.0, "eps": 1.0},
            "long_memory": {"lr": 5.0, "b1": 0.95, "b2": 0.9999, "eps": 1e-30},
        },
        by_coordinate(ftml),
        note="MXNet 1.9.1, which rounds hyperparameters to float32, agrees to 4e-15 over 60 steps with them so rounded.",
    ),
    "mars": Recording(
        "paper",
        None,
        {"lr": 3e-3, "b1": 0.95, "b2": 0.99, "gamma": 0.025, "eps": 1e-8, "wd": 0.0},
        {
            "defaults": {},
            "all": {"lr": 0.02, "b1": 0.8, "b2": 0.9, "gamma": 0.1, "eps": 1e-4, "wd": 0.1},
            "no_correction": {"lr": 0.1, "gamma": 0.0},
            "gamma_one": {"lr": 1.0, "b1": 0.9, "b2": 0.9999, "gamma": 1.0, "eps": 1e-2},
            "no_memory": {"lr": 0.5, "b1": 0.0, "b2": 0.0, "eps": 1.0, "wd": 1.0},
        },
        mars,
        note="pytorch_optimizer adds 1e-15 below the root, and timm takes c_1 = g_1; the authors do neither.",
    ),
}
