"""Progress bars, by tqdm: shown on request, only on a terminal or in a notebook, and updated five times a second."""

import os
import sys
from math import isfinite, isnan
from time import perf_counter

from numbaopt.drivers.learning_rate import rate
from numbaopt.drivers.stopping import EPOCH, NIT, NORM, PREVIOUS

PERIOD = 0.2  # seconds between two updates
FORMAT = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{unit} [{elapsed}<{remaining}{postfix}]"
LARGE = 100_000  # numbers of steps from this on are abbreviated, as in 100k


class Bar:
    """A progress bar of tqdm; nothing is shown outside a terminal or a notebook, or if tqdm is not installed.

    Parameters
    ----------
    required : bool
        Whether to raise ImportError if tqdm is not installed.

    Attributes
    ----------
    is_shown : bool
    """

    def __init__(self, required):
        self._class = self._bar = None
        self._next_update = 0.0
        self.is_shown = "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())
        if not (self.is_shown or required):
            return
        try:
            from tqdm.auto import tqdm
        except ImportError:
            self.is_shown = False
            if required:
                text = 'a progress bar needs tqdm: pip install "numbaopt[progress]", or omit progress'
                raise ImportError(text) from None
            return
        terminal = sys.stderr is not None and sys.stderr.isatty()
        # A terminal of unknown width reports 0 columns, and tqdm would then write nothing.
        known_width = not terminal or os.get_terminal_size(sys.stderr.fileno()).columns > 0
        self._width = {"dynamic_ncols": True} if known_width else {"ncols": 80, "nrows": 24}
        # Without the monitoring thread of tqdm, because the program may fork.
        self._class = type("Bar", (tqdm,), {"monitor_interval": 0})

    def draw(self, done, total, unit, postfix=None, last=False):
        """Update the bar, if enough time has passed or it is the last time; ``postfix()`` is the text after the bar."""
        if not self.is_shown or (perf_counter() < self._next_update and not last):
            return
        if self._bar is None:
            bar_format = None if total is None else FORMAT
            scaled = total is None or total >= LARGE
            keywords = {"unit": f" {unit}", "unit_scale": scaled, "bar_format": bar_format, **self._width}
            self._bar = self._class(total=total, **keywords)
        self._bar.n = done
        if postfix is not None:
            self._bar.set_postfix_str(postfix(), refresh=False)
        self._bar.refresh()
        self._next_update = perf_counter() + PERIOD

    def close(self):
        """Leave the bar as it is, on a line of its own."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Progress:
    """A watcher of a `numbaopt.drivers.run.Run` that shows its progress.

    It shows the step, f, the largest entry of the gradient, lr, the epoch, and the time left.

    Parameters
    ----------
    required : bool
        See `Bar`.
    """

    def __init__(self, required):
        self.bar, self._run = Bar(required), None

    def __call__(self, run, t, last=False):
        """Show the progress of the run after t steps."""
        self._run = run
        batches, total = run.batches, run.maxiter
        if batches is not None and batches.steps is not None:
            total = min(total, batches.epochs * batches.steps * run.gradients_per_step)
        unit = "steps" if run.iterations is None else "iterations"
        total = int(total) if isfinite(total) else None
        self.bar.draw(run.iterations_done(t), total, unit, lambda: self._postfix(run, t), last)

    def _postfix(self, run, t):
        """Return the text after the bar."""
        f, norm, lr = run.record[PREVIOUS], run.record[NORM], rate(run, t)
        items = [] if isnan(norm) else [f"f={f:.4g}", f"|g|={norm:.2g}"]
        if lr is not None:
            items.append(f"lr={lr:.3g}")
        if run.batches is not None:
            items.append(f"epoch {int(run.record[EPOCH]) + 1}/{run.batches.epochs}")
        if run.deadline is not None:
            items.append(f"maxtime in {max(run.deadline - perf_counter(), 0):.0f} s")
        return ", ".join(items)

    def close(self):
        """Show the final state of the run, and leave the bar as it is."""
        if self._run is not None:
            self(self._run, int(self._run.record[NIT]), last=True)
        self.bar.close()
