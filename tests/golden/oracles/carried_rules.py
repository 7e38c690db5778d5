"""Oracles for rules with carried numbers, norms, the objective's value, noise, or a point to report.

Next to torch and optax they need::

    pip install dadaptation==3.2 momo-opt==0.1.0 prodigyopt==1.1.2 schedulefree==1.4.1

Loops from the papers count in float64, from float32 gradients too.
"""

import importlib
from functools import partial
from math import cos, fsum, log, pi, sqrt

import numpy as np
from recording import STEPS, Recording

from oracles.optax_rules import ALL, optax_recording
from oracles.paper_rules import average, by_coordinate

WORDS = {
    "wd": "weight_decay",
    "bias_correction": "use_bias_correction",
    "lower_bound": "lb",
    "adapt_lower_bound": "use_fstar",
}


def values():
    """Return an objective's values: falling, noisy, at last below zero; the same in every recording."""
    random = np.random.RandomState(1405)
    return 300 * np.exp(-np.arange(STEPS) / 20) * (1 + 0.3 * random.standard_normal(STEPS)) - 5.0


def authors(hyper, x0, g, module, name, reported=False, **fixed):
    """Run an optimizer of the authors' package; ``reported`` is the point of its evaluation mode."""
    import torch

    torch.set_num_threads(1)
    words = {WORDS.get(k, k): v for k, v in hyper.items() if k not in ("b1", "b2")}
    if "b2" in hyper:
        words["betas"] = hyper["b1"], hyper["b2"]
    elif "b1" in hyper:
        words["beta"] = hyper["b1"]
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # of the numbers that MoMo-Adam keeps in tensors
    try:
        x = torch.nn.Parameter(torch.tensor(x0))
        optimizer = getattr(importlib.import_module(module), name)([x], **words, **fixed)
        trajectory = np.empty_like(g)
        for t, row in enumerate(g):
            if hasattr(optimizer, "train"):
                optimizer.train()
            x.grad = torch.tensor(row)
            optimizer.step(**{"loss": torch.tensor(values()[t])} if module == "momo" else {})
            if reported:
                optimizer.eval()
            trajectory[t] = x.detach().numpy()
    finally:
        torch.set_default_dtype(before)
    return trajectory


def schedule_free(name, defaults, sets):
    """Return the recordings of x, which is the authors' y, and of the average, which they evaluate."""
    runs = {flag: partial(authors, module="schedulefree", name=name, reported=flag) for flag in (False, True)}
    sets = {"defaults": {}, **sets}
    return [Recording("schedulefree", "1.4.1", defaults, sets, runs[f], reported=f) for f in (False, True)]


def polyak(hyper, x0, g):
    """Run Polyak's step, of optax's own stages in the order of its documented formula."""
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")
    import optax

    kind = "sps+" if hyper["positive"] else "sps"
    scale = optax.scale_by_polyak(hyper["f_min"], hyper["max_lr"], hyper["eps"], kind)
    optimizer = optax.chain(scale, optax.scale_by_learning_rate(hyper["lr"]))
    x = jax.numpy.asarray(x0)
    state = optimizer.init(x)
    trajectory = np.empty_like(g)
    for t, (row, f) in enumerate(zip(g, values(), strict=True)):
        update, state = optimizer.update(jax.numpy.asarray(row), state, x, value=f)
        x = optax.apply_updates(x, update)
        trajectory[t] = x
    return trajectory


# Loops from the papers.


def eve(hyper, theta, gradients):
    """Walk Hayashi et al.'s Algorithm 1, with ensmallen's epsilon in d."""
    alpha, beta1, beta2, beta3, epsilon, c = (hyper[k] for k in ("lr", "b1", "b2", "b3", "eps", "clip"))
    fs, gs, ds = values().tolist(), [], []
    for t, g in enumerate(gradients, 1):
        gs.append(g)
        mhat = average(gs, beta1) / (1 - beta1**t)
        vhat = average([g**2 for g in gs], beta2) / (1 - beta2**t)
        if t > 1:
            new, old = fs[t - 1], fs[t - 2]
            d = abs(new - old) / (min(new, old) - hyper["f_min"] + epsilon)
            ds.append(min(max(d, 1 / c), c))
        dtilde = beta3 ** (t - 1) + average(ds, beta3)  # of a history that starts with 1
        theta -= alpha / dtilde * mhat / (sqrt(vhat) + epsilon)
        yield theta


