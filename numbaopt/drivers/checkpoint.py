"""Checkpoints: the state of a run is written to a file from time to time, and a resumed run continues bit for bit.

Between two steps, the state of a run consists of a few arrays and counters, whichever driver it uses (`Run.arrays`).
The order of minibatches, schedules and noise follow from seeds and counters. A checkpoint is therefore a copy of these
arrays and counters, together with a description of the problem.
"""

import hashlib
import math
import os
import warnings
from time import perf_counter

import numpy as np

from numbaopt.common import array_file
from numbaopt.common.per_coordinate import PerCoordinate
from numbaopt.common.validation import describe, is_real
from numbaopt.data.batches import is_stream
from numbaopt.drivers.drive import drive
from numbaopt.drivers.stopping import (
    BAD_FUN,
    BAD_JAC,
    BAD_X,
    FTOL,
    FTOL_MET,
    GO_ON,
    LIMITS,
    NFEV,
    NIT,
    NONFINITE_COUNT,
    PREVIOUS,
    STALLED,
    check_from_python,
    check_iteration,
)

EVERY = 30.0  # seconds between two checkpoints, by default
PAUSE = 0.05  # least number of seconds between two copies in memory; the latest is written if the run is interrupted
PAUSE_RATIO = 20  # the pause is at least this many times as long as a copy takes
# Options that a resumed run must share with the run that wrote the checkpoint.
SHARED_OPTIONS = ("return", "nonfinite", "finite_diff_rel_step", "spsa_c", "spsa_gamma")
FINAL = (BAD_FUN, BAD_JAC, BAD_X, STALLED)  # reasons to stop after which a run cannot continue


def keeper(checkpoint, every, resume):
    """Return the `Keeper` for these arguments, or None if there is no checkpoint to read or write.

    Raises
    ------
    TypeError, ValueError, OSError
        For invalid arguments, and for files that cannot be read or must not be overwritten.
    """
    if not is_real(every):
        raise TypeError(f"checkpoint_every must be a number of seconds, not {describe(every)}")
    if not every >= 0:
        raise ValueError(f"checkpoint_every, in seconds, must be at least 0, not {every}")
    if checkpoint is None and every != EVERY:
        raise ValueError("checkpoint_every has no effect without checkpoint, the path of the file to write")
    if resume is True and checkpoint is None:
        raise ValueError("resume=True needs checkpoint, the path to resume from; or pass that path as resume")
    resume = None if resume is False else resume
    if checkpoint is None and resume is None:
        return None
    path = _path(checkpoint, "checkpoint")
    saved, origin = None, path if resume is True else _path(resume, "resume")
    if origin is not None and (resume is not True or os.path.lexists(origin)):
        saved = array_file.read(origin)
    if path is not None:
        array_file.prepare(path)
    return Keeper(path, float(every), saved, origin)


def _path(path, name):
    if path is None:
        return None
    try:
        return os.path.abspath(os.fsdecode(path))  # the objective may change the working directory
    except TypeError:
        or_true = ", or True to resume from checkpoint" if name == "resume" else ""
        raise TypeError(f"{name} must be a path{or_true}, not {describe(path)}") from None


class Keeper:
    """Writes the checkpoints of a run, and resumes it from one.

    Parameters
    ----------
    path : str or None
        The path of the file to write.
    every : float
        Seconds between two checkpoints.
    saved : (dict, dict), or None
        The checkpoint to resume from, as `numbaopt.common.array_file.read` returns it.
    origin : str
        The path of that checkpoint.
    """

    def __init__(self, path, every, saved, origin):
        self.path, self.every, self.saved, self.origin = path, every, saved, origin
        self._problem, self._pending, self._pause = {}, None, PAUSE
        self._written, self._copied = perf_counter(), -math.inf

    @property
    def watchers(self):
        """The watchers of the run: this object, if it writes checkpoints."""
        return [] if self.path is None else [self]

    def seeded(self, feed, spsa):
        """Return the arguments for minibatches, with the seed of the checkpoint if there is none among them."""
        seed = None if self.saved is None else self.saved[0]["problem"]["seed"]
        if seed is None or "seed" in feed or not (spsa or ("data" in feed and not is_stream(feed["data"]))):
            return feed
        return feed | {"seed": seed}

    def take(self, run, rule, options, seed):
        """Prepare to watch a run that has not started, and restore the state of the checkpoint, if there is one.

        Raises
        ------
        ValueError
            If the checkpoint belongs to another problem, or the data can be iterated over only once.
        """
        if run.batches is not None and run.batches.once:
            text = "data can be iterated over only once, so the run could not be resumed"
            raise ValueError(f"{text}. Pass arrays, or an object whose __iter__ starts from the beginning each time")
        self._problem = _problem(run, rule, options, seed)
        if self.saved is not None:
            (description, arrays), current = self.saved, run.arrays() | _bounds(run)
            self._compare(description["problem"], arrays, current)
            _restore(run, description, arrays)

    def _compare(self, problem, arrays, current):
        """Raise ValueError if the checkpoint belongs to another problem."""
        saved, here = _without_box(problem), _without_box(self._problem)
        names = [name for name in here if saved.get(name) != here[name]]
        hyper = [name for name in names if name.startswith("hyperparameter ")]
        if "the method" in names:  # then the hyperparameters differ, too
            names = [name for name in names if name not in (*hyper, "the digest of its hyperparameters")]
        elif hyper:  # more informative than the digest
            names = [name for name in names if name != "the digest of its hyperparameters"]
        differing = [_difference(name, _shortened(saved.get(name)), _shortened(here[name])) for name in names]
        if not differing:
            saved, here = ({n: [a.dtype.str[1:], list(a.shape)] for n, a in d.items()} for d in (arrays, current))
            names = [name for name in here if here[name] != saved.get(name)]
            differing = [_difference(name, saved.get(name), here[name]) for name in names]
        for name in () if differing else ("lower", "upper") if "lower" in current else ():
            for i in np.flatnonzero(arrays[name] != current[name])[:1].tolist():
                differing.append(_difference(f"{name}[{i}] of the bounds", arrays[name][i], current[name][i]))
        if differing:
            text = f"{self.origin!r} is a checkpoint of another problem: {'; '.join(differing)}"
            raise ValueError(f"{text}. Omit resume to start from the beginning.")

    def __call__(self, run, t):
        """Watch a run: copy its state, and write the copy, each if enough time has passed."""
        now = perf_counter()
        write = now - self._written >= self.every
        if write or now - self._copied >= self._pause:
            self._copy(run, t, t + (run.batches is None and 1 + int(run.record[NONFINITE_COUNT])), GO_ON)
            self._copied = perf_counter()
            self._pause = max(PAUSE, PAUSE_RATIO * (self._copied - now))
        if write:
            self._write()

    def drive(self, run, callback=None):
        """Minimize as `numbaopt.drivers.drive.drive` does; write the final state, or that before an interrupt."""
        try:
            stop = drive(run, callback)
            if self.path is not None:
                self._copy(run, int(run.record[NIT]), run.objective.njev, stop)
            return stop
        finally:
            self._write()

    def _copy(self, run, t, njev, stop):
        arrays = {name: array.copy() for name, array in (run.arrays() | _bounds(run)).items()}
        arrays["record"][NIT] = t
        description = {"problem": self._problem, "nfev": run.objective.nfev, "njev": njev, "stop": int(stop)}
        self._pending = description | {"place": run.position, "ftol": run.ftol}, arrays

    def _write(self):
        if self._pending is None:
            return
        try:
            array_file.write(self.path, *self._pending)
            self._pending = None
        except OSError as error:
            text = f"The checkpoint {self.path!r} could not be written: {error}. The run continues without a new one."
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        self._written = perf_counter()


