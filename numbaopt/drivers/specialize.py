"""The two drivers of an objective: a generic one, and for objectives that run for long one made for it alone.

The generic driver takes any objective and any step, which it calls through pointers. It comes from the cache at once:
there is one for each dtype and set of flags. The specialized driver has step and objective inside. It has to be
compiled, but saves these calls and what stands between them: more than half of an iteration of two coordinates. It is
kept on disk, too, under a digest of all that its machine code depends on, so a later process begins with it.

Both give the same bits, and the state of a run lies in arrays, so it changes from one to the other between two calls.
"""

import re

from numba import types

from numbaopt.backends.cache import KernelCache
from numbaopt.backends.cpu import OPTIONS, load, only
from numbaopt.common.locking import lazy, lock, once
from numbaopt.drivers.assemble import assemble
from numbaopt.drivers.digest import digest

PATIENCE = 0.5  # seconds that the runs of an objective take in all before a driver is compiled for it alone
# Instructions that may be carried out differently in other surroundings.
_LOOSE = re.compile(r"= (?:tail )?(?:f\w+|call|select|phi)(?: \w+)*? (?:fast|reassoc|contract|arcp|afn)\b")


class Driver:
    """The drivers of one objective, made by `driver_of`.

    Parameters
    ----------
    functions : tuple of functions
        As for `assemble`; the last takes ``fun`` and ``step`` first.
    program : Lowering or None
        The rule whose step may stand inside.
    flags : frozenset of str
    more : str
        As for `assemble`.
    function : numba dispatcher
        The objective, as in `Compiled.function`.
    step : numba dispatcher
    signature : tuple of numba types
        Of what the step takes.
    rest : tuple of numba types
        Of what the driver takes beside these two.
    """

    def __init__(self, functions, program, flags, more, function, step, signature, rest):
        self._parts, self._program, self._rest = (functions, flags, more), program, rest
        self._function, self._step = function, step
        self._seconds, self._tried = 0.0, False
        self._given, self._driver = (None, None), self._from_disk()
        if self._driver is None:
            (kind,) = function.nopython_signatures
            text = assemble(functions, None, flags, more)
            self._given, self._driver = (function, step), _generic(text, kind, signature, rest)

    def __call__(self, *rest):
        """Call the fastest driver that there is."""
        return self._driver(*self._given, *rest)

    def spent(self, seconds):
        """Add to the time that the drivers took; return whether it is enough to compile one for this objective."""
        self._seconds += seconds
        return self._seconds >= PATIENCE

    def specialize(self):
        """Compile a driver for this objective alone, if there is none yet."""
        with lock:
            if not self._tried:
                self._tried = True
                self._specialize()

    @lazy
    def exact(self):
        """Whether the objective has the same bits in other surroundings: neither it nor what it calls has fastmath."""
        function = self._function
        return hasattr(function, "inspect_llvm") and not any(map(_LOOSE.search, function.inspect_llvm().values()))

    def _specialize(self):
        if self.exact:
            driver = only(self._specialized, (types.none, types.none, *self._rest))
            self._given, self._driver = (None, None), driver

    def _from_disk(self):
        """Return the specialized driver if an earlier process has compiled it, and None otherwise."""
        if not isinstance(self._cache, ObjectiveCache):
            return None
        kinds = types.none, types.none, *self._rest
        with lock:
            if not self._cache.has(kinds, self._specialized.targetctx):
                return None
            self._tried = True
            return only(self._specialized, kinds)

    @property
    def _cache(self):
        return getattr(self._specialized, "_cache", None)

    @lazy
    def _specialized(self):
        """Return the driver with the objective inside, not yet compiled."""
        functions, flags, more = self._parts
        step = None if self._program is not None else self._step
        text = assemble(functions, self._program, flags, more, inside=("fun", "step"))
        driver = load.__wrapped__(text, "driver", cached=False, fun_=self._function, step_=step)
        parallel = step is not None and step.targetoptions.get("parallel")
        known = None if parallel else digest(self._function)
        if step is not None and known is not None:
            known = None if (other := digest(step)) is None else known + other
        if known is not None:
            try:
                driver._cache = ObjectiveCache(driver.py_func, OPTIONS, known)
            except (RuntimeError, OSError):  # no writable place
                pass
        return driver


class ObjectiveCache(KernelCache):
    """A cache for machine code that has an objective inside.

    Parameters
    ----------
    function, options
        See `KernelCache`.
    known : str
        The digest of the objective, and of the step if it is called.
    """

    def __init__(self, function, options, known):
        super().__init__(function, options)
        self._known, self._found = known, None

    def _index_key(self, sig, codegen):
        return *super()._index_key(sig, codegen), self._known

    def has(self, sig, target_context):
        """Return whether there is machine code for a signature, which is then loaded."""
        self._found = super().load_overload(sig, target_context)
        return self._found is not None

    def load_overload(self, sig, target_context):
        """Return what `has` has loaded, or load it."""
        found, self._found = self._found, None
        return super().load_overload(sig, target_context) if found is None else found

    def save_overload(self, sig, data):
        """Keep machine code on disk, unless addresses of this process are in it."""
        if not data.lifted and not data.library.has_dynamic_globals:
            super().save_overload(sig, data)


@once(most=64)
def driver_of(functions, program, flags, more, function, step, signature, rest):
    """Return the `Driver` of an objective: one for each, so that the time of all its runs counts."""
    return Driver(functions, program, flags, more, function, step, signature, rest)


@once
def _generic(text, kind, signature, rest):
    step = types.FunctionType(types.void(*signature))
    return only(load(text, "driver"), (types.FunctionType(kind), step, *rest))
