"""What the pictures of `numbaopt.plot` have in common: whose they are, on which axes, in which colours and scales."""

from collections.abc import Mapping
from itertools import cycle, product

import numpy as np

from numbaopt.common.tree import Structure
from numbaopt.common.validation import describe
from numbaopt.results.history import History

COLORS = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"
STYLES = "-", "--", ":", "-."  # another one each time that the colours are through
CROWDED = 200_000  # points, from which on finding room for a legend takes long


def axes_or_new(ax):
    """Return the axes to draw on: a new figure's, if there are none."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError('numbaopt.plot draws with matplotlib: pip install "numbaopt[plot]"') from None
    return plt.subplots(layout="constrained")[1] if ax is None else ax


def looks(colors):
    """Yield pairs of a colour and a line style, without end; the colours are ours, if None."""
    return cycle((color, style) for style, color in product(STYLES, COLORS if colors is None else colors))


def finish(ax, points, grid=True):
    """Tidy up the axes, with a legend where there is something to tell apart; return them."""
    if grid:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color="0.92", linewidth=0.7)
        ax.set_axisbelow(True)
    if ax.get_legend_handles_labels()[0]:
        place = "best" if points < CROWDED else "upper right"
        ax.legend(loc=place, framealpha=0.85, edgecolor="none", fontsize="small", handlelength=1.8)
    return ax


def is_result(value):
    """Tell a result, ours or SciPy's, from a dict of results."""
    from scipy.optimize import OptimizeResult

    return isinstance(value, OptimizeResult)


def labelled(results):
    """Return a list of (label, result) for one result, a sequence or a mapping of them; one alone has no label."""
    if is_result(results):
        return [(None, results)]
    if isinstance(results, History):
        raise TypeError("a history is drawn with its result: give the Result, not its .history")
    if isinstance(results, Mapping):
        pairs = [(str(label), result) for label, result in results.items()]
    elif isinstance(results, (list, tuple)):
        pairs = [(str(i), result) for i, result in enumerate(results)]
    else:
        raise TypeError(f"results are a Result, a list of them or a dict of label to Result, not {describe(results)}")
    if not pairs:
        raise ValueError("results is empty: there are no results to draw")
    for label, result in pairs:
        if not is_result(result):
            raise TypeError(f"results[{label}] is a Result, not {describe(result)}")
    return pairs


def history_of(label, result, *names):
    """Return arrays of a result's history; ValueError if it has none, saying how to get one."""
    history = result.get("history")
    which = "the result" if label is None else f"the result {label!r}"
    option = {"history": "x" if "x" in names else True}
    if not history:
        how = f"minimize with options={option}, which SciPy's methods do not know, but numbaopt.compare records them"
        raise ValueError(f"{which} has no history to draw: {how}")
    for name in names:
        if name not in history:
            hint = f": minimize with options={option}" if name == "x" else ""
            raise ValueError(f"the history of {which} has no {name!r}, but {', '.join(history)}{hint}")
    arrays = [np.asarray(history[name], float) for name in names]
    if not len(arrays[0]):
        raise ValueError(f"the history of {which} is empty: the run ended before its first step")
    return arrays


def flat(x):
    """Return the entries of a structured x in one array of float64."""
    structure = Structure(x, "result.x")
    buffer = np.empty(structure.size, structure.dtype)
    structure.write(x, buffer, "result.x")
    return buffer.astype(float)


def unit(seconds):
    """Return the factor and the name of a unit of time in which so many seconds are easily read."""
    if seconds < 1e-3:
        return 1e6, "µs"
    return (1e3, "ms") if seconds < 1 else (1.0, "s")


def gaps(values, found, minimum):
    """Subtract the minimum from values of an objective, if it is known; else the lowest found, if not positive.

    What is within rounding of the minimum is zero.

    Returns
    -------
    values : list of ndarray
    label : str
    """
    everything = np.concatenate([*values, np.ravel(found)])
    lowest = everything[np.isfinite(everything)].min(initial=np.inf)
    if minimum is None and lowest > 0:
        return values, "f"
    label = "f − lowest f found" if minimum is None else "f − minimum"
    base = lowest if minimum is None else minimum
    rounding = np.finfo(float).eps * abs(base)
    return [np.where(v - base > rounding, v - base, np.where(np.isnan(v), v, 0.0)) for v in values], label


def logarithmic(values):
    """Return which scale suits values, "log" or "linear", and them with NaN for what it cannot show."""
    everything = np.concatenate(values)
    shown = everything[np.isfinite(everything) & (everything > 0)]
    if (everything < 0).any() or not shown.size or shown.max() < 10 * shown.min():
        return "linear", [np.where(np.isfinite(v), v, np.nan) for v in values]
    return "log", [np.where(np.isfinite(v) & (v > 0), v, np.nan) for v in values]
