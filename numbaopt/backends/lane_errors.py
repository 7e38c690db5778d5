"""Which exceptions of the compiler mean that a function has no type for lanes (see `numbaopt.backends.simd`)."""

import traceback

from numba.core.errors import NumbaError


class LanesRefused(TypeError):
    """Raised for a function that exists for numbers but not for lanes.

    It does not derive from Numba's errors, because Numba ignores those and tries the next implementation.
    """


def no_lanes(error):
    """Return whether an exception of the compiler means that a function has no type for lanes."""
    if isinstance(error, NumbaError | LanesRefused):
        return True
    # If an in-place operator (``grad *= 2``) has no type, Numba itself fails when it examines the missing type.
    frames = traceback.extract_tb(error.__traceback__)
    return isinstance(error, AttributeError) and bool(frames) and frames[-1].filename.endswith("npydecl.py")
