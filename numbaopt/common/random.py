"""Noise that is a function of seed, step and coordinate: the same on every backend, in any order, at any time."""

import numpy as np
from numpy import cos, float64, log, pi, sqrt, uint64

GOLDEN = uint64(0x9E3779B97F4A7C15)  # the increment of SplitMix64


def mixed(z):
    """Return 64 well mixed bits (the finalizer of SplitMix64: Steele, Lea & Flood 2014, OOPSLA)."""
    z = (z ^ (z >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
    return z ^ (z >> uint64(31))


def key(seed, t):
    """Return the key of the noise of step t."""
    return mixed(uint64(seed) * GOLDEN + uint64(t))


def standard_normal(key, i):
    """Return the i-th standard normal number of a key by the method of Box and Muller; i may be an array."""
    bits = mixed(key + (uint64(i) + uint64(1)) * GOLDEN)
    u = (float64(bits >> uint64(32)) + 0.5) / 4294967296.0
    v = float64(bits & uint64(0xFFFFFFFF)) / 4294967296.0
    return sqrt(-2.0 * log(u)) * cos(2.0 * pi * v)


def normal(x, seed, t):
    """Return standard normal numbers of x's shape and dtype.

    Parameters
    ----------
    x : ndarray
    seed : float, a whole number from 0
    t : int, the step number
    """
    with np.errstate(over="ignore"):  # the integers wrap around
        z = standard_normal(key(seed, t), np.arange(np.size(x)))
    return z.astype(x.dtype).reshape(np.shape(x))
