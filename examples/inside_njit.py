"""Call a step from compiled code: twenty thousand curve fits in one `@njit` function.

A microscope that records how fluorescence fades gives a decay curve for each pixel: an amplitude, a lifetime
and a background to fit, pixel by pixel. A Python loop would spend its time calling; here the loop, the model
and Adam's step are one compiled function.

Run: python examples/inside_njit.py
"""

import time

import numpy as np
from numba import njit

from numbaopt import adam

RULE = adam(lr=0.08)
step = RULE.jit  # step(t, x, g, s, h): compiled, changes x and the slots s in place
PIXELS, TIMES, STEPS = 20_000, 24, 200


@njit
def fit(x, g, s, h, times, curve):
    """Fit ``exp(x[0] - exp(x[1]) * time) + x[2]`` to a curve, changing x in place; return the mean square."""
    error = 0.0
    for t in range(1, STEPS + 1):
        error = 0.0
        g[:] = 0.0
        rate = np.exp(x[1])
        for i in range(times.size):
            e = np.exp(x[0] - rate * times[i])
            r = (e + x[2] - curve[i]) / times.size
            error += r * (e + x[2] - curve[i])
            g[0] += 2 * r * e
            g[1] -= 2 * r * e * rate * times[i]
            g[2] += 2 * r
        step(t, x, g, s, h)
    return error


@njit
def fit_all(curves, times, s, h):
    """Fit every row of `curves`; return the parameters and the errors."""
    found, errors, g = np.zeros((len(curves), 3)), np.zeros(len(curves)), np.zeros(3)
    for k in range(len(curves)):
        s[:] = 0.0  # Adam's moments start at zero for every pixel
        errors[k] = fit(found[k], g, s, h, times, curves[k])
    return found, errors


def main(pixels=PIXELS):
    """Fit noisy decays whose lifetimes are known; print and return the median relative error."""
    rng = np.random.default_rng(0)
    times = np.linspace(0, 4, TIMES)
    amplitude, lifetime = rng.uniform(0.5, 2, (pixels, 1)), rng.uniform(0.5, 2, (pixels, 1))
    curves = amplitude * np.exp(-times / lifetime) + 0.1 + 0.01 * rng.standard_normal((pixels, TIMES))

    slots, h = RULE.slots(np.zeros(3)), RULE.h
    fit_all(curves[:1], times, slots, h)  # compile
    clock = time.perf_counter()
    found, errors = fit_all(curves, times, slots, h)
    seconds = time.perf_counter() - clock

    off = np.abs(np.exp(-found[:, 1]) / lifetime[:, 0] - 1)
    each = seconds / pixels / STEPS * 1e9
    print(f"{pixels} fits of {STEPS} Adam steps each: {seconds:.2f} s, {each:.0f} ns a step,")
    print(f"most of which go into the {TIMES} exponentials of a gradient.")
    print(f"The residual is {np.sqrt(np.median(errors)):.4f}, the noise 0.01.")
    print(f"Half of the lifetimes are within {np.median(off):.1%} of the truth.")
    return float(np.median(off))


if __name__ == "__main__":
    main()
