"""Axes, colors, scales and histories, which all plots of `numbaopt.plot` share."""

from collections.abc import Mapping
from itertools import cycle, product

import numpy as np

from numbaopt.common.tree import Structure
from numbaopt.common.validation import describe
from numbaopt.results.history import History

COLORS = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"
STYLES = "-", "--", ":", "-."  # the next one after each cycle of colors
CROWDED = 200_000  # from this number of points on, loc="best" makes Matplotlib slow


def axes_or_new(ax):
    """Return the axes to draw on: `ax`, or if that is None, those of a new figure."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError('numbaopt.plot requires Matplotlib: pip install "numbaopt[plot]"') from None
    return plt.subplots(layout="constrained")[1] if ax is None else ax


def color_styles(colors):
    """Yield pairs of a color and a line style, without end; `COLORS` is used if colors is None."""
    return cycle((color, style) for style, color in product(STYLES, COLORS if colors is None else colors))


def finish(ax, points, grid=True):
    """Add a grid, and a legend if there are labels; return the axes."""
    if grid:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color="0.92", linewidth=0.7)
        ax.set_axisbelow(True)
    if ax.get_legend_handles_labels()[0]:
        place = "best" if points < CROWDED else "upper right"
        ax.legend(loc=place, framealpha=0.85, edgecolor="none", fontsize="small", handlelength=1.8)
    return ax


def is_result(value):
    """Return whether a value is a result of numbaopt or SciPy, in contrast to a dict of results."""
    from scipy.optimize import OptimizeResult

    return isinstance(value, OptimizeResult)


def labeled(results):
    """Return a list of (label, result) for a sequence or mapping of results, or for one result, whose label is None."""
    if is_result(results):
        return [(None, results)]
    if isinstance(results, History):
        raise TypeError("results must contain the Result, not only its .history")
    if isinstance(results, Mapping):
        pairs = [(str(label), result) for label, result in results.items()]
    elif isinstance(results, (list, tuple)):
        pairs = [(str(i), result) for i, result in enumerate(results)]
    else:
        raise TypeError(
            f"results must be a Result, a list of Results or a dict of label to Result, not {describe(results)}"
        )
    if not pairs:
        raise ValueError("results is empty: pass at least one Result")
    for label, result in pairs:
        if not is_result(result):
            raise TypeError(f"results[{label}] must be a Result, not {describe(result)}")
    return pairs


def history_of(label, result, *names):
    """Return arrays of the history of a result. If it has none, raise a ValueError that says how to record one."""
    history = result.get("history")
    which = "the result" if label is None else f"the result {label!r}"
    option = {"history": "x" if "x" in names else True}
    if not history:
        how = f"call minimize with options={option}, or numbaopt.compare for methods of SciPy"
        raise ValueError(f"{which} has no history to draw: {how}")
    for name in names:
        if name not in history:
            hint = f": call minimize with options={option}" if name == "x" else ""
            raise ValueError(f"the history of {which} has no {name!r}, only {', '.join(history)}{hint}")
    arrays = [np.asarray(history[name], float) for name in names]
    if not len(arrays[0]):
        raise ValueError(f"the history of {which} is empty: the run ended before the first step")
    return arrays


def flat(x):
    """Return all entries of a structured x as one array of float64."""
    structure = Structure(x, "result.x")
    buffer = np.empty(structure.size, structure.dtype)
    structure.write(x, buffer, "result.x")
    return buffer.astype(float)


def unit(seconds):
    """Return the name of a unit of time that suits a number of seconds, preceded by the factor from seconds to it."""
    if seconds < 1e-3:
        return 1e6, "µs"
    return (1e3, "ms") if seconds < 1 else (1.0, "s")


def gaps(values, found, minimum):
    """Return how far values of an objective lie above its minimum.

    If the minimum is unknown, the values themselves are returned if all are positive, else their distances from the
    lowest one. Distances within the rounding error of the minimum are set to zero.

    Parameters
    ----------
    values : list of ndarray
        The values of each run.
    found : sequence of float
        The final value of each run.
    minimum : float or None
        The minimum, if it is known.

    Returns
    -------
    values : list of ndarray
        The distances, or the values.
    label : str
        The label of the axis.
    """
    all_values = np.concatenate([*values, np.ravel(found)])
    lowest = all_values[np.isfinite(all_values)].min(initial=np.inf)
    if minimum is None and lowest > 0:
        return values, "f"
    label = "f − lowest f found" if minimum is None else "f − minimum"
    base = lowest if minimum is None else minimum
    rounding = np.finfo(float).eps * abs(base)
    return [np.where(v - base > rounding, v - base, np.where(np.isnan(v), v, 0.0)) for v in values], label


def logarithmic(values):
    """Return the scale that suits the values, "log" or "linear", and the values with NaN where it cannot show them."""
    all_values = np.concatenate(values)
    shown = all_values[np.isfinite(all_values) & (all_values > 0)]
    if (all_values < 0).any() or not shown.size or shown.max() < 10 * shown.min():
        return "linear", [np.where(np.isfinite(v), v, np.nan) for v in values]
    return "log", [np.where(np.isfinite(v) & (v > 0), v, np.nan) for v in values]
