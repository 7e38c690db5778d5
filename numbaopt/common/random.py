"""Noise that is a function of seed, step number and coordinate, and so the same on every backend and in any order."""

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # the increment of SplitMix64


def mixed(z):
    """Return 64 mixed bits, by the finalizer of SplitMix64 (Steele, Lea & Flood 2014, OOPSLA)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def normal(x, seed, t):
    """Return standard normal numbers of x's shape and dtype, by the Box-Muller transform of counted bits.

    Parameters
    ----------
    x : ndarray
    seed : float, a whole number from 0
    t : int, the step number
    """
    one = np.ones(1, np.uint64)
    key = mixed(one * np.uint64(seed) * GOLDEN + np.uint64(t))
    i = np.arange(1, np.size(x) + 1, dtype=np.uint64)
    bits = mixed(key + i * GOLDEN)
    u = ((bits >> np.uint64(32)).astype(float) + 0.5) / 4294967296.0
    v = (bits & np.uint64(0xFFFFFFFF)).astype(float) / 4294967296.0
    z = np.sqrt(-2.0 * np.log(u)) * np.cos(2.0 * np.pi * v)
    return z.astype(x.dtype).reshape(np.shape(x))
