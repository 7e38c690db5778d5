"""Methods for programs that take an optimizer, but not as SciPy does: one small adapter for each shape of hook.

Whatever hands its method to `scipy.optimize.minimize`, or calls one as SciPy would, needs none of this: give it the
rule, ``method=adam(lr=1e-2)``. Nothing here imports the program that it is for.
"""

from functools import partial

from numbaopt.api.minimize import find, minimize
from numbaopt.api.optimizer import Optimizer
from numbaopt.common.tree import flatten
from numbaopt.methods.registry import get

__all__ = ["gaussian_process", "loop", "neural_network", "statsmodels"]


def gaussian_process(method="adam", **options):
    """Return an ``optimizer`` for scikit-learn's Gaussian processes.

    Parameters
    ----------
    method : Rule, solver or str
        One that takes bounds, which these kernels have: any rule, or `barzilai_borwein`.
    **options
        As in the ``options`` of `numbaopt.minimize`: ``maxiter=500``.

    Returns
    -------
    callable
        ``optimizer(obj_func, initial_theta, bounds) -> (theta, value)``; it can be pickled.

    Raises
    ------
    ValueError
        For an unknown method.

    Examples
    --------
    >>> import numpy as np, numbaopt
    >>> fit = numbaopt.hooks.gaussian_process(numbaopt.adam(lr=0.1))
    >>> theta, value = fit(lambda x: (float(x @ x), 2 * x), np.ones(2), bounds=[(0.5, 9.0)] * 2)
    >>> theta, value
    (array([0.5, 0.5]), 0.5)
    """
    return partial(_fit_theta, method=find(method), options=options)


def _fit_theta(obj_func, initial_theta, bounds=None, *, method, options):
    result = minimize(obj_func, initial_theta, jac=True, method=method, bounds=bounds, options=options)
    return result.x, result.fun


def statsmodels(method="adam", **options):
    """Return a function for the ``extra_fit_funcs`` of statsmodels.

    With it, ``model.fit(method="ours", extra_fit_funcs={"ours": hooks.statsmodels(adam(lr=0.1))})`` knows ``bounds``,
    ``tol`` and further options as keywords; ``model.fit(method="minimize", min_method=adam(lr=0.1))`` needs no hook.

    Parameters
    ----------
    method : Rule, solver or str
    **options
        As in the ``options`` of `numbaopt.minimize`. Keywords of ``fit`` come before these, ``maxiter`` among them.

    Returns
    -------
    callable
        ``f(f, score, start_params, fargs, kwargs, disp, maxiter, callback, retall, full_output, hess)``, which
        returns the parameters and a dict of fopt, gopt, iterations, fcalls, gcalls, warnflag, converged; it can be
        pickled.

    Raises
    ------
    ValueError
        For an unknown method; when called, for a keyword of ``fit`` that is no option.
    """
    return partial(_fit_likelihood, method=find(method), fixed=options)


def _fit_likelihood(f, score, start_params, fargs, kwargs, *, method, fixed, **call):
    more = {name: kwargs[name] for name in ("bounds", "constraints", "tol") if name in kwargs}
    given = {name: value for name, value in kwargs.items() if name not in (*more, "extra_fit_funcs", "niter")}
    options = fixed | {"maxiter": call.get("maxiter"), "disp": bool(call.get("disp"))} | given
    result = minimize(f, start_params, fargs, method, score, callback=call.get("callback"), options=options, **more)
    told = {"fopt": result.fun, "gopt": result.jac, "iterations": result.nit, "fcalls": result.nfev}
    told |= {"gcalls": result.njev, "warnflag": result.status, "converged": result.success}
    return result.x, told


def neural_network(rule):
    """Return what stands for the optimizer class of scikit-learn's MLPClassifier and MLPRegressor.

    The network's learning rate and moments are then those of the rule.

    Parameters
    ----------
    rule : Rule or str

    Returns
    -------
    callable
        To put in the place of ``AdamOptimizer`` in ``sklearn.neural_network._multilayer_perceptron`` while a model
        with ``solver="adam"`` is fitted, as ``unittest.mock.patch`` does. The fitted model can be pickled.

    Raises
    ------
    ValueError
        For an unknown rule, and for one that asks for the objective's value.

    Examples
    --------
    >>> from unittest.mock import patch
    >>> from numbaopt import adabelief, hooks
    >>> place = "sklearn.neural_network._multilayer_perceptron.AdamOptimizer"
    >>> with patch(place, hooks.neural_network(adabelief(lr=1e-3))):  # doctest: +SKIP
    ...     model.fit(X, y)
    """
    return partial(_Network, _unvalued(rule))


def _unvalued(rule):
    """Return a rule by its name, or itself; raise for a method that needs more than gradients."""
    rule = get(rule)
    if rule.needs_value:
        raise ValueError(f"{rule.name} asks for the objective's value, which is not told here: take another rule")
    return rule


class _Network:
    """What scikit-learn's networks ask of an optimizer."""

    def __init__(self, rule, params, learning_rate_init=None, *usual, **named):
        self.rule = rule
        self._bind(params)

    def _bind(self, params):
        self.params = list(params)
        self.optimizer = Optimizer(self.rule, self.params)

    def update_params(self, params, grads):
        """Do one step; ``params`` may be other arrays than at the last one: unpickled, or the best of some epochs."""
        if any(p is not own for p, own in zip(params, self.params, strict=True)):
            state = self.optimizer.state_dict()
            self._bind(params)
            self.optimizer.load_state_dict(state)
        self.optimizer.step(list(grads))

    def iteration_ends(self, time_step):
        """Do nothing: a learning rate that changes is a schedule of the rule's."""

    def trigger_stopping(self, msg, verbose):
        """Stop."""
        if verbose:
            print(msg + " Stopping.")
        return True


def loop(rule):
    """Return a function like those of ``autograd.misc.optimizers``, for any gradient of a step.

    Parameters
    ----------
    rule : Rule or str

    Returns
    -------
    callable
        ``optimize(grad, x0, callback=None, num_iters=100, step_size=None, **hyper) -> x``. ``grad(x, i)`` is the
        gradient of step i, from 0; ``callback(x, i, g)`` is called before that step. x0 may be an array or a dict,
        list or tuple of arrays, nested at will, of float32 or float64, and is not written; what grad and callback
        see, and the answer, has its structure. ``step_size`` is the rule's lr.

    Raises
    ------
    TypeError, ValueError
        For an unknown rule or hyperparameter, a rule that asks for the objective's value, and for a gradient that has
        not the structure of x0.

    Examples
    --------
    >>> import numpy as np, numbaopt
    >>> adam = numbaopt.hooks.loop(numbaopt.adam)
    >>> adam(lambda x, i: 2 * x, np.array([3.0, -1.0]), num_iters=400, step_size=0.1).round(3) + 0.0
    array([0., 0.])
    """
    return partial(_loop, _unvalued(rule))


def _loop(rule, grad, x0, callback=None, num_iters=100, step_size=None, **hyper):
    structure, x = flatten(x0)
    rule = rule(**hyper | ({} if step_size is None else {"lr": step_size}))
    params = structure.views(x)
    optimizer = Optimizer(rule, params)
    for i in range(num_iters):
        seen = structure.views(x.copy())
        g = grad(seen, i)
        if callback is not None:
            callback(seen, i, g)
        optimizer.step(g)
    return optimizer.reported()


def __dir__() -> list[str]:
    return sorted(__all__)
