"""A compiled driver, and for objectives that take long a second one with the objective inside.

The driver for all objectives comes from the cache at once; it calls the objective through a pointer. One made for a
single objective has to be compiled, in every process, but spares that call and what stands between the two: a third of
an iteration of two coordinates. Both give the same bits, and all that a run is lies in arrays: it changes over between
two calls.
"""

import re

import numba
from numba import types

from numbaopt.backends.cpu import load, only
from numbaopt.common.locking import lazy, lock, once

PATIENCE = 0.5  # seconds that an objective's runs take in all before a driver is compiled for it alone
# Instructions that may be carried out otherwise in other surroundings.
_LOOSE = re.compile(r"= (?:tail )?(?:f\w+|call|select|phi)(?: \w+)*? (?:fast|reassoc|contract|arcp|afn)\b")


class Tier:
    """The drivers of one objective, made by `tier`.

    Parameters
    ----------
    text : str
        Of a driver, from `splice`.
    function : numba dispatcher
        The objective, as in `Compiled.function`.
    step : numba dispatcher or None
        What the driver calls, where the step is not inside it.
    signature : tuple of numba types
        Of what the step takes.
    rest : tuple of numba types
        Of what the driver takes beside these two.
    """

    def __init__(self, text, function, step, signature, rest):
        self._text, self._rest, self._seconds, self._tried = text, rest, 0.0, False
        self._given = (function,) if step is None else (function, step)
        (kind,) = function.nopython_signatures
        self._driver = _general(text, kind, () if step is None else (signature,), rest)

    def __call__(self, *rest):
        """Call the best driver that there is."""
        return self._driver(*self._given, *rest)

    def spent(self, seconds):
        """Take note of time that the drivers took; tell whether it is enough to compile something for it."""
        self._seconds += seconds
        return self._seconds >= PATIENCE

    def specialise(self):
        """Compile a driver for this objective alone, if there is none yet."""
        with lock:
            if not self._tried:
                self._tried = True
                self._specialise()

    @lazy
    def exact(self):
        """Whether the objective has the same bits in other surroundings: neither it nor what it calls has fastmath."""
        function = self._given[0]
        return hasattr(function, "inspect_llvm") and not any(map(_LOOSE.search, function.inspect_llvm().values()))

    def _specialise(self):
        if not self.exact:
            return
        own = load.__wrapped__(self._text, "driver", cached=False)
        self._driver = only(own, (*map(numba.typeof, self._given), *self._rest))


@once(most=64)
def tier(text, function, step, signature, rest):
    """Return the `Tier` of an objective: one for each, so that the time of all its runs counts."""
    return Tier(text, function, step, signature, rest)


@once
def _general(text, kind, steps, rest):
    steps = [types.FunctionType(types.void(*signature)) for signature in steps]
    return only(load(text, "driver"), (types.FunctionType(kind), *steps, *rest))
