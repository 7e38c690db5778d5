"""Oracles that are packages: the authors' own where there is one, else the one that follows the paper to the letter.

Next to torch they need::

    pip install adabound==0.0.5 adamod==0.0.3 keras==3.15.1 qhoptim==1.1.0 torch-optimizer==0.3.0
"""

import importlib

import numpy as np
from recording import Recording

THEIRS = {
    "wd": "weight_decay",
    "decoupled": "decouple_weight_decay",
    "b3": "beta3",
    "l1": "l1_regularization_strength",
    "l2": "l2_regularization_strength",
    "lr_power": "learning_rate_power",
    "initial_accumulator": "initial_accumulator_value",
}
PAIRS = {"betas": ("b1", "b2"), "nus": ("nu1", "nu2")}


def spelled(hyper):
    """Return hyperparameters in the packages' names."""
    words = {THEIRS.get(name, name): value for name, value in hyper.items()}
    for pair, (first, second) in PAIRS.items():
        if first in words:
            words[pair] = words.pop(first), words.pop(second)
    return words


def torch_run(module, name, **fixed):
    """Return what runs a ``torch.optim.Optimizer`` of another package."""

    def run(hyper, x0, g):
        import torch

        torch.set_num_threads(1)
        x = torch.nn.Parameter(torch.tensor(x0))
        optimizer = getattr(importlib.import_module(module), name)([x], **spelled(hyper), **fixed)
        trajectory = np.empty_like(g)
        for t, row in enumerate(g):
            x.grad = torch.tensor(row)
            optimizer.step()
            trajectory[t] = x.detach().numpy()
        return trajectory

    return run


def qhm(hyper, x0, g):
    """Run the authors' QHM, which has its kinds of weight decay by name."""
    kind = "direct" if hyper.pop("decoupled") else "grad"
    return torch_run("qhoptim.pyt", "QHM", weight_decay_type=kind)(hyper, x0, g)


def keras_ftrl(hyper, x0, g):
    """Run Keras's Ftrl, in float64 throughout: it keeps lr in the one float type that it has for everything."""
    import os

    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    keras.config.set_floatx("float64")
    x = keras.Variable(x0.astype(float), dtype="float64")
    words = spelled(hyper)
    optimizer = keras.optimizers.Ftrl(learning_rate=words.pop("lr"), **words)
    optimizer.build([x])
    trajectory = np.empty(g.shape)
    for t, row in enumerate(g.astype(float)):
        optimizer.apply([keras.ops.convert_to_tensor(row)], [x])
        trajectory[t] = keras.ops.convert_to_numpy(x)
    return trajectory


BOUNDS = {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "final_lr": 0.1, "gamma": 1e-3, "eps": 1e-8, "wd": 0.0}
BOUNDS_SETS = {
    "defaults": {},
    "all": {"lr": 0.02, "b1": 0.8, "b2": 0.9, "final_lr": 0.5, "gamma": 0.05, "eps": 1e-4, "wd": 0.1},
    "soon_sgd": {"lr": 1.0, "b1": 0.5, "b2": 0.99, "final_lr": 3.0, "gamma": 0.9, "eps": 1.0},
    "no_memory": {"lr": 1.0, "b1": 0.0, "b2": 0.0, "eps": 1e-30},
    "b1_above_b2": {"lr": 0.3, "b1": 0.95, "b2": 0.5, "final_lr": 0.01, "wd": 0.01},
}
ADAM_SETS = {
    "defaults": {},
    "no_memory": {"lr": 1.0, "b1": 0.0, "b2": 0.0, "eps": 1e-30},
    "b1_above_b2": {"lr": 0.3, "b1": 0.95, "b2": 0.5, "wd": 0.1},
    "large_eps": {"lr": 5.0, "b1": 0.95, "b2": 0.9999, "eps": 1.0},
}

