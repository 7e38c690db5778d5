"""Long runs that survive: all that a run is goes to disk now and then, and another run takes it up to the same bits.

Between two steps a run is a few arrays and counters, whichever driver it has (`Run.arrays`); the order of minibatches,
schedules and noise follow from seeds and counters. So a checkpoint is a copy of these, and what problem they belong to.
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

EVERY = 30.0  # seconds
PAUSE = 0.05  # seconds between two copies in memory, which are written should the run be broken off
SHARE = 20  # and so many times longer than a copy takes
# Options that a run taken up must share with the one that it goes on from.
LASTING = ("return", "nonfinite", "finite_diff_rel_step", "spsa_c", "spsa_gamma")
LAST = (BAD_FUN, BAD_JAC, BAD_X, STALLED)  # reasons to stop after which no run continues


def keeper(checkpoint, every, resume):
    """Return the `Keeper` for what was given, or None where nothing is to be kept.

    Raises
    ------
    TypeError, ValueError, OSError
        For what cannot be, and for files that cannot be read or written, or must not be.
    """
    if not is_real(every):
        raise TypeError(f"checkpoint_every is a number of seconds, not {describe(every)}")
    if not every >= 0:
        raise ValueError(f"checkpoint_every, in seconds, is at least 0, not {every}")
    if checkpoint is None and every != EVERY:
        raise ValueError("checkpoint_every without checkpoint, which is missing: give the path to write to")
    if resume is True and checkpoint is None:
        raise ValueError("resume=True is for the path in checkpoint, which is missing; or give resume a path")
    resume = None if resume is False else resume
    if checkpoint is None and resume is None:
        return None
    to = _path(checkpoint, "checkpoint")
    saved, origin = None, to if resume is True else _path(resume, "resume")
    if origin is not None and (resume is not True or os.path.lexists(origin)):
        saved = array_file.read(origin)
    if to is not None:
        array_file.prepare(to)
    return Keeper(to, float(every), saved, origin)


def _path(path, name):
    if path is None:
        return None
    try:
        return os.path.abspath(os.fsdecode(path))  # a function may change the directory meanwhile
    except TypeError:
        also = ", or True for that in checkpoint" if name == "resume" else ""
        raise TypeError(f"{name} is a path{also}, not {describe(path)}") from None


class Keeper:
    """What writes a run's checkpoints, and has it start from one.

    Parameters
    ----------
    path : str or None
        Where to write.
    every : float
        Seconds between two checkpoints.
    saved : (dict, dict), or None
        What to start from, as `savefile.read` returns it.
    origin : str
        Where that was read.
    """

    def __init__(self, path, every, saved, origin):
        self.path, self.every, self.saved, self.origin = path, every, saved, origin
        self._problem, self._pending, self._pause = {}, None, PAUSE
        self._written, self._copied = perf_counter(), -math.inf

    @property
    def watchers(self):
        """What is to watch the run: this, where there is something to write."""
        return [] if self.path is None else [self]

    def seeded(self, feed, spsa):
        """Return what was given for minibatches, with the checkpoint's seed where none was given."""
        seed = None if self.saved is None else self.saved[0]["problem"]["seed"]
        if seed is None or "seed" in feed or not (spsa or ("data" in feed and not is_stream(feed["data"]))):
            return feed
        return feed | {"seed": seed}

    def take(self, run, rule, options, seed):
        """Watch a run that is about to begin, and put the checkpoint into it, if there is one.

        Raises
        ------
        ValueError
            For a checkpoint of another problem, and data that can be gone through but once.
        """
        if run.batches is not None and run.batches.once:
            text = "data can be gone through once, so a run cannot be taken up again"
            raise ValueError(f"{text}: give what starts anew each time, an object with __iter__, or arrays")
        self._problem = _problem(run, rule, options, seed)
        if self.saved is not None:
            (about, arrays), here = self.saved, run.arrays() | _limits(run)
            self._refuse(about["problem"], arrays, here)
            _take_up(run, about, arrays)

    def _refuse(self, problem, arrays, here):
        """Raise where the checkpoint is of another problem than this."""
        there, own = _plain(problem), _plain(self._problem)
        names = [name for name in own if there.get(name) != own[name]]
        given = [name for name in names if name.startswith("hyperparameter ")]
        if "the method" in names:  # whose hyperparameters are others, too
            names = [name for name in names if name not in (*given, "the digest of its hyperparameters")]
        elif given:  # they say more than a digest
            names = [name for name in names if name != "the digest of its hyperparameters"]
        differing = [f"{name} is {_shown(there.get(name))} there and {_shown(own[name])} here" for name in names]
        if not differing:
            there, own = ({n: [a.dtype.str[1:], list(a.shape)] for n, a in side.items()} for side in (arrays, here))
            differing = [f"{n} is {there.get(n)} there and {own.get(n)} here" for n in own if own[n] != there.get(n)]
        for name in () if differing else ("lower", "upper") if "lower" in here else ():
            for i in np.flatnonzero(arrays[name] != here[name])[:1].tolist():
                differing.append(f"{name}[{i}] of the bounds is {arrays[name][i]} there and {here[name][i]} here")
        if differing:
            text = f"{self.origin!r} is a checkpoint of another problem: {'; '.join(differing)}"
            raise ValueError(f"{text}. Leave out resume to begin anew")

    def __call__(self, run, t):
        """Watch: copy the run where it is time, and write the copy where it is time for that."""
        now = perf_counter()
        due = now - self._written >= self.every
        if due or now - self._copied >= self._pause:
            self._copy(run, t, t + (run.batches is None and 1 + int(run.record[NONFINITE_COUNT])), GO_ON)
            self._copied = perf_counter()
            self._pause = max(PAUSE, SHARE * (self._copied - now))
        if due:
            self._write()

    def drive(self, run, callback=None):
        """Minimize as `numbaopt.drivers.drive.drive` does; write the end, or the state at which it was interrupted."""
        try:
            stop = drive(run, callback)
            if self.path is not None:
                self._copy(run, int(run.record[NIT]), run.objective.njev, stop)
            return stop
        finally:
            self._write()

    def _copy(self, run, t, njev, stop):
        arrays = {name: array.copy() for name, array in (run.arrays() | _limits(run)).items()}
        arrays["record"][NIT] = t
        about = {"problem": self._problem, "nfev": run.objective.nfev, "njev": njev, "stop": int(stop)}
        self._pending = about | {"place": run.place, "ftol": run.ftol}, arrays

    def _write(self):
        if self._pending is None:
            return
        try:
            array_file.write(self.path, *self._pending)
            self._pending = None
        except OSError as error:
            text = f"the checkpoint {self.path!r} could not be written: {error}. The run goes on; the last one stays"
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        self._written = perf_counter()


