"""Chains: stages and a rule that are joined into one rule."""

from numbaopt.methods.rule import Rule, joined


def chain(*rules: Rule) -> Rule:
    """Join stages and a rule into one rule: each takes what the one before it returns, in one pass over memory.

    Exactly one of them is a rule ``(x, g, ...)``. A stage ``(g, ...)`` returns a new gradient and comes before the
    rule; a stage ``(g, x, ...)`` may return both a new gradient and a new x. A stage ``(x, ...)`` returns a new x and
    comes after the rule; its parameter ``before`` is x as it was before the step. A stage that returns
    ``g if test else skip`` is a gate: if the test fails, everything after it does nothing and counts no step. A name
    that several stages use gets the name of its stage as a prefix: ``box_lower``.

    Parameters
    ----------
    *rules : Rule
        Stages and one rule, in the order in which they are done. A chain is a rule, and may be part of another chain.

    Returns
    -------
    Rule

    Raises
    ------
    TypeError, ValueError
        If one of them is not a rule, or if they are in another order.

    Examples
    --------
    >>> import numpy as np
    >>> from numbaopt import chain, sgd
    >>> from numbaopt.transforms import clip
    >>> rule = chain(clip(max_delta=1.0), sgd(lr=0.5))
    >>> x = np.zeros(2)
    >>> rule.step(x, np.array([0.2, -9.0]), rule.init(x))
    >>> x
    array([-0.1,  0.5])
    """
    kinds = ""
    for part in rules:
        if not isinstance(part, Rule):
            raise TypeError(f"chain joins rules, made with @rule; {part!r} is not one")
        kinds += "".join({"before": "g", "rule": "r", "after": "x"}[math.role] for math, _ in part._stages)
    if kinds.lstrip("g").rstrip("x") != "r":
        order = ", ".join(math.name for part in rules for math, _ in part._stages) or "nothing"
        raise ValueError(f"a chain is stages (g, ...), then one rule (x, g, ...), then stages (x, ...); not {order}")
    return joined(*rules)
