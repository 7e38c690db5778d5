"""The table of all rules in README.md: ``python -m numbaopt.tools.method_table`` prints it in Markdown."""

import importlib
import re

from numbaopt.lowering import passes
from numbaopt.methods.registry import get, names


def traffic(rule):
    """Return how many arrays a step reads and writes, over all its passes.

    Parameters
    ----------
    rule : Rule
        The rule.

    Returns
    -------
    int or None
        None for rules that treat x as a matrix, whose memory traffic depends on its shape.
    """
    if rule.shape is not None:
        return None
    return sum(len(sweep.read) + len(sweep.written) for sweep in passes.passes(rule.program))


def row(name):
    """Return the cells of one row of the table.

    Parameters
    ----------
    name : str
        The name of a rule.

    Returns
    -------
    list of str
        The name, the paper, the number of slots per parameter, the bytes of memory traffic per parameter of a step in
        float32, and what the rule is.
    """
    rule = get(name)
    home = importlib.import_module(f"numbaopt.rules.{name}")
    paper = re.search(r"\(([^()]*\b(?:19|20)\d\d\b[^()]*)\)", " ".join(rule.math.__doc__.split()))
    source = paper[1] if paper else ""
    arxiv = re.search(r"arXiv:(\d{4}\.\d{4,5})", source)
    source = re.split(r", (?:Algorithm|Figure|eq|arXiv|JMLR|Section|lecture)", source)[0]
    if arxiv:
        source = f"[{source}](https://arxiv.org/abs/{arxiv[1]})"
    slots = str(len(rule.slots_of)) + (f" + {len(rule.numbers_of)} numbers" if rule.numbers_of else "")
    use = home.__doc__.splitlines()[0].partition(": ")[2].rstrip(".")
    return [f"`{name}`", source, slots, str(4 * traffic(rule)), use[0].upper() + use[1:]]


def table():
    """Return the table in Markdown."""
    head = ["rule", "source", "slots", "bytes", "what it is"]
    lines = [head, ["---"] * len(head), *map(row, names())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(table())
