"""SciPy's own methods, watched from outside: what they evaluate, as a history like that of ours."""

import math
import re
import warnings
from time import perf_counter

import numpy as np

from numbaopt.api.minimize import minimize
from numbaopt.results.history import History
from numbaopt.results.result import Result

GRADIENT_FREE = ("nelder-mead", "powell", "cobyla", "cobyqa")
BOUNDED = (*GRADIENT_FREE, "l-bfgs-b", "tnc", "slsqp", "trust-constr")
HESSIAN = ("newton-cg", "dogleg", "trust-ncg", "trust-exact", "trust-krylov", "trust-constr")
OLD_CALLBACK = ("tnc", "cobyla")  # takes x
WARM = 3  # evaluations after which all is compiled that will be
UNKNOWN = "Unknown solver options: "


class Enough(Exception):
    """The objective was evaluated often enough to have been compiled."""


class Watched:
    """An objective that keeps a history while a method of SciPy minimises it.

    Parameters
    ----------
    fun, jac
        As for `minimize`.
    structure : Structure
        Of x0.
    limits : tuple of two ndarrays, or None
        Lower and upper bounds.
    method : str or callable
    wanted : True or "x"
        The latter to keep the points, too.
    """

    def __init__(self, fun, jac, structure, limits, method, wanted):
        self.method, self.name = method, method.lower() if isinstance(method, str) else ""
        self.structure, self.limits, self.pointed = structure, limits, wanted == "x"
        self.evaluate, self.form = fun, jac
        self.inplace = isinstance(jac, str) and jac == "inplace"
        self.free = self.name in GRADIENT_FREE
        self.fun, self.jac = self._seen, self._seen_jac if callable(jac) else jac
        if self.free:
            self.jac = None
        self._begin()

    def _begin(self, left=math.inf):
        self.left, self.lowest, self.norm, self.entries, self.began = left, math.inf, math.nan, [], perf_counter()

    def warm_up(self, x0, options, given):
        """Let everything be compiled."""
        self._begin(WARM)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self._minimize(x0, options, given)
            except Enough:
                pass

    def minimize(self, x0, options, given):
        """Minimise by the method; return the result with its history."""
        self._begin()
        result = Result(self._minimize(x0, options, given))
        result.history = self.history(result)
        return result

    def _minimize(self, x0, options, given):
        if self.limits is not None and self.name and self.name not in BOUNDED:
            raise ValueError(f"SciPy's {self.method} takes no bounds; L-BFGS-B does")
        given = {name: value for name, value in given.items() if name != "hess" or self.name in HESSIAN}
        callback = self._told_x if self.name in OLD_CALLBACK else self._told
        return minimize(self.fun, x0, method=self.method, jac=self.jac, options=options, callback=callback, **given)

    def history(self, result):
        """Return the history of a run that came to this result."""
        if not self.entries or self.entries[-1][1] != result.fun:  # no callback came for the last
            nit = max(result.get("nit", 0), len(self.entries))
            self._put(nit, result.fun, result.x)
        nit, fun, norm, seconds, x = zip(*self.entries, strict=True)
        floats = {"fun": fun, "norm": norm, "lr": np.full(len(fun), np.nan), "seconds": seconds}
        history = History(nit=np.array(nit), **{name: np.array(value, float) for name, value in floats.items()})
        if self.pointed:
            history["x"] = np.array(x)
        return history

    def _seen(self, x, *rest):
        self.left -= 1
        if self.left < 0:
            raise Enough
        if self.free and self.inplace:
            rest = (self.structure.views(np.zeros(self.structure.size, self.structure.dtype)), *rest)
        value = self.evaluate(x, *rest)
        f = np.real(np.ravel(value[0] if self.form is True else value)[0]).item()
        if self.form is True or self.inplace:
            self._look(x, value[1] if self.form is True else rest[0])
        if not self.entries:
            self._put(0, f, x)
        self.lowest = min(self.lowest, f)
        return f if self.free else value

    def _seen_jac(self, x, *rest):
        g = self.form(x, *rest)
        self._look(x, g)
        if len(self.entries) == 1 and math.isnan(self.entries[0][2]):
            self.entries[0] = (*self.entries[0][:2], self.norm, *self.entries[0][3:])
        return g

    def _look(self, x, g):
        self.norm = largest(self._flat(x), self._flat(g), self.limits)

    def _told(self, intermediate_result):
        self._put(len(self.entries), intermediate_result.get("fun", self.lowest), intermediate_result.x)

    def _told_x(self, x):
        self._put(len(self.entries), self.lowest, x)

    def _put(self, nit, f, x):
        seconds = perf_counter() - self.began
        self.entries.append((nit, f, self.norm, seconds, self._flat(x).copy() if self.pointed else None))

    def _flat(self, tree):
        return np.concatenate([np.ravel(leaf) for leaf in self.structure.leaves(tree, "x")])


def largest(x, g, limits):
    """Return the largest entry of the gradient, or of what bounds leave of it."""
    if limits is not None:
        low, high = limits
        g = np.where(g < 0, np.maximum(g, x - high), np.minimum(g, x - low))
    return float(np.abs(g).max(initial=0.0))


def unknown_to_scipy(method, options):
    """Return which options a method of SciPy does not know, by letting it minimise something small."""
    if not isinstance(method, str):
        return []
    from scipy.optimize import minimize

    unknown, tried = [], options | {"disp": False}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        while True:
            try:
                minimize(_bowl, [0.0, 0.0], (), method, lambda x: 2 * (x - 1), lambda x: 2 * np.eye(2), options=tried)
                break
            except TypeError as error:  # from trust-constr
                name = re.search(r"unexpected keyword argument '(\w+)'", str(error))
                if not (name and tried.pop(name[1], None) is not None):
                    break
                unknown.append(name[1])
            except Exception:  # a value that cannot be: the run itself will say so
                break
    for text in {str(warning.message) for warning in caught}:
        if text.startswith(UNKNOWN):
            unknown += text.removeprefix(UNKNOWN).split(", ")
    return [name for name in options if name in unknown]


def _bowl(x):
    return (x - 1) @ (x - 1)
