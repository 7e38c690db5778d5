"""Rule source -> scalars and passes over memory -> text.

A rule is a function over coordinates (one entry of x, of its gradient g, of every slot) and scalars (the step number
t and the hyperparameters). Lowering walks through its statements once, in order, and gives every assignment a name of
its own. What no coordinate enters is hoisted: computed once a step, in float64, cast once. The rest is a pass over
memory; a ``sum`` over coordinates ends one pass and starts the next. `cpu` and `cuda` put their loops around the
passes; nothing here knows of Numba.
"""

import ast
import re
from dataclasses import dataclass, field

CALLS = {"sqrt": 1, "abs": 1, "sign": 1, "exp": 1, "log": 1, "min": 2, "max": 2, "where": 3, "sum": 1}
RESERVED = {"h", "i", "power", "bool", "float", "range", *CALLS}  # what the text itself calls by these names
ACCEPTED = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Name, ast.Constant)
OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.BitAnd, ast.BitOr)


@dataclass
class Item:
    """A statement as lowered: ``scalar`` (once a step), ``vector`` (each coordinate) or ``sum`` (over them all)."""

    scope: str
    names: list
    lines: list
    uses: set


def rebuild(node, f):
    """Return ``node`` with ``f`` applied to the expressions directly below it."""
    fields = {}
    for key, value in ast.iter_fields(node):
        if isinstance(value, list):
            value = [f(v) if isinstance(v, ast.expr) else v for v in value]
        fields[key] = f(value) if isinstance(value, ast.expr) and key != "func" else value
    return type(node)(**fields)


def literal(value):
    """Return a number as it is parsed: with its minus as an operator, so that ``(-0.5) ** 2`` keeps its brackets."""
    return ast.parse(ast.unparse(ast.Constant(float(value))), mode="eval").body