def wngrad(hyper, x0, g):
    """Walk as ensmallen's WNGrad does: b sees the gradient first."""
    x, b, walk = x0.astype(float), 1.0, []
    for row in g.astype(float):
        b += hyper["lr"] ** 2 * fsum(row * row) / b
        x = x - row * (hyper["lr"] / b)
        walk.append(x)
    return np.array(walk)


def swats(hyper, x0, g):
    """Walk Keskar & Socher's Algorithm 1, with a number of its own for the test."""
    alpha, beta1, beta2, epsilon = hyper["lr"], hyper["b1"], hyper["b2"], hyper["eps"]
    w, phase, m, a, v, lamb, rate, walk = x0.astype(float), "Adam", 0.0, 0.0, 0.0, 0.0, None, []
    for k, g_k in enumerate(g.astype(float), 1):
        if phase == "SGD":
            v = beta1 * v + g_k
            w = w - (1 - beta1) * rate * v
            walk.append(w)
            continue
        m = beta1 * m + (1 - beta1) * g_k
        a = beta2 * a + (1 - beta2) * g_k**2
        p = -alpha * sqrt(1 - beta2**k) / (1 - beta1**k) * m / (np.sqrt(a) + epsilon)
        w = w + p
        walk.append(w)
        if fsum(p * g_k) != 0:
            gamma = fsum(p * p) / -fsum(p * g_k)
            lamb = beta2 * lamb + (1 - beta2) * gamma
            if k > 1 and abs(lamb / (1 - beta2**k) - gamma) < hyper["tol"]:
                phase, v, rate = "SGD", 0.0, lamb / (1 - beta2**k)
    return np.array(walk)


def noise(seed, t, n):
    """Return n standard normal numbers: SplitMix64 of a counter, in Python's own integers, by Box and Muller."""
    golden, all_ones = 0x9E3779B97F4A7C15, 2**64 - 1

    def mixed(z):
        z &= all_ones
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & all_ones
        z = (z ^ z >> 27) * 0x94D049BB133111EB & all_ones
        return z ^ z >> 31

    key, numbers = mixed(seed * golden + t), []
    for i in range(1, n + 1):
        high, low = divmod(mixed(key + i * golden), 2**32)
        numbers.append(sqrt(-2 * log((high + 0.5) / 2**32)) * cos(2 * pi * low / 2**32))
    return np.array(numbers)


def noisy_sgd(hyper, x0, g):
    """Walk along gradients with noise of the variance eta / t^gamma."""
    x, walk = x0.astype(float), []
    for t, row in enumerate(g.astype(float), 1):
        deviation = sqrt(hyper["eta"]) * t ** (-hyper["gamma"] / 2)
        x = x - hyper["lr"] * row - hyper["lr"] * deviation * noise(hyper["seed"], t, len(x))
        walk.append(x)
    return np.array(walk)


def sophia(hyper, x0, g):
    """Walk Liu et al.'s Algorithm 3 with k = 1, on pairs of gradients: at theta, and delta * u from there."""
    lr, beta1, beta2, delta = (hyper[k] for k in ("lr", "b1", "b2", "delta"))
    theta, walk, gs, estimates = x0.astype(float), [], [], []
    for t in range(1, len(g), 2):
        here, there = g[t - 1 : t + 1].astype(float)
        u = np.sign(noise(hyper["seed"], t, len(theta)))
        walk.append(theta + delta * u)
        gs.append(here)
        estimates.append(u * (there - here) / delta)
        columns = range(len(theta))
        m = np.array([average([row[i] for row in gs], beta1) for i in columns])
        h = np.array([average([row[i] for row in estimates], beta2) for i in columns])
        step = np.clip(m / np.maximum(hyper["gamma"] * h, hyper["eps"]), -hyper["clip"], hyper["clip"])
        theta = theta - lr * hyper["wd"] * theta - lr * step
        walk.append(theta)
    return np.array(walk)


