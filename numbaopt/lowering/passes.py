"""The items of a lowered rule, arranged in passes over memory and written out as lines of text.

What a pass needs and memory does not hold, it computes; only what nothing later asks for is overwritten.
"""

import re
from dataclasses import dataclass

from numbaopt.lowering.grammar import resting_on
from numbaopt.lowering.layout import layout

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


def replace(text, new):
    """Replace whole identifiers in a line of text."""
    return re.sub(NAME, lambda word: new.get(word[0], word[0]), text)
