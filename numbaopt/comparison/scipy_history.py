"""Runs of SciPy's own methods for `numbaopt.compare`, with a history like that of `numbaopt.minimize`.

The history is recorded by functions around the objective and by a callback.
"""

import math
import re
import warnings
from time import perf_counter

import numpy as np

from numbaopt.api.minimize import minimize
from numbaopt.common.validation import FLOATS
from numbaopt.drivers.stopping import largest_entry, largest_projected
from numbaopt.results.history import History
from numbaopt.results.result import Result

GRADIENT_FREE = ("nelder-mead", "powell", "cobyla", "cobyqa")
BOUNDED = (*GRADIENT_FREE, "l-bfgs-b", "tnc", "slsqp", "trust-constr")
HESSIAN = ("newton-cg", "dogleg", "trust-ncg", "trust-exact", "trust-krylov", "trust-constr")
OLD_CALLBACK = ("tnc", "cobyla")  # takes x
WARM = 3  # evaluations that compile everything
UNKNOWN = "Unknown solver options: "


class Enough(Exception):
    """The objective was evaluated often enough to have been compiled."""


class ScipyRun:
    """The run of one of SciPy's methods.

    Parameters
    ----------
    problem : numbaopt.objectives.problem.Problem
    x0
        The starting point, as the user passed it.
    method : str or callable
    options : dict
        Those that the method knows.
    keywords : dict
        Further arguments of `numbaopt.minimize`.
    points : bool
        Whether the history has the points, too.
    """

    def __init__(self, problem, x0, method, options, keywords, points=False):
        self.problem, self.x0, self.method, self.options, self.points = problem, x0, method, options, points
        self.name = method.lower() if isinstance(method, str) else ""
        self.keywords = {k: v for k, v in keywords.items() if k != "hess" or self.name in HESSIAN}
        jac = problem.jac
        self._inplace = isinstance(jac, str) and jac == "inplace"
        self._pair = jac is True
        self._gradient_free = self.name in GRADIENT_FREE
        self.jac = None if self._gradient_free else self._jac if callable(jac) else jac
        self._begin()

    def _begin(self, left=math.inf):
        self.left, self.lowest, self.norm, self.entries, self.start = left, math.inf, math.nan, [], perf_counter()

    def warm_up(self):
        """Evaluate the objective a few times, which compiles everything."""
        self._begin(WARM)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self._minimize()
            except Enough:
                pass

    def minimize(self):
        """Return the result, with its history."""
        self._begin()
        result = Result(self._minimize())
        result.history = self.history(result)
        return result

    def _minimize(self):
        if self.problem.bounds is not None and self.name and self.name not in BOUNDED:
            raise ValueError(f"SciPy's {self.method} takes no bounds; L-BFGS-B does")
        keywords = {"method": self.method, "jac": self.jac, "options": self.options} | self.keywords
        callback = self._callback_x if self.name in OLD_CALLBACK else self._callback
        return minimize(self._fun, self.x0, callback=callback, **keywords)

    def history(self, result):
        """Return the history of a run that ended with this result."""
        if not self.entries or self.entries[-1][1] != result.fun:  # there was no callback for the last iterate
            nit = max(result.get("nit", 0), len(self.entries))
            self._append(nit, result.fun, result.x)
        nit, fun, norm, seconds, x = zip(*self.entries, strict=True)
        floats = {"fun": fun, "norm": norm, "lr": np.full(len(fun), np.nan), "seconds": seconds}
        history = History(nit=np.array(nit), **{name: np.array(value, float) for name, value in floats.items()})
        if self.points:
            history["x"] = np.array(x)
        return history

    def _fun(self, x, *rest):
        """Call the user's function, and record value and gradient."""
        self.left -= 1
        if self.left < 0:
            raise Enough
        if self._gradient_free and self._inplace:
            structure = self.problem.structure
            rest = (structure.views(np.zeros(structure.size, structure.dtype)), *rest)
        value = self.problem.fun(x, *rest)
        f = np.real(np.ravel(value[0] if self._pair else value)[0]).item()
        if self._pair or self._inplace:
            self._record_norm(x, value[1] if self._pair else rest[0])
        if not self.entries:
            self._append(0, f, x)
        self.lowest = min(self.lowest, f)
        return f if self._gradient_free else value

    def _jac(self, x, *rest):
        """Call the user's gradient, and record its norm, also in the entry of the starting point."""
        g = self.problem.jac(x, *rest)
        self._record_norm(x, g)
        if len(self.entries) == 1 and math.isnan(self.entries[0][2]):
            self.entries[0] = (*self.entries[0][:2], self.norm, *self.entries[0][3:])
        return g

    def _record_norm(self, x, g):
        self.norm = largest(self._flat(x), self._flat(g), self.problem.bounds)

    def _callback(self, intermediate_result):
        self._append(len(self.entries), intermediate_result.get("fun", self.lowest), intermediate_result.x)

    def _callback_x(self, x):
        self._append(len(self.entries), self.lowest, x)

    def _append(self, nit, f, x):
        seconds = perf_counter() - self.start
        self.entries.append((nit, f, self.norm, seconds, self._flat(x).copy() if self.points else None))

    def _flat(self, tree):
        return np.concatenate([np.ravel(leaf) for leaf in self.problem.structure.leaves(tree, "x")])


def largest(x, g, bounds):
    """Return the number that the drivers compare with gtol, for a gradient of any dtype."""
    if g.dtype.kind == "c":  # each part is a coordinate
        g = g.view(g.real.dtype)
    elif g.dtype not in FLOATS:
        g = g.astype(float)
    if bounds is None:
        return largest_entry(g)
    if g.size != x.size:
        raise ValueError(f"the gradient has {g.size} entries, but x has {x.size}")
    return largest_projected(x, g, np.array(bounds))


def unknown_to_scipy(method, options):
    """Return the options that a method of SciPy does not know, found by a small minimization."""
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
            except Exception:  # an invalid value: the run itself will raise
                break
    for text in {str(warning.message) for warning in caught}:
        if text.startswith(UNKNOWN):
            unknown += text.removeprefix(UNKNOWN).split(", ")
    return [name for name in options if name in unknown]


def _bowl(x):
    return (x - 1) @ (x - 1)
