"""A digest of everything that the machine code of a jitted function depends on.

Two functions with the same digest compile to the same machine code. The digest covers the bytecode and its constants,
the values of global and closure variables, and the JIT options of a function, and the same for every jitted function
that it calls. A function that depends on anything else has no digest.
"""

import hashlib
import types as python_types

import numpy as np
from numba.core.dispatcher import Dispatcher
from numba.core.types import Type
from numba.extending import _Intrinsic

LARGEST = 2**20  # bytes of the largest array among the global variables of a function that has a digest
LIBRARIES = ("builtins", "math", "cmath", "numpy", "numba", "operator", "numbaopt")  # constant within a version


class Unknown(Exception):
    """Raised for a value whose influence on the machine code is not known."""


def digest(function):
    """Return the digest of a jitted function, or None if it depends on something that a digest cannot cover."""
    try:
        writer = _Digest()
        writer.add(function)
    except (Unknown, RecursionError, ValueError):  # ValueError: a closure variable without a value
        return None
    return writer.hash.hexdigest()


class _Digest:
    def __init__(self):
        self.hash, self.known = hashlib.sha256(), {}

    def write(self, *parts):
        """Add texts, each preceded by its length, so that different sequences give different input to the hash."""
        for part in parts:
            data = part if isinstance(part, bytes) else str(part).encode()
            self.hash.update(f"{len(data)}:".encode() + data)

    def add(self, value):
        """Add a value of any kind."""
        if id(value) in self.known:
            self.write("again", self.known[id(value)][0])
            return
        kind = type(value)
        if value is None or value is Ellipsis or kind in (bool, int, float, complex, str, bytes):
            self.write(kind.__name__, repr(value))
        elif isinstance(value, np.generic) and value.dtype.kind in "biufc":
            self.write("scalar", value.dtype.str, value.tobytes())
        elif kind in (tuple, frozenset):
            self.write(kind.__name__, len(value))
            for item in value if kind is tuple else sorted(value, key=repr):
                self.add(item)
        elif isinstance(value, Type):
            self.write("type", repr(value))
        else:
            self.known[id(value)] = len(self.known), value
            self._object(value)

    def _object(self, value):
        if isinstance(value, Dispatcher):
            self.write("jitted", repr(sorted((name, str(option)) for name, option in value.targetoptions.items())))
            self._function(value.py_func)
        elif isinstance(value, _Intrinsic):
            self.write("intrinsic")
            self._function(value._defn)
        elif type(value) is np.ndarray:
            if value.dtype.kind not in "biufc" or value.nbytes > LARGEST:
                raise Unknown
            self.write("array", value.dtype.str, value.shape, value.flags.c_contiguous, value.tobytes())
        elif isinstance(value, python_types.CodeType):
            self._code(value)
        elif isinstance(value, python_types.ModuleType):
            self._library(value.__name__)
            self.write("module", value.__name__)
        elif isinstance(value, (type, python_types.FunctionType, python_types.BuiltinFunctionType, np.ufunc)):
            self._library("numpy" if isinstance(value, np.ufunc) else value.__module__ or "")
            self.write("library", getattr(value, "__module__", ""), getattr(value, "__qualname__", value.__name__))
        else:
            raise Unknown

    def _library(self, name):
        if name.partition(".")[0] not in LIBRARIES:
            raise Unknown

    def _function(self, function):
        code = function.__code__
        self._code(code)
        self.add(function.__defaults__)
        self.add(tuple(cell.cell_contents for cell in function.__closure__ or ()))
        if (function.__module__ or "").partition(".")[0] in LIBRARIES:
            self.write("library", function.__module__)  # its global variables change only with the version
            return
        for name in sorted(_names(code)):
            if name in function.__globals__:
                self.write("global", name)
                self.add(function.__globals__[name])

    def _code(self, code):
        self.write("code", code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        self.write(code.co_argcount, code.co_flags, code.co_kwonlyargcount)
        self.write(getattr(code, "co_exceptiontable", b""))
        for constant in code.co_consts:
            self.add(constant)


def _names(code):
    """Return the names that a function, or a function nested in it, reads."""
    nested = [constant for constant in code.co_consts if isinstance(constant, python_types.CodeType)]
    return set(code.co_names).union(*map(_names, nested))
