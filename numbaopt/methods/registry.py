"""Methods by name, as found among the files of `numbaopt.rules` and `numbaopt.solvers`."""

import functools
import importlib
import pkgutil
from typing import Any

from numbaopt.common.suggest import closest
from numbaopt.methods.method import Method


def names(package: str = "rules") -> list[str]:
    """Return the names of all rules, or of all solvers.

    Parameters
    ----------
    package : {"rules", "solvers"}

    Returns
    -------
    list of str
        In alphabetical order; each is an attribute of `numbaopt` and a ``method`` of `numbaopt.minimize`.

    Examples
    --------
    >>> import numbaopt
    >>> numbaopt.names()[:3], numbaopt.names("solvers")
    (['accsgd', 'acprop', 'adabelief'], ['barzilai_borwein', 'lbfgs', 'nonlinear_cg'])
    """
    return list(_files(package))


@functools.cache
def _files(package: str) -> list[str]:
    home = importlib.import_module(f"numbaopt.{package}")
    parts = getattr(home, "PARTS", ())
    return sorted({module.name for module in pkgutil.iter_modules(home.__path__)}.difference(parts))


def get(method: Any) -> Any:
    """Return the method of a name, in upper or lower case, or ``method`` itself if it is one."""
    if isinstance(method, Method):
        return method
    if not isinstance(method, str):
        raise TypeError(f"method is a name or a rule, not {method!r}")
    name = method.lower()
    for package in ("rules", "solvers"):
        if name in _files(package):
            return getattr(importlib.import_module(f"numbaopt.{package}.{name}"), name)
    known = [*names(), *names("solvers")]
    near = closest(name, known)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"unknown method {method!r}; there are {', '.join(known)}.{hint}")
