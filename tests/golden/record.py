"""Record what the reference implementations do: 100 steps of each rule on one fixed row of gradients.

Run it from the repository root, in an environment with the very versions named in ``VERSIONS``::

    pip install torch==2.13.0 optax==0.2.8 numpy
    python tests/golden/record.py                # writes tests/golden/<rule>.npz, the same bits every time
    python tests/golden/record.py --check adam   # records again and compares with the file; writes nothing

The gradients do not depend on x: no rule is flattered by converging, and no error is damped by it.

A file holds ``about`` (JSON: rule, oracle, version, and for every set of hyperparameters their names *here*
and their values), ``x0``, the gradients ``g``, and for each set the x after every step, ``<set>.float64`` and
``<set>.float32``. A set with another start or other gradients has its own ``<set>.x0`` or ``<set>.g``.
"""

import argparse
import inspect
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
VERSIONS = {"torch": "2.13.0", "optax": "0.2.8"}
STEPS, N = 100, 7
# Where x starts at zero it is all displacement: a relative error in x is one in the steps.
X0 = np.array([0.0, 1.7, -0.3, 0.0, 2.9e-3, -41.0, 0.6])

# Only what differs from the oracle's defaults is written; the file holds the values of all.
SETS = {
    "sgd": {
        "defaults": {},
        "momentum": {"lr": 0.02, "momentum": 0.9},
        "nesterov": {"lr": 0.02, "momentum": 0.9, "nesterov": True},
        "dampening": {"lr": 0.05, "momentum": 0.6, "dampening": 0.3},
        "first_gradient_only": {"lr": 1.0, "momentum": 0.99, "dampening": 1.0},
        "huge_steps": {"lr": 1e3, "momentum": 0.99, "nesterov": True},
    },
    "rmsprop": {
        "defaults": {},
        "centered": {"centered": True},
        "momentum": {"lr": 3e-3, "momentum": 0.9},
        "all": {"lr": 0.02, "alpha": 0.9, "eps": 1e-3, "momentum": 0.7, "centered": True},
        "no_memory": {"lr": 0.5, "alpha": 0.0, "eps": 1.0},
        "long_memory": {"lr": 2.0, "alpha": 0.9999, "eps": 1e-30, "momentum": 0.99},
    },
    "adagrad": {
        "defaults": {},
        "all": {"lr": 0.3, "lr_decay": 0.05, "initial_accumulator": 0.5, "eps": 1e-3},
        "fast_decay": {"lr": 5.0, "lr_decay": 10.0, "eps": 1e-30},
        "full_accumulator": {"lr": 100.0, "initial_accumulator": 1e4, "eps": 1.0},
    },
    "adam": {
        "defaults": {},
        "all": {"lr": 0.02, "b1": 0.8, "b2": 0.99, "eps": 1e-4},
        "no_memory": {"lr": 1.0, "b1": 0.0, "b2": 0.0, "eps": 1e-30},
        "b1_above_b2": {"lr": 0.3, "b1": 0.95, "b2": 0.5},
        "large_eps": {"lr": 5.0, "b1": 0.95, "b2": 0.9999, "eps": 1.0},
    },
    "adamw": {
        "defaults": {},
        "all": {"lr": 0.02, "b1": 0.8, "b2": 0.99, "eps": 1e-4, "wd": 0.3},
        "no_decay": {"lr": 0.1, "wd": 0.0},
        "halving": {"lr": 0.5, "b1": 0.0, "b2": 0.9, "eps": 1.0, "wd": 1.0},
    },
    "amsgrad": {
        "defaults": {},
        "all": {"lr": 0.02, "b1": 0.8, "b2": 0.9, "eps": 1e-4},
        "no_memory": {"lr": 1.0, "b1": 0.0, "b2": 0.0, "eps": 1e-30},
        "b1_above_b2": {"lr": 0.3, "b1": 0.99, "b2": 0.5, "eps": 1.0},
    },
    "radam": {
        # Rectified from step 6 on, where rho is a small difference: one ulp in b2**t is 1e-11 in a step.
        "defaults": {},
        "all": {"lr": 0.02, "b1": 0.8, "b2": 0.99, "eps": 1e-4},
        # rho_inf is 4: the rectification would divide by zero
        "never_rectified": {"lr": 0.05, "b1": 0.5, "b2": 0.6},
        "late_rectified": {"lr": 1.0, "b1": 0.0, "b2": 0.75, "eps": 1.0},
    },
    "lamb": {
        "defaults": {},
        "all": {"lr": 0.02, "b1": 0.8, "b2": 0.99, "eps": 1e-4, "wd": 0.1},
        "from_zero": {"lr": 0.1},  # |x| = 0: trust ratio 1
        "quiet_start": {"lr": 0.1, "b2": 0.9},  # |update| = 0: trust ratio 1
        "no_memory": {"lr": 0.3, "b1": 0.0, "b2": 0.0, "eps": 1e-2, "wd": 1.0},
    },
}


