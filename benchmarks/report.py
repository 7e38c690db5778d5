"""The bars at a glance: ``python -m benchmarks.report`` measures each, side by side in one run, and prints a table.

Every row is a benchmark of the asv suite. All are measured in turns, several times over, and the quiet moments count: a
busy spell of the machine that is shorter than the report spoils no row.
"""

import argparse
import os
import platform
import sys
from time import perf_counter

from benchmarks import THREADS, convergence, drivers, epochs, many, measure, peaks, start, steps

ROUNDS = 3


class Row:
    """One line of the table.

    Parameters
    ----------
    what : str
    benchmark, params, method :
        The asv benchmark that measures it; lower is better.
    bar : float or None
        The value that it must not exceed; None for rows that are there for comparison.
    show : callable
        Formats a measured value, or the bar.
    """

    def __init__(self, what, benchmark, params, bar, show, method="track_ratio"):
        self.what, self.params, self.bar, self.show = what, params, bar, show
        self.benchmark, self.method = benchmark(), method
        self.value = self.skipped = self.failed = None

    def measure(self):
        """Measure again; what was measured before still counts. A row that fails is not measured again."""
        if self.skipped or self.failed:
            return
        try:
            if self.value is None:
                self.benchmark.setup(*self.params)
            self.value = getattr(self.benchmark, self.method)(*self.params)
        except NotImplementedError as reason:
            self.skipped = str(reason)
        except Exception as error:
            self.failed = " ".join(f"{type(error).__name__}: {error}".split())[:100]

    def cells(self):
        """Return the cells of this line."""
        bar = "" if self.bar is None else self.show(self.bar)
        if self.skipped or self.failed:
            return self.what, self.skipped or self.failed, bar, "skipped" if self.skipped else "FAILED"
        verdict = "" if self.bar is None else "met" if self.value <= self.bar else "MISSED"
        return self.what, self.show(self.value), bar, verdict


def times(ratio):
    return f"{1 / ratio:.3g} times as fast"


def bandwidth(ratio):
    return f"{1 / ratio:.2f} of copying's"


def unit(name):
    return lambda value: f"{value:.3g} {name}".strip()


def rows():
    """Return the lines of the table."""
    torch, copying, jax = steps.AdamAgainstTorch, steps.AgainstCopying, drivers.CompiledAgainstJax
    plain, error, shares = drivers.PlainDriver, convergence.Trajectory, unit("of its time")
    vmap, ragged, curve_fit = many.FixedAgainstJax, many.RaggedAgainstJax, peaks.AgainstCurveFit
    epoch, sklearn = epochs.AgainstTorch, epochs.AgainstSklearn
    sizes = vmap.params[0]
    return [
        Row("an Adam step, float32, n = 10, beside torch's fused one", torch, (10,), 1 / 30, times),
        Row("the same, n = 1e5", torch, (100_000,), 1 / 3, times),
        Row("the same, n = 1e7", torch, (10_000_000,), 1, times),
        Row("float32 beside float64, n = 1e4", steps.SingleAgainstDouble, ("adam", 10_000), 1 / 1.7, times),
        Row("bandwidth of an Adam step, float32, n = 1e7", copying, ("adam", "float32"), 1 / 0.95, bandwidth),
        Row("the same, float64", copying, ("adam", "float64"), 1 / 0.95, bandwidth),
        Row("calling a step, n = 8", steps.Dispatch, ("adam.step",), 0.6, unit("us"), "track_time"),
        Row("plain driver, n = 10, beside its objective", plain, ("True",), 2, unit("us"), "track_overhead"),
        Row('the same, jac="inplace"', plain, ("inplace",), 2, unit("us"), "track_overhead"),
        Row("the same, beside what ensmallen's Adam adds", drivers.PlainAgainstEnsmallen, (), 1, times),
        *(Row(f"compiled driver, n = {n}, beside jax.lax.scan", jax, (n,), 1 / 1.5, times) for n in jax.params),
        *(Row(f"10 000 problems, n = {n}, beside jax.vmap", vmap, (n, "scan"), 1 / 1.5, times) for n in sizes),
        *(Row(f"the same, n = {n}, beside a tuned scan", vmap, (n, "tuned"), None, times) for n in sizes),
        *(Row(f"until each converges, n = {n}, beside jax.vmap", ragged, (n,), 1 / 3, times) for n in ragged.params),
        Row("100 000 peaks, beside scipy's curve_fit", curve_fit, ("finite differences",), 1 / 100, times),
        Row("the same, curve_fit with the Jacobian", curve_fit, ("Jacobian",), None, times),
        Row("an epoch, logistic regression, beside torch", epoch, ("binary",), 1 / 2, times),
        Row("the same, softmax regression", epoch, ("softmax",), 1 / 2, times),
        Row("the same, two classes, beside scikit-learn's SGD", sklearn, ("binary",), None, times),
        Row("the same, ten classes", sklearn, ("softmax",), None, times),
        Row("import numbaopt, beside import numba", start.Import, (), 50, unit("ms"), "track_beside_numba"),
        Row("first result, new objective, beside import torch", start.FirstResultAgainstTorch, (), 0.5, shares),
        Row("the same, beside jax.jit", start.FirstResultAgainstJax, (), 1, shares),
        Row("the same, beside Numba compiling that objective", start.FirstResultAgainstNumba, (), None, shares),
        Row("recompiled and cached by a second process", start.FirstResult, (), 0, unit(""), "track_recompiled"),
        Row("worst error of trajectories, all rules, float64", error, ("float64",), 1e-12, unit(""), "worst"),
        Row("the same, float32", error, ("float32",), 1e-5, unit(""), "worst"),
    ]


def main(given=None):
    """Measure, print each row as it comes, and at the end the table; return how many rows failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"measure every row so many times ({ROUNDS})")
    parser.add_argument(
        "--quick", action="store_true", help="check quickly that all rows work; the figures mean nothing"
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="only rows in which this text occurs")
    arguments = parser.parse_args(given)
    if arguments.quick:
        measure.hurry()
    began, busy = perf_counter(), os.getloadavg()[0]
    table = [row for row in rows() if arguments.only in row.what]
    if busy > 0.5:
        print(f"Other programs use this machine (load {busy:.1f}): the figures may be far off.", file=sys.stderr)
    for turn in range(1 if arguments.quick else arguments.rounds):
        for row in table:
            row.measure()
            what, *cells = row.cells()
            print(f"[{perf_counter() - began:5.0f} s, round {turn + 1}] {what}: {' | '.join(cells)}", flush=True)
    lines = [("what", "measured", "bar", ""), *(row.cells() for row in table)]
    widths = [max(len(line[k]) for line in lines) for k in range(4)]
    lines.insert(1, tuple("-" * width for width in widths))
    print()
    for line in lines:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {THREADS} threads a side"
    print(f"\n{machine}; load {busy:.1f} at the start; {perf_counter() - began:.0f} s.")
    return sum(row.failed is not None for row in table)


if __name__ == "__main__":
    sys.exit(main())