def _problem(run, rule, options, seed):
    """Return what a resumed run must have in common with the checkpoint, by the names that error messages use."""
    objective, batches, structure = run.objective, run.batches, run.objective.structure
    per_coordinate = [value.values for value in rule.hyper.values() if isinstance(value, PerCoordinate)]
    digest = hashlib.sha256(b"".join(array.tobytes() for array in (rule.h, *per_coordinate))).hexdigest()[:16]
    parts = zip(structure.paths, structure.shapes, structure.complexes, strict=True)
    leaves = [f"x0{path}: {shape}" + ", complex" * is_complex for path, shape, is_complex in parts]
    jac = "2-point" if objective.jac is None else "a function" if callable(objective.jac) else objective.jac
    problem = {"the method": rule.name}
    problem |= {f"hyperparameter {name}": repr(value) for name, value in rule.hyper.items()}
    problem |= {"the digest of its hyperparameters": digest}
    problem |= {"the size of x0": objective.x0.size, "the dtype of x0": objective.x0.dtype.name}
    problem |= {"the structure of x0": leaves, "jac": jac, "bounds": "given" if run.limits is not None else None}
    problem |= {"seed": seed, "data": None}
    if batches is not None and batches.rows is None:
        problem["data"] = "a stream"
    elif batches is not None:
        problem |= {"data": f"{batches.rows} rows", "batch_size": batches.batch_size, "shuffle": bool(batches.shuffle)}
        problem |= {"the rows of an epoch": batches.end}
    return problem | {name: np.asarray(options[name]).tolist() for name in SHARED_OPTIONS}


def _restore(run, description, arrays):
    """Restore the state of a checkpoint in a run that has not started; the limits remain those of the run."""
    record = run.record.copy()
    for name, array in run.arrays().items():
        array[...] = arrays[name]
    run.record[LIMITS] = record[LIMITS]
    run.objective.nfev, run.objective.njev = description["nfev"], description["njev"]
    run.position = tuple(description["place"])
    run.record[NFEV] = description["nfev"]  # the Python driver counts evaluations in the objective
    run.initial_stop = _stop_after(run, description["stop"], description["ftol"])


def _stop_after(run, stop, ftol):
    """Return the reason to stop at the restored state, by the tolerances of this run, or `GO_ON`.

    The reason and the ftol with which the earlier run stopped are ``stop`` and ``ftol``. Limits are checked later.
    """
    block, record = run.block, run.record
    if stop in FINAL:
        return stop
    if run.batches is not None:
        return GO_ON
    record[FTOL], run_ftol = -1.0, record[FTOL]  # the value before this one is no longer known
    new_stop = check_from_python(record[PREVIOUS], block, record)
    record[FTOL] = run_ftol
    if new_stop == GO_ON and run.iterations is not None:
        new_stop = check_iteration(run.h, record)
    return FTOL_MET if new_stop == GO_ON and stop == FTOL_MET and run.ftol >= ftol else new_stop


def _bounds(run):
    """Return the bounds by name."""
    return {} if run.limits is None else dict(zip(("lower", "upper"), run.limits, strict=True))


def _without_box(problem):
    """Return the description of a problem without the suffix that bounds add to the name of the method."""
    name = problem["the method"]
    return problem | {"the method": name if problem["bounds"] is None else name.removesuffix("_box")}


def _difference(name, saved, here):
    return f"{name} is {saved} in the checkpoint and {here} in this call"


def _shortened(value):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
