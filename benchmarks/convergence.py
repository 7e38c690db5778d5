"""How far and at what cost: evaluations and seconds to a tolerance, errors of trajectories, memory."""

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
    """Evaluations, and seconds, until no entry of the gradient exceeds 1e-5; NaN where 100 000 do not get there."""

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
    """The largest relative error in 100 recorded steps of a rule's reference, over all sets of hyperparameters."""

    params = (numbaopt.names(), ["float32", "float64"])
    param_names = ["rule", "dtype"]

    def setup(self, *params):
        self._recorded = {name: [] for name in numbaopt.names()}
        for path in sorted(GOLDEN.glob("*.npz")):
            with np.load(path) as file:
                arrays = dict(file)
            about = json.loads(str(arrays.pop("about")))
            if about.get("rule") in self._recorded:
                self._recorded[about["rule"]].append((about, arrays))

    def track_error(self, rule, dtype):
        if not self._recorded[rule]:
            raise NotImplementedError(f"nothing is recorded for {rule}")
        return max(
            self._error(numbaopt.get(rule)(**hyper), name, dtype, about, arrays)
            for about, arrays in self._recorded[rule]
            for name, hyper in about["sets"].items()
        )

    track_error.unit = "relative"

    def worst(self, dtype):
        """Return the largest error of all rules, or of two in a hurry."""
        return max(self.track_error(rule, dtype) for rule in size(self._recorded, ["adam", "lamb"]))

    def _error(self, rule, name, dtype, about, arrays):
        """Return the error of each coordinate, relative to its largest value so far."""
        x0, gs = (arrays.get(f"{name}.{what}", arrays[what]).astype(dtype) for what in ("x0", "g"))
        reference, x = arrays[f"{name}.{dtype}"].astype(float), x0.copy()
        state, ours = rule.init(x), np.empty_like(reference)
        for t, g in enumerate(gs):
            rule.step(x, g, state, *arrays["f"][t : t + 1] if rule.needs_value else ())
            ours[t] = rule.reported(x, state.s, state.h, state.t) if about.get("reported") else x
        scale = np.maximum.accumulate(abs(np.vstack([x0, reference])))[1:]
        wrong = abs(ours - reference)
        return float(np.max(np.divide(wrong, scale, out=np.where(wrong > 0, np.inf, 0.0), where=scale > 0)))


class Memory:
    """Peak memory of a process that steps ten million float32 parameters: x, g and two slots are 153 MiB."""

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
