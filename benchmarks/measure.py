"""Comparing the speed of candidates on a machine that is not idle.

The candidates take turns in a loop. In each turn a candidate runs many short samples, and the shortest counts. Other
programs may slow down the machine for seconds, and some candidates more than others: a step on two threads waits for
the slower one. Therefore only the three turns count in which all candidates together were fastest, which means that all
were measured on the same idle machine.
"""

import abc
import subprocess
import sys
import timeit
from time import perf_counter

import numpy as np

from numbaopt.drivers.specialize import PATIENCE

BURST = 0.02  # seconds that a candidate runs in one turn...
SETTLE = 0.005  # ...of which the first are not measured: caches refill, and threads of other candidates go idle
SAMPLE = 2e-4  # seconds of one sample, unless a single call takes longer
WARM = 3 * PATIENCE  # seconds after which a driver that is specialized for the objective is ready
SECONDS = 1.5  # duration of one call of `Race.run`
TURNS = 3  # least number of turns
quick = False  # whether every measurement is as short as possible, see `hurry`


def hurry():
    """Make every measurement as short as possible: it shows that a benchmark works, and measures nothing."""
    global BURST, SETTLE, WARM, SECONDS, TURNS, quick
    BURST, SETTLE, WARM, SECONDS, TURNS, quick = 0.0, 0.0, 0.0, 0.0, 1, True


def size(usual, least):
    """Return the usual size of a problem, or the least one where `hurry` was called."""
    return least if quick else usual


class Race:
    """Measures how long each candidate takes, in seconds.

    Parameters
    ----------
    *candidates : callable or (str, dict)
        A function without arguments, or a statement and its namespace, which avoids the 50 ns of a function call.
    per : sequence of float, optional
        For each candidate a number by which its time is divided, for example its number of iterations.
    """

    def __init__(self, *candidates, per=None):
        self._timers = [timeit.Timer(c) if callable(c) else timeit.Timer(c[0], globals=c[1]) for c in candidates]
        self._per = np.array(per or [1] * len(candidates))
        for timer in self._timers:  # compile, import, start threads
            timer.timeit(size(2, 1))
        self._counts = [1 if quick else max(1, int(SAMPLE / min(timer.repeat(5, 1)))) for timer in self._timers]
        self._turns = []

    def run(self, seconds=None):
        """Measure for this long; return the seconds of each candidate, from all turns of all calls."""
        end = perf_counter() + (SECONDS if seconds is None else seconds)
        while perf_counter() < end or len(self._turns) < TURNS:
            self._turns.append([self._burst(k) for k in range(len(self._timers))])
        return fastest(self._turns) / self._per

    def _burst(self, k):
        timer, count, shortest, began = self._timers[k], self._counts[k], float("inf"), perf_counter()
        while perf_counter() - began < SETTLE:
            timer.timeit(count)
        while True:
            shortest = min(shortest, timer.timeit(count))
            if perf_counter() - began > BURST:
                return shortest / count


class Fresh:
    """Measures programs that run in a new interpreter and print a number.

    Parameters
    ----------
    *programs : callable
        Functions without arguments that return the text of a program. They may return another text in each turn.
    """

    def __init__(self, *programs):
        self._programs, self._turns = programs, []
        for program in () if quick else programs:  # not measured: fills the caches of bytecode and kernels
            printed(program())

    def run(self, turns=3):
        """Measure for this number of turns; return the number of each program, from all turns of all calls."""
        for _ in range(size(turns, 1)):
            self._turns.append([float(printed(program())) for program in self._programs])
        return fastest(self._turns)


def warmed(function):
    """Call a function until its driver is specialized; return the function."""
    end = perf_counter() + WARM
    while perf_counter() < end:
        function()
    return function


def fastest(turns):
    """Return the median of each column over the three rows with the smallest products."""
    turns = np.array(turns)
    order = np.argsort(np.log(turns).sum(axis=1))
    return np.median(turns[order[:3]], axis=0)


def printed(program):
    """Return the output of a program in a new interpreter."""
    done = subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{program}\n{done.stderr}")
    return done.stdout


class Contest(abc.ABC):
    """A benchmark that compares numbaopt with another library: the ratio of the times. Below 1, numbaopt is faster.

    A subclass defines `race`. If the other library is not installed, `setup` raises NotImplementedError, at which asv
    skips the benchmark. Every further call of `track_ratio` makes the result more accurate.
    """

    timeout = 300

    @abc.abstractmethod
    def race(self, *params):
        """Return a `Race` or `Fresh` of two candidates: numbaopt first, then the other library."""

    def setup(self, *params):
        self._race = self.race(*params)

    def track_ratio(self, *params):
        ours, theirs = self._race.run()
        return ours / theirs

    track_ratio.unit = "ours/theirs"
