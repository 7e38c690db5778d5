"""Solvers, which use the values of the objective, one in each file. A file has the name of its solver."""

PARTS = ("line_search", "solver", "vectors")  # modules of this package that are not solvers