def _problem(run, rule, options, seed):
    """Return what must be the same for a run to go on from another, by the name that a message gives it."""
    objective, batches, structure = run.objective, run.batches, run.objective.structure
    own = [value.values for value in rule.hyper.values() if isinstance(value, PerCoordinate)]
    digest = hashlib.sha256(b"".join(array.tobytes() for array in (rule.h, *own))).hexdigest()[:16]
    places = zip(structure.paths, structure.shapes, structure.complexes, strict=True)
    leaves = [f"x0{path}: {shape}" + ", complex" * double for path, shape, double in places]
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
    return problem | {name: np.asarray(options[name]).tolist() for name in LASTING}


def _take_up(run, about, arrays):
    """Put into a run that is about to begin all that another was; what it is to stop at stays its own."""
    record = run.record.copy()
    for name, array in run.arrays().items():
        array[...] = arrays[name]
    run.record[LIMITS] = record[LIMITS]
    run.objective.nfev, run.objective.njev, run.place = about["nfev"], about["njev"], tuple(about["place"])
    run.record[NFEV] = about["nfev"]  # a plain driver counts elsewhere
    run.opening = _judged(run, about["stop"], about["ftol"])


def _judged(run, stop, ftol):
    """Return whether the run that ended so is over for this one, too, by its own tolerances; its limits come later."""
    block, record = run.block, run.record
    if stop in LAST:
        return stop
    if run.batches is not None:
        return GO_ON
    record[FTOL], own = -1.0, record[FTOL]  # the value before this one is not known any more
    again = check_from_python(record[PREVIOUS], block, record)
    record[FTOL] = own
    if again == GO_ON and run.iterations is not None:
        again = check_iteration(run.h, record)
    return FTOL_MET if again == GO_ON and stop == FTOL_MET and run.ftol >= ftol else again


def _limits(run):
    """Return the bounds by name."""
    return {} if run.limits is None else dict(zip(("lower", "upper"), run.limits, strict=True))


def _plain(problem):
    """Return what a problem is with the method's own name, if there are bounds: they are told by themselves."""
    name = problem["the method"]
    return problem | {"the method": name if problem["bounds"] is None else name.removesuffix("_box")}


def _shown(value):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
