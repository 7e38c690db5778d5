"""The array chooses the backend: all registered backends, and how their arrays are recognized."""

import importlib
from typing import TYPE_CHECKING, Any

from numbaopt.backends import host
from numbaopt.backends.protocol import Backend

# Each backend by its name: the attribute that marks its arrays, and its module, which is imported when it is first
# needed. Whatever has none of these attributes belongs to the CPU.
REGISTERED = {
    "cpu": (None, "numbaopt.backends.host"),
    "cuda": ("__cuda_array_interface__", "numbaopt.backends.cuda"),
}


def of(array: Any) -> Backend:
    """Return the backend that steps an array."""
    for mark, module in REGISTERED.values():
        if mark is not None and hasattr(array, mark):
            return _imported(module)
    return host


def named(name: str) -> Backend:
    """Return the backend of a name; raise ValueError if there is none."""
    if name not in REGISTERED:
        names = [repr(each) for each in REGISTERED]
        raise ValueError(f"backend is {', '.join(names[:-1])} or {names[-1]}, not {name!r}")
    return _imported(REGISTERED[name][1])


def _imported(module: str) -> Any:
    return importlib.import_module(module)


if TYPE_CHECKING:  # type checkers compare each module with the protocol
    from numbaopt.backends import cuda

    _BACKENDS: list[Backend] = [host, cuda]
