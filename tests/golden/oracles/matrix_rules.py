"""Oracles for rules that see x as a matrix: packages, and loops that reach the same answer by another way.

``RULES`` are what these rules do to vectors, recorded by record.py like those of any rule; ``MATRICES`` what they do
to matrices, recorded by record_matrices.py. Next to torch and optax they need::

    pip install --no-deps pytorch_optimizer==4.1.0

Loops count in float64, from float32 gradients too.
"""

import numpy as np
from recording import Recording

from oracles.optax_rules import optax_recording
from oracles.torch_rules import VERSION, walk

MUON = {"lr": 1e-3, "momentum": 0.95, "nesterov": True, "wd": 0.1, "ns_a": 3.4445, "ns_b": -4.775, "ns_c": 2.0315}
MUON |= {"ns_steps": 5, "eps": 1e-7, "match_rms": False, "b1": 0.9, "b2": 0.999}
MUON_SETS = {
    "defaults": {},
    "all": {
        "lr": 0.02, "momentum": 0.8, "nesterov": False, "wd": 0.01, "ns_a": 3.0, "ns_b": -4.0, "ns_c": 1.8,
        "ns_steps": 7, "eps": 1e-3, "match_rms": True, "b1": 0.8, "b2": 0.99,
    },
    "from_zero": {"lr": 1.0, "momentum": 0.0, "wd": 0.0, "eps": 1e-30},
    "cubic": {"lr": 0.3, "wd": 0.5, "ns_a": 1.5, "ns_b": -0.5, "ns_c": 0.0, "ns_steps": 12, "match_rms": True},
}  # fmt: skip


def adamw(hyper, x0, g):
    """Run torch's AdamW, for vectors."""
    return walk("AdamW", {}, {}, {name: hyper[name] for name in ("lr", "b1", "b2", "eps", "wd")}, x0, g)


def muon(hyper, x0, g):
    """Walk with the polynomial put to the singular values of the momentum, one by one."""
    x, b, mu, path = x0.astype(float), np.zeros(x0.shape), hyper["momentum"], []
    for gradient in g.astype(float):
        b = mu * b + (1 - mu) * gradient
        u, s, vt = np.linalg.svd(mu * b + (1 - mu) * gradient if hyper["nesterov"] else b, full_matrices=False)
        s = s / max(np.sqrt(np.sum(s**2)), hyper["eps"])
        for _ in range(hyper["ns_steps"]):
            s = hyper["ns_a"] * s + hyper["ns_b"] * s**3 + hyper["ns_c"] * s**5
        rows, columns = x.shape
        ratio = 0.2 * max(rows, columns) ** 0.5 if hyper["match_rms"] else max(1, rows / columns) ** 0.5
        x = x - hyper["lr"] * hyper["wd"] * x - hyper["lr"] * ratio * (u * s) @ vt
        path.append(x)
    return np.array(path)


def muon_of_torch(hyper, x0, g):
    """Run torch's Muon."""
    import torch

    names = {"lr": "lr", "momentum": "momentum", "nesterov": "nesterov", "wd": "weight_decay", "eps": "eps"}
    words = {word: hyper[name] for name, word in names.items()} | {"ns_steps": hyper["ns_steps"]}
    words["ns_coefficients"] = tuple(hyper[name] for name in ("ns_a", "ns_b", "ns_c"))
    words["adjust_lr_fn"] = "match_rms_adamw" if hyper["match_rms"] else "original"
    return torch_walk(torch.optim.Muon, x0, g, **words)


def muon_of_optax(hyper, x0, g):
    """Run optax's Muon on the transposed matrix, for it counts rows as columns."""
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")
    import optax.contrib

    optimizer = optax.contrib.muon(
        hyper["lr"], tuple(hyper[name] for name in ("ns_a", "ns_b", "ns_c")), hyper["ns_steps"], hyper["momentum"],
        hyper["eps"], hyper["wd"], nesterov=hyper["nesterov"], consistent_rms=0.2 if hyper["match_rms"] else None,
    )  # fmt: skip
    update, x, path = jax.jit(optimizer.update), jax.numpy.asarray(x0.T), []
    state = optimizer.init(x)
    for gradient in g:
        step, state = update(jax.numpy.asarray(gradient.T), state, x)
        x = optax.apply_updates(x, step)
        path.append(np.asarray(x).T)
    return np.array(path)


