"""Which exceptions of the compiler mean that a function has no type for lanes (see `numbaopt.backends.simd`)."""

import traceback

from numba.core.errors import NumbaError


class LanesRefused(TypeError):
    """A function was asked of lanes that exists for numbers only.

    It does not derive from Numba's errors, because Numba passes over those and asks the next implementation.
    """


def no_lanes(error):
    """Return whether an exception of the compiler means that a function has no type for lanes."""
    if isinstance(error, NumbaError | LanesRefused):
        return True
    # Where an operator in place (``grad *= 2``) has no type, Numba fails while it looks at the type that was not found.
    frames = traceback.extract_tb(error.__traceback__)
    return isinstance(error, AttributeError) and bool(frames) and frames[-1].filename.endswith("npydecl.py")
