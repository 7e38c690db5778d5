"""A table of all performance targets: ``python -m benchmarks.report`` measures them in one run and prints it.

Every row is a benchmark of the asv suite. All rows are measured several times in turns, and only the fastest turns
count. Thus other programs that use the machine for part of the time do not affect the result.
"""

import argparse
import os
import platform
import sys
from time import perf_counter

from benchmarks import THREADS, convergence, drivers, epochs, many, measure, peaks, start, steps

ROUNDS = 3


class Row:
    """One row of the table.

    Parameters
    ----------
    what : str
        The description.
    benchmark : type
        The class of the asv suite that measures it. Lower values are better.
    params : tuple
        The parameters of the benchmark.
    target : float or None
        The value that must not be exceeded; None for rows that serve as comparison.
    show : callable
        Formats a measured value, or the target.
    method : str
        The method of the benchmark that returns the value.
    """

    def __init__(self, what, benchmark, params, target, show, method="track_ratio"):
        self.what, self.params, self.target, self.show = what, params, target, show
        self.benchmark, self.method = benchmark(), method
        self.value = self.skipped = self.failed = None

    def measure(self):
        """Measure again, in addition to earlier measurements. A row that has failed is not measured again."""
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
        """Return the cells of this row."""
        target = "" if self.target is None else self.show(self.target)
        if self.skipped or self.failed:
            return self.what, self.skipped or self.failed, target, "skipped" if self.skipped else "FAILED"
        verdict = "" if self.target is None else "met" if self.value <= self.target else "MISSED"
        return self.what, self.show(self.value), target, verdict


def times(ratio):
    return f"{1 / ratio:.3g} times as fast"


def bandwidth(ratio):
    return f"{1 / ratio:.2f} of that of copying"


def unit(name):
    return lambda value: f"{value:.3g} {name}".strip()


def rows():
    """Return the rows of the table."""
    torch, copying, jax = steps.AdamAgainstTorch, steps.AgainstCopying, drivers.CompiledAgainstJax
    plain, error, shares = drivers.PlainDriver, convergence.Trajectory, unit("of its time")
    vmap, ragged, curve_fit = many.FixedAgainstJax, many.RaggedAgainstJax, peaks.AgainstCurveFit
    epoch, sklearn = epochs.AgainstTorch, epochs.AgainstSklearn
    sizes = vmap.params[0]
    return [
        Row("an Adam step, float32, n = 10, compared with torch's fused step", torch, (10,), 1 / 30, times),
        Row("the same, n = 1e5", torch, (100_000,), 1 / 3, times),
        Row("the same, n = 1e7", torch, (10_000_000,), 1, times),
        Row("float32 compared with float64, n = 1e4", steps.SingleAgainstDouble, ("adam", 10_000), 1 / 1.7, times),
        Row("bandwidth of an Adam step, float32, n = 1e7", copying, ("adam", "float32"), 1 / 0.95, bandwidth),
        Row("the same, float64", copying, ("adam", "float64"), 1 / 0.95, bandwidth),
        Row("calling a step, n = 8", steps.Dispatch, ("adam.step",), 0.6, unit("us"), "track_time"),
        Row("plain driver, n = 10, in addition to its objective", plain, ("True",), 2, unit("us"), "track_overhead"),
        Row('the same, jac="inplace"', plain, ("inplace",), 2, unit("us"), "track_overhead"),
        Row("the same, compared with ensmallen's Adam", drivers.PlainAgainstEnsmallen, (), 1, times),
        *(Row(f"compiled driver, n = {n}, compared with jax.lax.scan", jax, (n,), 1 / 1.5, times) for n in jax.params),
        *(Row(f"10 000 problems, n = {n}, compared with jax.vmap", vmap, (n, "scan"), 1 / 1.5, times) for n in sizes),
        *(Row(f"the same, n = {n}, compared with a tuned scan", vmap, (n, "tuned"), None, times) for n in sizes),
        *(
            Row(f"until each converges, n = {n}, compared with jax.vmap", ragged, (n,), 1 / 3, times)
            for n in ragged.params
        ),
        Row("100 000 peaks, compared with scipy's curve_fit", curve_fit, ("finite differences",), 1 / 100, times),
        Row("the same, curve_fit with the Jacobian", curve_fit, ("Jacobian",), None, times),
        Row("an epoch, logistic regression, compared with torch", epoch, ("binary",), 1 / 2, times),
        Row("the same, softmax regression", epoch, ("softmax",), 1 / 2, times),
        Row("the same, two classes, compared with scikit-learn's SGD", sklearn, ("binary",), None, times),
        Row("the same, ten classes", sklearn, ("softmax",), None, times),
        Row("import numbaopt, in addition to import numba", start.Import, (), 50, unit("ms"), "track_beside_numba"),
        Row("first result, new objective, compared with import torch", start.FirstResultAgainstTorch, (), 0.5, shares),
        Row("the same, compared with jax.jit", start.FirstResultAgainstJax, (), 1, shares),
        Row("the same, compared with Numba compiling that objective", start.FirstResultAgainstNumba, (), None, shares),
        Row("recompiled and cached by a second process", start.FirstResult, (), 0, unit(""), "track_recompiled"),
        Row("worst error of trajectories, all rules, float64", error, ("float64",), 1e-12, unit(""), "worst"),
        Row("the same, float32", error, ("float32",), 1e-5, unit(""), "worst"),
    ]


def main(arguments=None):
    """Measure and print each row, and finally the table; return the number of rows that failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help=f"how many times to measure every row (default: {ROUNDS})"
    )
    parser.add_argument(
        "--quick", action="store_true", help="test in seconds that all rows work; the figures mean nothing"
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="measure only rows whose description contains TEXT")
    options = parser.parse_args(arguments)
    if options.quick:
        measure.hurry()
    began, busy = perf_counter(), os.getloadavg()[0]
    table = [row for row in rows() if options.only in row.what]
    if busy > 0.5:
        print(f"Other programs are using this machine (load {busy:.1f}), so the figures may be wrong.", file=sys.stderr)
    for turn in range(1 if options.quick else options.rounds):
        for row in table:
            row.measure()
            what, *cells = row.cells()
            print(f"[{perf_counter() - began:5.0f} s, round {turn + 1}] {what}: {' | '.join(cells)}", flush=True)
    lines = [("what", "measured", "target", ""), *(row.cells() for row in table)]
    widths = [max(len(line[k]) for line in lines) for k in range(4)]
    lines.insert(1, tuple("-" * width for width in widths))
    print()
    for line in lines:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {THREADS} threads for each library"
    print(f"\n{machine}; load {busy:.1f} at the start; {perf_counter() - began:.0f} s.")
    return sum(row.failed is not None for row in table)


if __name__ == "__main__":
    sys.exit(main())
