"""What each idea buys: gradient descent, momentum, RMSprop and Adam walk down the same ravine.

Above, forty steps of each; below, how high each still is above the minimum. Gradient descent's learning rate
is as large as the steep walls allow, which along the floor is next to nothing. Momentum's and Adam's are the
best of a hundred tried. RMSprop's steps keep their length however small the gradient: it arrives early and
cannot stay, until its learning rate falls (see `numbaopt.schedules`).

Run: python examples/trajectories.py [FOLDER for the picture, default: here]
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from numbaopt import adam, minimize, plot, rmsprop, sgd
from numbaopt.problems import Problem

# A hundred times steeper across than along, its floor tilted by 8 degrees, the minimum at the origin.
TILT = np.deg2rad(-8.0)
AXES = np.array([[np.cos(TILT), -np.sin(TILT)], [np.sin(TILT), np.cos(TILT)]])
HESSIAN = AXES @ np.diag([0.04, 4.0]) @ AXES.T
STEPS, SHOWN = 150, 40

WALKERS = {
    "gradient descent": ("leaps across, creeps along", sgd(lr=0.47)),
    "momentum": ("the leaps cancel, the creeping adds up", sgd(lr=0.09, momentum=0.9)),
    "RMSprop": ("a pace for each axis: no leaps, never at rest", rmsprop(lr=0.25, alpha=0.9)),
    "Adam": ("a pace for each axis, and momentum", adam(lr=0.6)),
}
COLORS = ["#8d6a9f", "#3b6fb6", "#d98324", "#d1495b"]


def height(x, grad):
    """Return the height at x, and write the slope into grad."""
    grad[:] = HESSIAN @ x
    return 0.5 * x @ grad


RAVINE = Problem(
    "ravine", height, np.array([-9.0, 3.2]), (np.zeros((1, 2)), 0.0), domain=((-11.5, 2.5), (-3.0, 4.2))
)


def walk(rule, steps):
    """Return the result of a walk, with every point that the rule visits."""
    options = {"maxiter": steps, "gtol": 0.0, "history": "x"}
    return minimize(height, RAVINE.x0, method=rule, jac="inplace", options=options)


def draw(file, walks):
    """Draw the beginnings of the four walks over the contour lines, and the heights below."""
    figure = plt.figure(figsize=(10, 8.2), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(2.1, 1))
    for axes, (name, (gait, rule)), color in zip(above.subplots(2, 2).flat, WALKERS.items(), COLORS, strict=True):
        plot.path(RAVINE, walk(rule, SHOWN), axes, colors=[color])
        axes.set(xticks=[], yticks=[], xlabel="", ylabel="", aspect="equal", frame_on=False)
        axes.set_title(name, loc="left", color=color, fontweight="bold")
        axes.set_title(gait, loc="right", fontsize=9.5)
    axes = plot.convergence(walks, below.subplots(), minimum=0.0, colors=COLORS)
    axes.axvspan(0, SHOWN, color="0.94", zorder=0)
    axes.text(SHOWN / 2, 1e-7, "shown above", ha="center", color="0.4")
    axes.set(xlabel="step", ylabel="height above the minimum", xlim=(0, STEPS + 1), ylim=(3e-8, 90))
    axes.legend(frameon=False, loc="upper right", ncols=4)
    figure.savefig(file, dpi=100)
    plt.close(figure)


def main(folder="."):
    """Walk, print how far each rule comes, draw; return the last heights by name."""
    walks = {name: walk(rule, STEPS) for name, (_, rule) in WALKERS.items()}
    start = walks["Adam"].history.fun[0]
    print(f"height above the minimum (start: {start:.3g})\n\n{'':18}{SHOWN} steps   {STEPS} steps")
    for name, result in walks.items():
        print(f"{name:18}{result.history.fun[SHOWN]:8.1e} {result.history.fun[-1]:11.1e}")
    file = Path(folder) / "trajectories.png"
    draw(file, walks)
    print(f"\nThe picture is {file}")
    return {name: float(result.history.fun[-1]) for name, result in walks.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=".", help="where to put the picture")
    main(parser.parse_args().folder)
