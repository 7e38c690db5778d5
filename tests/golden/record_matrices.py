"""Record what the reference implementations do to matrices: as record.py does, for one wide, one tall, one square.

    python tests/golden/record_matrices.py                # writes tests/golden/matrices/<rule>.npz
    python tests/golden/record_matrices.py --check soap   # records again and compares; writes nothing

A file holds ``about`` (as in record.py), for each shape its start ``<shape>.x0`` and gradients ``<shape>.g``, and for
each set the x after the first ten steps and every tenth from then on, ``<set>.<shape>.float64`` and
``<set>.<shape>.float32``. The set ``from_zero`` starts at zero instead.
"""

import argparse
import json
from importlib.metadata import version

import numpy as np
from record import HERE, recordings

# One column more than rows and the other way round: with more, SOAP's first basis would be a matter of taste.
SHAPES = {"wide": (3, 4), "tall": (4, 3), "square": (3, 3)}
STEPS = 100
KEPT = [*range(9), *range(9, STEPS, 10)]


def start(shape):
    """Return x0, some of it zero, and gradients of sizes that differ by row, step and chance, one of them zero."""
    random = np.random.RandomState(shape[0] * 10 + shape[1])
    x0 = random.standard_normal(shape)
    x0[0, 0] = x0[-1, 1] = 0.0
    g = random.standard_normal((STEPS, *shape)) * np.logspace(-0.5, 0.5, shape[0])[:, None]
    g *= np.where(random.random_sample((STEPS, 1, 1)) < 0.1, 10.0, 1.0)
    g[random.random_sample(g.shape) < 0.05] = 0.0
    g[60] = 0.0
    return x0, g


def record(name, recording):
    """Return the arrays of one file."""
    if recording.version is not None and (found := version(recording.oracle).split("+")[0]) != recording.version:
        raise SystemExit(f"{name} is recorded from {recording.oracle} {recording.version}; found {found}.")
    sets = {key: {**recording.defaults, **changed} for key, changed in recording.sets.items()}
    if unknown := set().union(*sets.values()) - recording.defaults.keys():
        raise SystemExit(f"{name}: the oracle has no {', '.join(sorted(unknown))}.")
    about = {"rule": name.split(".")[0], "oracle": recording.oracle, "version": recording.version, "sets": sets}
    arrays = {"about": np.array(json.dumps(about | ({"note": recording.note} if recording.note else {})))}
    for label, shape in SHAPES.items():
        x0, g = start(shape)
        arrays |= {f"{label}.x0": x0, f"{label}.g": g}
        for key, hyper in sets.items():
            own = x0 * (key != "from_zero")
            for dtype in ("float64", "float32"):
                walk = np.asarray(recording.run(dict(hyper), own.astype(dtype), g.astype(dtype)))
                arrays[f"{key}.{label}.{dtype}"] = walk[KEPT].astype(dtype)
    return arrays


def check(name, recording):
    """Record again and compare with the file."""
    new = record(name, recording)
    with np.load(HERE / "matrices" / f"{name}.npz") as file:
        old = dict(file)
    if set(old) != set(new) or any((old[k] != new[k]).any() for k in old if not k.endswith(("t64", "t32"))):
        raise SystemExit(f"{name}.npz holds other sets, values, starts or gradients than its oracle's file.")
    walks = [k for k in old if k.endswith(("t64", "t32"))]
    # To the largest entry so far, in eps of its dtype: what another BLAS or LAPACK may change.
    far = {k: abs(new[k].astype(float) - old[k]).max() / abs(old[k]).max() / np.finfo(old[k].dtype).eps for k in walks}
    print(f"{name}: differs by at most {max(far.values()):.1f} eps")
    if not max(far.values()) <= 450:
        raise SystemExit(f"{name}.npz is not what its oracle does here.")


if __name__ == "__main__":
    recordings()  # makes the oracles known
    from oracles.matrix_rules import MATRICES

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rules", nargs="*", default=list(MATRICES), metavar="rule", help=", ".join(MATRICES))
    parser.add_argument("--check", action="store_true", help="record again and compare, write nothing")
    arguments = parser.parse_args()
    if unknown := set(arguments.rules) - MATRICES.keys():
        parser.error(f"no oracle records {', '.join(sorted(unknown))}")
    (HERE / "matrices").mkdir(exist_ok=True)
    for name in arguments.rules:
        if arguments.check:
            check(name, MATRICES[name])
        else:
            np.savez_compressed(HERE / "matrices" / f"{name}.npz", **record(name, MATRICES[name]))
