"""Where a problem starts, in compiled code: x, slots, numbers and record of a method's run."""

import re

from numbaopt.common.per_coordinate import PerCoordinate
from numbaopt.lowering import emit_matrix, layout, passes

LIMITS = ("lower", "upper")  # slots of `transforms.box`, and the last rows of a solver that takes bounds


def emit(rule, bounded):
    """Return the text of ``begin(x, s, h, box, own)``, which sets the slots of a rule or solver to their start.

    Parameters
    ----------
    rule : Rule or Solver
    bounded : bool
        Whether ``box`` has the lower and upper bounds. ``own`` has the hyperparameters that are given for each
        coordinate, in the order of their slots.
    """
    if rule.program is None:
        lines = ["s[:] = 0"] + [f"s[-{2 - k}, :] = box[{k}]" for k in (0, 1) if bounded]
    elif rule.program.matrix:
        lines = _matrices(rule)
    else:
        lines = _rows(rule, bounded)
    return "\n    ".join(["def begin(x, s, h, box, own):", *(lines or ["pass"])])


def _rows(rule, bounded):
    head, body, own = [], [], 0
    for k, slot in enumerate(rule.slots_of):
        if bounded and slot in LIMITS:
            value = f"box[{LIMITS.index(slot)}, i]"
        elif isinstance(rule.hyper.get(slot), PerCoordinate):
            value, own = f"own[{own}, i]", own + 1
        else:
            text, named = begun(rule, slot)
            head += [line for line in named if line not in head]
            value = passes.replace(text, {"x": "x[i]"})
        body.append(f"    s[{k}, i] = {value}")
    return [*head, "for i in range(x.size):", *body] if body else []


def _matrices(rule):
    source, _ = layout.layout(rule.program)
    lines = ["s[:] = 0", *(f"{name} = int({source[name]})" for name in ("rows", "columns")), "at = s.reshape(s.size)"]
    for slot in rule.slots_of:
        a, b = emit_matrix.shape(rule.program.starts[slot])
        text, named = begun(rule, slot)
        text = re.sub(r"zeros\(.*?\)", "0.0", text).replace("identity", "np.eye")
        lines += [line for line in named if line not in lines and line.partition(" =")[0] not in ("rows", "columns")]
        text = passes.replace(text, {"x": "x.reshape((rows, columns))"})
        lines += [f"at[: {a} * {b}].reshape(({a}, {b}))[:, :] = {text}", f"at = at[{a} * {b} :]"]
    return lines


def begun(rule, slot):
    """Return the expression that a slot starts from, and the lines that read what it names out of h."""
    source, _ = layout.layout(rule.program)
    for math, pairs in rule._stages:
        for author, whole in pairs:
            if whole == slot and math.starts.get(author) is not None:
                text = passes.replace(math.starts[author], {a: w for a, w in pairs if w in source})
                used = [name for name in re.findall(passes.NAME, text) if name in source]
                return text, [f"{name} = {source[name].replace('(t - 1)', '0')}" for name in used]
    return "0.0", []


def marked(text, named):
    """Return an expression with the names that it reads marked, as ``lr_``: a parameter may have the name itself."""
    return passes.replace(text, {name: f"{name}_" for name in (line.partition(" =")[0] for line in named)})
