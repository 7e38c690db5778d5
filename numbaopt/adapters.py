"""Adapters for libraries that accept an optimizer through an interface other than SciPy's.

Libraries that pass their ``method`` to `scipy.optimize.minimize`, or call it as SciPy would, need no adapter: pass them
the rule itself, ``method=adam(lr=1e-2)``. No adapter imports the library that it serves.
"""

from functools import partial

from numbaopt.api.minimize import find, minimize
from numbaopt.api.optimizer import Optimizer
from numbaopt.common.tree import flatten
from numbaopt.methods.registry import get

__all__ = ["gaussian_process", "loop", "neural_network", "statsmodels"]


def gaussian_process(method="adam", **options):
    """Return a function for the parameter ``optimizer`` of scikit-learn's Gaussian processes.

    Parameters
    ----------
    method : Rule, solver or str
        A method that supports bounds, because the kernels have bounds: any rule, or `barzilai_borwein`.
    **options
        Passed to `numbaopt.minimize` as ``options``, for example ``maxiter=500``.

    Returns
    -------
    callable
        ``optimizer(obj_func, initial_theta, bounds) -> (theta, value)``. It can be pickled.

    Raises
    ------
    ValueError
        If the method is unknown.

    Examples
    --------
    >>> import numpy as np, numbaopt
    >>> fit = numbaopt.adapters.gaussian_process(numbaopt.adam(lr=0.1))
    >>> theta, value = fit(lambda x: (float(x @ x), 2 * x), np.ones(2), bounds=[(0.5, 9.0)] * 2)
    >>> theta, value
    (array([0.5, 0.5]), 0.5)
    """
    return partial(_fit_theta, method=find(method), options=options)


def _fit_theta(obj_func, initial_theta, bounds=None, *, method, options):
    result = minimize(obj_func, initial_theta, jac=True, method=method, bounds=bounds, options=options)
    return result.x, result.fun


def statsmodels(method="adam", **options):
    """Return a function for the parameter ``extra_fit_funcs`` of statsmodels.

    With ``model.fit(method="ours", extra_fit_funcs={"ours": adapters.statsmodels(adam(lr=0.1))})``, ``fit`` also
    accepts ``bounds``, ``tol`` and the options of `numbaopt.minimize` as keywords. Without an adapter,
    ``model.fit(method="minimize", min_method=adam(lr=0.1))`` works, too.

    Parameters
    ----------
    method : Rule, solver or str
        The method.
    **options
        Passed to `numbaopt.minimize` as ``options``. Keywords of ``fit``, including ``maxiter``, take precedence.

    Returns
    -------
    callable
        ``f(f, score, start_params, fargs, kwargs, disp, maxiter, callback, retall, full_output, hess)``, which
        returns the parameters and a dict with the keys fopt, gopt, iterations, fcalls, gcalls, warnflag and converged.
        It can be pickled.

    Raises
    ------
    ValueError
        If the method is unknown. The returned function raises it for a keyword of ``fit`` that is not an option.

    Examples
    --------
    >>> import numpy as np, numbaopt
    >>> fit = numbaopt.adapters.statsmodels("lbfgs")
    >>> def f(params):
    ...     return float(params @ params)
    >>> params, info = fit(f, lambda params: 2 * params, np.ones(2), (), {})
    >>> params, info["converged"]
    (array([0., 0.]), True)
    """
    return partial(_fit_likelihood, method=find(method), fixed=options)


def _fit_likelihood(f, score, start_params, fargs, kwargs, *, method, fixed, **call):
    arguments = {name: kwargs[name] for name in ("bounds", "constraints", "tol") if name in kwargs}
    keywords = {name: value for name, value in kwargs.items() if name not in (*arguments, "extra_fit_funcs", "niter")}
    options = fixed | {"maxiter": call.get("maxiter"), "disp": bool(call.get("disp"))} | keywords
    arguments |= {"callback": call.get("callback"), "options": options}
    result = minimize(f, start_params, fargs, method, score, **arguments)
    info = {"fopt": result.fun, "gopt": result.jac, "iterations": result.nit, "fcalls": result.nfev}
    info |= {"gcalls": result.njev, "warnflag": result.status, "converged": result.success}
    return result.x, info


