"""Lowering of expressions: names are resolved, invalid expressions are refused, and scalar parts are hoisted."""

import ast
import re

from numbaopt.lowering.grammar import (
    ACCEPTED,
    CALLS,
    MATRICES,
    OPERATORS,
    Assign,
    Item,
    Sum,
    call,
    literal,
    mentioned,
    rebuild,
    same,
)


class Expressions:
    """The part of a `numbaopt.lowering.lower.Lowering` that lowers expressions.

    ``env`` maps the names of the author to their latest versions; ``out`` collects items.
    """

    math: "object"  # the stage that is lowered: a `numbaopt.lowering.frontend.Math`
    hyper: dict
    matrix: bool
    kind: dict
    level: dict
    powers: list
    inputs: set
    taken: set

    def resolve(self, node, env, out):
        """Check an expression; insert latest names, constants, powers b**t and decided switches; extract sums."""
        match node:
            case ast.Name(id=name):
                return self.name(node, name, env)
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
            case ast.Call():
                self.check_call(node)
                if (new := self.defined(node, env, out)) is not None:
                    return new
        if not isinstance(node, ACCEPTED):
            raise self.math.error(node, f"{ast.unparse(node)!r} is not accepted in a rule")
        new = rebuild(node, lambda child: self.resolve(child, env, out))
        if isinstance(new, ast.IfExp) and not self.is_scalar(new.test):
            raise self.math.error(node, "in `a if c else b`, c must be a scalar; for coordinates use where(c, a, b)")
        return self.reduced(node, new, out) if isinstance(new, ast.Call) else new

    def name(self, node, name, env):
        """Resolve a name."""
        if name in env:
            return ast.Name(env[name])
        if name == "skip":
            raise self.math.error(node, "skip is only for what a stage before a rule returns: `g if test else skip`")
        if name in self.math.constants:
            return literal(self.math.constants[name])
        raise self.math.error(node, f"{name!r} is unknown here, or is assigned in only one branch of an `if`")

    def check_call(self, node):
        """Raise RuleError for a call of an unknown function or with a wrong number of arguments."""
        known, func = CALLS | MATRICES if self.matrix else CALLS, node.func
        if not isinstance(func, ast.Name) or func.id not in known:
            where = " outside `if matrix(x)`" if getattr(func, "id", None) in MATRICES else ""
            text = f"calls {ast.unparse(func)}(){where}; a rule may call {', '.join(known)}"
            raise self.math.error(node, text)
        if len(node.args) != known[func.id] or node.keywords:
            raise self.math.error(node, f"{func.id}() takes {known[func.id]} argument(s), by position")

    def defined(self, node, env, out):
        """Resolve a call that is defined by other ones; return None for another call."""
        match node:
            case ast.Call(func=ast.Name(id="rows" | "columns" as name)):
                return ast.Name(name)
            case ast.Call(func=ast.Name(id="norm"), args=[a]):
                return self.resolve(call("sqrt", call("sum", ast.BinOp(a, ast.Pow(), ast.Constant(2)))), env, out)
            case ast.Call(func=ast.Name(id="mean"), args=[a]):
                name = self.resolve(call("sum", a), env, out)
                if not self.matrix:
                    return ast.BinOp(name, ast.Div(), ast.Name("size_"))
                out[-1].reducer = "averaged"  # a slot may have another shape than x
                return name
        return None

    def reduced(self, node, new, out):
        """Return a resolved call; a reduction over all coordinates becomes an item, and its name is returned."""
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
                key = self.scalar(call("key", seed, number), out, "key")
                return ast.Call(func, [a, key], [])
        return new

    def hoist(self, node, out):
        """Give every maximal scalar part a name; replace a division by a scalar by a product with its inverse."""
        match node:
            case ast.Call(func=ast.Name(id="normal") as func, args=[a, key]) if self.matrix:
                return ast.Call(func, [self.hoist(a, out), key], [])
            case ast.Call(func=ast.Name(id="normal"), args=[_, key]):  # noise depends on the place, not on the value
                place = ast.BinOp(ast.Name("at"), ast.Add(), ast.Name("i"))
                return call("real_", call("normal", key, place))
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
            case ast.Call(func=ast.Name(id="sign") as func, args=[a]) if not self.matrix:  # with constants of x's dtype
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
        """Return whether an expression contains no coordinate."""
        return all(self.kind[name] != "vector" for name in mentioned(node))

    def has_table(self, b, env):
        """Return whether b**t can be looked up: neither the hyperparameter b nor t has been reassigned."""
        return env["t"] == "t" and isinstance(self.hyper.get(env.get(b)), (int, float))

    def fresh(self, name):
        """Return ``name``, or its next version if it is taken."""
        stem, number = re.fullmatch(r"(.*?)(\d*)", name).groups()
        while name in self.taken:
            number = int(number or 0) + 1
            name = f"{stem}{number}"
        self.taken.add(name)
        return name

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

    def switch(self, test, env):
        """Evaluate a test that consists of hyperparameters, not, and, or; return None for any other test."""
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
