"""Stages in a rule's own pass over memory: beside the bare rule, and beside the same stages as passes of NumPy."""

import numpy as np

from benchmarks.measure import Contest, Race
from benchmarks.steps import arrays, stepping
from numbaopt import adam, chain
from numbaopt.lowering import passes
from numbaopt.transforms import add_decayed_weights, clip, clip_by_global_norm, ema, non_negative

SIZES = [10_000, 10_000_000]


class NumPyStages:
    """The stages as passes of NumPy around the bare rule's step, without temporary arrays but one."""

    def __init__(self, x, g, before, after):
        self.x, self.g, self.before, self.after = x, g, before, after
        self.own, self.one, self.average = np.empty_like(g), np.empty_like(g), x.copy()
        self.state = adam.init(x)

    def step(self):
        np.copyto(self.own, self.g)  # the caller's gradient is not changed
        for stage in self.before:
            stage(self)
        adam.step(self.x, self.own, self.state)
        for stage in self.after:
            stage(self)


def clipped(run):
    np.clip(run.own, -1, 1, out=run.own)


def shortened(run):
    run.own *= min(1.0, 1.0 / (np.sqrt(np.dot(run.own, run.own)) + 1e-6))


def decayed(run):
    np.multiply(run.x, 1e-2, out=run.one)
    run.own += run.one


def averaged(run):
    run.average *= 0.999
    np.multiply(run.x, 0.001, out=run.one)
    run.average += run.one


def positive(run):
    np.maximum(run.x, 0, out=run.x)


decay = add_decayed_weights(wd=1e-2)
# name -> the chain; the same stages of NumPy, before and after the rule.
CHAINS = {
    "clip, adam": (chain(clip, adam), [clipped], []),
    "clip, decay, adam, non_negative": (chain(clip, decay, adam, non_negative), [clipped, decayed], [positive]),
    "clip, decay, adam, ema": (chain(clip, decay, adam, ema), [clipped, decayed], [averaged]),
    "clip_by_global_norm, adam": (chain(clip_by_global_norm, adam), [shortened], []),
}


def traffic(rule, itemsize):
    """Return the bytes a parameter that a step reads and writes in its passes."""
    return itemsize * sum(len(sweep.read) + len(sweep.written) for sweep in passes.passes(rule.program))


class AgainstTheRule(Contest):
    """A step of a chain beside one of the bare rule, float32: 1 where the stages cost nothing."""

    params = (list(CHAINS), SIZES)
    param_names = ["chain", "n"]

    def race(self, name, n):
        x, g = arrays(n, "float32")
        return Race(stepping(CHAINS[name][0], x, g)[0], stepping(adam, x.copy(), g)[0])


class AgainstNumPyStages(Contest):
    """A step of a chain beside the bare rule's step between passes of NumPy, float32."""

    params = (list(CHAINS), SIZES)
    param_names = ["chain", "n"]

    def race(self, name, n):
        x, g = arrays(n, "float32")
        whole, before, after = CHAINS[name]
        return Race(stepping(whole, x, g)[0], NumPyStages(x.copy(), g, before, after).step)


class Traffic:
    """Bytes a parameter that a step moves, float32: counted in its passes, not measured."""

    params = ["adam", *CHAINS]
    param_names = ["chain"]

    def track_bytes(self, name):
        return traffic(CHAINS[name][0] if name in CHAINS else adam, 4)

    track_bytes.unit = "bytes/parameter"
