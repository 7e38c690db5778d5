"""Chains, whose stages run in the same pass over memory as the rule, compared with the rule alone and with NumPy."""

import numpy as np

from benchmarks.measure import Contest, Race
from benchmarks.steps import arrays, stepping
from numbaopt import adam, chain
from numbaopt.lowering import passes
from numbaopt.transforms import add_decayed_weights, clip, clip_by_global_norm, ema, non_negative

SIZES = [10_000, 10_000_000]


class NumPyStages:
    """The stages as NumPy operations before and after the step of the rule, with one temporary array."""

    def __init__(self, x, g, before, after):
        self.x, self.g, self.before, self.after = x, g, before, after
        self.gradient, self.scratch, self.average = np.empty_like(g), np.empty_like(g), x.copy()
        self.state = adam.init(x)

    def step(self):
        np.copyto(self.gradient, self.g)  # the gradient of the caller is not modified
        for stage in self.before:
            stage(self)
        adam.step(self.x, self.gradient, self.state)
        for stage in self.after:
            stage(self)


def clipped(run):
    np.clip(run.gradient, -1, 1, out=run.gradient)


def rescaled(run):
    run.gradient *= min(1.0, 1.0 / (np.sqrt(np.dot(run.gradient, run.gradient)) + 1e-6))


def decayed(run):
    np.multiply(run.x, 1e-2, out=run.scratch)
    run.gradient += run.scratch


def averaged(run):
    run.average *= 0.999
    np.multiply(run.x, 0.001, out=run.scratch)
    run.average += run.scratch


def positive(run):
    np.maximum(run.x, 0, out=run.x)


decay = add_decayed_weights(wd=1e-2)
# name -> the chain, and the NumPy stages before and after the rule
CHAINS = {
    "clip, adam": (chain(clip, adam), [clipped], []),
    "clip, decay, adam, non_negative": (chain(clip, decay, adam, non_negative), [clipped, decayed], [positive]),
    "clip, decay, adam, ema": (chain(clip, decay, adam, ema), [clipped, decayed], [averaged]),
    "clip_by_global_norm, adam": (chain(clip_by_global_norm, adam), [rescaled], []),
}


def traffic(rule, itemsize):
    """Return how many bytes a step reads and writes for each parameter, according to its passes."""
    return itemsize * sum(len(sweep.read) + len(sweep.written) for sweep in passes.passes(rule.program))


class AgainstTheRule(Contest):
    """A step of a chain compared with a step of the rule alone, float32: 1 if the stages cost nothing."""

    params = (list(CHAINS), SIZES)
    param_names = ["chain", "n"]

    def race(self, name, n):
        x, g = arrays(n, "float32")
        return Race(stepping(CHAINS[name][0], x, g)[0], stepping(adam, x.copy(), g)[0])


class AgainstNumPyStages(Contest):
    """A step of a chain compared with a step of the rule between NumPy stages, float32."""

    params = (list(CHAINS), SIZES)
    param_names = ["chain", "n"]

    def race(self, name, n):
        x, g = arrays(n, "float32")
        fused, before, after = CHAINS[name]
        return Race(stepping(fused, x, g)[0], NumPyStages(x.copy(), g, before, after).step)


class Traffic:
    """Bytes that a step reads and writes for each parameter, float32: counted in its passes, not measured."""

    params = ["adam", *CHAINS]
    param_names = ["chain"]

    def track_bytes(self, name):
        return traffic(CHAINS[name][0] if name in CHAINS else adam, 4)

    track_bytes.unit = "bytes/parameter"
