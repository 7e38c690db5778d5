"""The bars at a glance: ``python -m benchmarks.report`` measures each, side by side in one run, and prints a table.

Every row is a benchmark of the asv suite. All are measured in turns, several times over, and the quiet moments count: a
busy spell of the machine that is shorter than the report spoils no row.
"""

import os
import platform
import sys
from time import perf_counter

from benchmarks import THREADS, convergence, drivers, start, steps

ROUNDS = 3


class Row:
    """One line of the table.

    Parameters
    ----------
    what : str
    benchmark, method, params :
        The asv benchmark that measures it, lower is better.
    bar : float or None
        What it must not exceed; None for what is there to compare.
    show : callable
        Writes a measured value, or the bar, as a reader wants it.
    """

    def __init__(self, what, benchmark, params, bar, show, method="track_ratio"):
        self.what, self.params, self.bar, self.show = what, params, bar, show
        self.benchmark, self.method = benchmark(), method
        self.value = self.skipped = None

    def measure(self):
        """Measure again; what was measured before still counts."""
        if self.skipped:
            return
        try:
            if self.value is None:
                self.benchmark.setup(*self.params)
            self.value = getattr(self.benchmark, self.method)(*self.params)
        except NotImplementedError as reason:
            self.skipped = str(reason)

    def cells(self):
        """Return the cells of this line."""
        if self.skipped:
            return self.what, self.skipped, self.show(self.bar), "skipped"
        if self.bar is None:
            return self.what, self.show(self.value), "", ""
        return self.what, self.show(self.value), self.show(self.bar), "met" if self.value <= self.bar else "MISSED"


def times(ratio):
    return f"{1 / ratio:.3g} times as fast"


def fraction(ratio):
    return f"{1 / ratio:.2f}"


def unit(name):
    return lambda value: f"{value:.3g} {name}".strip()


def rows():
    """Return the lines of the table."""
    torch, jax = steps.AdamAgainstTorch, drivers.CompiledAgainstJax
    return [
        *(
            Row(f"an Adam step, float32, beside torch's fused one, n = {n:,}", torch, (n,), bar, times)
            for n, bar in ((10, 1 / 30), (100_000, 1 / 3), (10_000_000, 1.0))
        ),
        Row("a float32 beside a float64 Adam step, n = 10,000", steps.SingleAgainstDouble, ("adam", 10_000), 1 / 1.7, times),
        *(
            Row(f"bandwidth of an Adam step, {dtype}, n = 1e7, beside copying", steps.AgainstCopying, ("adam", dtype), 1 / 0.95, fraction)
            for dtype in ("float32", "float64")
        ),
        Row("calling a step, n = 8", steps.Dispatch, ("adam.step",), 0.6, unit("us"), "track_time"),
        *(
            Row(f"plain driver beside its objective, n = 10, jac={jac}", drivers.PlainDriver, (jac,), 2.0, unit("us"), "track_overhead")
            for jac in ("True", "inplace")
        ),
        *(Row(f"compiled driver, Rosenbrock, n = {n}, beside jax.lax.scan", jax, (n,), 1.0, times) for n in (2, 10, 100)),
        Row("import numbaopt beside import numba", start.Import, (), 50, unit("ms"), "track_beside_numba"),
        Row("first result, warm cache, new objective, beside import torch", start.FirstResultAgainstTorch, (), 0.5, unit("of its time")),
        Row("the same, beside compiling the objective with Numba and no more", start.FirstResultAgainstNumba, (), None, unit("of its time")),
        Row("recompiled, and files added, by a second process", start.FirstResult, (), 0, unit(""), "track_recompiled"),
        *(
            Row(f"worst error of {dtype} trajectories, all rules", convergence.Trajectory, (dtype,), bar, unit(""), "worst")
            for dtype, bar in (("float64", 1e-12), ("float32", 1e-5))
        ),
    ]  # fmt: skip


def main():
    began, table = perf_counter(), rows()
    for turn in range(ROUNDS):
        for row in table:
            row.measure()
        print(f"round {turn + 1} of {ROUNDS}: {perf_counter() - began:.0f} s", file=sys.stderr)
    lines = [("what", "measured", "bar", ""), *(row.cells() for row in table)]
    widths = [max(len(line[k]) for line in lines) for k in range(4)]
    lines.insert(1, tuple("-" * width for width in widths))
    for line in lines:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
    load = " ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"\nPython {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, {THREADS} threads a side; ", end="")
    print(f"load {load} at the end; {perf_counter() - began:.0f} s.")


if __name__ == "__main__":
    main()
