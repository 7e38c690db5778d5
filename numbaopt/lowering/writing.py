"""The nodes of a lowered rule, written as lines of text."""

import ast

from numbaopt.lowering.grammar import If, Store, substitute


def expression(node, names=None):
    """Write an expression, with the names in ``names`` replaced."""
    return ast.unparse(substitute(node, {old: ast.Name(new) for old, new in (names or {}).items()}))


def statements(nodes, names=None):
    """Write statements as lines, with the names in ``names`` replaced."""
    names, lines = names or {}, []
    for node in nodes:
        if isinstance(node, If):
            lines.append(f"if {names.get(node.test, node.test)}:")
            lines += indented(statements(node.body, names) or ["pass"])
            lines += ["else:", *indented(statements(node.orelse, names) or ["pass"])]
        else:
            target = node.array if isinstance(node, Store) else node.name
            target = names.get(target, target) + "[i]" * isinstance(node, Store)
            lines.append(f"{target} = {expression(node.value, names)}")
    return lines


def reads(layout, wanted, names=None):
    """Write the lines that read numbers from h."""
    return [f"{(names or {}).get(name, name)} = {layout.access(name, names)}" for name in wanted]


def scalars(layout, numbers, names=None):
    """Write the lines that compute the numbers of a `numbaopt.lowering.passes.Scalars`."""
    t = (names or {}).get("t", "t")
    lines = reads(layout, numbers.reads, names) + [f"{t} = float({t})"] * numbers.uses_t
    return lines + statements(numbers.body, names)


def carried(layout, stores, names=None):
    """Write the lines that store carried numbers in h for the next step."""
    return [f"{layout.access(name)} = {(names or {}).get(new, new)}" for name, new in stores]


def indented(lines):
    """Indent lines by one level."""
    return [f"    {line}" for line in lines]


def function(head, lines, decorator=""):
    """Write a function."""
    return "\n".join([*[decorator] * bool(decorator), f"def {head}:", *indented(lines or ["pass"])])
