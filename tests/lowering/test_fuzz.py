"""Rules written by chance against themselves lowered: whatever the language has, in both dtypes, serial and in blocks."""

import random

import numpy as np
import pytest
from hypothesis import Phase, given
from hypothesis import strategies as st

from numbaopt.lowering.emit_cpu import emit
from tests.fuzzing import tries
from tests.lowering.test_lower import Writer, module

EXACT = [np.array([-1.5, 0.25, 1.0, -0.25, 0.75]), np.array([[1.0, -2.0, 0.5, 0.0, -1.5], [0.5, 3.0, -1.0, 1.5, 0.0]])]


class Author(Writer):
    """Writes what `Writer` does not: numbers carried on, norms and means, exp, log, remainders, tests joined by |."""

    def __init__(self, rng):
        super().__init__(rng)
        self.carried = ["c", "d"][: rng.randint(0, 2)]

    def number(self, known, depth):
        if depth > 0 and self.rng.randint(0, 3) == 0:
            e = lambda: self.number(known, depth - 1)  # noqa: E731
            return self.pick(
                lambda: f"exp(-abs({e()}))",
                lambda: f"log(1 + abs({e()}))",
                lambda: f"sqrt(abs({e()}))",
                lambda: f"(t % {self.pick(2, 3)} + {e()})",
                lambda: f"abs({e()}) ** {self.pick('0.5', 'b', '1.5')}",
                lambda: f"where({e()} != {e()}, {e()}, {e()})",
            )()
        return super().number([*known, *self.carried], depth)

    def vector(self, vectors, known, depth):
        if depth > 0 and self.rng.randint(0, 3) == 0:
            e = lambda: self.vector(vectors, known, depth - 1)  # noqa: E731
            return self.pick(
                lambda: f"exp(-abs({e()}))",
                lambda: f"log(1 + abs({e()}))",
                lambda: f"abs({e()}) ** {self.pick('0.5', 'b', '1.5', '3', '4')}",
                lambda: f"where(({e()} > 0) | ({e()} < {self.number(known, 0)}), {e()}, {e()})",
                lambda: f"where(isfinite({e()}), {e()}, {e()})",
                lambda: f"+({e()})",
                lambda: f"where({e()} == {e()}, {e()}, {e()})",
                lambda: f"where(({e()} >= {e()}) & (t > {self.pick(0, 1)}), {e()}, {e()})",
            )()
        return super().vector(vectors, known, depth)

    def source(self):
        vectors, known = ["x", "g", *self.slots], []
        lines = self.lines
        if self.rng.randint(0, 1):
            what = self.pick("norm", "mean", "sum")
            lines.append(f"    whole = {what}({self.vector(vectors, known, 1)})")
            known.append("whole")
        self.block(vectors, known, self.rng.randint(1, 6), 2, "    ", False)
        returned = [self.vector(vectors, known, 2)]
        returned += [self.pick(*vectors, slot, self.vector(vectors, known, 1)) for slot in self.slots]
        returned += [f"0.5 * ({self.number(known, 1)})" for _ in self.carried]
        flag = self.pick("True", "False")
        starts = [f"{name}: {self.pick('1', '0.5', '2')}" for name in self.carried]
        signature = ", ".join(["x", "g", *self.slots, "t", *starts, "a=0.5", "b=0.25", f"flag={flag}", "n=2.0"])
        head = ["from numbaopt.rule import *", "HALF, LESS, TWO = 0.5, -0.5, 2", "", "@rule", f"def r({signature}):"]
        return "\n".join([*head, *lines, f"    return {', '.join(returned)}", ""])


KINDS = (), (True,), (True, True)  # serial, in blocks, in blocks from row to row


def interpreted(rule, parallel=False, apart=False):
    """Return the printed step as plain Python: lowering without Numba, a thousand times quicker to try."""
    apart = apart and rule.program.end.get("x", "x") != "x"  # it writes a new x

    def jit(function=None, **options):
        return jit if function is None else function

    namespace = {"jit": jit, "step": jit, "prange": range}
    exec(emit(rule.name, rule.program, parallel, apart), namespace)
    return in_place(namespace["step"]) if apart else namespace["step"]


def in_place(apart):
    """Make a step that leaves x as it is into one that does not."""

    def step(t, x, g, s, h):
        before, new = (x.copy(), g.copy()), np.full_like(x, np.nan)
        apart(t, x, new, g, s, h)
        assert np.array_equal(before, (x, g), equal_nan=True), "it has written where the best point may lie"
        x[:] = new

    return step


