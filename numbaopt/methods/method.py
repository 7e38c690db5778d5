"""How rules and solvers are called: with keywords for other hyperparameters, or with an objective to minimize it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, overload

if TYPE_CHECKING:
    from numbaopt.results.result import Result


class Method:
    """The base of rules and solvers: a callable that follows SciPy's protocol for custom methods.

    A subclass has a ``name``, and ``_rebound(keywords)`` returns a copy of it with other hyperparameters.
    """

    name: str
    minimizer: Callable[..., Any]  # set by `numbaopt.api.minimize`, which is on a higher floor

    @overload
    def __call__(self, **hyper: Any) -> Self: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, args: Any = (), **options: Any) -> "Result": ...
    def __call__(self, fun: Any = None, x0: Any = None, args: Any = (), **options: Any) -> Any:
        """Return a copy with other hyperparameters (keywords only), or minimize ``fun`` as a custom method of SciPy.

        Some callers pass ``fun`` and ``x0`` by position, some by name.
        """
        if fun is None and x0 is None and args == ():
            return self._rebound(options)
        if not callable(fun):
            raise TypeError(f"{self.name}: hyperparameters are keywords, {self.name}(lr=...); {fun!r} is no function")
        if x0 is None:
            where = "; a method for minimize_scalar is given none: call minimize" if "bracket" in options else ""
            raise TypeError(f"{self.name}(fun, x0) minimises fun, from x0, which is missing{where}")
        return Method.minimizer(self, fun, x0, args, **options)

    def _rebound(self, keywords):
        raise NotImplementedError
