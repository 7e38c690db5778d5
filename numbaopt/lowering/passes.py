"""The items of a lowered rule, arranged in passes over memory and written out as lines of text.

What a pass needs and memory does not hold, it computes; only what nothing later asks for is overwritten.
"""

import functools
import inspect
import math
import re
from dataclasses import dataclass

import numpy as np

from numbaopt.lowering.grammar import resting_on

NAME = r"\b[^\W\d]\w*"


@dataclass
class Pass:
    """One sweep over memory."""

    scalars: list  # lines that compute the numbers, once a step, in float64
    totals: list  # names of the sums of earlier passes that these lines need
    numbers: list  # what enters the loop, cast to x's dtype...
    tests: list  # ...and what enters as it is: truth values, keys of noise
    arrays: list  # coordinates read or written
    body: list  # lines for one coordinate i
    sums: dict  # name -> expression to be summed
    whole: dict  # name -> what else makes one number of all the values of its expression


def passes(program):
    """Return the passes, each with only what it needs.

    A pass that has a slot's new value stores it, unless the old one is asked for later: then it is computed again.
    """
    live, _ = resting_on([*program.end.values(), *program.carried.values()], program.items)
    vectors = [item for item in live if item.scope == "vector"]
    sums = [item for item in live if item.scope == "sum"]
    held, passes = {}, []  # held: new value -> the slot that holds it by now
    last = max((program.level.get(end, 0) for end in program.end.values()), default=0)
    last = max([last, *(program.level[item.names[0]] - 1 for item in sums)])
    for level in range(last + 1):
        here = [item for item in sums if program.level[item.names[0]] == level + 1]
        later = [item for item in sums if program.level[item.names[0]] > level + 1]
        wanted = set().union(*(item.uses for item in here), program.end.values() if level == last else ())
        body, used = resting_on(wanted, vectors, held.keys())
        store = {new: name for name, new in program.end.items() if new in used and name not in "xg" and new not in held}
        while level < last:
            after = set().union(*(item.uses for item in later), program.end.values())
            lost = resting_on(after, vectors, held.keys() | store.keys())[1].intersection(store.values())
            if not lost:
                break
            store = {new: name for new, name in store.items() if name not in lost}
        if level == last:
            store |= {program.end[name]: name for name in "xg" if name in program.end}
        passes.append(sweep(program, body, used, here, store, held))
        held |= store
    return [sweep for sweep in passes if sweep.arrays]  # none for a rule that changes nothing


def sweep(program, body, used, sums, store, held):
    """Write one pass out as text."""
    place = {name: f"{name}[i]" for name in program.inputs} | {new: f"{slot}[i]" for new, slot in held.items()}
    lines = [replace(line, place) for item in body for line in item.lines]
    terms = {item.names[0]: replace(item.lines[0], place) for item in sums}
    for z, text in terms.items():
        if any(f"{name}[i]" in text for name in store.values()):  # asks for what is overwritten below
            lines.append(f"old_{z} = {text}")
            terms[z] = f"old_{z}"
    lines += [f"{name}[i] = {replace(new, place)}" for new, name in store.items() if new != name]
    words = dict.fromkeys(re.findall(NAME, "\n".join([*lines, *terms.values()])))
    inside = {name for item in body for name in item.names}
    entering = [w for w in words if program.kind.get(w, "vector") != "vector" and w not in inside]
    scalars, totals = resolved(program, entering)
    return Pass(
        scalars=scalars,
        totals=totals,
        numbers=[name for name in entering if program.kind[name] == "number"],
        tests=[name for name in entering if program.kind[name] != "number"],
        arrays=[name for name in ["x", "g", *program.slots] if name in words],
        body=lines,
        sums=terms,
        whole={item.names[0]: item.reducer for item in sums if item.reducer != "sum"},
    )


def resolved(program, wanted):
    """Return the lines that compute some numbers, and the names of the sums that these lines need."""
    scalars, needed = resting_on(wanted, [item for item in program.items if item.scope == "scalar"])
    source = layout(program)[0]
    needed |= {name.removesuffix("_t") for name in needed if name in source}
    header = [f"{name} = {text}" for name, text in source.items() if name in needed]
    header += ["t = float(t)"] * ("t" in needed)
    totals = [item.names[0] for item in program.items if item.scope == "sum" and item.names[0] in needed]
    return header + [line for item in scalars for line in item.lines], totals


def carry(program):
    """Return the lines that leave the carried numbers in ``h`` for the next step, once all sums are known."""
    if not program.carried:
        return [], [], []
    lines, totals = resolved(program, program.carried.values())
    source = layout(program)[0]
    return lines, totals, [f"{source[name]} = {new}" for name, new in program.carried.items() if new != name]


def layout(program):
    """Say where in ``h`` everything lies: {name: text}, and the length.

    Hyperparameters and schedules, carried numbers, tables of powers, the shape of a matrix, and last the objective's
    value.
    """
    source, k = {}, 0
    for name, value in program.hyper.items():
        number = isinstance(value, (int, float))
        source[name] = f"h[{k}]" if number else value.text("(t - 1)", k)
        k += 1 if number else len(value.values)
    for name in program.carried:
        source[name] = f"h[{k}]"
        k += 1
    for name in program.powers:
        digits = [f"h[{k} + (t & 31)]", *(f"h[{k + 32 * i} + (t >> {5 * i} & 31)]" for i in (1, 2, 3)), f"h[{k + 128}]"]
        source[f"{name}_t"] = f"power(t, {', '.join(digits)}) if h[{k + 1}] == {name} else edited({name})"
        k += TABLE
    for name in ["rows", "columns"] * program.matrix + ["value_"] * program.valued:
        source[name] = f"h[{k}]"
        k += 1
    return source, k


def replace(text, new):
    """Replace whole identifiers in a line of text."""
    return re.sub(NAME, lambda word: new.get(word[0], word[0]), text)


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


TABLE = 129


@functools.lru_cache(256)
def powers(b):
    """Return the table that b**t is looked up in: b to the digits of t in base 32, and log b for what is beyond.

    Python's scalar power is correctly rounded where NumPy's vector one is not: RAdam's first rectified steps show it.
    """
    table = []
    for exponent in [digit * place for place in (1, 32, 1024, 32768) for digit in range(32)]:
        try:
            table.append(float(b) ** exponent)
        except OverflowError:  # b beyond 1
            table.append(math.copysign(math.inf, b) if exponent % 2 else math.inf)
    return *table, 1048576 * math.log(abs(b)) if b else -math.inf


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
