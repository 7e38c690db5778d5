"""Lowering the function of a rule to a program of statements.

A rule is a function of coordinates (one entry of x, of its gradient g, of every slot) and scalars (the step number t,
the objective's value f, the hyperparameters, and numbers carried from step to step). Lowering goes through its
statements once, in order, and gives every assignment a name of its own. What depends on no coordinate is hoisted:
computed once a step, in float64, and cast once. The rest is computed in passes over memory; a ``sum`` over coordinates
ends one pass and starts the next. `passes` arranges the statements; `emit_cpu`, `emit_cuda` and `emit_matrix` write the
loops around them. Nothing here depends on Numba.
"""

import ast
from dataclasses import dataclass, field

from numbaopt.lowering.expressions import Expressions
from numbaopt.lowering.grammar import PER_COORDINATE, RESERVED, Assign, If, Item, required


@dataclass(eq=False)
class Lowering(Expressions):
    """The program of a chain of stages (usually one, the rule) for one setting of its switches.

    A hyperparameter whose truth is tested (``if nesterov:``) is a switch: the test is decided here, and the other
    branch and slots that only it uses are left out. A hyperparameter with a value for each coordinate is a slot that
    never changes. A stage that returns ``g if test else skip`` is a gate: when the test fails, the stages after it
    change neither x nor slots nor numbers, and do not count the step.
    """

    stages: tuple  # (Math, pairs of the author's name and the name in the chain), first to last
    hyper: dict  # name in the chain -> its truth, the schedule that it follows, or PER_COORDINATE
    matrix: bool = False  # whether x is seen as a matrix
    items: list = field(default_factory=list)
    kind: dict = field(default_factory=dict)  # name -> "vector", "number" or "test"
    level: dict = field(default_factory=dict)  # name -> the first pass that can compute it
    powers: list = field(default_factory=list)  # hyperparameters b with a b**t

    def __post_init__(self):
        """Lower the stages one after another; what one returns is what the next one gets."""
        now, self.end, self.carried, self.starts = {"x": "x", "g": "g", "before": "x"}, {}, {}, {}
        whole = [(math, dict(names)) for math, names in self.stages]
        arrays = self._declare(whole)
        steps, gate, self.gate, self.needs_value = "t", None, None, any(math.needs_value for math, _ in whole)
        for self.math, names in whole:
            self.kind |= dict.fromkeys(names.values(), "number")
            self.kind |= dict.fromkeys(arrays.union(names[slot] for slot in self.math.slots), "vector")
            self._stage(names, now, steps, gate)
            if self.shut:
                steps, gate = self.gated(steps, gate)
        self._finish(now, gate, arrays)

    def _declare(self, whole):
        """Declare the names that no statement assigns; return the hyperparameters given for each coordinate."""
        self.kind |= dict.fromkeys("xg", "vector")
        self.kind |= dict.fromkeys(("t", "value_", "size_", "rows", "columns"), "number")
        arrays = {name for name, value in self.hyper.items() if value is PER_COORDINATE}
        self.inputs = {"x", "g"} | arrays | {names[slot] for math, names in whole for slot in math.slots}
        self.hyper = {name: value for name, value in self.hyper.items() if name not in arrays}
        self.taken = {"t"} | RESERVED | self.inputs.union(self.hyper, (f"{b}_t" for b in self.hyper))
        self.taken |= {names[number] for math, names in whole for number in math.numbers}
        self.taken |= {f"{part}_z{k or ''}" for part in ("w", "parts", "old") for k in range(20)}  # of sums
        self.taken |= {"edited", "key"}  # functions that the text may call beside any assignment
        return arrays

    def _stage(self, names, now, steps, gate):
        """Lower one stage; ``now`` has the latest versions of x and g."""
        math = self.math
        env = {"t": steps} | ({"f": "value_"} if math.needs_value else {}) | names
        env |= {name: now[name] for name in math.coordinates if name in now}
        self.shut = None
        self.statements(math.body, env, self.items)
        ends = []
        for name, value in zip([*math.changes, *math.slots], math.returns, strict=False):
            old = now[name] if name in now else names[name]
            ends.append(self.returned(name, value, env, ends, old if gate and name != "g" else None, gate))
        for name, value in zip(math.numbers, math.returns[len(ends) :], strict=True):
            ends.append(self.number(names[name], value, env, gate))
        now |= dict(zip(math.changes, ends, strict=False))
        remembered = [names[name] for name in (*math.slots, *math.numbers)]
        for name, end in zip(remembered, ends[len(math.changes) :], strict=True):
            (self.end if self.kind[name] == "vector" else self.carried)[name] = end
        self.starts |= {names[name]: math.starts[name] for name in (*math.slots, *math.numbers)}

    def _finish(self, now, gate, arrays):
        """Drop the slots and numbers that nothing needs."""
        outputs = {"x": now["x"]}
        if all(math.role == "before" for math, _ in self.stages):  # no rule yet: see Rule.split
            outputs = {"g": now["g"]} | ({} if now["x"] == "x" else outputs)
            self.gate = self.flagged(gate) if gate else None
        wanted = {*outputs.values(), *self.carried.values(), *(end for slot, end in self.end.items() if end != slot)}
        used = required(wanted, self.items)[1]
        self.slots = [slot for slot, end in self.end.items() if end != slot or slot in used]
        self.slots += sorted(arrays.intersection(used))
        self.end = outputs | {slot: self.end[slot] for slot in self.slots if self.end.get(slot, slot) != slot}
        self.carried = {name: end for name, end in self.carried.items() if end != name or name in used}

    def gated(self, steps, gate):
        """Carry the number of steps that pass a gate; return the names of this number and of the gate."""
        test, counted = self.shut, self.fresh("counted")
        if gate:
            test = self.scalar(ast.BoolOp(ast.And(), [ast.Name(gate), ast.Name(test)]), self.items, "test").id
        self.kind[counted], self.starts[counted] = "number", None
        one = ast.BinOp(ast.Name(counted), ast.Add(), ast.Constant(1))
        number = self.assign("steps", one, self.items)
        self.carried[counted] = self.number(counted, ast.Name("t"), {"t": number}, test)
        return number, test

    def flagged(self, gate):
        """Carry whether the gate is open; return the names of that number and of the number of steps."""
        flag, counted = self.fresh("open"), list(self.carried)[-1]
        self.kind[flag], self.starts[flag] = "number", None
        one = ast.IfExp(ast.Name("gate"), ast.Constant(1), ast.Constant(0))
        self.carried[flag] = self.number(flag, one, {"gate": gate}, None)
        return flag, counted

    # Statements. `env` maps the author's names to their latest versions, `out` collects items.

    def statements(self, body, env, out):
        """Lower a list of statements into items."""
        for node in body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    env[name] = self.assign(name, self.resolve(value, env, out), out)
                case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
                    value = ast.copy_location(ast.BinOp(target, op, value), node)
                    env[name] = self.assign(name, self.resolve(value, env, out), out)
                case ast.If(test=test, body=then, orelse=other):
                    decided = self.switch(test, env)
                    if decided is None:
                        self.branch(node, env, out)
                    else:
                        self.statements(then if decided else other, env, out)
                case ast.Pass():
                    pass
                case _:
                    raise self.math.error(node, "a rule has only assignments to names, `if`, and one return at the end")

    def returned(self, name, node, env, ends, old, gate):
        """Return the name of a returned value, which is a coordinate and has a name of its own.

        After a gate, the old value is returned unless the gate is open.
        """
        match node:
            case ast.IfExp(test=test, body=body, orelse=ast.Name(id="skip")) if "g" in self.math.changes:
                test = self.resolve(test, env, self.items)
                if not self.is_scalar(test):
                    raise self.math.error(node, "the test in `g if test else skip` must be a scalar")
                self.shut, node = self.scalar(test, self.items, "test").id, body
        expr = self.resolve(node, env, self.items)
        if gate and old is not None:
            expr = ast.IfExp(ast.Name(gate), expr, ast.Name(old))
        if not isinstance(expr, ast.Name) or self.kind[expr.id] != "vector":
            return self.assign(name, expr, self.items, "vector")
        elsewhere = expr.id in self.inputs and expr.id != env[name]  # an array that may have been overwritten by then
        return self.assign(name, expr, self.items, "vector") if elsewhere or expr.id in ends else expr.id

    def number(self, name, node, env, gate):
        """Return the name of the new value of a carried number."""
        expr = self.resolve(node, env, self.items)
        if not self.is_scalar(expr):
            raise self.math.error(node, f"{name} is a number (it stands after t): coordinates enter it only in a sum")
        if gate:
            expr = ast.IfExp(ast.Name(gate), expr, ast.Name(name))
        return expr.id if isinstance(expr, ast.Name) else self.scalar(expr, self.items).id

    def branch(self, node, env, out):
        """Lower an ``if`` to one for the scalars and one inside the loop."""
        test = self.resolve(node.test, env, out)
        if not self.is_scalar(test):
            raise self.math.error(node.test, "the test of `if` must be a scalar; for coordinates use where(test, a, b)")
        test = self.scalar(test, out, "test").id
        arms = []
        for body in (node.body, node.orelse):
            arms.append((dict(env), []))
            self.statements(body, *arms[-1])
        (then, _), (other, _) = arms
        for name in [n for n in then if n in other and not then[n] == other[n] == env.get(n)]:
            self.merge(name, env, arms)
        self.join(node, test, [items for _, items in arms], out)

    def merge(self, name, env, arms):
        """Merge the versions of a name that both arms of an ``if`` assign."""
        kinds = {self.kind[inner[name]] for inner, _ in arms}
        level = max(self.level.get(inner[name], 0) for inner, _ in arms)
        env[name] = self.fresh(name)
        kind = "vector" if "vector" in kinds else "number" if "number" in kinds else "test"
        self.kind[env[name]], self.level[env[name]] = kind, level
        scope = "vector" if self.kind[env[name]] == "vector" else "scalar"
        for inner, items in arms:
            items.append(Item(scope, [env[name]], [Assign(env[name], ast.Name(inner[name]))], {inner[name]}))

    def join(self, node, test, arms, out):
        """Emit the items of both arms of an ``if``."""
        for scope in ("scalar", "vector", "sum"):
            chosen = [[item for item in items if item.scope == scope] for items in arms]
            if not any(chosen):
                continue
            if scope == "sum":
                raise self.math.error(node, "a sum inside an `if` is not accepted; compute it before")
            made = list(dict.fromkeys(name for arm in chosen for item in arm for name in item.names))
            least = {name: False if self.kind[name] == "test" else 0.0 for name in made if scope == "scalar"}
            body = [Assign(name, ast.Constant(start)) for name, start in least.items()]  # whichever arm is executed
            body += [If(test, *([statement for item in arm for statement in item.body] for arm in chosen))]
            uses = {test}.union(*(item.uses for arm in chosen for item in arm)) - set(made)
            level = max(self.level.get(name, 0) for name in uses)
            self.level |= {name: max(level, self.level.get(name, 0)) for name in made}
            out.append(Item(scope, made, body, uses))
