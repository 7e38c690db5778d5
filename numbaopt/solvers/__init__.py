"""Solvers, which use the values of the objective, one in each file. A file has the name of its solver."""

PARTS = ("line_search", "solver", "vectors")  # modules of this package that are not solvers
__all__ = ["barzilai_borwein", "lbfgs", "nonlinear_cg"]


def __dir__() -> list[str]:
    return sorted(__all__)