def paper(run, defaults, sets, **rest):
    """Return the recording of a loop from the paper."""
    return Recording("paper", None, defaults, {"defaults": {}, **sets}, run, **rest)


FREE_SGD = schedule_free(
    "SGDScheduleFree",
    {"lr": 1.0, "momentum": 0.9, "wd": 0.0, "warmup_steps": 0, "r": 0.0, "weight_lr_power": 2.0},
    {
        "all": {"lr": 0.02, "momentum": 0.7, "wd": 0.1, "warmup_steps": 20, "r": 1.5, "weight_lr_power": 1.0},
        "long_warmup": {"lr": 5.0, "momentum": 0.98, "warmup_steps": 1000},
        "even_weights": {"lr": 0.3, "momentum": 0.4, "warmup_steps": 1, "weight_lr_power": 0.0},
    },
)
FREE_ADAMW = schedule_free(
    "AdamWScheduleFree",
    {"lr": 2.5e-3, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "wd": 0.0, "warmup_steps": 0, "r": 0.0, "weight_lr_power": 2.0},
    {
        "all": {**ALL, "wd": 0.1, "warmup_steps": 20, "r": 1.5, "weight_lr_power": 1.0},
        "long_warmup": {"lr": 1.0, "b1": 0.98, "b2": 0.5, "warmup_steps": 1000},
        "even_weights": {"lr": 0.3, "b1": 0.4, "warmup_steps": 1, "weight_lr_power": 0.0, "wd": 0.5},
    },
)
PRODIGY = {"lr": 1.0, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "wd": 0.0, "d0": 1e-6}
PRODIGY_ALL = {"lr": 0.5, "b1": 0.8, "b2": 0.99, "eps": 1e-4, "wd": 0.1, "d0": 1e-3, "bias_correction": True}

