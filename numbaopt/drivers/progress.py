"""A progress bar by tqdm: on a terminal or in a notebook only, where it is asked for, and drawn five times a second."""

import os
import sys
from math import isfinite, isnan
from time import perf_counter

from numbaopt.drivers.learning_rate import rate
from numbaopt.drivers.stopping import EPOCH, NIT, NORM, PREVIOUS

PERIOD = 0.2  # seconds from one drawing to the next
FORM = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{unit} [{elapsed}<{remaining}{postfix}]"
LARGE = 100_000  # what is written as 100k


class Bar:
    """A bar of tqdm, or nothing where nobody would see one, or there is no tqdm.

    Parameters
    ----------
    wanted : bool
        Whether it is an ImportError that there is no tqdm, be there a terminal or not.
    """

    def __init__(self, wanted):
        self._kind = self._bar = None
        self._due = 0.0
        self.seen = "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())
        if not (self.seen or wanted):
            return
        try:
            from tqdm.auto import tqdm
        except ImportError:
            self.seen = False
            if wanted:
                text = 'a progress bar needs tqdm: pip install "numbaopt[progress]", or leave progress out'
                raise ImportError(text) from None
            return
        terminal = sys.stderr is not None and sys.stderr.isatty()
        # A terminal that does not tell its width says 0, and tqdm would write nothing.
        told = not terminal or os.get_terminal_size(sys.stderr.fileno()).columns > 0
        self._width = {"dynamic_ncols": True} if told else {"ncols": 80, "nrows": 24}
        # No thread beside: the program may fork.
        self._kind = type("Bar", (tqdm,), {"monitor_interval": 0})

    def draw(self, done, total, unit, words=None, last=False):
        """Draw it, if it is time, or the last time; ``words()`` is what to write behind it."""
        if not self.seen or (perf_counter() < self._due and not last):
            return
        if self._bar is None:
            form = None if total is None else FORM
            large = total is None or total >= LARGE
            self._bar = self._kind(total=total, unit=f" {unit}", unit_scale=large, bar_format=form, **self._width)
        self._bar.n = done
        if words is not None:
            self._bar.set_postfix_str(words(), refresh=False)
        self._bar.refresh()
        self._due = perf_counter() + PERIOD

    def close(self):
        """Leave the bar as it stands, on a line of its own."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Progress:
    """What shows how far a run is: its step, f, the gradient's largest entry, lr, epoch, and the time left.

    A watcher of `numbaopt.drivers.run.Run`, drawn when the run is at a step and the time has come.

    Parameters
    ----------
    wanted : bool
        As of `Bar`.
    """

    def __init__(self, wanted):
        self.bar, self._run = Bar(wanted), None

    def __call__(self, run, t, last=False):
        """Show what the run has come to after t steps."""
        self._run = run
        batches, total = run.batches, run.maxiter
        if batches is not None and batches.steps is not None:
            total = min(total, batches.epochs * batches.steps * run.gradients_per_step)
        unit = "steps" if run.iterations is None else "iterations"
        self.bar.draw(run.done(t), int(total) if isfinite(total) else None, unit, lambda: self._words(run, t), last)

    def _words(self, run, t):
        """Say in a few words where a run is."""
        f, norm, lr = run.record[PREVIOUS], run.record[NORM], rate(run, t)
        words = [] if isnan(norm) else [f"f={f:.4g}", f"|g|={norm:.2g}"]
        if lr is not None:
            words.append(f"lr={lr:.3g}")
        if run.batches is not None:
            words.append(f"epoch {int(run.record[EPOCH]) + 1}/{run.batches.epochs}")
        if run.deadline is not None:
            words.append(f"maxtime in {max(run.deadline - perf_counter(), 0):.0f} s")
        return ", ".join(words)

    def close(self):
        """Show the end of the run, and leave that."""
        if self._run is not None:
            self(self._run, int(self._run.record[NIT]), last=True)
        self.bar.close()
