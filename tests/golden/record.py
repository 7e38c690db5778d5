"""Record what the reference implementations do: 100 steps of each rule on one fixed row of gradients.

Run it from the repository root, in an environment with the very versions that the files of ``oracles`` name::

    pip install torch==2.13.0 optax==0.2.8 numpy
    python tests/golden/record.py                # writes tests/golden/<rule>.npz, the same bits every time
    python tests/golden/record.py --check adam   # records again and compares with the file; writes nothing

The gradients do not depend on x: no rule is flattered by converging, and no error is damped by it.

A file holds ``about`` (JSON: rule, oracle, version, and for every set of hyperparameters their names *here*
and their values), ``x0``, the gradients ``g``, and for each set the x after every step, ``<set>.float64`` and
``<set>.float32``. A set with another start or other gradients has its own ``<set>.x0`` or ``<set>.g``. Where the rule
asks for the objective's value, ``f`` holds one for every step.
"""

import argparse
import importlib
import json
import pkgutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def recordings():
    """Return the recordings of all oracles, by name."""
    sys.path.insert(0, str(HERE))
    found = {}
    for module in sorted(module.name for module in pkgutil.iter_modules([HERE / "oracles"])):
        rules = importlib.import_module(f"oracles.{module}").RULES
        if twice := found.keys() & rules:
            raise SystemExit(
                f"oracles/{module}.py records again what another file records: {', '.join(sorted(twice))}."
            )
        found |= rules
    return dict(sorted(found.items()))


def record(name, recording):
    """Return the arrays of one file."""
    from recording import start

    if recording.version is not None:
        try:
            found = version(recording.oracle).split("+")[0]  # without the build's label, as in 2.13.0+cpu
        except PackageNotFoundError:
            found = "none"
        if found != recording.version:
            raise SystemExit(f"{name} is recorded from {recording.oracle} {recording.version}; found {found}.")
    sets = {key: {**recording.defaults, **changed} for key, changed in recording.sets.items()}
    if unknown := set().union(*sets.values()) - recording.defaults.keys():
        raise SystemExit(f"{name}: the oracle has no {', '.join(sorted(unknown))}.")
    about = {"rule": name.split(".")[0], "oracle": recording.oracle, "version": recording.version, "sets": sets}
    about |= {"ours": recording.ours} if recording.ours else {}
    about |= {"note": recording.note} if recording.note else {}
    about |= {"reported": True} if recording.reported else {}
    x0, g = start("defaults")
    arrays = {"about": np.array(json.dumps(about)), "x0": x0, "g": g}
    arrays |= {"f": recording.f} if recording.f is not None else {}
    for key, hyper in sets.items():
        own_x0, own_g = start(key)
        arrays |= {f"{key}.x0": own_x0} if (own_x0 != x0).any() else {}
        arrays |= {f"{key}.g": own_g} if (own_g != g).any() else {}
        for dtype in ("float64", "float32"):
            walk = np.asarray(recording.run(dict(hyper), own_x0.astype(dtype), own_g.astype(dtype)))
            arrays[f"{key}.{dtype}"] = walk.astype(dtype)  # float32 may have been walked in float64
    return arrays


def check(name, recording):
    """Record again and compare with the file: to the bit but for the last digits of numbers (see below)."""
    new = record(name, recording)
    with np.load(HERE / f"{name}.npz") as file:
        old = dict(file)
    if set(old) != set(new) or any((old[k] != new[k]).any() for k in old if k[-2:] not in ("64", "32")):
        raise SystemExit(f"{name}.npz holds other sets, values, starts or gradients than its oracle's file.")
    worst = 0.0
    for key in recording.sets:
        x0 = new.get(f"{key}.x0", new["x0"])
        for dtype in ("float64", "float32"):
            ours, theirs = new[f"{key}.{dtype}"], old[f"{key}.{dtype}"]
            largest = np.maximum.accumulate(abs(np.vstack([x0, theirs])))[1:]  # so far, of each coordinate
            difference = abs(ours.astype(float) - theirs) / np.where(largest > 0, largest, 1)
            worst = np.maximum(worst, difference.max() / np.finfo(dtype).eps)  # keeps NaN
    # Zero where it was recorded; a CPU that rounds multiply-adds otherwise may change last digits.
    print(f"{name}: differs by at most {worst:.1f} eps")
    if not worst <= 4.5:  # 1e-15 in float64
        raise SystemExit(f"{name}.npz is not what its oracle does here.")


if __name__ == "__main__":
    known = recordings()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rules", nargs="*", default=list(known), metavar="rule", help=", ".join(known))
    parser.add_argument("--check", action="store_true", help="record again and compare, write nothing")
    arguments = parser.parse_args()
    if unknown := set(arguments.rules) - known.keys():
        parser.error(f"no oracle records {', '.join(sorted(unknown))}")
    for name in arguments.rules:
        if arguments.check:
            check(name, known[name])
        else:
            np.savez_compressed(HERE / f"{name}.npz", **record(name, known[name]))
