"""The functions that generated texts call, compiled for the CPU once and not with each text."""

import numpy as np  # noqa: F401  (the functions look these names up here)
from numpy import cos, empty, exp, float64, log, pi, sqrt, uint64  # noqa: F401

from numbaopt.backends.cpu import jit
from numbaopt.common.random import GOLDEN  # noqa: F401
from numbaopt.lowering.runtime import FUNCTIONS, rebind


def _compiled(name, **options):
    return jit(rebind(FUNCTIONS[name], globals()), **options)


edited = _compiled("edited")
in_order = _compiled("in_order")
isfinite = _compiled("isfinite")
key = _compiled("key")
max = _compiled("max")
min = _compiled("min")
mixed = _compiled("mixed")
noise = _compiled("noise")
normal = _compiled("normal")
power = _compiled("power")
sign = _compiled("sign")
simplex_threshold = _compiled("simplex_threshold")
total = _compiled("total", fastmath={"reassoc", "nsz"})
