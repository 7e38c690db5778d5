"""The values of an objective of two parameters on a grid, for contour lines."""

import numpy as np

from numbaopt.common.validation import as_float, describe
from numbaopt.objectives.bounds import read_bounds

MARGIN = 0.15  # at each side, relative to the extent of the paths


def box(bounds, points):
    """Return the lower left and the upper right corner to draw: those of the bounds, or if None, around the points."""
    if bounds is not None:
        limits = read_bounds(bounds, 2, np.dtype(float))
        if limits is None or not np.isfinite(limits).all() or (limits[0] == limits[1]).any():
            expected = "two pairs of finite numbers, (left, right) and (bottom, top)"
            raise ValueError(f"bounds must be {expected}, not {describe(bounds)}")
        return limits
    points = points[np.isfinite(points).all(1)]
    if not len(points):
        raise ValueError("no point of the paths is finite: pass bounds to choose the region to draw")
    low, high = points.min(0), points.max(0)
    extent = np.where(high > low, high - low, 1.0)
    extent = np.maximum(extent, extent.max() / 4)
    middle, half = (low + high) / 2, (0.5 + MARGIN) * extent
    return middle - half, middle + half


def heights(fun, structure, args, jac, u, v):
    """Return the values of an objective on a grid.

    Parameters
    ----------
    fun, args, jac
        As in `minimize`.
    structure : Structure
        The structure of x0.
    u, v : ndarray
        The first and the second coordinate of the grid.

    Returns
    -------
    ndarray, shape (len(v), len(u))
        NaN where the objective is not finite.

    Raises
    ------
    ValueError
        If the objective is not finite anywhere on the grid.
    """
    x = np.empty(2, structure.dtype)
    views = structure.views(x)
    gradient = (structure.views(np.zeros_like(x)),) if isinstance(jac, str) and jac == "inplace" else ()
    height = np.empty((len(v), len(u)))
    with np.errstate(all="ignore"):
        for i, j in np.ndindex(height.shape):
            x[:] = u[j], v[i]
            value = fun(views, *gradient, *args)
            height[i, j] = as_float(value[0] if jac is True else value)
    height[~np.isfinite(height)] = np.nan
    if np.isnan(height).all():
        region = f"[{u[0]:g}, {u[-1]:g}] x [{v[0]:g}, {v[-1]:g}]"
        raise ValueError(f"the objective is not finite anywhere in {region}: pass other bounds")
    return height