def gradients():
    """Return gradients of sizes 1e-4 to 1e2, changing sign, jumping between sizes, some of them zero."""
    random = np.random.RandomState(20130)  # its stream is frozen for ever (NEP 19), a Generator's is not
    sizes = np.array([1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2])
    g = random.standard_normal((STEPS, N)) * sizes
    jumps = random.random_sample((STEPS, N)) < 0.1
    g[jumps] = (random.standard_normal((STEPS, N)) * sizes[random.randint(0, N, (STEPS, N))])[jumps]
    g[random.random_sample((STEPS, N)) < 0.1] = 0.0
    g[:4, 3] = 0.0  # a second moment that stays zero for a while
    g[60] = 0.0  # a step with no gradient at all: momentum goes on
    return g


def start(name):
    """Return x0 and the gradients of a set of hyperparameters."""
    x0, g = X0.copy(), gradients()
    if name == "from_zero":
        x0[:] = 0.0
    if name == "quiet_start":
        g[:3] = 0.0
    return x0, g


TORCH = {
    "sgd": ("SGD", {}),
    "rmsprop": ("RMSprop", {}),
    "adagrad": ("Adagrad", {}),
    "adam": ("Adam", {}),
    "adamw": ("AdamW", {}),
    "amsgrad": ("Adam", {"amsgrad": True}),
    "radam": ("RAdam", {}),
}
NAMES = {
    "sgd": "lr momentum dampening nesterov",
    "rmsprop": "lr alpha eps momentum centered",
    "adagrad": "lr lr_decay initial_accumulator eps",
    "adam": "lr b1 b2 eps",
    "adamw": "lr b1 b2 eps wd",
    "amsgrad": "lr b1 b2 eps",
    "radam": "lr b1 b2 eps",
    "lamb": "lr b1 b2 eps wd",
}
THEIRS = {"wd": "weight_decay", "initial_accumulator": "initial_accumulator_value"}


def torch_oracle(rule):
    """Return torch's defaults in our names, and a function that runs its plain loop over single tensors."""
    import torch

    torch.set_num_threads(1)
    name, fixed = TORCH[rule]
    make = getattr(torch.optim, name)
    theirs = {k: p.default for k, p in inspect.signature(make).parameters.items()}
    theirs["b1"], theirs["b2"] = theirs.get("betas", (None, None))
    defaults = {k: theirs[THEIRS.get(k, k)] for k in NAMES[rule].split()}

    def run(hyper, x0, g):
        words = {THEIRS.get(k, k): v for k, v in hyper.items() if k not in ("b1", "b2")}
        if "b1" in hyper:
            words["betas"] = hyper["b1"], hyper["b2"]
        x = torch.nn.Parameter(torch.tensor(x0))
        optimizer = make([x], foreach=False, **words, **fixed)
        trajectory = np.empty_like(g)
        for t, row in enumerate(g):
            x.grad = torch.tensor(row)
            optimizer.step()
            trajectory[t] = x.detach().numpy()
        return trajectory

    return defaults, run


