"""Minimize a function, and change the method by changing a string.

Run: python examples/quickstart.py
"""

import numpy as np

from numbaopt import adam, minimize


def rosenbrock(x):
    """Return the value and the gradient of Rosenbrock's function in any dimension."""
    a, b = x[1:] - x[:-1] ** 2, 1 - x[:-1]
    g = np.zeros_like(x)
    g[:-1] = -400 * x[:-1] * a - 2 * b
    g[1:] += 200 * a
    return np.sum(100 * a**2 + b**2), g


START = np.array([-1.2, 1.0, -1.2, 1.0])


def main():
    """Print a line for each method, and one result in full; return the final values."""
    print(f"{'method':12} {'f':>9} {'steps':>6} {'calls':>6}   message")
    reached = {}
    for method, options in {
        "sgd": {"lr": 1e-3, "momentum": 0.9},
        "adam": {"lr": 0.05},
        "amsgrad": {"lr": 0.05},
        "BFGS": {},  # methods of SciPy are called in the same way
        "L-BFGS-B": {},
    }.items():
        result = minimize(rosenbrock, START, jac=True, method=method, options=options)
        print(f"{method:12} {result.fun:9.2e} {result.nit:6} {result.nfev:6}   {result.message}")
        reached[method] = result.fun

    print("\nA method can also be an object. With bounds, adam(lr=0.05) finds the minimum within them:\n")
    result = minimize(rosenbrock, START, jac=True, method=adam(lr=0.05), bounds=[(None, 0.8)] * 4)
    print(result)
    reached["bounded"] = result.fun
    return reached


if __name__ == "__main__":
    main()
