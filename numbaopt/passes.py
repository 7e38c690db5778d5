"""The items of a lowered rule, arranged in passes over memory and written out as lines of text.

What a pass needs and memory does not hold, it computes; only what nothing later asks for is overwritten.
"""

import functools
import math
import re
from dataclasses import dataclass

from numbaopt.lower import resting_on

NAME = r"\b[^\W\d]\w*"


@dataclass
class Pass:
    """One sweep over memory."""

    scalars: list  # lines that compute the numbers, once a step, in float64
    totals: list  # names of the sums of earlier passes that these lines need
    numbers: list  # what enters the loop, cast to x's dtype...
    tests: list  # ...and what enters as a truth value
    arrays: list  # coordinates read or written
    body: list  # lines for one coordinate i
    sums: dict  # name -> expression to be summed


def passes(program):
    """Return the passes, each with only what it needs.

    A pass that has a slot's new value stores it, unless the old one is asked for later: then it is computed again.
    """
    live, _ = resting_on(program.end.values(), program.items)
    vectors = [item for item in live if item.scope == "vector"]
    sums = [item for item in live if item.scope == "sum"]
    held, passes = {}, []  # held: new value -> the slot that holds it by now
    last = max((program.level.get(end, 0) for end in program.end.values()), default=0)
    for level in range(last + 1):
        here = [item for item in sums if program.level[item.names[0]] == level + 1]
        later = [item for item in sums if program.level[item.names[0]] > level + 1]
        wanted = set().union(*(item.uses for item in here), program.end.values() if level == last else ())
        body, used = resting_on(wanted, vectors, held.keys())
        store = {new: name for name, new in program.end.items() if new in used and name != "x" and new not in held}
        while level < last:
            after = set().union(*(item.uses for item in later), program.end.values())
            lost = resting_on(after, vectors, held.keys() | store.keys())[1].intersection(store.values())
            if not lost:
                break
            store = {new: name for new, name in store.items() if name not in lost}
        if level == last:
            store |= {program.end["x"]: "x"}
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
    scalars, needed = resting_on(entering, [item for item in program.items if item.scope == "scalar"])
    header, source = [], layout(program)[0]
    needed |= {name.removesuffix("_t") for name in needed if name in source}
    header += [f"{name} = {text}" for name, text in source.items() if name in needed]
    header += ["t = float(t)"] * ("t" in needed)
    return Pass(
        scalars=header + [line for item in scalars for line in item.lines],
        totals=[item.names[0] for item in program.items if item.scope == "sum" and item.names[0] in needed],
        numbers=[name for name in entering if program.kind[name] == "number"],
        tests=[name for name in entering if program.kind[name] == "test"],
        arrays=[name for name in ["x", "g", *program.slots] if name in words],
        body=lines,
        sums=terms,
    )


def layout(program):
    """Say where in ``h`` each hyperparameter, schedule and table of powers lies: {name: text}, and the length."""
    source, k = {}, 0
    for name, value in program.hyper.items():
        number = isinstance(value, (int, float))
        source[name] = f"h[{k}]" if number else value.text("(t - 1)", k)
        k += 1 if number else len(value.values)
    for name in program.powers:
        digits = [f"h[{k} + (t & 31)]", *(f"h[{k + 32 * i} + (t >> {5 * i} & 31)]" for i in (1, 2, 3)), f"h[{k + 128}]"]
        source[f"{name}_t"] = f"power(t, {', '.join(digits)}) if h[{k + 1}] == {name} else edited({name})"
        k += TABLE
    return source, k


def replace(text, new):
    """Replace whole identifiers in a line of text."""
    return re.sub(NAME, lambda word: new.get(word[0], word[0]), text)


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
    "in_order": """
@jit
def in_order(parts):
    z = 0.0
    for b in range(parts.size):
        z += parts[b]
    return z
""",
}


def assemble(name, program, library, body):
    """Return a whole text: the imports, helpers and schedules that ``body`` calls, then ``body``."""
    parts = [*schedules(program), *body]
    called = set(re.findall(r"[a-z_0-9]+(?=[(])", "\n".join(parts)))
    helpers = [text for helper, text in HELPERS.items() if helper in called]
    called |= set(re.findall(r"[a-z_0-9]+(?=[(])|\bpi\b", "\n".join(parts + helpers)))
    imports = f"from {library} import {', '.join(sorted(called & LIBRARY))}\n" if called & LIBRARY else ""
    head = f"# {name}, lowered by numbaopt\n{imports}".strip()
    return "\n\n\n".join([head, *(part.strip("\n") for part in helpers + parts)]) + "\n"


LIBRARY = {"cos", "empty", "exp", "int64", "log", "pi", "sqrt"}


def schedules(program):
    """Return the texts of the schedules that a program's hyperparameters follow, each once."""
    texts = {}
    for value in program.hyper.values() if program else ():
        if not isinstance(value, (int, float)):
            for label, text in value.texts().items():
                if texts.setdefault(label, text) != text:
                    raise ValueError(f"two schedules are named {label.removesuffix('_at')!r}: give one another name")
    return [f"\n@jit\n{text}\n" for text in texts.values()]