def neural_network(rule):
    """Return a replacement for the optimizer class of scikit-learn's MLPClassifier and MLPRegressor.

    The learning rate and the moments of the network are ignored in favor of those of the rule.

    Parameters
    ----------
    rule : Rule or str
        A rule that needs only gradients.

    Returns
    -------
    callable
        A replacement for ``AdamOptimizer`` in ``sklearn.neural_network._multilayer_perceptron``, to be patched in (with
        ``unittest.mock.patch``) while a model with ``solver="adam"`` is fitted. The fitted model can be pickled.

    Raises
    ------
    ValueError
        If the rule is unknown or needs the value of the objective.

    Examples
    --------
    >>> from unittest.mock import patch
    >>> from numbaopt import adabelief, adapters
    >>> replacement = adapters.neural_network(adabelief(lr=1e-3))
    >>> target = "sklearn.neural_network._multilayer_perceptron.AdamOptimizer"
    >>> with patch(target, replacement):  # doctest: +SKIP
    ...     model.fit(X, y)
    """
    return partial(_Network, _without_value(rule))


def _without_value(rule):
    """Return a rule, given itself or its name; raise ValueError if it needs more than gradients."""
    rule = get(rule)
    if rule.needs_value:
        text = f"{rule.name} needs the value of the objective, but this adapter receives only gradients"
        raise ValueError(f"{text}: choose another rule, such as adam")
    return rule


class _Network:
    """The interface that scikit-learn's networks expect of an optimizer."""

    def __init__(self, rule, params, learning_rate_init=None, *_, **__):
        self.rule = rule
        self._bind(params)

    def _bind(self, params):
        self.params = list(params)
        self.optimizer = Optimizer(self.rule, self.params)

    def update_params(self, params, grads):
        """Do one step. The arrays may differ from those of the last step, after unpickling or early stopping."""
        if any(new is not old for new, old in zip(params, self.params, strict=True)):
            state = self.optimizer.state_dict()
            self._bind(params)
            self.optimizer.load_state_dict(state)
        self.optimizer.step(list(grads))

    def iteration_ends(self, time_step):
        """Do nothing: changes of the learning rate are left to the schedule of the rule."""

    def trigger_stopping(self, msg, verbose):
        """Return True, which makes the network stop training."""
        if verbose:
            print(msg + " Stopping.")
        return True


def loop(rule):
    """Return an optimizer with the interface of those in ``autograd.misc.optimizers``.

    Parameters
    ----------
    rule : Rule or str
        A rule that needs only gradients.

    Returns
    -------
    callable
        ``optimize(grad, x0, callback=None, num_iters=100, step_size=None, **hyper) -> x``. ``grad(x, i)`` returns the
        gradient for step i, counted from 0. ``callback(x, i, g)`` is called before that step. x0 is an array of dtype
        float32 or float64, or a dict, list or tuple of such arrays, which may be nested. It is not modified; x and g
        have the same structure. ``step_size`` is the lr of the rule, and ``**hyper`` are its other hyperparameters.

    Raises
    ------
    ValueError
        If the rule is unknown or needs the value of the objective. The returned function raises TypeError for an
        unknown hyperparameter, and TypeError or ValueError for a gradient whose structure differs from that of x0.

    Examples
    --------
    >>> import numpy as np, numbaopt
    >>> adam = numbaopt.adapters.loop(numbaopt.adam)
    >>> adam(lambda x, i: 2 * x, np.array([3.0, -1.0]), num_iters=400, step_size=0.1).round(3) + 0.0
    array([0., 0.])
    """
    return partial(_loop, _without_value(rule))


def _loop(rule, grad, x0, callback=None, num_iters=100, step_size=None, **hyper):
    structure, x = flatten(x0)
    rule = rule(**hyper | ({} if step_size is None else {"lr": step_size}))
    params = structure.views(x)
    optimizer = Optimizer(rule, params)
    for i in range(num_iters):
        copy = structure.views(x.copy())  # grad and callback may keep it
        g = grad(copy, i)
        if callback is not None:
            callback(copy, i, g)
        optimizer.step(g)
    return optimizer.reported()


def __dir__() -> list[str]:
    return sorted(__all__)
