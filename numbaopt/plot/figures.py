"""Plots of minimizations, drawn by Matplotlib: convergence, paths over contour lines, and parameters.

Each function draws on the ``ax`` that is passed to it, or on a new figure, and returns the axes. Showing or saving the
figure is left to the caller. The colors are those of Okabe & Ito, which color-blind readers can distinguish, too.
"""

import numpy as np

from numbaopt.common.tree import Structure
from numbaopt.plot.axes import (
    axes_or_new,
    color_styles,
    finish,
    flat,
    gaps,
    history_of,
    is_result,
    labeled,
    logarithmic,
    unit,
)
from numbaopt.plot.contours import box, heights
from numbaopt.plot.traces import coordinates, draw_trace, draw_values
from numbaopt.problems import Problem

LABELS = {"nit": "iteration", "seconds": "time", "fun": "f", "norm": "largest entry of the gradient"}
LABELS |= {"lr": "learning rate"}
APART = 10  # ratio of the lengths of two runs from which on the axis is logarithmic
FEW = 80  # a path of at most this many points has a marker at each


def convergence(results, ax=None, *, x="nit", y="fun", minimum=None, colors=None):
    """Plot how minimizations converge.

    Parameters
    ----------
    results : Result, sequence of Result, dict of label to Result, or Comparison
        From ``minimize(..., options={"history": True})``.
    ax : matplotlib.axes.Axes
        The axes to draw on; by default, those of a new figure.
    x : {"nit", "seconds"}
        The horizontal axis: iterations, or time.
    y : {"fun", "norm", "lr"}
        The vertical axis: the objective, the largest absolute entry of the gradient, or the learning rate.
    minimum : float, optional
        The minimum of the objective, if it is known. It is subtracted from the objective. Otherwise the lowest value
        of all results is subtracted, if that is not positive.
    colors : sequence of colors, optional
        The colors of the curves, in Matplotlib's notation.

    Returns
    -------
    matplotlib.axes.Axes
        A curve ends with a dot, which is filled if the run was successful. The vertical axis is logarithmic if the
        values span more than a factor of ten; zeros and nonfinite values are then gaps in the curve.

    Raises
    ------
    TypeError
        If `results` contains anything but results.
    ValueError
        If a result has no history, or its history does not contain `x` or `y`.
    ImportError
        If Matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from numbaopt import Result, plot
    >>> run = Result(success=True, fun=1e-9, history={"nit": np.arange(10), "fun": 10.0 ** -np.arange(10)})
    >>> ax = plot.convergence({"steepest descent": run})
    >>> ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()
    ('iteration', 'f', 'log')
    """
    pairs = labeled(results)
    curves = [history_of(label, result, x, y) for label, result in pairs]
    across, above = zip(*curves, strict=True)
    xlabel, ylabel = LABELS.get(x, x), LABELS.get(y, y)
    if x == "seconds":
        factor, name = unit(max(seconds.max() for seconds in across))
        across, xlabel = [factor * seconds for seconds in across], f"{xlabel} ({name})"
    if y == "fun":
        above, ylabel = gaps(above, [result.fun for _, result in pairs], minimum)
    scale, above = logarithmic(above)
    ax = axes_or_new(ax)
    for (color, style), (label, result), u, v in zip(color_styles(colors), pairs, across, above, strict=False):
        ax.plot(u, v, style, color=color, linewidth=1.8, label=label)
        last = np.flatnonzero(np.isfinite(v))[-1:]
        fill = color if result.get("success", True) else "white"
        ax.plot(u[last], v[last], "o", color=color, markerfacecolor=fill, markersize=6, zorder=3)
    ax.set(xlabel=xlabel, ylabel=ylabel, yscale=scale)
    ax.margins(x=0.02)
    ends = [u[-1] for u in across if u[-1] > 0]
    if ends and max(ends) > APART * min(ends):  # else short runs would be squeezed to the left edge
        first = min(u[u > 0].min() for u in across if (u > 0).any())
        ax.set_xscale("symlog", linthresh=10 ** np.floor(np.log10(first)), linscale=0.5)
        ax.set_xlim(left=0)
    return finish(ax, sum(map(len, across)))


