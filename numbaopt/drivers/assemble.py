"""The text of a compiled driver: its source, in which calls of the step and of the stopping test are inlined.

Passing an array from one function to another changes its reference count, which takes longer than a step of two
coordinates. Calls of the `INLINED` functions, and of the step if it is a single pass, are therefore replaced by the
bodies of these functions.
"""

import ast
import builtins
import functools
import inspect
import itertools
import textwrap

from numbaopt.backends.cpu import undecorated
from numbaopt.drivers import flags, stopping, termination, trace
from numbaopt.lowering import emit_cpu, runtime_text

INLINED: tuple = (stopping.check, stopping.largest_entry, stopping.largest_projected, stopping.keep_if)
INLINED += (trace.write_entry, trace.write_iterate)
PROVIDED = {"np", "jit", "step", *dir(builtins)}  # names that need no import


@functools.cache
def assemble(functions, program, enabled, helpers="", entry=None, inlined=(), provided=(), made_global=()):
    """Return the text of a driver.

    Parameters
    ----------
    functions : tuple of functions
        The last function is the driver; it calls the functions before it.
    program : Lowering or None
        The rule whose step is inlined; None if the step is an argument.
    enabled : frozenset of str
        The `numbaopt.drivers.flags` that are true.
    helpers : str
        Text of further functions that ``functions`` call.
    entry : str
        Text of the driver, if it is not one of ``functions``.
    inlined : tuple of functions, or of their texts
        Further functions to inline. They replace functions of the same name in `INLINED`, and may use variables of the
        functions that call them.
    provided : tuple of str
        Names that need no import.
    made_global : tuple of str
        Parameters that are functions. Calls of them become calls of global functions, for example ``fun_`` for
        ``fun``, which need no import either. The parameters remain, but are not used.
    """
    trees = {tree.name: tree for tree in map(_parsed, (*INLINED, *inlined))}
    lines = None if program is None else emit_cpu.inline(program)
    if lines is not None:
        trees["step"] = ast.parse("\n    ".join(["def step(t, x, g, s, h):", *lines])).body[0]
    shared = {tree.name for tree in map(_parsed, inlined)}
    inliner = Inliner(trees, dict.fromkeys(flags.NAMES, False) | dict.fromkeys(enabled, True), made_global, shared)
    parts = [ast.unparse(inliner.visit(_parsed(function))) for function in functions]
    parts += [entry] * (entry is not None)
    namespaces = [vars(stopping), vars(termination), *(f.__globals__ for f in functions)]
    known = {*provided, *(f"{name}_" for name in made_global)}
    head = "\n".join(["import numpy as np\n", *_imports("\n".join([helpers, *parts]), namespaces, known)])
    jitted = [helpers] * bool(helpers) + ["@jit\n" + part for part in parts[:-1]]
    return runtime_text.assemble("a driver", program, "numpy", [head, *jitted, "@step\n" + parts[-1]])


@functools.cache
def _source(function):
    return textwrap.dedent(inspect.getsource(undecorated(function)))


def _parsed(function):
    """Return the syntax tree of a function, or of the text of one, without decorators and docstring."""
    (tree,) = ast.parse(function if isinstance(function, str) else _source(function)).body
    tree.decorator_list = []
    if ast.get_docstring(tree) is not None:
        del tree.body[0]
    return tree


def _imports(text, namespaces, provided):
    """Return lines that import the names that a text uses but does not define, each from the module that has it."""
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    used = set().union(*(_names(function) - _bound(function) for function in functions))
    used -= {function.name for function in functions} | PROVIDED | provided
    lines = []
    for namespace in {namespace["__name__"]: namespace for namespace in namespaces}.values():
        names = sorted(used.intersection(namespace))
        used.difference_update(names)
        lines += [f"from {namespace['__name__']} import {', '.join(names)}"] * bool(names)
    return lines


class Inliner(ast.NodeTransformer):
    """Replaces calls of known functions by their bodies, and conditions on flags by the branch that is taken.

    A call must be a statement of its own: ``f(...)``, ``a = f(...)`` or ``return f(...)``. The called function must
    return only at its end, and must not assign to its parameters. Its local variables are renamed if the caller uses
    their names. A parameter whose argument is neither a name nor a constant becomes a local variable.

    Parameters
    ----------
    functions : dict
        Syntax trees by name.
    flags : dict
        Truth values by name.
    made_global : tuple of str
        See `assemble`.
    shared : collection of str
        The names of functions that may use variables of their callers.
    """

    def __init__(self, functions, flags, made_global, shared=()):
        self.functions, self.flags, self.made_global, self.shared = functions, flags, made_global, shared
        self.taken, self.bound = set(), set()

    def visit_FunctionDef(self, node):
        """Inline calls in a whole function; a parameter ``step`` remains even if the step is inlined."""
        self.taken, self.bound = _names(node), _bound(node)
        return self.generic_visit(node)

    def visit_If(self, node):
        """Replace a condition on flags by the branch that is taken."""
        value = self._decided(node.test)
        return self.generic_visit(node) if value is None else self._all(node.body if value else node.orelse)

    def visit_IfExp(self, node):
        """Replace a conditional expression on flags by the operand that is chosen."""
        value = self._decided(node.test)
        return self.generic_visit(node) if value is None else self.visit(node.body if value else node.orelse)

    def visit_Call(self, node):
        """Call a global function instead of a parameter."""
        if isinstance(node.func, ast.Name) and node.func.id in self.made_global:
            node.func = ast.Name(f"{node.func.id}_")
        return self.generic_visit(node)

    def _decided(self, test):
        """Return the value of a condition on flags; None for any other condition."""
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
        arguments = dict(zip([parameter.arg for parameter in function.args.args], call.args, strict=True))
        local = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        local |= {name for name, argument in arguments.items() if not isinstance(argument, (ast.Name, ast.Constant))}
        hidden = (_names(function) - _bound(function)) & self.bound
        if hidden and function.name not in self.shared:
            raise AssertionError(f"{call.func.id} uses the global {hidden.pop()}, which is a variable of its caller")
        renamed = {name: ast.Name(_free(name, self.taken)) for name in sorted(local)}
        self.taken |= {name.id for name in renamed.values()}
        head = [ast.Assign([renamed[name]], arguments[name], lineno=0) for name in arguments if name in renamed]
        function = ast.parse(ast.unparse(function)).body[0]  # a copy
        *body, end = [_Substitution(arguments | renamed).visit(statement) for statement in function.body]
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
    """Replaces names by expressions."""

    def __init__(self, expressions):
        self.expressions = expressions

    def visit_Name(self, node):
        """Replace one name."""
        return self.expressions.get(node.id, node)


def _names(tree):
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {
        node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)
    }


def _bound(function):
    """Return the parameters of a function and the variables that it assigns to."""
    stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return stored | {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}


def _free(name, taken):
    """Return a name that is not taken: this one, or this one with a number appended."""
    return next(new for k in itertools.count(1) if (new := name + str(k) * (k > 1)) not in taken)