def torch_walk(make, x0, g, **words):
    """Walk with a ``torch.optim.Optimizer``."""
    import torch

    torch.set_num_threads(1)
    x, path = torch.nn.Parameter(torch.tensor(x0)), []
    optimizer = make([x], **words)
    for gradient in g:
        x.grad = torch.tensor(gradient)
        optimizer.step()
        path.append(x.detach().numpy().copy())
    return np.array(path)


ADAFACTOR = {"lr": 1e-2, "beta2_decay": -0.8, "eps1": 2.0**-52, "eps2": 1e-3, "d": 1.0, "wd": 0.0, "maximize": False}
ADAFACTOR_SETS = {
    "defaults": {},
    "all": {"lr": 0.3, "beta2_decay": -0.5, "eps1": 1e-2, "eps2": 0.1, "d": 1.5, "wd": 0.1, "maximize": True},
    "from_zero": {"lr": 1.0, "eps2": 0.5, "d": 3.0},
    "forgetful": {"lr": 0.05, "beta2_decay": -0.01, "eps1": 1e-6, "d": 1.01, "wd": 1.0},
}


def adafactor(hyper, x0, g):
    """Run torch's Adafactor."""
    import torch

    words = {name: hyper[name] for name in ("lr", "beta2_decay", "d", "maximize")}
    words |= {"eps": (hyper["eps1"], hyper["eps2"]), "weight_decay": hyper["wd"], "foreach": False}
    return torch_walk(torch.optim.Adafactor, x0, g, **words)


SHAMPOO = {"lr": 1e-3, "momentum": 0.0, "eps": 1e-6, "wd": 0.0, "decoupled": False, "every": 1}
SHAMPOO_SETS = {
    "defaults": {},
    "all": {"lr": 0.05, "momentum": 0.9, "eps": 1e-2, "wd": 0.1, "decoupled": True, "every": 7},
    "from_zero": {"lr": 1.0, "eps": 1e-4},
    "coupled_decay": {"lr": 0.3, "momentum": 0.5, "eps": 10.0, "wd": 0.3, "every": 3},
}


def shampoo(hyper, x0, g):
    """Walk with the roots taken of the whole history's singular values; entry by entry for a vector.

    L = eps I + the sum of all G G' is the square of the singular values of all G side by side.
    """
    x, m, past, path = x0.astype(float), np.zeros(x0.shape), [], []
    for t, gradient in enumerate(g.astype(float)):
        if hyper["wd"] and hyper["decoupled"]:
            x = x * (1 - hyper["lr"] * hyper["wd"])
        elif hyper["wd"]:
            gradient = gradient + hyper["wd"] * x
        past.append(gradient)
        m = hyper["momentum"] * m + (1 - hyper["momentum"]) * gradient
        if x.ndim == 1:
            step = m / np.sqrt(hyper["eps"] + np.sum(np.square(past), axis=0))
        else:
            if t % hyper["every"] == 0:
                left, right = rooted(np.hstack(past), hyper["eps"]), rooted(np.vstack(past).T, hyper["eps"])
            step = left @ m @ right
        x = x - hyper["lr"] * step
        path.append(x)
    return np.array(path)


def rooted(wide, eps):
    """Return (eps I + wide wide')^(-1/4)."""
    u, s, _ = np.linalg.svd(wide)
    squares = np.zeros(len(wide))
    squares[: s.size] = s**2
    return u / (squares + eps) ** 0.25 @ u.T


def shampoo_of_package(hyper, x0, g):
    """Run pytorch_optimizer's Shampoo."""
    from pytorch_optimizer import Shampoo

    return torch_walk(
        Shampoo, x0, g, lr=hyper["lr"], momentum=hyper["momentum"], weight_decay=hyper["wd"],
        weight_decouple=hyper["decoupled"], matrix_eps=hyper["eps"], preconditioning_compute_steps=hyper["every"],
    )  # fmt: skip