def optax_oracle(rule):
    """Return optax's defaults in our names, and a function that runs it.

    JAX's x64 mode is on for float32 too: arrays stay float32, but ``1 - b2**t`` is computed in float64, as in
    torch. Without it optax's float32 is off by 8e-6 in the set ``from_zero``, by rounding alone.
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")
    import optax

    make = getattr(optax, rule)
    theirs = {k: p.default for k, p in inspect.signature(make).parameters.items()}
    defaults = {k: theirs[THEIRS.get(k, k)] for k in NAMES[rule].split() if k != "lr"}

    def run(hyper, x0, g):
        words = {THEIRS.get(k, k): v for k, v in hyper.items() if k != "lr"}
        optimizer = make(hyper["lr"], **words)
        x = jax.numpy.asarray(x0)
        state = optimizer.init(x)
        trajectory = np.empty_like(g)
        for t, row in enumerate(g):
            update, state = optimizer.update(jax.numpy.asarray(row), state, x)
            x = optax.apply_updates(x, update)
            trajectory[t] = x
        return trajectory

    return {"lr": 1e-3, **defaults}, run  # optax has no default lr: this one is ours


def record(rule):
    """Return the arrays of one rule's file."""
    package = "torch" if rule in TORCH else "optax"
    found = version(package).split("+")[0]  # without the build's label, as in 2.13.0+cpu
    if found != VERSIONS[package]:
        raise SystemExit(f"{rule} is recorded from {package} {VERSIONS[package]}; found {found}.")
    defaults, run = torch_oracle(rule) if package == "torch" else optax_oracle(rule)
    sets = {name: {**defaults, **changed} for name, changed in SETS[rule].items()}
    about = {"rule": rule, "oracle": package, "version": found, "sets": sets}
    x0, g = start("defaults")
    arrays = {"about": np.array(json.dumps(about)), "x0": x0, "g": g}
    for name, hyper in sets.items():
        own_x0, own_g = start(name)
        arrays |= {f"{name}.x0": own_x0} if (own_x0 != x0).any() else {}
        arrays |= {f"{name}.g": own_g} if (own_g != g).any() else {}
        for dtype in ("float64", "float32"):
            arrays[f"{name}.{dtype}"] = run(hyper, own_x0.astype(dtype), own_g.astype(dtype))
    return arrays


def check(rule):
    """Record again and compare with the file: to the bit but for the last digits of numbers (see below)."""
    new = record(rule)
    with np.load(HERE / f"{rule}.npz") as file:
        old = dict(file)
    if set(old) != set(new) or any((old[k] != new[k]).any() for k in old if k[-2:] not in ("64", "32")):
        raise SystemExit(f"{rule}.npz holds other sets, values, starts or gradients than this script.")
    worst = 0.0
    for name in SETS[rule]:
        x0, _ = start(name)
        for dtype in ("float64", "float32"):
            ours, theirs = new[f"{name}.{dtype}"], old[f"{name}.{dtype}"]
            largest = np.maximum.accumulate(abs(np.vstack([x0, theirs])))[1:]  # so far, of each coordinate
            difference = abs(ours.astype(float) - theirs) / np.where(largest > 0, largest, 1)
            worst = np.maximum(worst, difference.max() / np.finfo(dtype).eps)  # keeps NaN
    # Zero where it was recorded; a CPU that rounds multiply-adds otherwise may change last digits.
    print(f"{rule}: differs by at most {worst:.1f} eps")
    if not worst <= 4.5:  # 1e-15 in float64
        raise SystemExit(f"{rule}.npz is not what its oracle does here.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rules", nargs="*", default=list(SETS), metavar="rule", help=", ".join(SETS))
    parser.add_argument("--check", action="store_true", help="record again and compare, write nothing")
    arguments = parser.parse_args()
    for rule in arguments.rules:
        if arguments.check:
            check(rule)
        else:
            np.savez_compressed(HERE / f"{rule}.npz", **record(rule))
