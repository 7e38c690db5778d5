"""Methods that ask for the objective's value, one file each, named after the method."""

PARTS = ("line_search", "solver", "vectors")  # files here that are no methods
__all__ = ["barzilai_borwein", "lbfgs", "nonlinear_cg"]


def __dir__() -> list[str]:
    return sorted(__all__)
