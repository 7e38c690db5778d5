"""Parameters, array by array: their values, and their ways."""

import math
from itertools import cycle

import numpy as np

from numbaopt.plot.axes import COLORS

FEW = 7  # parameters that have a colour and a name each
SHOWN = 200  # entries of an array with more
CLEAR = 60  # entries that are drawn large
MOMENTS = 500  # that quantiles are taken at
PARTS = (".real", ".imag")  # of a complex number, which are drawn apart


def coordinates(structure):
    """Return a name for every entry of a structured x."""
    found = []
    leaves = zip(structure.shapes, names(structure), structure.complexes, strict=True)
    for shape, path, double in leaves:
        places = np.ndindex(shape) if structure.size > 1 else [()] * math.prod(shape)
        own = [path + (f"[{', '.join(map(str, place))}]" if place else "") for place in places]
        found += [name + part for name in own for part in PARTS] if double else own
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
    """Draw the entries of each array; of complex ones the imaginary parts as rings."""
    ax.axhline(0.0, color="0.75", linewidth=1)
    single, places = structure.tree == 0, zip(structure.segments, structure.complexes, cycle(COLORS), strict=False)
    for i, ((lo, hi), double, color) in enumerate(places):
        stride = 1 + double
        size = (hi - lo) // stride
        at = shown(size)
        across = at if single else i + 0.7 * ((at + 0.5) / max(size, 1) - 0.5)
        look = {"markersize": 5, "alpha": 1.0} if len(at) <= CLEAR else {"markersize": 3, "alpha": 0.6}
        look |= {"label": names(structure)[i] + PARTS[0]} if double else {}
        ax.plot(across, x[lo + stride * at], "o", color=color, **look)
        if double:
            look |= {"label": names(structure)[i] + PARTS[1], "markerfacecolor": "none"}
            ax.plot(across, x[lo + 1 + stride * at], "o", color=color, **look)
    ax.set(ylabel="value")
    if single:
        ax.set(xlabel=f"entry of x{_part(math.prod(structure.shapes[0]))}")
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
        marker = "o" if len(nit) == 1 else ""  # a line of one point is not seen
        for name, color, way in zip(coordinates(structure), COLORS, x.T, strict=False):
            ax.plot(nit, way, marker=marker, color=color, linewidth=1.6, label=name)
    elif structure.tree == 0:
        _rainbow(ax, nit, x, 1 + structure.complexes[0])
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


def _rainbow(ax, nit, x, stride):
    """Draw the ways of one array's entries in colours that run through their numbers; imaginary parts are dashed."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    dark = ListedColormap(colormaps["viridis"](np.linspace(0, 0.92, 256)))  # its end is too bright on white
    n = x.shape[1] // stride
    key = ScalarMappable(Normalize(0, n - 1), dark)
    for i in shown(n):
        for way, style in zip(x[:, stride * i : stride * (i + 1)].T, ("-", "--"), strict=False):
            ax.plot(nit, way, style, color=key.to_rgba(i), linewidth=1)
    ax.figure.colorbar(key, ax=ax, label=f"entry of x{_part(n)}")


def _part(size, before=", "):
    """Say how much of an array is drawn, if not all of it."""
    return "" if size <= SHOWN else f"{before}{SHOWN} of {size}"
