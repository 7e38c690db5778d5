"""Whole texts: imports, helpers, schedules and functions."""

import inspect
import re

import numpy as np


def simplex_threshold(values):
    """Return the number that, taken from all values, leaves positive parts whose sum is 1.

    Held, Wolfe & Crowder 1974, Math. Programming 6; by sorting.
    """
    descending = np.sort(values.reshape(-1).astype(np.float64))[::-1]
    total, threshold = -1.0, 0.0
    for k in range(descending.size):
        total += descending[k]
        if descending[k] * (k + 1) <= total:
            break
        threshold = total / (k + 1)
    return threshold


HELPERS = {  # what a text may call besides NumPy's or math's functions; only what is called is put in
    "edited": """
@jit
def edited(b):
    if b == b:  # a plain `raise` would make b**t an Optional
        raise ValueError("h was edited: its tables of powers b**t are of another b; let rule(...).h make a new h")
    return b
""",
    "power": """
@jit
def power(t, ones, low, middle, high, log):
    \"\"\"Return b**t for the step number t >= 0: a product over t's digits in base 32.\"\"\"
    p = ones * low * middle * high
    return p if t < 1048576 else p * exp((t >> 20) * log)
""",
    "key": """
@jit
def key(seed, t):
    \"\"\"Return the key of one step's noise.\"\"\"
    return mixed(uint64(seed) * uint64(0x9E3779B97F4A7C15) + uint64(t))
""",
    "mixed": """
@jit
def mixed(z):
    \"\"\"Return 64 well mixed bits (the finaliser of SplitMix64).\"\"\"
    z = (z ^ (z >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
    return z ^ (z >> uint64(31))
""",
    "normal": """
@jit
def normal(key, i):
    \"\"\"Return the i-th standard normal number of a key, by Box and Muller.\"\"\"
    bits = mixed(key + (uint64(i) + uint64(1)) * uint64(0x9E3779B97F4A7C15))
    u = (float64(bits >> uint64(32)) + 0.5) / 4294967296.0
    v = float64(bits & uint64(0xFFFFFFFF)) / 4294967296.0
    return sqrt(-2.0 * log(u)) * cos(2.0 * pi * v)
""",
    "noise": """
@jit
def noise(like, key):
    \"\"\"Return noise of a matrix's shape and dtype.\"\"\"
    out = empty(like.shape, like.dtype)
    for i in range(like.shape[0]):
        for j in range(like.shape[1]):
            out[i, j] = normal(key, i * like.shape[1] + j)
    return out
""",
    "isfinite": """
@jit
def isfinite(a):
    return a - a == 0
""",
    "max": """
@jit
def max(a, b):
    return a if a > b or a != a else b
""",
    "min": """
@jit
def min(a, b):
    return a if a < b or a != a else b
""",
    "sign": """
@jit
def sign(a, zero=0.0, one=1.0):
    return one if a > zero else -one if a < zero else a
""",
    "total": """
@jit(fastmath={"reassoc", "nsz"})
def total(w):
    \"\"\"Return the sum of one block.\"\"\"
    z = 0.0
    for i in range(w.size):
        z += w[i]
    return z
""",
    "simplex_threshold": "@jit\n" + inspect.getsource(simplex_threshold),
    "in_order": """
@jit
def in_order(parts):
    z = 0.0
    for b in range(parts.size):
        z += parts[b]
    return z
""",
}


def assemble(name, program, library, body, more=""):
    """Return a whole text: the imports (and ``more``), helpers and schedules that ``body`` calls, then ``body``."""
    parts = [*schedules(program), *body]
    called = set(re.findall(r"[a-z_0-9]+(?=[(])", "\n".join(parts)))
    called |= {"normal"} if "noise" in called else set()
    called |= {"mixed"} if called & {"key", "normal"} else set()
    if "simplex_threshold" in called:
        more += "import numpy as np\n"
    helpers = [text for helper, text in HELPERS.items() if helper in called]
    called |= set(re.findall(r"[a-z_0-9]+(?=[(])|\bpi\b", "\n".join(parts + helpers)))
    called &= LIBRARY - ({"empty", "float64", "int64", "uint64"} if library == "math" else set())
    imports = f"from {library} import {', '.join(sorted(called))}\n" if called else ""
    head = f"# {name}, lowered by numbaopt\n{imports}{more}".strip()
    return "\n\n\n".join([head, *(part.strip("\n") for part in helpers + parts)]) + "\n"


LIBRARY = {"cos", "empty", "exp", "float64", "int64", "log", "pi", "sqrt", "uint64"}


def schedules(program):
    """Return the texts of the schedules that a program's hyperparameters follow, each once."""
    texts = {}
    for value in program.hyper.values() if program else ():
        if not isinstance(value, (int, float)):
            for label, text in value.texts().items():
                if texts.setdefault(label, text) != text:
                    raise ValueError(f"two schedules are named {label.removesuffix('_at')!r}: give one another name")
    return [f"\n@jit\n{text}\n" for text in texts.values()]