def as_written(rule, x, s, gradients):
    """Yield what the undecorated function makes of each gradient: x, all slots, and the numbers that it carries on."""
    (math, _), *_ = rule._stages
    slots = dict(zip(rule.slots_of, s.copy(), strict=True))
    numbers = {name: float(math.starts[name]) for name in math.numbers}
    for t, g in enumerate(gradients, 1):
        full = [slots.get(name, np.full_like(x, 77)) for name in math.slots]
        with np.errstate(all="ignore"):
            out = rule.math(
                x.copy(), g.copy(), *(slot.copy() for slot in full), t, *numbers.values(), *rule.hyper.values()
            )
        out = out if isinstance(out, tuple) else (out,)
        wide = [np.broadcast_to(value, x.shape).astype(x.dtype) for value in out[: 1 + len(full)]]
        x = wide[0]
        slots = {name: value for name, value in zip(math.slots, wide[1:], strict=True) if name in slots}
        numbers = dict(zip(numbers, map(float, out[1 + len(full) :]), strict=True))
        yield x, list(slots.values()), numbers


def tame(values):
    """Tell whether numbers are such that rounding is all that can tell right from right."""
    return all(np.isfinite(a).all() and np.abs(a).max(initial=0) < 1e6 for a in values)


def differ(rule, step, x, s, gradients, rtol):
    """Step along; say where a lowered rule first differs from what was written. None if nowhere."""
    h, wanted = rule.h, as_written(rule, x.copy(), s, gradients)
    x, s = x.copy(), s.copy()
    for t, g in enumerate(gradients, 1):
        new, slots, numbers = next(wanted)
        with np.errstate(all="ignore"):
            step(t, x, g.copy(), s, h)
        if not tame([new, *slots, *(np.array(number) for number in numbers.values())]):
            return None
        pairs = [("x", x, new), *zip(rule.slots_of, s, slots, strict=True)]
        pairs += [(name, rule.number(h, name), numbers[name]) for name in rule.numbers_of]
        for name, a, b in pairs:
            if not np.allclose(a, b, rtol=rtol, atol=rtol):
                return f"t={t}: {name} is {a}, not {b}"
    return None


def written(seed, directory):
    """Write a rule; return its source and the rule."""
    source = Author(random.Random(seed)).source()
    return source, module(directory, source).r


def slots_for(rule, n=5):
    return (np.arange(len(rule.slots_of) * n).reshape(-1, n) % 7 - 3) / 4


def assert_lowered(seed, directory, compiled):
    source, rule = written(seed, directory)
    (x, g), s = EXACT, slots_for(rule)
    for step in [rule.kernel(x)] if compiled else [interpreted(rule, *kind) for kind in KINDS]:
        wrong = differ(rule, step, x, s, g, 1e-10)
        assert wrong is None, f"{wrong}\n{source}\n{rule.source()}"


@pytest.mark.slow
@tries(250)
@given(seed=st.integers(0, 2**32))
def test_as_text(seed, tmp_path_factory):
    """The text runs without Numba; in blocks, as on several threads, it gives the same."""
    assert_lowered(seed, tmp_path_factory.getbasetemp(), compiled=False)


@pytest.mark.slow
@tries(250)
@given(seed=st.integers(0, 2**32))
def test_blocks_give_the_same_bits(seed, tmp_path_factory):
    source, rule = written(seed, tmp_path_factory.getbasetemp())
    x, g = EXACT
    ends = []
    for kind in KINDS:
        own, s, h = x.copy(), slots_for(rule), rule.h
        with np.errstate(all="ignore"):
            for t, gradient in enumerate(g, 1):
                interpreted(rule, *kind)(t, own, gradient, s, h)
        ends.append(own.tobytes() + s.tobytes() + h.tobytes())
    assert len(set(ends)) == 1 or np.isnan(own).any() or np.isnan(s).any(), source


@pytest.mark.slow
@tries(150)
@given(seed=st.integers(0, 2**32))
def test_float32(seed, tmp_path_factory):
    """No scalar makes float64 of a float32 array, and what is exact in both is the same."""
    source = Writer(random.Random(seed)).source()
    rule = module(tmp_path_factory.getbasetemp(), source).r
    (x, g), s = EXACT, slots_for(rule)
    x, g, s = (a.astype(np.float32) for a in (x, g, s))
    for parallel in (False, True):
        wrong = differ(rule, interpreted(rule, parallel), x, s, g, 1e-5)
        assert wrong is None, f"{wrong}\n{source}\n{rule.source()}"


@pytest.mark.slow
@tries(4, phases=[Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_compiled(seed, tmp_path_factory):
    assert_lowered(seed, tmp_path_factory.getbasetemp(), compiled=True)
