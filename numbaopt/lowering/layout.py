"""The positions in h of the numbers that a step reads."""

import functools
import math
from dataclasses import dataclass, field
from typing import Any

TABLE = 129  # numbers in a table of powers


@dataclass
class Layout:
    """The offsets of the numbers that the step of a lowered rule reads from ``h``, in increasing order.

    These are hyperparameters and the parameters of schedules, carried numbers, tables of powers, the shape of a
    matrix, and last the value of the objective.

    Attributes
    ----------
    offsets : dict
        Name to offset, of the first number where there are several. The table of the powers of b is called ``b_t``.
    size : int
        The length of h.
    schedules : dict
        Hyperparameter to the schedule that it follows.
    bases : dict
        Name of a table to the hyperparameter whose powers it has.
    """

    offsets: dict[str, int] = field(default_factory=dict)
    size: int = 0
    schedules: dict[str, Any] = field(default_factory=dict)
    bases: dict[str, str] = field(default_factory=dict)

    def add(self, name, length=1):
        """Append numbers to h."""
        self.offsets[name] = self.size
        self.size += length

    def access(self, name, names=None, steps=None):
        """Write the expression for a value: a number of h, that of a schedule, or b**t.

        Parameters
        ----------
        name : str
        names : dict, optional
            Other names that t and the hyperparameters have where the expression is used.
        steps : str, optional
            The number of steps done, which schedules take. The default is ``(t - 1)``.

        Returns
        -------
        str
        """
        names, k = names or {}, self.offsets[name]
        t = names.get("t", "t")
        if name in self.schedules:
            return self.schedules[name].text(steps or f"({t} - 1)", k)
        if name not in self.bases:
            return f"h[{k}]"
        b = names.get(self.bases[name], self.bases[name])
        digits = [f"h[{k} + ({t} & 31)]", *(f"h[{k + 32 * i} + ({t} >> {5 * i} & 31)]" for i in (1, 2, 3))]
        return f"power({t}, {', '.join(digits)}, h[{k + 128}]) if h[{k + 1}] == {b} else edited({b})"


def layout(program):
    """Return the `Layout` of a lowered rule."""
    made = Layout()
    for name, value in program.hyper.items():
        if not isinstance(value, (int, float)):
            made.schedules[name] = value
        made.add(name, len(value.values) if name in made.schedules else 1)
    for name in program.carried:
        made.add(name)
    for b in program.powers:
        made.bases[f"{b}_t"] = b
        made.add(f"{b}_t", TABLE)
    for name in ["rows", "columns"] * program.matrix + ["value_"] * program.needs_value:
        made.add(name)
    return made


@functools.lru_cache(256)
def powers(b):
    """Return the table in which b**t is looked up: b to the digits of t in base 32, and log b for larger t.

    The powers are Python's, which are correctly rounded. Those of NumPy's arrays are not, which would show in the first
    rectified steps of RAdam.
    """
    table = []
    for exponent in [digit * place for place in (1, 32, 1024, 32768) for digit in range(32)]:
        try:
            table.append(float(b) ** exponent)
        except OverflowError:  # b beyond 1
            table.append(math.copysign(math.inf, b) if exponent % 2 else math.inf)
    return *table, 1048576 * math.log(abs(b)) if b else -math.inf
