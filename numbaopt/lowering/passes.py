"""The items of a lowered rule, arranged in passes over memory.

Each pass recomputes the values that it needs and that are not stored. A slot is overwritten only when no later pass
needs its old value.
"""

import ast
from dataclasses import dataclass, field

from numbaopt.lowering.grammar import Assign, If, Store, called, entry, expressions, required, substitute
from numbaopt.lowering.layout import layout


@dataclass
class Scalars:
    """Numbers and truth values that are computed once a step, in float64."""

    reads: list = field(default_factory=list)  # names that are read from h: see `Layout.access`
    uses_t: bool = False  # whether t is needed as a float
    body: list = field(default_factory=list)  # statements
    totals: list = field(default_factory=list)  # names of the sums of earlier passes that these need


@dataclass
class Pass:
    """One loop over the coordinates."""

    scalars: Scalars = field(default_factory=Scalars)
    numbers: list = field(default_factory=list)  # names that enter the loop cast to x's dtype...
    tests: list = field(default_factory=list)  # ...and those that enter as they are: truth values, keys of noise
    arrays: list = field(default_factory=list)  # coordinates that are read or written
    body: list = field(default_factory=list)  # statements for the coordinate i
    stores: list = field(default_factory=list)  # further ones, which write to memory
    sums: dict = field(default_factory=dict)  # name -> expression, one value for each coordinate
    whole: dict = field(default_factory=dict)  # name -> the function of all these values, where that is not the sum

    @property
    def expressions(self):
        """All expressions in the loop."""
        return [*expressions([*self.body, *self.stores]), *self.sums.values()]

    @property
    def read(self):
        """Names of the arrays that the loop reads."""
        return _arrays(self.expressions)

    @property
    def written(self):
        """Names of the arrays that the loop writes."""
        return {store.array for store in self.stores}

    @property
    def uses_place(self):
        """Whether the loop needs to know which coordinate it is at: noise does."""
        return "normal" in called(self.expressions)


def passes(program):
    """Return the passes of a lowered rule, each with only what it needs.

    A pass that computes the new value of a slot stores it, unless a later pass needs the old one. The new value is then
    recomputed.
    """
    live, _ = required([*program.end.values(), *program.carried.values()], program.items)
    vectors = [item for item in live if item.scope == "vector"]
    sums = [item for item in live if item.scope == "sum"]
    stored, passes = {}, []  # stored: new value -> the slot that has it by now
    last = max((program.level.get(end, 0) for end in program.end.values()), default=0)
    last = max([last, *(program.level[item.name] - 1 for item in sums)])
    for level in range(last + 1):
        here = [item for item in sums if program.level[item.name] == level + 1]
        later = [item for item in sums if program.level[item.name] > level + 1]
        wanted = set().union(*(item.uses for item in here), program.end.values() if level == last else ())
        body, used = required(wanted, vectors, stored.keys())
        new = {end: name for name, end in program.end.items() if end in used and name not in "xg" and end not in stored}
        while level < last:
            after = set().union(*(item.uses for item in later), program.end.values())
            lost = required(after, vectors, stored.keys() | new.keys())[1].intersection(new.values())
            if not lost:
                break
            new = {end: name for end, name in new.items() if name not in lost}
        if level == last:
            new |= {program.end[name]: name for name in "xg" if name in program.end}
        passes.append(_pass(program, body, here, new, stored))
        stored |= new
    return [sweep for sweep in passes if sweep.arrays]  # none for a rule that changes nothing


def _pass(program, items, sums, new, stored):
    """Return one pass: items and sums to compute, new values to store, and those that slots hold already."""
    place = {name: entry(name) for name in program.inputs} | {end: entry(slot) for end, slot in stored.items()}
    body = [_placed(statement, place) for item in items for statement in item.body]
    terms = {item.name: substitute(item.value, place) for item in sums}
    for z, term in terms.items():
        if _arrays([term]).intersection(new.values()):  # it needs what is overwritten below
            body.append(Assign(f"old_{z}", term))
            terms[z] = ast.Name(f"old_{z}")
    stores = [Store(name, substitute(ast.Name(end), place)) for end, name in new.items() if end != name]
    words = dict.fromkeys(_words([*body, *stores, *terms.values()]))
    inside = {name for item in items for name in item.names}
    entering = [w for w in words if program.kind.get(w, "vector") != "vector" and w not in inside]
    return Pass(
        scalars=scalars(program, entering),
        numbers=[name for name in entering if program.kind[name] == "number"],
        tests=[name for name in entering if program.kind[name] != "number"],
        arrays=[name for name in ["x", "g", *program.slots] if name in words],
        body=body,
        stores=stores,
        sums=terms,
        whole={item.name: item.reducer for item in sums if item.reducer != "sum"},
    )


def scalars(program, wanted):
    """Return the `Scalars` that compute some numbers."""
    items, needed = required(wanted, [item for item in program.items if item.scope == "scalar"])
    places = layout(program)
    needed |= {b for name, b in places.bases.items() if name in needed}
    return Scalars(
        reads=[name for name in places.offsets if name in needed],
        uses_t="t" in needed,
        body=[statement for item in items for statement in item.body],
        totals=[item.name for item in program.items if item.scope == "sum" and item.name in needed],
    )


def carry(program):
    """Return the `Scalars` for the new values of carried numbers, and pairs (number, name of its new value)."""
    stores = [(name, new) for name, new in program.carried.items() if new != name]
    return scalars(program, program.carried.values()), stores


def _placed(statement, place):
    """Return a statement with coordinates replaced by entries of arrays."""
    if isinstance(statement, If):
        arms = [[_placed(inner, place) for inner in arm] for arm in (statement.body, statement.orelse)]
        return If(statement.test, *arms)
    return Assign(statement.name, substitute(statement.value, place))


def _arrays(nodes):
    """Return the arrays whose entries are read."""
    return {node.value.id for top in nodes for node in ast.walk(top) if isinstance(node, ast.Subscript)}


def _words(nodes):
    """Yield the names in statements and expressions, in the order of their text."""
    for node in nodes:
        match node:
            case Assign(name=name, value=value) | Store(array=name, value=value):
                yield name
                yield from _words([value])
            case If(test=test, body=body, orelse=orelse):
                yield test
                yield from _words([*body, *orelse])
            case ast.Name(id=name):
                yield name
            case ast.IfExp(test=test, body=body, orelse=orelse):
                yield from _words([body, test, orelse])
            case _:
                yield from _words(ast.iter_child_nodes(node))
