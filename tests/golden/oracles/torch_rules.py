"""torch.optim: the plain loop over single tensors."""

import inspect

import numpy as np
from recording import Recording

VERSION = "2.13.0"
WORDS = {  # ours -> torch's; a tuple's entries have a place
    "wd": "weight_decay",
    "initial_accumulator": "initial_accumulator_value",
    "decoupled": "decoupled_weight_decay",
    "b1": ("betas", 0),
    "b2": ("betas", 1),
    "eta_minus": ("etas", 0),
    "eta_plus": ("etas", 1),
    "min_step_size": ("step_sizes", 0),
    "max_step_size": ("step_sizes", 1),
}


def torch_recording(name, defaults, sets, fixed=None, **rest):
    """Return the recording of ``torch.optim.<name>``; ``fixed`` are keywords that make the rule of the class."""
    sets = {"defaults": {}, **sets}
    return Recording("torch", VERSION, defaults, sets, lambda *args: walk(name, defaults, fixed or {}, *args), **rest)


def walk(name, defaults, fixed, hyper, x0, g):
    """Walk along the gradients ``g``."""
    import torch

    torch.set_num_threads(1)
    make = getattr(torch.optim, name)
    assert in_torch_words(defaults).items() <= known(make).items(), f"torch.optim.{name} has other defaults"
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # of the numbers that ASGD keeps in tensors
    try:
        x = torch.nn.Parameter(torch.tensor(x0))
        optimizer = make([x], foreach=False, **in_torch_words(hyper), **fixed)
        trajectory = np.empty_like(g)
        for t, row in enumerate(g):
            x.grad = torch.tensor(row)
            optimizer.step()
            trajectory[t] = x.detach().numpy()
    finally:
        torch.set_default_dtype(before)
    return trajectory


def known(make):
    """Return torch's defaults in torch's words."""
    return {k: p.default for k, p in inspect.signature(make).parameters.items()}


def in_torch_words(hyper):
    """Return our hyperparameters in torch's words."""
    words, pairs = {}, {}
    for name, value in hyper.items():
        word = WORDS.get(name, name)
        if isinstance(word, tuple):
            pairs.setdefault(word[0], {})[word[1]] = value
        else:
            words[word] = value
    return words | {word: tuple(pair[k] for k in sorted(pair)) for word, pair in pairs.items()}


ADAM = {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "wd": 0.0, "decoupled": False, "maximize": False}
ALL = {"lr": 0.02, "b1": 0.8, "b2": 0.99, "eps": 1e-4, "wd": 0.1, "decoupled": True, "maximize": True}

