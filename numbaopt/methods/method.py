"""The base of rules and solvers: calling a method changes its hyperparameters or minimizes an objective."""

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self, overload

if TYPE_CHECKING:
    from numbaopt.results.result import Result


class Method:
    """Base of rules and solvers, which can be called like SciPy's custom methods. Instances are immutable.

    A subclass defines ``name``, ``hyper`` and ``_rebound(keywords)``, which returns a copy with other hyperparameters.
    """

    name: str
    hyper: Mapping[str, Any]
    minimizer: Callable[..., Any]  # the function that minimizes with a method, set by `numbaopt.api.custom_method`

    @overload
    def __call__(self, **hyper: Any) -> Self: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, args: Any = (), **options: Any) -> "Result": ...
    def __call__(self, fun: Any = None, x0: Any = None, args: Any = (), **options: Any) -> Any:
        """Return a copy with other hyperparameters or, if ``fun`` is given, minimize it from ``x0``.

        Callers of custom methods pass ``fun`` and ``x0`` by position or by name.
        """
        if fun is None and x0 is None and args == ():
            return self._rebound(options)
        if not callable(fun):
            raise TypeError(
                f"{self.name}: hyperparameters are keywords, as in {self.name}(lr=...), and fun must be a function, "
                f"not {fun!r}"
            )
        if x0 is None:
            hint = "; minimize_scalar does not pass one, use minimize" if "bracket" in options else ""
            raise TypeError(f"{self.name}(fun, x0) minimizes fun from x0, which is missing{hint}")
        return Method.minimizer(self, fun, x0, args, **options)

    def _rebound(self, keywords):
        raise NotImplementedError

    @property
    def __signature__(self) -> inspect.Signature:
        kind = inspect.Parameter.KEYWORD_ONLY
        return inspect.Signature([inspect.Parameter(name, kind, default=v) for name, v in self.hyper.items()])

    def __copy__(self):
        return self  # instances are immutable

    def __deepcopy__(self, memo):
        return self
