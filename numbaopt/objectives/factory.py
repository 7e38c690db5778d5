"""Which class an objective is of: it follows from the form in which the gradient is given."""

from numbaopt.objectives.forms import ESTIMATED, read_form


def make(fun, x0, args=(), jac=None, bounds=None, finite_diff_rel_step=None, spsa=None):
    """Return the `Objective` for what was given; the parameters and errors are those of `Objective`."""
    _, form = read_form(fun, jac)
    return _class_for(form)(fun, x0, args, jac, bounds, finite_diff_rel_step, spsa)


def _class_for(form):
    """Return the class for a form; it is imported here, because a run needs only one of them."""
    if form in ESTIMATED:
        from numbaopt.objectives.estimated import Differences, Simultaneous

        return Simultaneous if form == "spsa" else Differences
    if form == "autograd":
        from numbaopt.objectives.autograd import Autograd

        return Autograd
    from numbaopt.objectives.analytic import Inplace, Separate, Together

    return Together if form is True else Separate if callable(form) else Inplace
