"""Parameters, array by array: their values, and their ways."""

import math
from itertools import cycle

import numpy as np

from numbaopt.drawing import COLORS

FEW = 7  # parameters that have a colour and a name each
SHOWN = 200  # entries of an array with more
CLEAR = 60  # entries that are drawn large
MOMENTS = 500  # that quantiles are taken at


def coordinates(structure):
    """Return a name for every entry of a structured x."""
    found = []
    for (lo, hi), shape, path in zip(structure.segments, structure.shapes, names(structure), strict=True):
        places = np.ndindex(shape) if shape and structure.size > 1 else [()] * (hi - lo)
        found += [path + (f"[{', '.join(map(str, place))}]" if place else "") for place in places]
    return found


def names(structure):
    """Return a name for every array of a structured x; a key of a dict stands without quotes."""
    if structure.tree == 0:
        return ["x"]
    found = []
    for path in structure.paths:
        head, _, rest = path[1:].partition("]")
        found.append((head.strip("'") if isinstance(structure.tree, dict) else f"x[{head}]") + rest)
    return found


def shown(size):
    """Return which entries of an array are drawn: all, or ``SHOWN`` of them, evenly spaced."""
    return np.arange(size) if size <= SHOWN else np.linspace(0, size - 1, SHOWN).round().astype(int)


def draw_values(ax, structure, x):
    """Draw the entries of each array."""
    ax.axhline(0.0, color="0.75", linewidth=1)
    single, places = structure.tree == 0, zip(structure.segments, cycle(COLORS), strict=False)
    for i, ((lo, hi), color) in enumerate(places):
        at = shown(hi - lo)
        across = at if single else i + 0.7 * ((at + 0.5) / max(hi - lo, 1) - 0.5)
        look = {"markersize": 5, "alpha": 1.0} if len(at) <= CLEAR else {"markersize": 3, "alpha": 0.6}
        ax.plot(across, x[lo + at], "o", color=color, **look)
    ax.set(ylabel="value")
    if single:
        ax.set(xlabel=f"entry of x{_part(structure.size)}")
        ax.xaxis.get_major_locator().set_params(integer=True)
        return
    labels = names(structure)
    every = math.ceil(len(labels) / 30)  # labels that there is room for
    if len(labels) <= FEW:
        sizes = [_part(math.prod(shape), "\n") for shape in structure.shapes]
        labels = [f"{labels[i]}\n{shape or ''}{sizes[i]}".rstrip() for i, shape in enumerate(structure.shapes)]
    ax.set_xticks(range(0, len(labels), every), labels[::every], rotation=90 if len(labels) > FEW else 0)
    ax.tick_params(axis="x", length=0)


def draw_trace(ax, structure, nit, x):
    """Draw the ways of the entries, each for itself where there are few, or only one array; else what arrays do."""
    if structure.size <= FEW:
        for name, color, way in zip(coordinates(structure), COLORS, x.T, strict=False):
            ax.plot(nit, way, color=color, linewidth=1.6, label=name)
    elif structure.tree == 0:
        _rainbow(ax, nit, x)
    else:
        for name, (lo, hi), color in zip(names(structure), structure.segments, cycle(COLORS), strict=False):
            _band(ax, nit, x[:, lo:hi], color, name)
    ax.set(xlabel="iteration", ylabel="value")


def _band(ax, nit, x, color, name):
    """Draw the median of an array's entries, and where 90 % of them are."""
    at = np.unique(np.linspace(0, len(nit) - 1, MOMENTS).round().astype(int))
    low, middle, high = np.quantile(x[at], (0.05, 0.5, 0.95), axis=1)
    what = f"{name} (median and 90 % of {x.shape[1]})" if x.shape[1] > 1 else name
    ax.plot(nit[at], middle, color=color, linewidth=1.6, label=what)
    ax.fill_between(nit[at], low, high, color=color, alpha=0.2, linewidth=0)


def _rainbow(ax, nit, x):
    """Draw the ways of one array's entries in colours that run through their numbers."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    dark = ListedColormap(colormaps["viridis"](np.linspace(0, 0.92, 256)))  # its end is too bright on white
    n = x.shape[1]
    key = ScalarMappable(Normalize(0, n - 1), dark)
    for i in shown(n):
        ax.plot(nit, x[:, i], color=key.to_rgba(i), linewidth=1)
    ax.figure.colorbar(key, ax=ax, label=f"entry of x{_part(n)}")


def _part(size, before=", "):
    """Say how much of an array is drawn, if not all of it."""
    return "" if size <= SHOWN else f"{before}{SHOWN} of {size}"
