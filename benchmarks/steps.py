"""Single steps: comparisons with torch, NumPy and the memory bandwidth, all rules and dtypes, the cost of a call."""

import numpy as np
from numba import njit

import numbaopt
from benchmarks.measure import Contest, Race
from benchmarks.peers import NumPyAdam, copying, torch_adam
from numbaopt import adam


def arrays(n, dtype):
    """Return parameters and a gradient without special values."""
    rng = np.random.default_rng(0)
    return rng.standard_normal(n).astype(dtype), rng.standard_normal(n).astype(dtype)


def stepping(rule, x, g):
    """Return a step of a rule as a candidate for `Race`, and its state."""
    state = rule.init(x)
    return ("rule.step(x, g, state)", {"rule": rule, "x": x, "g": g, "state": state}), state


class AdamAgainstTorch(Contest):
    """numbaopt.adam.step compared with torch.optim.Adam(fused=True), float32."""

    params = [10, 1_000, 100_000, 10_000_000]
    param_names = ["n"]

    def race(self, n):
        x, g = arrays(n, "float32")
        return Race(stepping(adam, x, g)[0], torch_adam(x, g))


class AdamAgainstNumPy(Contest):
    """numbaopt.adam.step compared with Adam written in NumPy."""

    params = ([10, 1_000, 100_000, 10_000_000], ["float32", "float64"])
    param_names = ["n", "dtype"]

    def race(self, n, dtype):
        x, g = arrays(n, dtype)
        return Race(stepping(adam, x, g)[0], NumPyAdam(x, g).step)


class AgainstCopying(Contest):
    """A step at n = 1e7 compared with a loop that reads and writes the same arrays without arithmetic."""

    params = (["sgd", "rmsprop", "adam", "amsgrad"], ["float32", "float64"])
    param_names = ["rule", "dtype"]

    def race(self, rule, dtype):
        x, g = arrays(10_000_000, dtype)
        step, state = stepping(numbaopt.get(rule), x, g)
        return Race(step, *copying(x, g, state.s))

    def track_ratio(self, rule, dtype):
        ours, *ceilings = self._race.run()
        return ours / min(ceilings)

    track_ratio.unit = "ours/copying"


class SingleAgainstDouble(Contest):
    """A step in float32 compared with float64: 0.5 is expected, and 1 if the step uses float64 internally."""

    params = (numbaopt.names(), [10_000])
    param_names = ["rule", "n"]

    def race(self, rule, n):
        rule = numbaopt.get(rule)
        return Race(*(stepping(rule, *arrays(n, dtype))[0] for dtype in ("float32", "float64")))


class PerParameter:
    """Nanoseconds per parameter."""

    params = (numbaopt.names(), ["float32", "float64"], [1_000, 10_000, 1_000_000, 10_000_000])
    param_names = ["rule", "dtype", "n"]
    timeout = 300

    def setup(self, rule, dtype, n):
        self._race = Race(stepping(numbaopt.get(rule), *arrays(n, dtype))[0], per=[n])

    def track_time(self, rule, dtype, n):
        return self._race.run(0.5)[0] * 1e9

    track_time.unit = "ns/parameter"


class Dispatch:
    """The cost of a call, n = 8: of ``adam.step``, of its kernel, and of ``adam.jit`` in compiled code."""

    params = ["adam.step", "adam.kernel(x)", "adam.jit"]
    param_names = ["what"]
    timeout = 300

    def setup(self, what):
        x, g = arrays(8, "float32")
        step, state = stepping(adam, x, g)
        names = {"x": x, "g": g, "s": state.s, "h": adam.h}
        if what == "adam.step":
            self._race = Race(step)
        elif what == "adam.kernel(x)":
            self._race = Race(("kernel(1, x, g, s, h)", names | {"kernel": adam.kernel(x)}))
        else:
            self._race = Race(("loop(x, g, s, h)", names | {"loop": thousand(adam.jit)}), per=[1000])

    def track_time(self, what):
        return self._race.run(1.0)[0] * 1e6

    track_time.unit = "us"


def thousand(step):
    """Return a compiled loop of a thousand steps."""

    @njit
    def loop(x, g, s, h):
        for t in range(1, 1001):
            step(t, x, g, s, h)

    return loop
