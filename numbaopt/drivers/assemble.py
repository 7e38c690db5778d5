"""The text of a compiled driver: its source, with the step and the stopping test in the place of their calls.

Handing an array from one function to another changes its reference count, which takes longer than a step of two
coordinates. So calls of `INLINED` functions, and of the step where it is a single pass, are replaced by what these do.
"""

import ast
import builtins
import functools
import inspect
import itertools
import textwrap

from numbaopt.drivers import flags, stopping, termination, trace
from numbaopt.lowering import emit_cpu, runtime_text

INLINED: tuple = (stopping.check, stopping.largest_entry, stopping.largest_projected, stopping.keep_if)
INLINED += (trace.write_entry, trace.write_iterate)
PROVIDED = {"np", "jit", "step", *dir(builtins)}  # names that need no import


@functools.cache
def assemble(functions, program, on, more="", last=None, inlined=(), provided=(), inside=()):
    """Return the text of a driver.

    Parameters
    ----------
    functions : tuple of functions
        The last is the driver, and those before it are what it calls.
    program : Lowering or None
        The rule whose step stands inside; None where the step is an argument.
    on : frozenset of str
        The `numbaopt.drivers.flags` that are set.
    more : str
        Text of further functions that these call.
    last : str
        Text of the driver, where it is none of the functions.
    inlined : tuple of functions, or of their texts
        Further functions that are inlined, or that are inlined in the place of those of the same name. They may use
        variables of the functions that call them.
    provided : tuple of str
        Names that need no import.
    inside : tuple of str
        Parameters that are functions. Calls of them become calls of global functions, ``fun_`` for ``fun``, which are
        provided, too; the parameters stay, and go unused.
    """
    trees = {tree.name: tree for tree in map(_parsed, (*INLINED, *inlined))}
    lines = None if program is None else emit_cpu.inline(program)
    if lines is not None:
        trees["step"] = ast.parse("\n    ".join(["def step(t, x, g, s, h):", *lines])).body[0]
    open_ = {tree.name for tree in map(_parsed, inlined)}
    inliner = Inliner(trees, dict.fromkeys(flags.NAMES, False) | dict.fromkeys(on, True), inside, open_)
    parts = [ast.unparse(inliner.visit(_parsed(function))) for function in functions]
    parts += [last] * (last is not None)
    spaces = [vars(stopping), vars(termination), *(f.__globals__ for f in functions)]
    known = {*provided, *(f"{name}_" for name in inside)}
    head = "\n".join(["import numpy as np\n", *_imports("\n".join([more, *parts]), spaces, known)])
    jitted = [more] * bool(more) + ["@jit\n" + part for part in parts[:-1]]
    return runtime_text.assemble("a driver", program, "numpy", [head, *jitted, "@step\n" + parts[-1]])


@functools.cache
def _source(function):
    return textwrap.dedent(inspect.getsource(getattr(function, "py_func", function)))


def _parsed(function):
    """Return the syntax tree of a function, or of its text, without decorators and docstring."""
    (tree,) = ast.parse(function if isinstance(function, str) else _source(function)).body
    tree.decorator_list = []
    if ast.get_docstring(tree) is not None:
        del tree.body[0]
    return tree


def _imports(text, spaces, provided):
    """Return lines that import what a text uses and does not define, each name from the module that has it."""
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    used = set().union(*(_names(function) - _bound(function) for function in functions))
    used -= {function.name for function in functions} | PROVIDED | provided
    lines = []
    for space in {space["__name__"]: space for space in spaces}.values():
        names = sorted(used.intersection(space))
        used.difference_update(names)
        lines += [f"from {space['__name__']} import {', '.join(names)}"] * bool(names)
    return lines


class Inliner(ast.NodeTransformer):
    """Replaces calls of known functions by their bodies, and conditions on flags by the branch that is taken.

    A call stands alone in a statement, ``f(...)``, ``a = f(...)`` or ``return f(...)``. A function returns at its end
    only, and assigns to none of its parameters. Its local variables get another name where the caller has one of that
    name; so does a parameter whose argument is neither a name nor a constant.

    Parameters
    ----------
    functions : dict
        Syntax trees by name.
    flags : dict
        Truth values by name.
    inside : tuple of str
        See `assemble`.
    open_ : collection of str
        The names of functions that may use variables of their callers.
    """

    def __init__(self, functions, flags, inside, open_=()):
        self.functions, self.flags, self.inside, self.open = functions, flags, inside, open_
        self.taken, self.bound = set(), set()

    def visit_FunctionDef(self, node):
        """Inline in a whole function; a parameter ``step`` stays, and goes unused where the step is inside."""
        self.taken, self.bound = _names(node), _bound(node)
        return self.generic_visit(node)

    def visit_If(self, node):
        """Leave the branch that flags decide for."""
        on = self._decided(node.test)
        return self.generic_visit(node) if on is None else self._all(node.body if on else node.orelse)

    def visit_IfExp(self, node):
        """Leave the expression that flags decide for."""
        on = self._decided(node.test)
        return self.generic_visit(node) if on is None else self.visit(node.body if on else node.orelse)

    def visit_Call(self, node):
        """Call a global function instead of a parameter."""
        if isinstance(node.func, ast.Name) and node.func.id in self.inside:
            node.func = ast.Name(f"{node.func.id}_")
        return self.generic_visit(node)

    def _decided(self, test):
        """Return what a condition on flags comes to; None for any other condition."""
        names = _names(test)
        if not names or not names <= self.flags.keys():
            return None
        return eval(compile(ast.Expression(test), "flags", "eval"), dict(self.flags))

    def _statement(self, node):
        call = getattr(node, "value", None)
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in self.functions):
            return self.generic_visit(node)
        function = self.functions[call.func.id]
        node = self.generic_visit(node)
        call = node.value
        given = dict(zip([parameter.arg for parameter in function.args.args], call.args, strict=True))
        local = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        local |= {name for name, argument in given.items() if not isinstance(argument, (ast.Name, ast.Constant))}
        hidden = (_names(function) - _bound(function)) & self.bound
        if hidden and function.name not in self.open:
            raise AssertionError(f"{call.func.id} uses the global {hidden.pop()}, which is a variable of its caller")
        new = {name: ast.Name(_free(name, self.taken)) for name in sorted(local)}
        self.taken |= {name.id for name in new.values()}
        head = [ast.Assign([new[name]], given[name], lineno=0) for name in given if name in new]
        given |= new
        function = ast.parse(ast.unparse(function)).body[0]  # a copy
        *body, end = [_Substitution(given).visit(statement) for statement in function.body]
        if not isinstance(end, ast.Return):
            body, end = [*body, end], None
        if end is not None:
            node.value = end.value
            body.append(node)
        return head + self._all(body)

    visit_Expr = visit_Assign = visit_Return = _statement

    def _all(self, statements):
        out = []
        for statement in statements:
            new = self.visit(statement)
            out += new if isinstance(new, list) else [new]
        return out


class _Substitution(ast.NodeTransformer):
    """Puts expressions in the place of names."""

    def __init__(self, given):
        self.given = given

    def visit_Name(self, node):
        """Replace one name."""
        return self.given.get(node.id, node)


def _names(tree):
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {
        node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)
    }


def _bound(function):
    """Return the parameters of a function and the variables that it assigns to."""
    stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return stored | {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}


def _free(name, taken):
    """Return a name that is not taken: this one, or with a number behind it."""
    return next(new for k in itertools.count(1) if (new := name + str(k) * (k > 1)) not in taken)
