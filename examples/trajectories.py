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

from numbaopt import adam, rmsprop, sgd

# A hundred times steeper across than along, its floor tilted by 8 degrees, the minimum at the origin.
TILT = np.deg2rad(-8.0)
AXES = np.array([[np.cos(TILT), -np.sin(TILT)], [np.sin(TILT), np.cos(TILT)]])
HESSIAN = AXES @ np.diag([0.04, 4.0]) @ AXES.T
START, STEPS, SHOWN = np.array([-9.0, 3.2]), 150, 40

WALKERS = [
    ("gradient descent", "leaps across, creeps along", sgd(lr=0.47), "#8d6a9f"),
    ("momentum", "the leaps cancel, the creeping adds up", sgd(lr=0.09, momentum=0.9), "#3b6fb6"),
    ("RMSprop", "a pace for each axis: no leaps, never at rest", rmsprop(lr=0.25, alpha=0.9), "#d98324"),
    ("Adam", "a pace for each axis, and momentum", adam(lr=0.6), "#d1495b"),
]


def ravine(x):
    """Return the height at the points x, shape (..., 2)."""
    return 0.5 * np.sum(x * (x @ HESSIAN), axis=-1)


def walk(rule):
    """Return every point that the rule visits, shape (STEPS + 1, 2)."""
    x = START.copy()
    state, path = rule.init(x), [x.copy()]
    for _ in range(STEPS):
        rule.step(x, HESSIAN @ x, state)
        path.append(x.copy())
    return np.array(path)


def draw(file, paths):
    """Draw the four walks over the contour lines, and the heights below."""
    figure = plt.figure(figsize=(10, 8.2), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(2.1, 1))
    u, v = np.meshgrid(np.linspace(-11.5, 2.5, 300), np.linspace(-3, 4.2, 200))
    height = ravine(np.stack([u, v], axis=-1))
    levels = np.linspace(0, 6, 13) ** 2  # evenly spaced in distance
    for axes, (name, gait, _, color), path in zip(above.subplots(2, 2).flat, WALKERS, paths, strict=True):
        axes.contourf(u, v, height, levels=levels, cmap="Greys", alpha=0.3, extend="max")
        axes.contour(u, v, height, levels=levels, colors="0.75", linewidths=0.7)
        axes.plot(*path[: SHOWN + 1].T, "o-", color=color, markersize=3.5, linewidth=1.4)
        axes.plot(*START, "o", color="black", markersize=6)
        axes.plot(0, 0, "*", color="black", markersize=12)
        axes.set(xlim=(-11.5, 2.5), ylim=(-3, 4.2), xticks=[], yticks=[], aspect="equal", frame_on=False)
        axes.set_title(name, loc="left", color=color, fontweight="bold")
        axes.set_title(gait, loc="right", fontsize=9.5)
    axes = below.subplots()
    for (name, _, _, color), path in zip(WALKERS, paths, strict=True):
        axes.semilogy(ravine(path), color=color, linewidth=2, label=name)
    axes.axvspan(0, SHOWN, color="0.94", zorder=0)
    axes.text(SHOWN / 2, 1e-7, "shown above", ha="center", color="0.4")
    axes.set(xlabel="step", ylabel="height above the minimum", xlim=(0, STEPS), ylim=(3e-8, 90))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper right", ncols=4)
    figure.savefig(file, dpi=100)
    plt.close(figure)


def main(folder="."):
    """Walk, print how far each rule comes, draw; return the last heights by name."""
    paths = [walk(rule) for _, _, rule, _ in WALKERS]
    print(f"height above the minimum (start: {ravine(START):.3g})\n\n{'':18}{SHOWN} steps   {STEPS} steps")
    for (name, _, _, _), path in zip(WALKERS, paths, strict=True):
        print(f"{name:18}{ravine(path[SHOWN]):8.1e} {ravine(path[-1]):11.1e}")
    file = Path(folder) / "trajectories.png"
    draw(file, paths)
    print(f"\nThe picture is {file}")
    return {name: float(ravine(path[-1])) for (name, *_), path in zip(WALKERS, paths, strict=True)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=".", help="where to put the picture")
    main(parser.parse_args().folder)