RULES = {
    "sgd": torch_recording(
        "SGD",
        {"lr": 1e-3, "momentum": 0.0, "dampening": 0.0, "wd": 0.0, "nesterov": False, "maximize": False},
        {
            "momentum": {"lr": 0.02, "momentum": 0.9},
            "nesterov": {"lr": 0.02, "momentum": 0.9, "wd": 0.1, "nesterov": True, "maximize": True},
            "dampening": {"lr": 0.05, "momentum": 0.6, "dampening": 0.3, "wd": 0.3, "maximize": True},
            "first_gradient_only": {"lr": 1.0, "momentum": 0.99, "dampening": 1.0},
            "huge_steps": {"lr": 1e3, "momentum": 0.99, "nesterov": True},
        },
    ),
    "rmsprop": torch_recording(
        "RMSprop",
        {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "wd": 0.0, "momentum": 0.0, "centered": False, "maximize": False},
        {
            "centered": {"centered": True},
            "momentum": {"lr": 3e-3, "momentum": 0.9, "wd": 0.1},
            "all": {
                "lr": 0.02,
                "alpha": 0.9,
                "eps": 1e-3,
                "wd": 0.1,
                "momentum": 0.7,
                "centered": True,
                "maximize": True,
            },
            "no_memory": {"lr": 0.5, "alpha": 0.0, "eps": 1.0},
            "long_memory": {"lr": 2.0, "alpha": 0.9999, "eps": 1e-30, "momentum": 0.99},
        },
        ours={"nesterov": False, "initial_scale": 0.0, "eps_in_sqrt": False},
    ),
    "adagrad": torch_recording(
        "Adagrad",
        {"lr": 1e-2, "lr_decay": 0.0, "wd": 0.0, "initial_accumulator": 0.0, "eps": 1e-10, "maximize": False},
        {
            "all": {
                "lr": 0.3,
                "lr_decay": 0.05,
                "wd": 0.1,
                "initial_accumulator": 0.5,
                "eps": 1e-3,
                "maximize": True,
            },
            "fast_decay": {"lr": 5.0, "lr_decay": 10.0, "eps": 1e-30},
            "full_accumulator": {"lr": 100.0, "initial_accumulator": 1e4, "eps": 1.0},
        },
        ours={"eps_in_sqrt": False},
    ),
    "adam": torch_recording(
        "Adam",
        ADAM,
        {
            "all": ALL,
            "joined_decay": {**ALL, "decoupled": False},
            "no_memory": {"lr": 1.0, "b1": 0.0, "b2": 0.0, "eps": 1e-30},
            "b1_above_b2": {"lr": 0.3, "b1": 0.95, "b2": 0.5},
            "large_eps": {"lr": 5.0, "b1": 0.95, "b2": 0.9999, "eps": 1.0},
        },
        ours={"eps_root": 0.0, "eps_hat": False},
    ),
    "adamw": torch_recording(
        "AdamW",
        {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "wd": 1e-2, "maximize": False},
        {
            "all": {"lr": 0.02, "b1": 0.8, "b2": 0.99, "eps": 1e-4, "wd": 0.3, "maximize": True},
            "no_decay": {"lr": 0.1, "wd": 0.0},
            "halving": {"lr": 0.5, "b1": 0.0, "b2": 0.9, "eps": 1.0, "wd": 1.0},
        },
        ours={"eps_root": 0.0},
    ),
    "amsgrad": torch_recording(
        "Adam",
        ADAM,
        {
            "all": {**ALL, "b2": 0.9},
            "joined_decay": {**ALL, "b2": 0.9, "decoupled": False},
            "no_memory": {"lr": 1.0, "b1": 0.0, "b2": 0.0, "eps": 1e-30},
            "b1_above_b2": {"lr": 0.3, "b1": 0.99, "b2": 0.5, "eps": 1.0},
        },
        fixed={"amsgrad": True},
    ),
    "radam": torch_recording(
        "RAdam",
        ADAM,
        {
            # The defaults are rectified from step 6 on, where rho is a small difference: one ulp in b2**t is 1e-11 in a step.
            "all": ALL,
            "joined_decay": {**ALL, "decoupled": False},
            # rho_inf is 4: the rectification would divide by zero
            "never_rectified": {"lr": 0.05, "b1": 0.5, "b2": 0.6},
            "late_rectified": {"lr": 1.0, "b1": 0.0, "b2": 0.75, "eps": 1.0},
        },
    ),
    "nadam": torch_recording(
        "NAdam",
        {**ADAM, "lr": 2e-3, "momentum_decay": 4e-3},
        {
            "all": {**ALL, "momentum_decay": 0.1},
            "joined_decay": {**ALL, "decoupled": False},
            "no_memory": {"lr": 1.0, "b1": 0.0, "b2": 0.0, "eps": 1e-30},
            "large_eps": {"lr": 5.0, "b1": 0.99, "b2": 0.5, "eps": 1.0, "momentum_decay": 1.0},
        },
    ),
    "adadelta": torch_recording(
        "Adadelta",
        {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "wd": 0.0, "maximize": False},
        {
            "all": {"lr": 0.3, "rho": 0.95, "eps": 1e-3, "wd": 0.1, "maximize": True},
            "no_memory": {"lr": 0.5, "rho": 0.0, "eps": 1e-2},
            "long_memory": {"lr": 10.0, "rho": 0.9999, "eps": 1.0},
        },
    ),
    "adamax": torch_recording(
        "Adamax",
        {"lr": 2e-3, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "wd": 0.0, "maximize": False},
        {
            "all": {"lr": 0.02, "b1": 0.8, "b2": 0.9, "eps": 1e-3, "wd": 0.1, "maximize": True},
            "no_memory": {"lr": 1.0, "b1": 0.0, "b2": 0.0, "eps": 1e-30},
            "large_eps": {"lr": 5.0, "b1": 0.99, "b2": 0.5, "eps": 1.0},
        },
    ),
    "rprop": torch_recording(
        "Rprop",
        {
            "lr": 1e-2,
            "eta_minus": 0.5,
            "eta_plus": 1.2,
            "min_step_size": 1e-6,
            "max_step_size": 50.0,
            "maximize": False,
        },
        {
            "all": {
                "lr": 0.3,
                "eta_minus": 0.7,
                "eta_plus": 1.5,
                "min_step_size": 0.05,
                "max_step_size": 0.6,
                "maximize": True,
            },
            "above_the_largest": {"lr": 10.0, "max_step_size": 1.0},
            "one_size": {"lr": 0.1, "min_step_size": 0.1, "max_step_size": 0.1},
        },
    ),
    "asgd": torch_recording(
        "ASGD",
        {"lr": 1e-2, "lambd": 1e-4, "alpha": 0.75, "t0": 1e6, "wd": 0.0, "maximize": False},
        {
            "all": {"lr": 0.05, "lambd": 0.1, "alpha": 0.5, "t0": 10.0, "wd": 0.1, "maximize": True},
            "constant": {"lr": 0.1, "lambd": 0.0, "t0": 0.0},
            "fast_decay": {"lr": 1.0, "lambd": 0.9, "alpha": 2.0, "t0": 50.0},
        },
    ),
}
