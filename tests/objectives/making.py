"""Objectives for tests, made as `minimize` makes them; bounds are two flat arrays, as `read_bounds` returns them."""

from numbaopt.objectives.problem import Problem


def make_objective(fun, x0, args=(), jac=None, bounds=None, rel_step=None, spsa=None):
    """Return the `Objective` of a problem."""
    problem = Problem(fun, x0, args, jac)
    problem.bounds = bounds
    return problem.objective(rel_step, spsa)