SOAP = {"lr": 3e-3, "b1": 0.95, "b2": 0.95, "b3": 0.95, "eps": 1e-8, "wd": 0.01, "every": 10}
SOAP_SETS = {
    "defaults": {},
    "all": {"lr": 0.05, "b1": 0.8, "b2": 0.99, "b3": 0.9, "eps": 1e-3, "wd": 0.1, "every": 3},
    "from_zero": {"lr": 1.0, "b1": 0.5, "b2": 0.9, "b3": 0.5, "wd": 0.0, "every": 1},
    "one_basis": {"lr": 0.1, "b1": 0.9, "b2": 0.999, "b3": 0.99, "every": 1000},
}


def soap(hyper, x0, g):
    """Run pytorch_optimizer's SOAP, all of it in float64: also its QR decompositions, which it makes in float32."""
    import torch
    from pytorch_optimizer.optimizer import soap

    class Torch:
        float32 = torch.float64

        def __getattr__(self, name):
            return getattr(torch, name)

    words = {"lr": hyper["lr"], "betas": (hyper["b1"], hyper["b2"]), "shampoo_beta": hyper["b3"], "eps": hyper["eps"]}
    words |= {"weight_decay": hyper["wd"], "precondition_frequency": hyper["every"]}
    soap.torch = Torch()
    try:
        return torch_walk(soap.SOAP, x0.astype(float), g.astype(float), **words)
    finally:
        soap.torch = torch


SM3 = {"lr": 0.1, "momentum": 0.9, "eps": 1e-8}
SM3_SETS = {
    "all": {"lr": 0.5, "momentum": 0.5, "eps": 0.1},
    "from_zero": {"lr": 1.0, "momentum": 0.0, "eps": 1e-30},
    "long_memory": {"lr": 3.0, "momentum": 0.999, "eps": 1e-2},
}


def make_sm3(optax, learning_rate, momentum, eps):
    """Make optax's sm3 of its parts, for it has no eps."""
    return optax.chain(optax.scale_by_sm3(momentum, 1.0, eps), optax.scale_by_learning_rate(learning_rate))


ADAFACTOR_RECORDING = Recording("torch", VERSION, ADAFACTOR, ADAFACTOR_SETS, adafactor)
SOAP_RECORDING = Recording("pytorch_optimizer", "4.1.0", SOAP, SOAP_SETS, soap)
SM3_RECORDING = optax_recording("sm3", SM3, SM3_SETS, make=make_sm3, note="the default lr is ours: optax has none")

RULES = {
    "adafactor": ADAFACTOR_RECORDING,
    "muon": Recording("torch", VERSION, MUON, MUON_SETS, adamw, note="AdamW: a vector sees nothing of Muon"),
    "shampoo": Recording("paper", None, SHAMPOO, SHAMPOO_SETS, shampoo),
    "sm3": SM3_RECORDING,
    "soap": SOAP_RECORDING,
}

MATRICES = {
    "adafactor": ADAFACTOR_RECORDING,
    "muon": Recording("paper", None, MUON, MUON_SETS, muon),
    "muon.optax": Recording(
        "optax",
        "0.2.8",
        MUON | {"nesterov": False, "wd": 0.0, "eps": 1e-300},
        {"defaults": {}, "all": MUON_SETS["all"] | {"eps": 1e-300}, "from_zero": {"lr": 1.0, "momentum": 0.5}},
        muon_of_optax,
        note="optax counts rows as columns, and has another momentum of Nesterov's.",
    ),
    "muon.torch": Recording("torch", VERSION, MUON, {"defaults": {}, "all": MUON_SETS["all"]}, muon_of_torch),
    "shampoo": Recording("paper", None, SHAMPOO, SHAMPOO_SETS, shampoo),
    "shampoo.pytorch_optimizer": Recording(
        "pytorch_optimizer",
        "4.1.0",
        SHAMPOO,
        {"defaults": {}, "all": {"lr": 0.05, "eps": 1e-2, "wd": 0.1, "decoupled": True}, "coupled_decay": {"wd": 0.3}},
        shampoo_of_package,
        note="Its momentum averages preconditioned steps and gradients, its roots wait for the every-th step: not here.",
    ),
    "sm3": SM3_RECORDING,
    "soap": SOAP_RECORDING,
}
