"""Rule source -> scalars and passes over memory -> text.

A rule is a function over coordinates (one entry of x, of its gradient g, of every slot) and scalars (the step number
t, the objective's value f, the hyperparameters, and numbers carried from step to step). Lowering walks through its
statements once, in order, and gives every assignment a name of its own. What no coordinate enters is hoisted: computed
once a step, in float64, cast once. The rest is a pass over memory; a ``sum`` over coordinates ends one pass and starts
the next. `cpu` and `cuda` put their loops around the passes; `matrix` writes out what sees x as a matrix instead.
Nothing here knows of Numba.
"""

import ast
import re
from dataclasses import dataclass, field

from numbaopt.lowering.grammar import (
    ACCEPTED,
    CALLS,
    MATRICES,
    OPERATORS,
    PER_COORDINATE,
    RESERVED,
    Assign,
    If,
    Item,
    Sum,
    call,
    literal,
    mentioned,
    rebuild,
    required,
    same,
)


@dataclass(eq=False)
class Lowering:
    """The program of a chain of stages (mostly one, the rule) for one setting of its switches.

    A hyperparameter that is tested bare (``if nesterov:``) is a switch: it is decided here, and the branch not taken
    leaves no trace, nor does a slot that only it would touch. One that is given for each coordinate is a slot that
    never changes. A stage that says ``g if test else skip`` is a gate: where the test fails, what comes after it in
    the chain leaves x, slots and numbers alone, and does not count the step.
    """

    stages: tuple  # (Math, pairs of the author's name and the name in the whole), first to last
    hyper: dict  # name in the whole -> is it on (its truth), the schedule it follows, or PER_COORDINATE
    matrix: bool = False  # whether x is seen as a matrix
    items: list = field(default_factory=list)
    kind: dict = field(default_factory=dict)  # name -> "vector", "number" or "test"
    level: dict = field(default_factory=dict)  # name -> the first pass that can compute it
    powers: list = field(default_factory=list)  # hyperparameters b with a b**t

    def __post_init__(self):
        """Walk through the stages; what one returns, the next one sees."""
        now, self.end, self.carried, self.starts = {"x": "x", "g": "g", "before": "x"}, {}, {}, {}
        self.kind |= dict.fromkeys("xg", "vector")
        self.kind |= dict.fromkeys(("t", "value_", "size_", "rows", "columns"), "number")
        whole = [(math, dict(names)) for math, names in self.stages]
        own = {name for name, value in self.hyper.items() if value is PER_COORDINATE}
        self.inputs = {"x", "g"} | own | {names[slot] for math, names in whole for slot in math.slots}
        self.hyper = {name: value for name, value in self.hyper.items() if name not in own}
        self.taken = {"t"} | RESERVED | self.inputs.union(self.hyper, (f"{b}_t" for b in self.hyper))
        self.taken |= {names[number] for math, names in whole for number in math.numbers}
        self.taken |= {f"{part}_z{k or ''}" for part in ("w", "parts", "old") for k in range(20)}  # of sums
        steps, gate, self.gate, self.needs_value = "t", None, None, any(math.needs_value for math, _ in whole)
        for self.math, names in whole:
            self.kind |= dict.fromkeys(names.values(), "number")
            self.kind |= dict.fromkeys(own.union(names[slot] for slot in self.math.slots), "vector")
            env = {"t": steps} | ({"f": "value_"} if self.math.needs_value else {}) | names
            env |= {name: now[name] for name in self.math.coordinates if name in now}
            self.shut = None
            self.statements(self.math.body, env, self.items)
            kept = [names[name] for name in (*self.math.slots, *self.math.numbers)]
            ends = []
            for name, value in zip([*self.math.changes, *self.math.slots], self.math.returns, strict=False):
                old = now[name] if name in now else names[name]
                ends.append(self.returned(name, value, env, ends, old if gate and name != "g" else None, gate))
            for name, value in zip(self.math.numbers, self.math.returns[len(ends) :], strict=True):
                ends.append(self.number(names[name], value, env, gate))
            now |= dict(zip(self.math.changes, ends, strict=False))
            for name, end in zip(kept, ends[len(self.math.changes) :], strict=True):
                (self.end if self.kind[name] == "vector" else self.carried)[name] = end
            self.starts |= {names[name]: self.math.starts[name] for name in (*self.math.slots, *self.math.numbers)}
            if self.shut:
                steps, gate = self.gated(steps, gate)
        outputs = {"x": now["x"]}
        if all(math.role == "before" for math, _ in self.stages):  # no rule yet: see Rule.split
            outputs = {"g": now["g"]} | ({} if now["x"] == "x" else outputs)
            self.gate = self.flagged(gate) if gate else None
        wanted = {*outputs.values(), *self.carried.values(), *(end for slot, end in self.end.items() if end != slot)}
        used = required(wanted, self.items)[1]
        self.slots = [slot for slot, end in self.end.items() if end != slot or slot in used]
        self.slots += sorted(own.intersection(used))
        self.end = outputs | {slot: self.end[slot] for slot in self.slots if self.end.get(slot, slot) != slot}
        self.carried = {name: end for name, end in self.carried.items() if end != name or name in used}

    def gated(self, steps, gate):
        """Begin to count the steps that pass a gate; return the names of their number and of the gate."""
        test, counted = self.shut, self.fresh("counted")
        if gate:
            test = self.scalar(ast.BoolOp(ast.And(), [ast.Name(gate), ast.Name(test)]), self.items, "test").id
        self.kind[counted], self.starts[counted] = "number", None
        one = ast.BinOp(ast.Name(counted), ast.Add(), ast.Constant(1))
        number = self.assign("steps", one, self.items)
        self.carried[counted] = self.number(counted, ast.Name("t"), {"t": number}, test)
        return number, test

    def flagged(self, gate):
        """Carry on whether the gate is open; return the names of that number and of the number of steps."""
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
                    raise self.math.error(node, "a rule is assignments to names, `if`, and one return at the end")

    def assign(self, name, expr, out, scope=None):
        """Emit ``name = expr`` under a fresh name, which is returned."""
        if scope is None:
            scope = "scalar" if self.is_scalar(expr) else "vector"
        if scope != "scalar":
            expr = self.hoist(expr, out)
        name = self.fresh(name)
        self.kind[name] = "vector" if scope == "vector" else "number"
        self.level[name] = max((self.level.get(n, 0) for n in mentioned(expr)), default=0) + (scope == "sum")
        out.append(Sum(name, expr) if scope == "sum" else Item(scope, [name], [Assign(name, expr)], mentioned(expr)))
        return name

    def returned(self, name, node, env, ends, old, gate):
        """Return the name that holds a returned value: a coordinate, and no other value's name.

        Where a gate stands before, it is the old value that is returned unless the gate is open.
        """
        match node:
            case ast.IfExp(test=test, body=body, orelse=ast.Name(id="skip")) if "g" in self.math.changes:
                test = self.resolve(test, env, self.items)
                if not self.is_scalar(test):
                    raise self.math.error(node, "`g if test else skip` decides on scalars, for all coordinates")
                self.shut, node = self.scalar(test, self.items, "test").id, body
        expr = self.resolve(node, env, self.items)
        if gate and old is not None:
            expr = ast.IfExp(ast.Name(gate), expr, ast.Name(old))
        if not isinstance(expr, ast.Name) or self.kind[expr.id] != "vector":
            return self.assign(name, expr, self.items, "vector")
        elsewhere = expr.id in self.inputs and expr.id != env[name]  # memory that may be overwritten by then
        return self.assign(name, expr, self.items, "vector") if elsewhere or expr.id in ends else expr.id

    def number(self, name, node, env, gate):
        """Return the name that holds the new value of a carried number."""
        expr = self.resolve(node, env, self.items)
        if not self.is_scalar(expr):
            raise self.math.error(node, f"{name} is a number (it stands after t): no coordinate enters it but by a sum")
        if gate:
            expr = ast.IfExp(ast.Name(gate), expr, ast.Name(name))
        return expr.id if isinstance(expr, ast.Name) else self.scalar(expr, self.items).id

    def branch(self, node, env, out):
        """Lower an ``if`` that is decided once a step into one for the scalars and one inside the loop."""
        test = self.resolve(node.test, env, out)
        if not self.is_scalar(test):
            raise self.math.error(node.test, "an `if` decides on scalars; on coordinates use where(test, a, b)")
        test = self.scalar(test, out, "test").id
        arms = []
        for body in (node.body, node.orelse):
            arms.append((dict(env), []))
            self.statements(body, *arms[-1])
        (then, _), (other, _) = arms
        for name in [n for n in then if n in other and not then[n] == other[n] == env.get(n)]:
            kinds = {self.kind[inner[name]] for inner, _ in arms}
            level = max(self.level.get(inner[name], 0) for inner, _ in arms)
            env[name] = self.fresh(name)
            kind = "vector" if "vector" in kinds else "number" if "number" in kinds else "test"
            self.kind[env[name]], self.level[env[name]] = kind, level
            scope = "vector" if self.kind[env[name]] == "vector" else "scalar"
            for inner, items in arms:
                items.append(Item(scope, [env[name]], [Assign(env[name], ast.Name(inner[name]))], {inner[name]}))
        for scope in ("scalar", "vector", "sum"):
            chosen = [[item for item in items if item.scope == scope] for _, items in arms]
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

    def switch(self, test, env):
        """Decide a test made of bare hyperparameters, not, and, or; None when it is more than that."""
        match test:
            case ast.Name(id=name) if env.get(name) in self.hyper:
                return bool(self.hyper[env[name]])
            case ast.Name(id=name) if name in env and env[name] in self.inputs and name in self.math.hyper:
                return True  # given for each coordinate
            case ast.Call(func=ast.Name(id="matrix")):
                return self.matrix
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                decided = self.switch(operand, env)
                return None if decided is None else not decided
            case ast.BoolOp(op=op, values=values):
                decided = [self.switch(value, env) for value in values]
                return None if None in decided else (all if isinstance(op, ast.And) else any)(decided)
        return None

    # Expressions.

    def resolve(self, node, env, out):
        """Check an expression; put in latest names, constants, powers b**t, decided switches; take sums out."""
        match node:
            case ast.Name(id=name) if name in env:
                return ast.Name(env[name])
            case ast.Name(id="skip"):
                raise self.math.error(node, "skip stands in what a stage before a rule returns: `g if test else skip`")
            case ast.Name(id=name) if name in self.math.constants:
                return literal(self.math.constants[name])
            case ast.Name(id=name):
                raise self.math.error(node, f"{name!r} is not known here, or is set in only one arm of an `if`")
            case ast.Constant(value=value) if type(value) not in (int, float, bool):
                raise self.math.error(node, f"{value!r} is not a number")
            case ast.IfExp(test=test, body=a, orelse=b) if (decided := self.switch(test, env)) is not None:
                return self.resolve(a if decided else b, env, out)
            case ast.BinOp(left=ast.Name(id=b), op=ast.Pow(), right=ast.Name(id="t")) if self.has_table(b, env):
                self.powers += [env[b]] * (env[b] not in self.powers)
                self.kind[f"{env[b]}_t"] = "number"
                return ast.Name(f"{env[b]}_t")
            case ast.BinOp(op=op) if not isinstance(op, OPERATORS) or (isinstance(op, ast.MatMult) and not self.matrix):
                text = f"the operator {type(op).__name__} is not accepted; + - * / % ** & | are, and @ of matrices"
                raise self.math.error(node, text)
            case ast.Call(func=func, args=args, keywords=keywords):
                known = CALLS | MATRICES if self.matrix else CALLS
                if not isinstance(func, ast.Name) or func.id not in known:
                    where = " outside `if matrix(x)`" if getattr(func, "id", None) in MATRICES else ""
                    text = f"calls {ast.unparse(func)}(){where}; a rule may call {', '.join(known)}"
                    raise self.math.error(node, text)
                if len(args) != known[func.id] or keywords:
                    raise self.math.error(node, f"{func.id}() takes {known[func.id]} argument(s), by position")
                if func.id in ("rows", "columns"):
                    return ast.Name(func.id)
                if func.id == "norm":
                    squares = ast.BinOp(args[0], ast.Pow(), ast.Constant(2))
                    return self.resolve(call("sqrt", call("sum", squares)), env, out)
                if func.id == "mean" and self.matrix:  # a slot may have another shape than x
                    name = self.resolve(call("sum", args[0]), env, out)
                    out[-1].reducer = "averaged"
                    return name
                if func.id == "mean":
                    return ast.BinOp(self.resolve(call("sum", args[0]), env, out), ast.Div(), ast.Name("size_"))
        if not isinstance(node, ACCEPTED):
            raise self.math.error(node, f"{ast.unparse(node)!r} is not accepted in a rule")
        new = rebuild(node, lambda child: self.resolve(child, env, out))
        if isinstance(new, ast.IfExp) and not self.is_scalar(new.test):
            raise self.math.error(node, "`a if c else b` decides on scalars; on coordinates use where(c, a, b)")
        match new:
            case ast.Call(func=ast.Name(id="where"), args=[test, a, b]) if not self.matrix or self.is_scalar(test):
                return ast.IfExp(test, a, b)
            case ast.Call(func=ast.Name(id="sum" | "simplex_threshold" as reducer), args=[a]):
                if self.is_scalar(a):
                    raise self.math.error(node, f"{reducer}(...) needs a coordinate inside")
                name = self.assign("z", a, out, "sum")
                out[-1].reducer = reducer
                return ast.Name(name)
            case ast.Call(func=ast.Name(id="normal") as func, args=[a, seed, number]):
                if self.is_scalar(a) or not self.is_scalar(seed) or not self.is_scalar(number):
                    raise self.math.error(node, "normal(coordinate, seed, t): the last two are scalars")
                key = self.scalar(ast.Call(ast.Name("key"), [seed, number], []), out, "key")
                return ast.Call(func, [a, key], [])
        return new

    def hoist(self, node, out):
        """Name every maximal scalar part; make a division by one a product with its inverse; spell where() out."""
        match node:
            case ast.Call(func=ast.Name(id="normal") as func, args=[a, key]) if self.matrix:
                return ast.Call(func, [self.hoist(a, out), key], [])
            case ast.Call(func=ast.Name(id="normal"), args=[_, key]):  # the rest is the place's alone
                return ast.Call(ast.Name("real_"), [ast.Call(ast.Name("normal"), [key, ast.Name("at + i")], [])], [])
            case _ if self.is_scalar(node):
                return self.scalar(node, out)
            case ast.BinOp(op=ast.Div(), left=left, right=right) if self.is_scalar(right):
                inverse = self.scalar(ast.BinOp(ast.Constant(1), ast.Div(), right), out)
                return ast.BinOp(self.hoist(left, out), ast.Mult(), inverse)
            case ast.BinOp(op=ast.Pow() as op, left=left, right=ast.Constant(value=2 | 3 | 4 as power)):
                return ast.BinOp(self.hoist(left, out), op, ast.Constant(int(power)))
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr() as op, left=left, right=right):

                def truth(side):
                    return self.scalar(side, out, "test") if self.is_scalar(side) else self.hoist(side, out)

                left, right = map(truth, (left, right))
                return ast.BinOp(left, op, right)
            case ast.Call(func=ast.Name(id="sign") as func, args=[a]) if not self.matrix:  # its constants, in x's dtype
                constants = [self.scalar(ast.Constant(c), out) for c in (0.0, 1.0)]
                return ast.Call(func, [self.hoist(a, out), *constants], [])
            case ast.IfExp(test=test, body=a, orelse=b) if self.is_scalar(test):
                return ast.IfExp(self.scalar(test, out, "test"), self.hoist(a, out), self.hoist(b, out))
        return rebuild(node, lambda child: self.hoist(child, out))

    def scalar(self, node, out, kind="number"):
        """Return the name of a scalar expression, hoisting it if it has none."""
        if isinstance(node, ast.Name) and kind in (self.kind[node.id], "number"):
            return node
        value = call("bool", node) if kind == "test" else node
        for item in out:
            if item.scope == "scalar" and len(item.body) == 1 and same(item.body[0].value, value):
                return ast.Name(item.names[0])
        name = self.fresh("c1")
        self.kind[name], self.level[name] = kind, max((self.level.get(n, 0) for n in mentioned(node)), default=0)
        out.append(Item("scalar", [name], [Assign(name, value)], mentioned(node)))
        return ast.Name(name)

    def is_scalar(self, node):
        """Tell whether no coordinate enters an expression."""
        return all(self.kind[name] != "vector" for name in mentioned(node))

    def has_table(self, b, env):
        """Tell whether b**t can be looked up: b is a hyperparameter that keeps its value, and t is still t."""
        return env["t"] == "t" and isinstance(self.hyper.get(env.get(b)), (int, float))

    def fresh(self, name):
        """Return ``name``, or its next version when it is taken."""
        stem, number = re.fullmatch(r"(.*?)(\d*)", name).groups()
        while name in self.taken:
            number = int(number or 0) + 1
            name = f"{stem}{number}"
        self.taken.add(name)
        return name
