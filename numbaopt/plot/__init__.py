"""Plots of results, drawn by Matplotlib (extra ``plot``)."""

from numbaopt.plot.figures import convergence, parameters, path

__all__ = ["convergence", "parameters", "path"]


def __dir__() -> list[str]:
    return sorted(__all__)
