"""The nodes of a lowered rule as text."""

import ast

from numbaopt.lowering import writing
from numbaopt.lowering.grammar import Assign, If, Store, called, entry, expressions, same, substitute


def parsed(text):
    return ast.parse(text, mode="eval").body


PROGRAM = [
    Assign("u", parsed("b * sqrt(m[i]) + c")),
    If("test", [Assign("w", parsed("u")), If("other", [], [Assign("w", parsed("-u"))])], []),
    Store("m", parsed("w if test else u")),
]


def test_statements():
    assert writing.statements(PROGRAM) == [
        "u = b * sqrt(m[i]) + c",
        "if test:",
        "    w = u",
        "    if other:",
        "        pass",
        "    else:",
        "        w = -u",
        "else:",
        "    pass",
        "m[i] = w if test else u",
    ]


def test_names_are_replaced_everywhere_but_in_calls():
    names = {"u": "u_", "m": "m_", "test": "test_", "sqrt": "sqrt_", "w": "w_"}
    assert writing.statements(PROGRAM, names) == [
        "u_ = b * sqrt(m_[i]) + c",
        "if test_:",
        "    w_ = u_",
        "    if other:",
        "        pass",
        "    else:",
        "        w_ = -u_",
        "else:",
        "    pass",
        "m_[i] = w_ if test_ else u_",
    ]
    assert writing.statements(PROGRAM[:1]) == ["u = b * sqrt(m[i]) + c"], "the nodes themselves have changed"


def test_an_expression_in_the_place_of_a_name_keeps_its_parentheses():
    product = substitute(parsed("a * b"), {"a": parsed("x + y"), "b": entry("m")})
    assert ast.unparse(product) == "(x + y) * m[i]" and same(product, parsed("(x+y)*m[i]"))
    assert not same(product, parsed("x + y * m[i]"))


def test_functions_called_and_expressions_in_order():
    assert called(expressions(PROGRAM)) == {"sqrt"}
    assert [ast.unparse(node) for node in expressions(PROGRAM)] == [
        "b * sqrt(m[i]) + c",
        "test",
        "u",
        "other",
        "-u",
        "w if test else u",
    ]


def test_functions():
    assert writing.function("f(x)", ["return x"], "@jit") == "@jit\ndef f(x):\n    return x"
    assert writing.function("f(x)", []) == "def f(x):\n    pass"
