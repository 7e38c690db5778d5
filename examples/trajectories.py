"""Compare the paths of gradient descent, momentum, RMSprop and Adam in the same ravine.

The upper part of the figure shows forty steps of each method, and the lower part the objective over all steps. The
learning rate of gradient descent is as large as the steep direction allows, which is too small for the other direction.
Those of momentum and Adam are the best of a hundred. The steps of RMSprop keep their length however small the gradient
is, so it reaches the minimum early but does not converge until its learning rate decreases (see `numbaopt.schedules`).

Run: python examples/trajectories.py [FOLDER for the figure; default: the current one]
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from numbaopt import adam, minimize, plot, rmsprop, sgd
from numbaopt.problems import Problem

# A quadratic with condition number 100, whose axes are rotated by 8 degrees, and its minimum at the origin.
TILT = np.deg2rad(-8.0)
AXES = np.array([[np.cos(TILT), -np.sin(TILT)], [np.sin(TILT), np.cos(TILT)]])
HESSIAN = AXES @ np.diag([0.04, 4.0]) @ AXES.T
STEPS, SHOWN = 150, 40

RULES = {
    "gradient descent": ("oscillates across, slow along", sgd(lr=0.47)),
    "momentum": ("oscillations cancel, progress adds up", sgd(lr=0.09, momentum=0.9)),
    "RMSprop": ("a step size for each axis, no convergence", rmsprop(lr=0.25, alpha=0.9)),
    "Adam": ("a step size for each axis, and momentum", adam(lr=0.6)),
}
COLORS = ["#8d6a9f", "#3b6fb6", "#d98324", "#d1495b"]


def objective(x, grad):
    """Return the objective at x, and write its gradient into grad."""
    grad[:] = HESSIAN @ x
    return 0.5 * x @ grad


RAVINE = Problem(
    "ravine", objective, np.array([-9.0, 3.2]), (np.zeros((1, 2)), 0.0), domain=((-11.5, 2.5), (-3.0, 4.2))
)


def run(rule, steps):
    """Return the result of a run, with the history of x."""
    options = {"maxiter": steps, "gtol": 0.0, "history": "x"}
    return minimize(objective, RAVINE.x0, method=rule, jac="inplace", options=options)


def draw(file, results):
    """Draw the first steps of the four methods over contour lines, and the objective over all steps."""
    figure = plt.figure(figsize=(10, 8.2), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(2.1, 1))
    for axes, (name, (title, rule)), color in zip(above.subplots(2, 2).flat, RULES.items(), COLORS, strict=True):
        plot.path(RAVINE, run(rule, SHOWN), axes, colors=[color])
        axes.set(xticks=[], yticks=[], xlabel="", ylabel="", aspect="equal", frame_on=False)
        axes.set_title(name, loc="left", color=color, fontweight="bold")
        axes.set_title(title, loc="right", fontsize=9.5)
    axes = plot.convergence(results, below.subplots(), minimum=0.0, colors=COLORS)
    axes.axvspan(0, SHOWN, color="0.94", zorder=0)
    axes.text(SHOWN / 2, 1e-7, "shown above", ha="center", color="0.4")
    axes.set(xlabel="step", ylabel="objective − minimum", xlim=(0, STEPS + 1), ylim=(3e-8, 90))
    axes.legend(frameon=False, loc="upper right", ncols=4)
    figure.savefig(file, dpi=100)
    plt.close(figure)


def main(folder="."):
    """Run the four methods, print their progress, save the figure; return the final values by name."""
    results = {name: run(rule, STEPS) for name, (_, rule) in RULES.items()}
    start = results["Adam"].history.fun[0]
    print(f"objective minus minimum (at the start: {start:.3g})\n\n{'':18}{SHOWN} steps   {STEPS} steps")
    for name, result in results.items():
        print(f"{name:18}{result.history.fun[SHOWN]:8.1e} {result.history.fun[-1]:11.1e}")
    file = Path(folder) / "trajectories.png"
    draw(file, results)
    print(f"\nThe figure was saved as {file}")
    return {name: float(result.history.fun[-1]) for name, result in results.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=".", help="where to save the figure")
    main(parser.parse_args().folder)
