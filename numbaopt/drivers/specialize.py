"""The two drivers of an objective: a generic one, and a specialized one for objectives with long runs.

The generic driver calls the objective and the step through pointers. One driver for each dtype and set of flags
therefore serves all objectives and rules, and is loaded from the cache immediately. The step and the objective are
compiled into the specialized driver. It must be compiled for each objective, but saves the overhead of these calls,
which is more than half of the time of an iteration in two dimensions. It is cached on disk under a digest of everything
that its machine code depends on, so later processes start with it.

Both drivers give the same results bit for bit, and the state of a run is held in arrays. A run can therefore change
from one driver to the other between two calls.
"""

import re

from numba import types

from numbaopt.backends.cache import KernelCache
from numbaopt.backends.cpu import OPTIONS, load, only
from numbaopt.common.locking import lazy, lock, once
from numbaopt.drivers.assemble import assemble
from numbaopt.drivers.digest import digest

PATIENCE = 0.5  # total seconds of the runs of an objective after which a specialized driver is compiled
# Instructions with fast-math flags, whose results may depend on the code around them.
_INEXACT = re.compile(r"= (?:tail )?(?:f\w+|call|select|phi)(?: \w+)*? (?:fast|reassoc|contract|arcp|afn)\b")


class Driver:
    """The drivers of one objective, made by `driver_of`.

    Parameters
    ----------
    functions : tuple of functions
        See `assemble`; the first two parameters of the last function are ``fun`` and ``step``.
    program : Lowering or None
        The rule whose step can be inlined.
    flags : frozenset of str
    helpers : str
        See `assemble`.
    function : numba dispatcher
        The objective, as in `Compiled.function`.
    step : numba dispatcher
    signature : tuple of numba types
        The types of the arguments of the step.
    other_types : tuple of numba types
        The types of the arguments of the driver after ``fun`` and ``step``.
    """

    def __init__(self, functions, program, flags, helpers, function, step, signature, other_types):
        self._parts, self._program, self._other_types = (functions, flags, helpers), program, other_types
        self._function, self._step = function, step
        self._seconds, self._tried = 0.0, False
        self._callables, self._driver = (None, None), self._from_disk()
        if self._driver is None:
            (objective_type,) = function.nopython_signatures
            text = assemble(functions, None, flags, helpers)
            self._callables, self._driver = (function, step), _generic(text, objective_type, signature, other_types)

    def __call__(self, *arguments):
        """Call the fastest driver that is available; ``arguments`` follow the objective and the step."""
        return self._driver(*self._callables, *arguments)

    def add_time(self, seconds):
        """Add to the time that the runs have taken; return whether the total justifies compiling a driver."""
        self._seconds += seconds
        return self._seconds >= PATIENCE

    def specialize(self):
        """Compile the specialized driver, unless this has been tried before."""
        with lock:
            if not self._tried:
                self._tried = True
                self._specialize()

    @lazy
    def exact(self):
        """Whether inlining cannot change results: neither the objective nor a function that it calls uses fastmath."""
        function = self._function
        return hasattr(function, "inspect_llvm") and not any(map(_INEXACT.search, function.inspect_llvm().values()))

    def _specialize(self):
        if self.exact:
            driver = only(self._specialized, (types.none, types.none, *self._other_types))
            self._callables, self._driver = (None, None), driver

    def _from_disk(self):
        """Return the specialized driver if an earlier process has compiled it, and None otherwise."""
        if not isinstance(self._cache, ObjectiveCache):
            return None
        signature = types.none, types.none, *self._other_types
        with lock:
            if not self._cache.has(signature, self._specialized.targetctx):
                return None
            self._tried = True
            return only(self._specialized, signature)

    @property
    def _cache(self):
        return getattr(self._specialized, "_cache", None)

    @lazy
    def _specialized(self):
        """Return the specialized driver, not yet compiled."""
        functions, flags, helpers = self._parts
        step = None if self._program is not None else self._step
        text = assemble(functions, self._program, flags, helpers, made_global=("fun", "step"))
        driver = load.__wrapped__(text, "driver", cached=False, fun_=self._function, step_=step)
        parallel = step is not None and step.targetoptions.get("parallel")
        key = None if parallel else digest(self._function)
        if step is not None and key is not None:
            key = None if (step_digest := digest(step)) is None else key + step_digest
        if key is not None:
            try:
                driver._cache = ObjectiveCache(driver.py_func, OPTIONS, key)
            except (RuntimeError, OSError):  # there is no writable directory
                pass
        return driver


class ObjectiveCache(KernelCache):
    """A cache for machine code into which an objective is compiled.

    Parameters
    ----------
    function, options
        See `KernelCache`.
    key : str
        The digest of the objective, followed by that of the step if it is not inlined.
    """

    def __init__(self, function, options, key):
        super().__init__(function, options)
        self._key, self._loaded = key, None

    def _index_key(self, sig, codegen):
        return *super()._index_key(sig, codegen), self._key

    def has(self, sig, target_context):
        """Load the machine code for a signature; return whether there is any."""
        self._loaded = super().load_overload(sig, target_context)
        return self._loaded is not None

    def load_overload(self, sig, target_context):
        """Return the machine code that `has` has loaded, or load it."""
        loaded, self._loaded = self._loaded, None
        return super().load_overload(sig, target_context) if loaded is None else loaded

    def save_overload(self, sig, data):
        """Store machine code on disk, unless it contains addresses of this process."""
        if not data.lifted and not data.library.has_dynamic_globals:
            super().save_overload(sig, data)


@once(most=64)
def driver_of(functions, program, flags, helpers, function, step, signature, other_types):
    """Return the `Driver` of an objective: always the same one, so that it counts the time of all runs."""
    return Driver(functions, program, flags, helpers, function, step, signature, other_types)


@once
def _generic(text, objective_type, signature, other_types):
    step = types.FunctionType(types.void(*signature))
    return only(load(text, "driver"), (types.FunctionType(objective_type), step, *other_types))
