"""How rules are pickled: by the name of their function or, for a rule of the main script, by its text.

Workers of joblib or of a notebook do not have what was defined in ``__main__``.
"""

import __future__

import ast
import copyreg
import functools
import importlib
import linecache

from numbaopt.common.locking import once
from numbaopt.lowering import frontend
from numbaopt.methods import functions
from numbaopt.methods.rule import Rule, joined, of_one


def text_of(math):
    """Return what a rule can be recompiled from, or None if it is in a module, which other processes can import."""
    if math.function.__module__ != "__main__" or math.report is not None:
        return None
    return "\n".join(math.lines), tuple(sorted(math.constants.items())), math.gradients_per_step


@once
def from_text(name, source, constants, evaluations):
    """Return the function of a rule as read from its text; the same object for the same text."""
    definition = ast.parse(source).body[0]
    definition.decorator_list = []
    filename, text = f"<numbaopt {name} of __main__>", ast.unparse(definition)
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    space = {each: getattr(functions, each) for each in functions.__all__} | dict(constants) | {"__name__": "__main__"}
    # An annotation is an expression of x, which does not exist where a function is defined.
    exec(compile(text, filename, "exec", __future__.annotations.compiler_flag), space)
    function = space[definition.name]
    function.__qualname__ = name
    return frontend.read(function, None, evaluations)


def reduced(rule):
    """Return how to rebuild a rule, in the form that `copyreg` needs."""
    stages = tuple((m.function.__module__, m.function.__qualname__, text_of(m)) for m, _ in rule._stages)
    return unpickled, (stages, dict(rule.hyper), rule.shape)


def unpickled(stages, hyper, shape=None):
    """Return the rule that `reduced` described."""
    parts = [_found(*stage) for stage in stages]
    return Rule(joined(*parts)._stages, hyper, shape)


copyreg.pickle(Rule, reduced)


def _found(module, name, text=None):
    """Return the rule of a name in a module, or one made from its text if the module does not have it."""
    try:
        return functools.reduce(getattr, name.split("."), importlib.import_module(module))
    except AttributeError:
        if text is None:
            raise
    math = from_text(name, *text)
    return of_one(math)
