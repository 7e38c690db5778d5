"""Methods by name: the files of `numbaopt.rules` and `numbaopt.solvers`, found, not listed."""

import functools
import importlib
import pkgutil

from numbaopt.hyper import closest
from numbaopt.method import Method


def names(package="rules"):
    """Return the names of all rules: the files of ``numbaopt.rules``; or of all solvers, with ``"solvers"``."""
    return list(_files(package))


@functools.cache
def _files(package):
    home = importlib.import_module(f"numbaopt.{package}")
    parts = getattr(home, "PARTS", ())
    return sorted({module.name for module in pkgutil.iter_modules(home.__path__)}.difference(parts))


def get(method):
    """Return the method that ``method`` names (case does not matter), or ``method`` itself when it is one."""
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