def path(problem, results, ax=None, *, args=(), jac=None, bounds=None, colors=None):
    """Plot the paths of minimizations of two parameters over the contour lines of the objective.

    Parameters
    ----------
    problem : Problem or callable
        A problem of `numbaopt.problems`, or an objective as in `minimize`.
    results : Result, sequence of Result, dict of label to Result, or Comparison
        From ``minimize(..., options={"history": "x"})``.
    ax : matplotlib.axes.Axes
        The axes to draw on; by default, those of a new figure.
    args, jac
        As in `minimize`, if `problem` is an objective.
    bounds : two pairs of numbers, optional
        The region to draw, ``[(left, right), (bottom, top)]``. By default, the domain of the problem, or for an
        objective the region that the paths cover.
    colors : sequence of colors, optional
        The colors of the paths, in Matplotlib's notation.

    Returns
    -------
    matplotlib.axes.Axes
        A black dot marks the starting point, a dot in the color of the path its end, and a star the minimum of the
        problem, or for an objective the lowest point of all results. The levels of the contour lines are quantiles of
        the objective over the region: the areas that they enclose grow like those of evenly spaced circles.

    Raises
    ------
    TypeError
        If `results` contains anything but results.
    ValueError
        If a result has no history of x or does not have two parameters, or if the bounds are not finite.
    ImportError
        If Matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from numbaopt import Result, plot, problems
    >>> points = np.array([[-5.0, -2.0], [-1.0, 0.5], [0.0, 0.0]])
    >>> ax = plot.path(problems.get("ravine"), Result(x=points[-1], fun=0.0, history={"x": points}))
    >>> ax.get_xlabel(), ax.get_ylabel(), len(ax.lines)
    ('x[0]', 'x[1]', 4)
    """
    pairs = labeled(results)
    paths = [history_of(label, result, "x")[0] for label, result in pairs]
    for points in paths:
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(
                f"path draws histories of x of shape (entries, 2), not {points.shape}; use plot.parameters"
            )
    structure = Structure(pairs[0][1].x, "result.x")
    if isinstance(problem, Problem):
        minima, args, jac = problem.minimizers, problem.args, "inplace"
        bounds = problem.domain if bounds is None else bounds
        problem = problem.fun
    else:
        lowest = min((result for _, result in pairs), key=lambda result: np.nan_to_num(result.fun, nan=np.inf))
        minima = flat(lowest.x)[None]
    low, high = box(bounds, np.vstack([*paths, minima]))
    u, v = (np.linspace(low[i], high[i], 161) for i in (0, 1))
    height = heights(problem, structure, args, jac, u, v)
    ax = axes_or_new(ax)
    levels = np.unique(np.quantile(height[np.isfinite(height)], (np.arange(1, 14) / 14) ** 2))
    if len(levels) > 1:
        ax.contourf(u, v, height, levels=levels, cmap="Greys", alpha=0.3, extend="max")
        ax.contour(u, v, height, levels=levels, colors="0.7", linewidths=0.7, linestyles="solid")
    for (color, style), (label, _), points in zip(color_styles(colors), pairs, paths, strict=False):
        marker = "o" if len(points) <= FEW else ""
        ax.plot(*points.T, style + marker, color=color, linewidth=1.5, markersize=3.5, label=label)
        ax.plot(*points[-1], "o", color=color, markeredgecolor="white", markersize=10, zorder=5)
        ax.plot(*points[0], "o", color="black", markersize=6.5, zorder=4)
    ax.plot(*minima.T, "*", color="black", markeredgecolor="white", markersize=12, linestyle="", zorder=6)
    xlabel, ylabel = coordinates(structure)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel=xlabel, ylabel=ylabel)
    return finish(ax, sum(map(len, paths)), grid=False)


def parameters(result, ax=None):
    r"""Plot the final values of the parameters, or their course if it was recorded.

    Parameters
    ----------
    result : Result
        If it has a history of x (``options={"history": "x"}``), the parameters are drawn over the iterations.
        Otherwise the final values are drawn, separately for each array of a structured x0.
    ax : matplotlib.axes.Axes
        The axes to draw on; by default, those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Of an array with more than 200 entries, 200 evenly spaced ones are drawn. The course of more than seven
        parameters in several arrays is drawn as the median of each array, and a band that contains 90 % of its
        entries. The labels say so. Real and imaginary parts of complex numbers are drawn separately.

    Raises
    ------
    TypeError
        If `result` is not a single result.
    ImportError
        If Matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from numbaopt import Result, plot
    >>> ax = plot.parameters(Result(x={"w": np.ones((2, 3)), "b": np.zeros(2)}))
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['w\n(2, 3)', 'b\n(2,)']
    """
    if not is_result(result) or np.ndim(result.get("status")):
        text = f"parameters draws a single Result, not {type(result).__name__}"
        raise TypeError(f"{text}; select one result of a sequence or of minimize_many, for example with [0]")
    structure, history = Structure(result.x, "result.x"), result.get("history") or {}
    ax = axes_or_new(ax)
    if "x" not in history:
        draw_values(ax, structure, flat(result.x))
        return finish(ax, 0)
    nit, x = history_of(None, result, "nit", "x")
    draw_trace(ax, structure, nit, x)
    return finish(ax, x.size)
