"""Convergence and accuracy: evaluations and seconds to a tolerance, errors of trajectories, memory."""

import json
import timeit
from pathlib import Path

import numpy as np

import numbaopt
from benchmarks.measure import size
from benchmarks.peers import NumPyAdam
from numbaopt import minimize, problems

GOLDEN = Path(__file__).parent.parent / "tests" / "golden"
LR = {"sgd": 1e-3, "rmsprop": 1e-3, "adagrad": 0.5, "lamb": 1e-2}  # others: 1e-2
PROBLEMS = ["beale", "himmelblau", "rosenbrock", "quadratic", "logistic_regression"]


class Evaluations:
    """Evaluations and seconds until no entry of the gradient exceeds 1e-5; NaN after 100 000 steps without success."""

    params = (numbaopt.names(), PROBLEMS)
    param_names = ["rule", "problem"]
    timeout = 300

    def setup(self, rule, problem):
        p, options = problems.get(problem), {"lr": LR.get(rule, 1e-2), "maxiter": 100_000}
        self._run = lambda: minimize(p.fun, p.x0, p.args, rule, "inplace", tol=1e-5, options=options)

    def track_nfev(self, rule, problem):
        result = self._run()
        return result.nfev if result.success else float("nan")

    track_nfev.unit = "evaluations"

    def track_seconds(self, rule, problem):
        return min(timeit.repeat(self._run, number=1, repeat=5)) if self._run().success else float("nan")

    track_seconds.unit = "s"


class Trajectory:
    """The largest relative error of 100 steps compared with recorded steps of the reference implementation."""

    params = (numbaopt.names(), ["float32", "float64"])
    param_names = ["rule", "dtype"]

    def setup(self, *params):
        self._recorded = {name: [] for name in numbaopt.names()}
        for path in sorted(GOLDEN.glob("*.npz")):
            with np.load(path) as file:
                arrays = dict(file)
            metadata = json.loads(str(arrays.pop("about")))
            if metadata.get("rule") in self._recorded:
                self._recorded[metadata["rule"]].append((metadata, arrays))

    def track_error(self, rule, dtype):
        if not self._recorded[rule]:
            raise NotImplementedError(f"no reference is recorded for {rule}")
        return max(
            self._error(numbaopt.get(rule)(**hyper), name, dtype, metadata, arrays)
            for metadata, arrays in self._recorded[rule]
            for name, hyper in metadata["sets"].items()
        )

    track_error.unit = "relative"

    def worst(self, dtype):
        """Return the largest error of all rules, or of two in a hurry."""
        return max(self.track_error(rule, dtype) for rule in size(self._recorded, ["adam", "lamb"]))

    def _error(self, rule, name, dtype, metadata, arrays):
        """Return the largest error of a coordinate, relative to its largest value so far."""
        x0, gs = (arrays.get(f"{name}.{what}", arrays[what]).astype(dtype) for what in ("x0", "g"))
        reference, x = arrays[f"{name}.{dtype}"].astype(float), x0.copy()
        state, ours = rule.init(x), np.empty_like(reference)
        for t, g in enumerate(gs):
            rule.step(x, g, state, *arrays["f"][t : t + 1] if rule.needs_value else ())
            ours[t] = rule.reported(x, state.s, state.h, state.t) if metadata.get("reported") else x
        scale = np.maximum.accumulate(abs(np.vstack([x0, reference])))[1:]
        error = abs(ours - reference)
        return float(np.max(np.divide(error, scale, out=np.where(error > 0, np.inf, 0.0), where=scale > 0)))


class Memory:
    """Peak memory of a process that steps ten million float32 parameters; x, g and two slots take 153 MiB."""

    def setup(self):
        self.x, self.g = np.ones((2, 10_000_000), np.float32)

    def peakmem_adam(self):
        state = numbaopt.adam.init(self.x)
        for _ in range(3):
            numbaopt.adam.step(self.x, self.g, state)

    def peakmem_numpy(self):
        peer = NumPyAdam(self.x, self.g)
        for _ in range(3):
            peer.step()
