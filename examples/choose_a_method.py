"""Choose a method for a fit: `compare` runs several methods on the same objective and prints a table.

The sum of three exponential decays is fitted to counts, as in fluorescence spectroscopy. Two of the rates are close to
each other, which gives the objective a long, narrow valley. Methods that approximate the curvature follow it directly;
rules that take one step for each gradient, which are made for minibatches, need a hundred times as many evaluations.

Run: python examples/choose_a_method.py [FOLDER for the figure; default: the current one]
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numba import njit

from numbaopt import adam, compare, rmsprop, sgd

TRUE = np.log([600.0, 300.0, 100.0, 3.0, 0.8, 0.15])  # logarithms of the amplitudes and rates of three components
TIME = np.linspace(0.0, 20.0, 100)


@njit
def misfit(p, grad, time, counts):
    """Return the mean negative log-likelihood of Poisson counts, up to a constant; write its gradient."""
    f, n = 0.0, p.size // 2
    grad[:] = 0.0
    for i in range(time.size):
        mean = 1.0
        for k in range(n):
            mean += np.exp(p[k] - np.exp(p[n + k]) * time[i])
        f += (mean - counts[i] * np.log(mean)) / time.size
        factor = (1.0 - counts[i] / mean) / time.size
        for k in range(n):
            rate = np.exp(p[n + k])
            part = np.exp(p[k] - rate * time[i])
            grad[k] += factor * part
            grad[n + k] -= factor * part * rate * time[i]
    return f


def main(folder="."):
    """Compare the methods, print the table and save the figure; return the comparison."""
    mean = 1.0 + sum(np.exp(a - np.exp(b) * TIME) for a, b in zip(TRUE[:3], TRUE[3:], strict=True))
    counts = np.random.default_rng(0).poisson(mean).astype(float)
    start = np.log([300.0, 300.0, 300.0, 5.0, 1.0, 0.1])
    methods = {
        "gradient descent": sgd(lr=5e-3),
        "RMSprop": rmsprop(lr=1e-3),
        "Adam": adam(lr=2e-2),
        "L-BFGS": "lbfgs",
        "nonlinear CG": "nonlinear_cg",
        "SciPy's BFGS": "BFGS",
        "SciPy's Nelder-Mead": "Nelder-Mead",
    }
    comparison = compare(misfit, start, methods, args=(TIME, counts), jac="inplace", options={"maxiter": 4000})
    print(comparison)

    figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained", sharey=True)
    for ax, x in zip(axes, ("nit", "seconds"), strict=True):
        comparison.plot(ax, x=x, minimum=comparison.best.fun).get_legend().remove()
    axes[0].set(ylabel="misfit above the lowest", ylim=(1e-11, None))
    axes[1].set(ylabel="")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    file = Path(folder) / "choose_a_method.png"
    figure.savefig(file, dpi=100)
    plt.close(figure)
    print(f"\nThe figure was saved as {file}")
    return comparison


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=".", help="where to save the figure")
    main(parser.parse_args().folder)
