"""A run step by step: what `Result.history` is."""

from numbaopt.results.result import Result


class History(dict):
    """A run step by step: a dict of equally long arrays, whose keys are attributes too.

    There is an entry for the start and one for each step (of a solver: for each iteration). With data there is one for
    each step only: a batch is evaluated before it. The history of a run that was taken
    up again (``resume``) is of what it does itself, in its own seconds; steps keep their numbers.

    Attributes
    ----------
    nit : ndarray of int64, shape (k,)
        Steps, or iterations, done.
    fun : ndarray of float64, shape (k,)
        The objective there; with data the loss of that step's batch, before it.
    norm : ndarray of float64, shape (k,)
        The largest entry of the gradient (with bounds, of the projected one): what gtol is compared with.
    lr : ndarray of float64, shape (k,)
        The learning rate that the step was made with, by its schedule, and by what changes it on the way
        (`plateau`, Prodigy, D-Adaptation). NaN at the start, for a batch that was passed over, and where a method has
        none, or one for each coordinate.
    seconds : ndarray of float64, shape (k,)
        Since the run began, compiling included. In compiled runs the clock is read some twenty times a second, in plain
        ones once a millisecond; in between they are interpolated.
    x : ndarray of float32 or float64, shape (k, n)
        The points, flat, complex numbers as real and imaginary part; with ``options={"history": "x"}``.

    Examples
    --------
    >>> from numbaopt import minimize
    >>> def fun(x):
    ...     return ((x - 1) ** 2).sum(), 2 * (x - 1)
    >>> options = {"lr": 0.1, "maxiter": 3, "history": True}
    >>> history = minimize(fun, [3.0, -2.0], jac=True, method="sgd", options=options).history
    >>> history
    History of 3 steps: nit, fun, norm, lr, seconds
    >>> history.fun.round(3), history["lr"]
    (array([13.   ,  8.32 ,  5.325,  3.408]), array([nan, 0.1, 0.1, 0.1]))
    """

    __getattr__, __dir__ = Result.__getattr__, Result.__dir__

    def __repr__(self):
        first, steps = map(int, self["nit"][[0, -1]]) if len(self["nit"]) else (0, 0)
        which = f"steps {first} to {steps}" if first > 1 else f"{steps} step{'s' * (steps != 1)}"
        return f"History of {which}: {', '.join(self)}"
