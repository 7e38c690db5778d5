"""An objective of two parameters, seen from above."""

import numpy as np

from numbaopt.common.validation import as_float, describe
from numbaopt.objectives.bounds import read_bounds

SLACK = 0.15  # of what the walks cover, at each side


def box(bounds, points):
    """Return the lower and the upper corner of what is to be drawn: the bounds, or around the points without any."""
    if bounds is not None:
        limits = read_bounds(bounds, 2, np.dtype(float))
        if limits is None or not np.isfinite(limits).all() or (limits[0] == limits[1]).any():
            wanted = "two pairs of finite numbers, (left, right) and (bottom, top)"
            raise ValueError(f"bounds of a picture are {wanted}, not {describe(bounds)}")
        return limits
    points = points[np.isfinite(points).all(1)]
    if not len(points):
        raise ValueError("no point of the walks is finite: say with bounds what is to be drawn")
    low, high = points.min(0), points.max(0)
    extent = np.where(high > low, high - low, 1.0)
    extent = np.maximum(extent, extent.max() / 4)
    middle, half = (low + high) / 2, (0.5 + SLACK) * extent
    return middle - half, middle + half


def heights(fun, structure, args, jac, u, v):
    """Return an objective's values at the points of a grid, shape (len(v), len(u)); NaN where they are not finite.

    ``fun, args, jac`` are as for `minimize`, ``structure`` is that of x0.
    """
    x = np.empty(2, structure.dtype)
    views = structure.views(x)
    further = (structure.views(np.zeros_like(x)),) if isinstance(jac, str) and jac == "inplace" else ()
    height = np.empty((len(v), len(u)))
    with np.errstate(all="ignore"):
        for i, j in np.ndindex(height.shape):
            x[:] = u[j], v[i]
            value = fun(views, *further, *args)
            height[i, j] = as_float(value[0] if jac is True else value)
    height[~np.isfinite(height)] = np.nan
    if np.isnan(height).all():
        raise ValueError(f"the objective is finite nowhere between {u[0]:g} and {u[-1]:g}, {v[0]:g} and {v[-1]:g}")
    return height
