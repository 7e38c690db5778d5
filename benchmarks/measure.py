"""Time things side by side on a machine that is not quiet.

Candidates take turns in one loop, each for a burst of many short samples, of which the least counts. Busy spells may
last for seconds and slow some candidates more than others: a step on two threads waits for the slower one. So of all
turns the three count in which everybody was quickest: ours and theirs saw the same machine, and it was quiet.
"""

import abc
import subprocess
import sys
import timeit
from time import perf_counter

import numpy as np

from numbaopt.drivers.specialize import PATIENCE

BURST = 0.02  # seconds a candidate runs before the next takes its turn...
SETTLE = 0.005  # ...these first ones unmeasured: caches refill, idle threads of the other side stop spinning
SAMPLE = 2e-4  # seconds of one sample, or one call
WARM = 3 * PATIENCE  # seconds until a driver is there that is compiled for one objective alone
SECONDS = 1.5  # that a race goes on for
TURNS = 3  # that are measured at the least
quick = False  # whether everything is as short as possible, see `hurry`


def hurry():
    """Make every measurement as short as possible: it shows that a benchmark works, and measures nothing."""
    global BURST, SETTLE, WARM, SECONDS, TURNS, quick
    BURST, SETTLE, WARM, SECONDS, TURNS, quick = 0.0, 0.0, 0.0, 0.0, 1, True


def size(usual, least):
    """Return the usual size of a problem, or the least one where `hurry` was called."""
    return least if quick else usual


class Race:
    """Seconds that each candidate takes in the quiet turns among all so far.

    Parameters
    ----------
    *candidates : callable or (str, dict)
        What to time: a function without arguments, or a statement and its names. (A call costs 50 ns.)
    per : sequence of float, optional
        What the time of a call is divided by, for each candidate: the iterations it does, say.
    """

    def __init__(self, *candidates, per=None):
        self._timers = [timeit.Timer(c) if callable(c) else timeit.Timer(c[0], globals=c[1]) for c in candidates]
        self._per = np.array(per or [1] * len(candidates))
        for timer in self._timers:  # compile, import, start threads
            timer.timeit(size(2, 1))
        self._counts = [1 if quick else max(1, int(SAMPLE / min(timer.repeat(5, 1)))) for timer in self._timers]
        self._turns = []

    def run(self, seconds=None):
        """Go on for that long; return the seconds of each candidate, in the order given."""
        end = perf_counter() + (SECONDS if seconds is None else seconds)
        while perf_counter() < end or len(self._turns) < TURNS:
            self._turns.append([self._burst(k) for k in range(len(self._timers))])
        return quiet(self._turns) / self._per

    def _burst(self, k):
        timer, count, least, began = self._timers[k], self._counts[k], float("inf"), perf_counter()
        while perf_counter() - began < SETTLE:
            timer.timeit(count)
        while True:
            least = min(least, timer.timeit(count))
            if perf_counter() - began > BURST:
                return least / count


class Fresh:
    """The numbers that programs print, each in a new interpreter, in the quiet turns among all so far.

    Parameters
    ----------
    *programs : callable
        Functions without arguments that return a program's text: another at each turn, if need be.
    """

    def __init__(self, *programs):
        self._programs, self._turns = programs, []
        for program in () if quick else programs:  # unmeasured: fills the caches, of bytecode too
            printed(program())

    def run(self, turns=3):
        """Go on for that many turns; return the number of each program, in the order given."""
        for _ in range(size(turns, 1)):
            self._turns.append([float(printed(program())) for program in self._programs])
        return quiet(self._turns)


def warmed(function):
    """Call a function until it is as fast as it gets; return it."""
    end = perf_counter() + WARM
    while perf_counter() < end:
        function()
    return function


def quiet(turns):
    """Return the median of each column over the three rows that are least on the whole."""
    turns = np.array(turns)
    order = np.argsort(np.log(turns).sum(axis=1))
    return np.median(turns[order[:3]], axis=0)


def printed(program):
    """Return what a program prints in a new interpreter."""
    done = subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{program}\n{done.stderr}")
    return done.stdout


class Contest(abc.ABC):
    """A benchmark of ours against theirs: how many times as long ours takes. Below 1, ours is faster.

    A subclass says what races; `setup` raises NotImplementedError, which asv takes for "skip", where theirs is not
    installed. Tracking again refines the same result.
    """

    timeout = 300

    @abc.abstractmethod
    def race(self, *params):
        """Return a `Race` or `Fresh` of two: ours, theirs."""

    def setup(self, *params):
        self._race = self.race(*params)

    def track_ratio(self, *params):
        ours, theirs = self._race.run()
        return ours / theirs

    track_ratio.unit = "ours/theirs"
