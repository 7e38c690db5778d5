"""`Result.history`: the progress of a run, step by step."""

from numbaopt.results.result import Result


class History(dict):
    """The progress of a run: a dict of arrays of equal length, whose keys are also available as attributes.

    The arrays have an entry for the starting point and one for each step of a rule or iteration of a solver. With
    ``data`` they have no entry for the starting point, because each batch is evaluated before its step. The history of
    a run that was resumed covers only the resumed part: `nit` continues, and `seconds` starts at zero.

    Attributes
    ----------
    nit : ndarray of int64, shape (k,)
        The number of steps or iterations done.
    fun : ndarray of float64, shape (k,)
        The objective after that step; with ``data``, the loss of the batch of that step, before the step.
    norm : ndarray of float64, shape (k,)
        The largest absolute entry of the gradient, or with bounds of the projected gradient. This is the number that
        is compared with ``gtol``.
    lr : ndarray of float64, shape (k,)
        The learning rate of the step, after schedules and after everything that adapts it (`plateau`, Prodigy,
        D-Adaptation). It is NaN at the starting point, for batches that were skipped, and for methods that have no
        learning rate or one for each coordinate.
    seconds : ndarray of float64, shape (k,)
        The time since the start of the run in seconds, including compilation. Compiled runs read the clock about twenty
        times a second, others once a millisecond; the times between two readings are interpolated.
    x : ndarray of float32 or float64, shape (k, n)
        The points, flattened, with complex numbers as real and imaginary parts; only with
        ``options={"history": "x"}``.

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
