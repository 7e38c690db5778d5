"""Call `minimize` in compiled code: twenty thousand curve fits in one `@njit` function.

Fluorescence lifetime microscopy records a decay curve for each pixel, to which an amplitude, a lifetime and a
background are fitted. In a Python loop, the calls would take most of the time. Here, the loop, the model and `minimize`
are one compiled function, and all fits share a workspace that is allocated once.

Run: python examples/inside_njit.py
"""

import time

import numpy as np
from numba import njit

from numbaopt import minimize, workspace_size

START = (0.0, 0.0, 0.0)
PIXELS, TIMES, STEPS = 20_000, 24, 200


@njit
def misfit(x, grad, times, curve):
    """Return the mean square of ``exp(x[0] - exp(x[1]) * time) + x[2] - curve``; write its gradient into grad."""
    error, rate = 0.0, np.exp(x[1])
    grad[:] = 0.0
    for i in range(times.size):
        e = np.exp(x[0] - rate * times[i])
        r = (e + x[2] - curve[i]) / times.size
        error += r * (e + x[2] - curve[i])
        grad[0] += 2 * r * e
        grad[1] -= 2 * r * e * rate * times[i]
        grad[2] += 2 * r
    return error


@njit
def fit_all(curves, times, workspace):
    """Fit every row of `curves`; return the parameters, the errors and the total number of steps."""
    found, errors, steps = np.empty((len(curves), 3)), np.empty(len(curves)), 0
    for k in range(len(curves)):
        args = times, curves[k]
        best = minimize(misfit, START, args, "adam", "inplace", lr=0.08, maxiter=STEPS, workspace=workspace)
        found[k], errors[k], steps = best.x, best.fun, steps + best.nit
    return found, errors, steps


def main(pixels=PIXELS):
    """Fit noisy decays with known lifetimes; print and return the median relative error of the lifetimes."""
    rng = np.random.default_rng(0)
    times = np.linspace(0, 4, TIMES)
    amplitude, lifetime = rng.uniform(0.5, 2, (pixels, 1)), rng.uniform(0.5, 2, (pixels, 1))
    curves = amplitude * np.exp(-times / lifetime) + 0.1 + 0.01 * rng.standard_normal((pixels, TIMES))

    workspace = np.empty(workspace_size(3, "adam", jac="inplace"))
    fit_all(curves[:1], times, workspace)  # compile
    clock = time.perf_counter()
    found, errors, steps = fit_all(curves, times, workspace)
    seconds = time.perf_counter() - clock

    error = np.abs(np.exp(-found[:, 1]) / lifetime[:, 0] - 1)
    each = seconds / steps * 1e9
    print(f"{pixels} fits in {steps} steps of Adam: {seconds:.2f} s, {each:.0f} ns per step,")
    print(f"most of which is spent on the {TIMES} exponentials of a gradient.")
    print(f"The median residual is {np.sqrt(np.median(errors)):.4f}, and the noise is 0.01.")
    print(f"The median relative error of the lifetimes is {np.median(error):.1%}.")
    return float(np.median(error))


if __name__ == "__main__":
    main()
