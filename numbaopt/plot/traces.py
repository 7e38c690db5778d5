"""Plotting parameters array by array: their values, or their course over the iterations."""

import math
from itertools import cycle

import numpy as np

from numbaopt.plot.axes import COLORS

FEW = 7  # up to this number, each parameter has its own color and label
SHOWN = 200  # entries that are drawn of an array with more
CLEAR = 60  # up to this number, entries are drawn as large markers
MOMENTS = 500  # iterations at which quantiles are computed, at most
PARTS = (".real", ".imag")  # of a complex number


def coordinates(structure):
    """Return a name for every entry of a structured x."""
    found = []
    leaves = zip(structure.shapes, names(structure), structure.complexes, strict=True)
    for shape, path, double in leaves:
        places = np.ndindex(shape) if structure.size > 1 else [()] * math.prod(shape)
        entries = [path + (f"[{', '.join(map(str, place))}]" if place else "") for place in places]
        found += [name + part for name in entries for part in PARTS] if double else entries
    return found


def names(structure):
    """Return a name for every array of a structured x. Keys of a dict have no quotes."""
    if structure.tree == 0:
        return ["x"]
    found = []
    for path in structure.paths:
        first, _, remainder = path[1:].partition("]")
        name = first.strip("'") if isinstance(structure.tree, dict) else f"x[{first}]"
        found.append(name + remainder)
    return found


def shown(size):
    """Return the indices of the entries to draw: all, or ``SHOWN`` evenly spaced ones."""
    return np.arange(size) if size <= SHOWN else np.linspace(0, size - 1, SHOWN).round().astype(int)


def draw_values(ax, structure, x):
    """Draw the entries of each array as dots; imaginary parts are rings."""
    ax.axhline(0.0, color="0.75", linewidth=1)
    single, places = structure.tree == 0, zip(structure.segments, structure.complexes, cycle(COLORS), strict=False)
    for i, ((lo, hi), double, color) in enumerate(places):
        stride = 1 + double
        size = (hi - lo) // stride
        at = shown(size)
        across = at if single else i + 0.7 * ((at + 0.5) / max(size, 1) - 0.5)
        marker = {"markersize": 5, "alpha": 1.0} if len(at) <= CLEAR else {"markersize": 3, "alpha": 0.6}
        marker |= {"label": names(structure)[i] + PARTS[0]} if double else {}
        ax.plot(across, x[lo + stride * at], "o", color=color, **marker)
        if double:
            marker |= {"label": names(structure)[i] + PARTS[1], "markerfacecolor": "none"}
            ax.plot(across, x[lo + 1 + stride * at], "o", color=color, **marker)
    ax.set(ylabel="value")
    if single:
        ax.set(xlabel=f"entry of x{_part(math.prod(structure.shapes[0]))}")
        ax.xaxis.get_major_locator().set_params(integer=True)
        return
    labels = names(structure)
    every = math.ceil(len(labels) / 30)  # at most 30 labels fit
    if len(labels) <= FEW:
        sizes = [_part(math.prod(shape), "\n") for shape in structure.shapes]
        labels = [f"{labels[i]}\n{shape or ''}{sizes[i]}".rstrip() for i, shape in enumerate(structure.shapes)]
    ax.set_xticks(range(0, len(labels), every), labels[::every], rotation=90 if len(labels) > FEW else 0)
    ax.tick_params(axis="x", length=0)


def draw_trace(ax, structure, nit, x):
    """Draw the course of each parameter if they are few or in one array; otherwise a summary of each array."""
    if structure.size <= FEW:
        marker = "o" if len(nit) == 1 else ""  # a line through one point is invisible
        for name, color, values in zip(coordinates(structure), COLORS, x.T, strict=False):
            ax.plot(nit, values, marker=marker, color=color, linewidth=1.6, label=name)
    elif structure.tree == 0:
        _lines_by_index(ax, nit, x, 1 + structure.complexes[0])
    else:
        for name, (lo, hi), color in zip(names(structure), structure.segments, cycle(COLORS), strict=False):
            _band(ax, nit, x[:, lo:hi], color, name)
    ax.set(xlabel="iteration", ylabel="value")


def _band(ax, nit, x, color, name):
    """Draw the median of the entries of an array, and a band that contains 90 % of them."""
    at = np.unique(np.linspace(0, len(nit) - 1, MOMENTS).round().astype(int))
    low, middle, high = np.quantile(x[at], (0.05, 0.5, 0.95), axis=1)
    label = f"{name} (median and 90 % of {x.shape[1]})" if x.shape[1] > 1 else name
    ax.plot(nit[at], middle, color=color, linewidth=1.6, label=label)
    ax.fill_between(nit[at], low, high, color=color, alpha=0.2, linewidth=0)


def _lines_by_index(ax, nit, x, stride):
    """Draw the course of each entry of an array, colored by its index; imaginary parts are dashed."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    dark = ListedColormap(colormaps["viridis"](np.linspace(0, 0.92, 256)))  # the upper end is too bright on white
    n = x.shape[1] // stride
    key = ScalarMappable(Normalize(0, n - 1), dark)
    for i in shown(n):
        for values, style in zip(x[:, stride * i : stride * (i + 1)].T, ("-", "--"), strict=False):
            ax.plot(nit, values, style, color=key.to_rgba(i), linewidth=1)
    ax.figure.colorbar(key, ax=ax, label=f"entry of x{_part(n)}")


def _part(size, before=", "):
    """Return a note on how many entries are drawn, if not all."""
    return "" if size <= SHOWN else f"{before}{SHOWN} of {size}"