RULES = {
    "adabound": Recording("adabound", "0.0.5", BOUNDS, BOUNDS_SETS, torch_run("adabound", "AdaBound")),
    "amsbound": Recording("adabound", "0.0.5", BOUNDS, BOUNDS_SETS, torch_run("adabound", "AdaBound", amsbound=True)),
    "qhadam": Recording(
        "qhoptim",
        "1.1.0",
        {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "nu1": 1.0, "nu2": 1.0, "eps": 1e-8, "wd": 0.0, "decoupled": False},
        {
            "defaults": {},
            "paper": {"b1": 0.995, "nu1": 0.7},
            "all": {
                "lr": 0.02,
                "b1": 0.8,
                "b2": 0.99,
                "nu1": 0.6,
                "nu2": 0.8,
                "eps": 1e-4,
                "wd": 0.1,
                "decoupled": True,
            },
            "coupled_decay": {"lr": 0.05, "nu1": 0.5, "nu2": 0.5, "wd": 0.3},
            "gradient_only": {"lr": 1.0, "nu1": 0.0, "nu2": 0.0, "eps": 1e-30},
            "nu_above_one": {"lr": 0.3, "b1": 0.95, "b2": 0.5, "nu1": 1.5, "eps": 1.0},
        },
        torch_run("qhoptim.pyt", "QHAdam"),
    ),
    "qhsgd": Recording(
        "qhoptim",
        "1.1.0",
        {"lr": 1e-2, "momentum": 0.999, "nu": 0.7, "wd": 0.0, "decoupled": False},
        {
            "defaults": {},
            "all": {"lr": 0.3, "momentum": 0.9, "nu": 0.5, "wd": 0.05, "decoupled": True},
            "coupled_decay": {"lr": 0.5, "momentum": 0.5, "nu": 0.3, "wd": 0.3},
            "nesterov": {"lr": 1.0, "momentum": 0.9, "nu": 0.9},
            "huge_steps": {"lr": 1e3, "momentum": 0.99, "nu": 1.0},
        },
        qhm,
        note="The package has no defaults: momentum and nu are the paper's rule of thumb, lr is ensmallen's.",
    ),
    "ftrl": Recording(
        "keras",
        "3.15.1",
        {"lr": 1e-3, "lr_power": -0.5, "initial_accumulator": 0.1, "l1": 0.0, "l2": 0.0, "beta": 0.0},
        {
            "defaults": {},
            "all": {"lr": 0.3, "lr_power": -0.4, "initial_accumulator": 0.5, "l1": 0.05, "l2": 0.02, "beta": 0.5},
            "sparse": {"lr": 1.0, "l1": 10.0},
            "constant_rate": {"lr": 0.1, "lr_power": 0.0, "l2": 1.0},
            "huge_steps": {"lr": 100.0, "initial_accumulator": 0.0, "beta": 1.0},
        },
        keras_ftrl,
        note="Run in float64 on the float32 gradients, for float32: Keras rounds lr itself to float32.",
    ),
    "accsgd": Recording(
        "torch-optimizer",
        "0.3.0",
        {"lr": 1e-3, "kappa": 1000.0, "xi": 10.0, "small_const": 0.7, "wd": 0.0},
        {
            "defaults": {},
            "all": {"lr": 0.02, "kappa": 100.0, "xi": 5.0, "small_const": 0.5, "wd": 0.1},
            "no_acceleration": {"lr": 0.1, "kappa": 1.0, "xi": 4.0, "small_const": 0.5},
            "long_steps": {"lr": 1.0, "kappa": 1e6, "xi": 1e3, "small_const": 0.99},
        },
        torch_run("torch_optimizer", "AccSGD"),
    ),
    "adamod": Recording(
        "adamod",
        "0.0.3",
        {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "b3": 0.999, "eps": 1e-8, "wd": 0.0},
        {
            **ADAM_SETS,
            "all": {"lr": 0.02, "b1": 0.8, "b2": 0.9, "b3": 0.99, "eps": 1e-4, "wd": 0.1},
            "no_bound": {"lr": 0.1, "b3": 0.0},
        },
        torch_run("adamod", "AdaMod"),
    ),
    "diffgrad": Recording(
        "torch-optimizer",
        "0.3.0",
        {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "wd": 0.0},
        {**ADAM_SETS, "all": {"lr": 0.02, "b1": 0.8, "b2": 0.9, "eps": 1e-4, "wd": 0.1}},
        torch_run("torch_optimizer", "DiffGrad"),
    ),
}
