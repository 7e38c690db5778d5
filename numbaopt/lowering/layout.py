"""Where in h everything lies that a step reads."""

import functools
import math


def layout(program):
    """Say where in ``h`` everything lies: {name: text}, and the length.

    Hyperparameters and schedules, carried numbers, tables of powers, the shape of a matrix, and last the objective's
    value.
    """
    source, k = {}, 0
    for name, value in program.hyper.items():
        number = isinstance(value, (int, float))
        source[name] = f"h[{k}]" if number else value.text("(t - 1)", k)
        k += 1 if number else len(value.values)
    for name in program.carried:
        source[name] = f"h[{k}]"
        k += 1
    for name in program.powers:
        digits = [f"h[{k} + (t & 31)]", *(f"h[{k + 32 * i} + (t >> {5 * i} & 31)]" for i in (1, 2, 3)), f"h[{k + 128}]"]
        source[f"{name}_t"] = f"power(t, {', '.join(digits)}) if h[{k + 1}] == {name} else edited({name})"
        k += TABLE
    for name in ["rows", "columns"] * program.matrix + ["value_"] * program.needs_value:
        source[name] = f"h[{k}]"
        k += 1
    return source, k


TABLE = 129


@functools.lru_cache(256)
def powers(b):
    """Return the table that b**t is looked up in: b to the digits of t in base 32, and log b for what is beyond.

    Python's scalar power is correctly rounded where NumPy's vector one is not: RAdam's first rectified steps show it.
    """
    table = []
    for exponent in [digit * place for place in (1, 32, 1024, 32768) for digit in range(32)]:
        try:
            table.append(float(b) ** exponent)
        except OverflowError:  # b beyond 1
            table.append(math.copysign(math.inf, b) if exponent % 2 else math.inf)
    return *table, 1048576 * math.log(abs(b)) if b else -math.inf
