"""Record the points at which torch.optim.LBFGS evaluates its closure, with the values and gradients it was given.

    python tests/golden/record_lbfgs.py            write lbfgs_<case>.npz beside this file
    python tests/golden/record_lbfgs.py --check    record again and compare, write nothing

A solver that is handed the same values and gradients must ask for the same points: rounding is not amplified from one
evaluation to the next, as it would be if each went its own way. Runs end before torch's absolute thresholds bite (a
pair is left out when y's <= 1e-10), which numbaopt does not share; that they have not is checked here.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

from numbaopt import problems

HERE = Path(__file__).parent
VERSION = "2.13.0"
WOLFE, FIXED = "strong_wolfe", None
CASES = {  # problem, its parameters, torch's options
    "rosenbrock": ("rosenbrock", {}, {"line_search_fn": WOLFE, "history_size": 10}),
    "rosenbrock_lr": ("rosenbrock", {}, {"line_search_fn": WOLFE, "history_size": 10, "lr": 0.3}),
    "rosenbrock10": ("rosenbrock", {"n": 10}, {"line_search_fn": WOLFE, "history_size": 4}),
    "beale": ("beale", {}, {"line_search_fn": WOLFE, "history_size": 10}),
    "himmelblau": ("himmelblau", {}, {"line_search_fn": WOLFE, "history_size": 3}),
    "powell_singular": ("powell_singular", {}, {"line_search_fn": WOLFE, "history_size": 10}),
    "logistic": ("logistic_regression", {}, {"line_search_fn": WOLFE, "history_size": 10}),
    "quadratic": ("quadratic", {}, {"line_search_fn": WOLFE, "history_size": 10}),
    "stiff": ("quadratic", {"cond": 1e5}, {"line_search_fn": WOLFE, "history_size": 6}),
    "quadratic_fixed": ("quadratic", {}, {"line_search_fn": FIXED, "history_size": 5, "lr": 0.7}),
    "stiff_fixed": ("quadratic", {"cond": 1e5}, {"line_search_fn": FIXED, "history_size": 10}),
    "rosenbrock10_fixed": ("rosenbrock", {"n": 10}, {"line_search_fn": FIXED, "history_size": 10, "lr": 0.2}),
}
# No further, for on a stiff problem rounding adds up over the iterations.
ENDS = {"max_iter": 80, "max_eval": 80, "tolerance_grad": 3e-3, "tolerance_change": 0}


def record(case):
    """Run torch on a case; return x, f, g of every evaluation, and what it was."""
    import torch
    from torch.optim import lbfgs

    problem, parameters, options = CASES[case]
    p = problems.get(problem, **parameters)
    parameter = torch.nn.Parameter(torch.tensor(p.x0))
    walk, curvatures = [], []

    def closure():
        x, g = parameter.detach().numpy().copy(), np.empty(p.x0.size)
        f = p.fun(x, g, *p.args)
        parameter.grad = torch.tensor(g)
        walk.append((x, f, g))
        return torch.tensor(f, dtype=torch.float64)  # torch.tensor(f) would round it to float32

    def watched(obj_func, x, t, d, f, g, gtd, **rest):
        found = search(obj_func, x, t, d, f, g, gtd, **rest)
        curvatures.append(float(found[2] * (found[1] - g).dot(d)))
        return found

    search, lbfgs._strong_wolfe = lbfgs._strong_wolfe, watched
    try:
        torch.optim.LBFGS([parameter], **ENDS, **options).step(closure)
    finally:
        lbfgs._strong_wolfe = search
    x, f, g = (np.array(column) for column in zip(*walk, strict=True))
    if options["line_search_fn"] is FIXED:
        curvatures = (np.diff(x, axis=0) * np.diff(g, axis=0)).sum(1)
    if not (min(curvatures) > 1e-10 or max(curvatures) < 0):
        raise SystemExit(f"{case}: a pair with y's = {min(curvatures)} is left out by torch")
    about = {"version": version("torch").split("+")[0], "problem": problem}
    about |= {"parameters": parameters, "options": options}
    return {"about": np.array(json.dumps(about)), "x": x, "f": f, "g": g}


def check(case):
    """Record again; the first evaluations must be the same, before rounding grows."""
    new = record(case)
    with np.load(HERE / f"lbfgs_{case}.npz") as old:
        if str(old["about"]) != str(new["about"]):
            raise SystemExit(f"lbfgs_{case}.npz was recorded of something else")
        n = min(20, len(old["x"]))
        difference = abs(old["x"][:n] - new["x"][:n]).max() / abs(old["x"]).max()
    print(f"{case}: {len(new['x'])} evaluations, differs by {difference:.2g}")
    if not difference <= 1e-9:
        raise SystemExit(f"lbfgs_{case}.npz is not what torch does here")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="case", help=", ".join(CASES))
    parser.add_argument("--check", action="store_true", help="record again and compare, write nothing")
    arguments = parser.parse_args()
    if version("torch").split("+")[0] != VERSION:
        raise SystemExit(f"recorded from torch {VERSION}; found {version('torch')}")
    for case in arguments.cases:
        if arguments.check:
            check(case)
        else:
            np.savez_compressed(HERE / f"lbfgs_{case}.npz", **record(case))