def mentioned(node):
    """Return the names an expression mentions, called functions aside."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - set(CALLS)


def resting_on(wanted, items, known=frozenset()):
    """Return the items that ``wanted`` rests on, where ``known`` needs no computing, and all names they use."""
    used, chosen = set(wanted), []
    for item in reversed(items):
        if (used - known).intersection(item.names):
            chosen.append(item)
            used |= item.uses
    return chosen[::-1], used


@dataclass(eq=False)
class Lowering:
    """The program of a chain of stages (mostly one, the rule) for one setting of its switches.

    A hyperparameter that is tested bare (``if nesterov:``) is a switch: it is decided here, and the branch not taken
    leaves no trace, nor does a slot that only it would touch.
    """

    stages: tuple  # (Math, pairs of the author's name and the name in the whole), first to last
    hyper: dict  # name in the whole -> is it on (its truth), or the schedule it follows
    items: list = field(default_factory=list)
    kind: dict = field(default_factory=dict)  # name -> "vector", "number" or "test"
    level: dict = field(default_factory=dict)  # name -> the first pass that can compute it
    powers: list = field(default_factory=list)  # hyperparameters b with a b**t

    def __post_init__(self):
        """Walk through the stages; what one returns, the next one sees."""
        now, self.end = {"x": "x", "g": "g"}, {}
        self.kind |= {"x": "vector", "g": "vector", "t": "number"}
        self.inputs = {"x", "g"} | {dict(names)[slot] for math, names in self.stages for slot in math.slots}
        self.taken = {"t"} | RESERVED | self.inputs.union(self.hyper, (f"{b}_t" for b in self.hyper))
        self.taken |= {f"{part}_z{k or ''}" for part in ("w", "parts", "old") for k in range(20)}  # of sums
        for math, pairs in self.stages:
            self.math, names = math, dict(pairs)
            self.kind |= {name: "number" for name in names.values()} | {names[s]: "vector" for s in self.math.slots}
            env = {"t": "t"} | names | {name: now[name] for name in self.math.coordinates if name in now}
            self.statements(self.math.body, env, self.items)
            first, ends = self.math.coordinates[0], []
            for name, value in zip([first, *self.math.slots], self.math.returns, strict=True):
                ends.append(self.returned(name, value, env, ends))
            now[first] = ends[0]
            self.end |= {names[slot]: end for slot, end in zip(self.math.slots, ends[1:], strict=True)}
        used = resting_on({now["x"], *(end for slot, end in self.end.items() if end != slot)}, self.items)[1]
        self.slots = [slot for slot, end in self.end.items() if end != slot or slot in used]
        self.end = {"x": now["x"]} | {slot: self.end[slot] for slot in self.slots if self.end[slot] != slot}

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
        lines = [ast.unparse(expr)] if scope == "sum" else [f"{name} = {ast.unparse(expr)}"]
        out.append(Item(scope, [name], lines, mentioned(expr)))
        return name

    def returned(self, name, node, env, ends):
        """Return the name that holds a returned value: a coordinate, and no other value's name."""
        expr = self.resolve(node, env, self.items)
        if not isinstance(expr, ast.Name) or self.kind[expr.id] != "vector":
            return self.assign(name, expr, self.items, "vector")
        elsewhere = expr.id in self.inputs and expr.id != env[name]  # memory that may be overwritten by then
        return self.assign(name, expr, self.items, "vector") if elsewhere or expr.id in ends else expr.id

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
                items.append(Item(scope, [env[name]], [f"{env[name]} = {inner[name]}"], {inner[name]}))
        for scope in ("scalar", "vector", "sum"):
            chosen = [[item for item in items if item.scope == scope] for _, items in arms]
            if not any(chosen):
                continue
            if scope == "sum":
                raise self.math.error(node, "a sum inside an `if` is not accepted; compute it before")
            made = list(dict.fromkeys(name for arm in chosen for item in arm for name in item.names))
            lines = [f"{name} = 0.0" for name in made if scope == "scalar"]  # a number exists whichever arm runs
            for head, arm in zip((f"if {test}:", "else:"), chosen, strict=True):
                lines += [head, *(f"    {line}" for item in arm for line in item.lines)] + ["    pass"] * (not arm)
            uses = {test}.union(*(item.uses for arm in chosen for item in arm)) - set(made)
            level = max(self.level.get(name, 0) for name in uses)
            self.level |= {name: max(level, self.level.get(name, 0)) for name in made}
            out.append(Item(scope, made, lines, uses))

    def switch(self, test, env):
        """Decide a test made of bare hyperparameters, not, and, or; None when it is more than that."""
        match test:
            case ast.Name(id=name) if env.get(name) in self.hyper:
                return bool(self.hyper[env[name]])
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
            case ast.BinOp(op=op) if not isinstance(op, OPERATORS):
                raise self.math.error(node, f"the operator {type(op).__name__} is not accepted")
            case ast.Call(func=func, args=args, keywords=keywords):
                if not isinstance(func, ast.Name) or func.id not in CALLS:
                    raise self.math.error(node, f"calls {ast.unparse(func)}(); a rule may call {', '.join(CALLS)}")
                if len(args) != CALLS[func.id] or keywords:
                    raise self.math.error(node, f"{func.id}() takes {CALLS[func.id]} argument(s), by position")
        if not isinstance(node, ACCEPTED):
            raise self.math.error(node, f"{ast.unparse(node)!r} is not accepted in a rule")
        new = rebuild(node, lambda child: self.resolve(child, env, out))
        if isinstance(new, ast.IfExp) and not self.is_scalar(new.test):
            raise self.math.error(node, "`a if c else b` decides on scalars; on coordinates use where(c, a, b)")
        if isinstance(new, ast.Call) and new.func.id == "where":
            return ast.IfExp(*new.args)
        if isinstance(new, ast.Call) and new.func.id == "sum":
            if self.is_scalar(new.args[0]):
                raise self.math.error(node, "sum(...) needs a coordinate inside")
            return ast.Name(self.assign("z", new.args[0], out, "sum"))
        return new

    def hoist(self, node, out):
        """Name every maximal scalar part; make a division by one a product with its inverse; spell where() out."""
        match node:
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
            case ast.Call(func=ast.Name(id="sign") as func, args=[a]):  # its constants, in x's dtype
                constants = [self.scalar(ast.Constant(c), out) for c in (0.0, 1.0)]
                return ast.Call(func, [self.hoist(a, out), *constants], [])
            case ast.IfExp(test=test, body=a, orelse=b) if self.is_scalar(test):
                return ast.IfExp(self.scalar(test, out, "test"), self.hoist(a, out), self.hoist(b, out))
        return rebuild(node, lambda child: self.hoist(child, out))

    def scalar(self, node, out, kind="number"):
        """Return the name of a scalar expression, hoisting it if it has none."""
        if isinstance(node, ast.Name) and kind in (self.kind[node.id], "number"):
            return node
        text = f"bool({ast.unparse(node)})" if kind == "test" else ast.unparse(node)
        for item in out:
            if item.scope == "scalar" and item.lines == [f"{item.names[0]} = {text}"]:
                return ast.Name(item.names[0])
        name = self.fresh("c1")
        self.kind[name], self.level[name] = kind, max((self.level.get(n, 0) for n in mentioned(node)), default=0)
        out.append(Item("scalar", [name], [f"{name} = {text}"], mentioned(node)))
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
