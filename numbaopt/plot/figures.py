"""Pictures of minimisations, by matplotlib: how they converge, which way they go, what the parameters come to.

Each function draws on the ``ax`` that it is given, or on a new figure, and returns it: saving or showing it is the
caller's. Colours are those of Okabe & Ito, which the colour-blind tell apart, too.
"""

import numpy as np

from numbaopt.common.tree import Structure
from numbaopt.plot.axes import (
    axes_or_new,
    finish,
    flat,
    gaps,
    history_of,
    is_result,
    labelled,
    logarithmic,
    looks,
    unit,
)
from numbaopt.plot.contours import box, heights
from numbaopt.plot.traces import coordinates, draw_trace, draw_values
from numbaopt.problems import Problem

LABELS = {"nit": "iteration", "seconds": "time", "fun": "f", "norm": "largest entry of the gradient"}
LABELS |= {"lr": "learning rate"}
APART = 10  # times as long as another is a run for which the axis becomes logarithmic
FEW = 80  # points of a walk that are marked one by one


def convergence(results, ax=None, *, x="nit", y="fun", minimum=None, colors=None):
    """Draw how minimisations converge.

    Parameters
    ----------
    results : Result, sequence of Result, dict of label to Result, or Comparison
        From ``minimize(..., options={"history": True})``.
    ax : matplotlib.axes.Axes
        Where to draw; a new figure's, if None.
    x : str
        What to go by: "nit", iterations, or "seconds".
    y : str
        What to draw: "fun", "norm", the gradient's largest entry, or "lr", the learning rate.
    minimum : float
        If known: then it is subtracted from fun. Else the lowest fun found is, where fun is not positive.
    colors : sequence of colours
        In place of ours.

    Returns
    -------
    matplotlib.axes.Axes
        A curve ends with a dot: a full one where ``success``, else a hollow one. What covers more than a factor of
        ten is on a logarithmic scale; there, what is zero or not finite leaves a gap.

    Raises
    ------
    ValueError
        For a result that has no history.
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> import numpy as np
    >>> from numbaopt import Result, plot
    >>> run = Result(success=True, fun=1e-9, history={"nit": np.arange(10), "fun": 10.0 ** -np.arange(10)})
    >>> ax = plot.convergence({"steepest descent": run})
    >>> ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()
    ('iteration', 'f', 'log')
    """
    named = labelled(results)
    curves = [history_of(label, result, x, y) for label, result in named]
    across, above = zip(*curves, strict=True)
    xlabel, ylabel = LABELS.get(x, x), LABELS.get(y, y)
    if x == "seconds":
        factor, name = unit(max(seconds.max() for seconds in across))
        across, xlabel = [factor * seconds for seconds in across], f"{xlabel} ({name})"
    if y == "fun":
        above, ylabel = gaps(above, [result.fun for _, result in named], minimum)
    scale, above = logarithmic(above)
    ax = axes_or_new(ax)
    for (color, style), (label, result), u, v in zip(looks(colors), named, across, above, strict=False):
        ax.plot(u, v, style, color=color, linewidth=1.8, label=label)
        there = np.flatnonzero(np.isfinite(v))[-1:]
        fill = color if result.get("success", True) else "white"
        ax.plot(u[there], v[there], "o", color=color, markerfacecolor=fill, markersize=6, zorder=3)
    ax.set(xlabel=xlabel, ylabel=ylabel, yscale=scale)
    ax.margins(x=0.02)
    ends = [u[-1] for u in across if u[-1] > 0]
    if ends and max(ends) > APART * min(ends):  # else the quick ones were a wall at the left
        first = min(u[u > 0].min() for u in across if (u > 0).any())
        ax.set_xscale("symlog", linthresh=10 ** np.floor(np.log10(first)), linscale=0.5)
        ax.set_xlim(left=0)
    return finish(ax, sum(map(len, across)))