RULES = {
    "prodigy": Recording(
        "prodigyopt",
        "1.1.2",
        {**PRODIGY, "d_coef": 1.0, "bias_correction": False, "safeguard_warmup": False},
        {
            "defaults": {},
            "all": {**PRODIGY_ALL, "d_coef": 2.0, "safeguard_warmup": True},
            "from_zero": {"d0": 1e-2},
            "quiet_start": {"d0": 1e-2, "wd": 0.5},
            "short_memory": {"lr": 3.0, "b1": 0.1, "b2": 0.2, "d0": 1e-2, "eps": 1.0, "bias_correction": True},
        },
        partial(authors, module="prodigyopt", name="Prodigy"),
    ),
    "dadapt_adamw": Recording(
        "dadaptation",
        "3.2",
        {**PRODIGY, "bias_correction": False},
        {
            "defaults": {},
            "all": PRODIGY_ALL,
            "from_zero": {"d0": 1e-2},
            "quiet_start": {"d0": 1e-4, "wd": 0.5},
            "short_memory": {"lr": 3.0, "b1": 0.1, "b2": 0.2, "d0": 1e-2, "eps": 1.0},
        },
        partial(authors, module="dadaptation", name="DAdaptAdam", decouple=True),
    ),
    "dadapt_adamw.optax": optax_recording(
        "dadapt_adamw",
        {**PRODIGY, "bias_correction": True},
        {"all": {**PRODIGY_ALL, "lr": 0.1}, "large_eps": {"lr": 2.0, "b1": 0.95, "b2": 0.5, "eps": 1.0, "d0": 1e-2}},
        words={"d0": "estim_lr0"},
        make=lambda optax, learning_rate, b1, b2, eps, weight_decay, estim_lr0, bias_correction: (
            optax.contrib.dadapt_adamw(learning_rate, (b1, b2), eps, estim_lr0, weight_decay)
        ),
    ),
    "lars": optax_recording(
        "lars",
        {"lr": 1.0, "momentum": 0.9, "wd": 0.0, "trust": 1e-3, "eps": 0.0, "nesterov": False},
        {
            "all": {"lr": 0.1, "momentum": 0.7, "wd": 0.1, "trust": 0.05, "eps": 0.5, "nesterov": True},
            "from_zero": {"lr": 0.1},  # |x| = 0: ratio 1
            "quiet_start": {"lr": 0.1, "momentum": 0.5},  # |g| = 0: ratio 1
            "no_memory": {"lr": 3.0, "momentum": 0.0, "wd": 1.0, "trust": 0.1},
        },
        words={"trust": "trust_coefficient"},
    ),
    "fromage": optax_recording(
        "fromage",
        {"lr": 1e-2, "min_norm": 1e-6},
        {
            "all": {"lr": 0.1, "min_norm": 50.0},
            "from_zero": {"lr": 0.3, "min_norm": 0.5},
            "quiet_start": {"lr": 1.0, "min_norm": 0.0},
        },
    ),
    "novograd": optax_recording(
        "novograd",
        {"lr": 1e-3, "b1": 0.9, "b2": 0.25, "eps": 1e-6, "eps_root": 0.0, "wd": 0.0},
        {
            "all": {"lr": 0.02, "b1": 0.8, "b2": 0.98, "eps": 1e-3, "eps_root": 1e-2, "wd": 0.1},
            "quiet_start": {"lr": 1.0, "eps": 1.0},
            "no_memory": {"lr": 0.3, "b1": 0.0, "b2": 0.0, "wd": 1.0},
        },
    ),
    "dog": optax_recording(
        "dog",
        {"lr": 1.0, "reps_rel": 1e-6, "eps": 1e-8, "wd": 0.0},
        {
            "all": {"lr": 0.5, "reps_rel": 1e-2, "eps": 1e-2, "wd": 0.1},
            "from_zero": {"reps_rel": 0.1},
            "quiet_start": {"lr": 3.0, "reps_rel": 1e-3},
        },
        make=lambda optax, learning_rate, reps_rel, eps, weight_decay: optax.contrib.dog(
            learning_rate, ("heuristic", reps_rel), eps, weight_decay
        ),
    ),
    "dowg": optax_recording(
        "dowg",
        {"lr": 1.0, "init_estim_sq_dist": 1e-4, "eps": 1e-4, "wd": 0.0},
        {
            "all": {"lr": 0.5, "init_estim_sq_dist": 0.1, "eps": 1e-2, "wd": 0.1},
            "from_zero": {"init_estim_sq_dist": 1e-2},
            "quiet_start": {"lr": 0.1, "init_estim_sq_dist": 1e-6, "eps": 1e-8},
        },
        words={"init_estim_sq_dist": "squared"},
        make=lambda optax, learning_rate, squared, eps, weight_decay: optax.contrib.dowg(
            learning_rate, squared, eps, weight_decay
        ),
    ),
    "polyak_sgd": Recording(
        "optax",
        "0.2.8",
        {"lr": 1.0, "max_lr": 1.0, "f_min": 0.0, "eps": 0.0, "positive": False},
        {
            "defaults": {},
            "all": {"lr": 0.3, "max_lr": 0.02, "f_min": 1.0, "eps": 0.5, "positive": True},
            "short": {"max_lr": 1e-3, "f_min": -20.0},
            "scaled": {"lr": 2.0, "eps": 100.0},
        },
        polyak,
        note="optax.polyak_sgd with lr other than 1 is not what its documentation says: see the rule.",
        f=values(),
    ),
    "momo": Recording(
        "momo-opt",
        "0.1.0",
        {"lr": 1.0, "b1": 0.9, "lower_bound": 0.0, "wd": 0.0, "adapt_lower_bound": False},
        {
            "defaults": {},
            "all": {"lr": 0.1, "b1": 0.5, "lower_bound": -10.0, "wd": 0.1, "adapt_lower_bound": True},
            "short": {"lr": 1e-3, "b1": 0.99, "lower_bound": 2.0},
            "adapted": {"lr": 10.0, "b1": 0.0, "adapt_lower_bound": True, "lower_bound": -300.0},
            "no_memory": {"lr": 5.0, "b1": 0.0, "wd": 1.0},
        },
        partial(authors, module="momo", name="Momo"),
        f=values(),
    ),
    "momo_adam": Recording(
        "momo-opt",
        "0.1.0",
        {
            "lr": 1e-2,
            "b1": 0.9,
            "b2": 0.999,
            "eps": 1e-8,
            "lower_bound": 0.0,
            "wd": 0.0,
            "adapt_lower_bound": False,
        },
        {
            "defaults": {},
            "all": {**ALL, "lower_bound": -10.0, "wd": 0.1, "adapt_lower_bound": True},
            "short": {"lr": 1e-4, "b1": 0.99, "b2": 0.5, "lower_bound": 2.0},
            "adapted": {"lr": 1.0, "b1": 0.5, "adapt_lower_bound": True, "lower_bound": -300.0, "eps": 1.0},
            "no_memory": {"lr": 5.0, "b1": 0.0, "b2": 0.0, "wd": 1.0, "eps": 1e-2},
        },
        partial(authors, module="momo", name="MomoAdam"),
        f=values(),
    ),
    "eve": paper(
        by_coordinate(eve),
        {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "b3": 0.999, "eps": 1e-8, "clip": 10.0, "f_min": 0.0},
        {
            "all": {**ALL, "b3": 0.9, "clip": 3.0, "f_min": -7.0},
            "no_memory": {"lr": 1.0, "b1": 0.0, "b2": 0.0, "b3": 0.0, "eps": 1e-30},
            "wide": {"lr": 5.0, "b2": 0.5, "b3": 0.5, "clip": 1e6, "eps": 1.0},
        },
        f=values(),
    ),
    "wngrad": paper(wngrad, {"lr": 0.56}, {"short": {"lr": 1e-3}, "long": {"lr": 1e3}, "quiet_start": {"lr": 10.0}}),
    "swats": paper(
        swats,
        {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "eps": 1e-9, "tol": 1e-9},
        {
            "all": {**ALL, "tol": 1e-3},
            "soon": {"lr": 0.1, "b1": 0.5, "b2": 0.9, "tol": 1e3},
            "never": {"lr": 1.0, "b1": 0.0, "b2": 0.0, "eps": 1.0, "tol": 0.0},
        },
    ),
    "noisy_sgd": paper(
        noisy_sgd,
        {"lr": 1e-2, "eta": 0.01, "gamma": 0.55, "seed": 0},
        {
            "all": {"lr": 0.3, "eta": 4.0, "gamma": 1.5, "seed": 17},
            "steady": {"lr": 1e-3, "eta": 1e6, "gamma": 0.0, "seed": 2**40},
            "no_noise": {"lr": 1.0, "eta": 0.0},
        },
    ),
    "sophia": paper(
        sophia,
        {
            "lr": 1e-3,
            "b1": 0.96,
            "b2": 0.99,
            "gamma": 0.01,
            "eps": 1e-12,
            "clip": 1.0,
            "wd": 0.0,
            "delta": 1e-3,
            "seed": 0,
        },
        {
            "all": {**ALL, "gamma": 0.1, "clip": 0.5, "wd": 0.1, "delta": 0.1, "seed": 5},
            "newton": {"lr": 1.0, "b1": 0.0, "b2": 0.0, "gamma": 1.0, "clip": 1e3, "eps": 0.1, "delta": 1.0},
            "signs": {"lr": 0.1, "b1": 0.5, "eps": 1e6, "gamma": 0.0, "clip": 0.1},
        },
    ),
    "schedule_free_sgd": FREE_SGD[0],
    "schedule_free_sgd.reported": FREE_SGD[1],
    "schedule_free_adamw": FREE_ADAMW[0],
    "schedule_free_adamw.reported": FREE_ADAMW[1],
}
