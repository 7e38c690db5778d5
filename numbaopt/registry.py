"""Methods by name: the files of `numbaopt.rules`, found, not listed."""

import difflib
import functools
import importlib
import pkgutil

from numbaopt.rule import Rule


def names():
    """Return the names of all methods: the files of ``numbaopt.rules``."""
    return list(_files())


@functools.cache
def _files():
    return sorted(module.name for module in pkgutil.iter_modules(importlib.import_module("numbaopt.rules").__path__))


def get(method):
    """Return the rule that ``method`` names (case does not matter), or ``method`` itself when it is a rule."""
    if isinstance(method, Rule):
        return method
    if not isinstance(method, str):
        raise TypeError(f"method is a name or a rule, not {method!r}")
    name = method.lower()
    if name not in names():
        near = difflib.get_close_matches(name, names(), 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown method {method!r}; there are {', '.join(names())}.{hint}")
    return getattr(importlib.import_module(f"numbaopt.rules.{name}"), name)