def path(problem, results, ax=None, *, args=(), jac=None, bounds=None, colors=None):
    """Draw the walks of minimisations of two parameters over the contour lines of the objective.

    Parameters
    ----------
    problem : Problem or callable
        One of `numbaopt.problems`, or an objective, as for `minimize`.
    results : Result, sequence of Result, dict of label to Result, or Comparison
        From ``minimize(..., options={"history": "x"})``.
    ax : matplotlib.axes.Axes
        Where to draw; a new figure's, if None.
    args, jac
        As for `minimize`, of an objective.
    bounds : two pairs of numbers
        What part of the plane to draw, as for `minimize`: the problem's domain, or as far as the walks went, if None.
    colors : sequence of colours
        In place of ours.

    Returns
    -------
    matplotlib.axes.Axes
        A black dot marks the start, one in a walk's colour its end, a star the minimum: the problem's, or the lowest
        that was found. The areas that the contour lines enclose grow as those of circles whose radii grow evenly.

    Raises
    ------
    ValueError
        For a result without its history of x, or of other than two parameters; for bounds that are not finite.
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> import numpy as np
    >>> from numbaopt import Result, plot, problems
    >>> walk = {"x": np.array([[-5.0, -2.0], [-1.0, 0.5], [0.0, 0.0]])}
    >>> ax = plot.path(problems.get("ravine"), Result(x=walk["x"][-1], fun=0.0, history=walk))
    >>> ax.get_xlabel(), ax.get_ylabel(), len(ax.lines)
    ('x[0]', 'x[1]', 4)
    """
    named = labelled(results)
    walks = [history_of(label, result, "x")[0] for label, result in named]
    for walk in walks:
        if walk.ndim != 2 or walk.shape[1] != 2:
            raise ValueError(f"path draws walks of shape (entries, 2), not {walk.shape}; parameters draws the others")
    structure = Structure(named[0][1].x, "result.x")
    if isinstance(problem, Problem):
        minima, args, jac = problem.minimizers, problem.args, "inplace"
        bounds = problem.domain if bounds is None else bounds
        problem = problem.fun
    else:
        lowest = min((result for _, result in named), key=lambda result: np.nan_to_num(result.fun, nan=np.inf))
        minima = flat(lowest.x)[None]
    low, high = box(bounds, np.vstack([*walks, minima]))
    u, v = (np.linspace(low[i], high[i], 161) for i in (0, 1))
    height = heights(problem, structure, args, jac, u, v)
    ax = axes_or_new(ax)
    levels = np.unique(np.quantile(height[np.isfinite(height)], (np.arange(1, 14) / 14) ** 2))
    if len(levels) > 1:
        ax.contourf(u, v, height, levels=levels, cmap="Greys", alpha=0.3, extend="max")
        ax.contour(u, v, height, levels=levels, colors="0.7", linewidths=0.7, linestyles="solid")
    for (color, style), (label, _), walk in zip(looks(colors), named, walks, strict=False):
        marker = "o" if len(walk) <= FEW else ""
        ax.plot(*walk.T, style + marker, color=color, linewidth=1.5, markersize=3.5, label=label)
        ax.plot(*walk[-1], "o", color=color, markeredgecolor="white", markersize=10, zorder=5)
        ax.plot(*walk[0], "o", color="black", markersize=6.5, zorder=4)
    ax.plot(*minima.T, "*", color="black", markeredgecolor="white", markersize=12, linestyle="", zorder=6)
    xlabel, ylabel = coordinates(structure)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel=xlabel, ylabel=ylabel)
    return finish(ax, sum(map(len, walks)), grid=False)


def parameters(result, ax=None):
    r"""Draw what the parameters came to, and, if that was recorded, on which way.

    Parameters
    ----------
    result : Result
        With a history of x, from ``options={"history": "x"}``, the parameters are drawn over the iterations; else
        their values are, each array of a structured x0 by itself.
    ax : matplotlib.axes.Axes
        Where to draw; a new figure's, if None.

    Returns
    -------
    matplotlib.axes.Axes
        Of an array of more than 200 entries, the values of 200 are drawn, evenly spaced; of the ways of more than
        seven that are not all in one array, the median, in a band with 90 % of them. The labels say so. Of complex
        numbers the real and the imaginary parts are drawn apart.

    Raises
    ------
    TypeError
        For what is not one result.
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> import numpy as np
    >>> from numbaopt import Result, plot
    >>> ax = plot.parameters(Result(x={"w": np.ones((2, 3)), "b": np.zeros(2)}))
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['w\n(2, 3)', 'b\n(2,)']
    """
    if not is_result(result) or np.ndim(result.get("status")):
        given = type(result).__name__
        raise TypeError(f"parameters draws one Result, not {given}; of many problems, take one of them: result[0]")
    structure, history = Structure(result.x, "result.x"), result.get("history") or {}
    ax = axes_or_new(ax)
    if "x" not in history:
        draw_values(ax, structure, flat(result.x))
        return finish(ax, 0)
    nit, x = history_of(None, result, "nit", "x")
    draw_trace(ax, structure, nit, x)
    return finish(ax, x.size)
