"""The positions of the slots and the numbers of a rule in the arrays s and h of its compiled step."""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from numbaopt.backends.protocol import common_slot_dtype
from numbaopt.common.per_coordinate import PerCoordinate
from numbaopt.lowering import emit_matrix
from numbaopt.lowering.layout import layout
from numbaopt.methods.hyperparameters import is_schedule

# Functions in the start of a slot, where x is a matrix.
SHAPES = {"zeros": lambda a, b: np.zeros((a, b)), "identity": np.eye}


class Slots:
    """The part of a rule that knows where slots and carried numbers are in s and h."""

    name: str
    hyper: Mapping[str, Any]
    slots_of: tuple[str, ...]
    numbers_of: tuple[str, ...]
    shape: tuple[int, int] | None
    program: Any
    _stages: tuple[Any, ...]

    def _start(self, name, x):
        """Return where a slot or number starts; None for zero."""
        for math_, pairs in self._stages:
            for author, whole in pairs:
                if whole == name and author in math_.starts:
                    given = {a: self.hyper[w] for a, w in pairs if w in self.hyper}
                    own = {a: v(0) if is_schedule(v) else v for a, v in given.items()} | {"x": x} | SHAPES
                    own |= dict(zip(("rows", "columns"), self.shape or (), strict=False))
                    text = math_.starts[author]
                    return None if text is None else eval(text, {"__builtins__": {}}, own)
        return None

    def _places(self, n):
        """Return where each slot of a matrix is in s: {name: (first, end, shape)}."""
        known, at, places = {"rows": self.shape[0], "columns": self.shape[1]}, 0, {}
        for name in self.slots_of:
            texts = emit_matrix.shape(self.program.starts.get(name))
            shape = tuple(eval(text, {"__builtins__": {}}, known) for text in texts)
            places[name] = at, at + shape[0] * shape[1], shape
            at += shape[0] * shape[1]
        return places

    def slot(self, s: np.ndarray, name: str) -> np.ndarray:
        """Return one slot as a view of s: a row, or a matrix if the rule takes x as a matrix.

        Parameters
        ----------
        s : ndarray, shape (k, n)
            The slots, as from `slots`.
        name : str

        Returns
        -------
        ndarray
        """
        if self.shape is None:
            return s[self.slots_of.index(name)]
        lo, hi, shape = self._places(s.shape[1])[name]
        return s.reshape(-1)[lo:hi].reshape(shape)

    def slots(self, x: np.ndarray, **fixed: Any) -> np.ndarray:
        """Return the slots before the first step.

        Parameters
        ----------
        x : ndarray, shape (n,)
            The parameters, flat.
        **fixed
            Other starts of some slots, by name.

        Returns
        -------
        ndarray, shape (k, n), of x's dtype
        """
        rows = len(self.slots_of)
        if self.shape is not None:
            rows = -(-max(hi for _, hi, _ in self._places(x.size).values()) // x.size) if rows else 0
        s = np.zeros((rows, x.size), common_slot_dtype(self, x.dtype))
        for name in self.slots_of:
            row, given = self.slot(s, name), self.hyper.get(name)
            if isinstance(given, PerCoordinate) and name not in fixed:
                given.fill(row, self.name, name)
                continue
            seen = x if self.shape is None else x.reshape(self.shape)
            value = fixed[name] if name in fixed else self._start(name, seen)
            if value is not None:
                row[...] = value
        return s

    def reported(self, x: np.ndarray, s: np.ndarray, h: np.ndarray, t: int) -> np.ndarray:
        """Return the point to report: x, or another one for some rules, such as an average.

        Parameters
        ----------
        x : ndarray, shape (n,)
        s, h : ndarray
            The slots and hyperparameters after the step.
        t : int
            The number of the step.

        Returns
        -------
        ndarray, shape (n,)
        """
        for math_, pairs in reversed(self._stages):
            if math_.report is None:
                continue
            own = {author: whole for author, whole in pairs}
            given = {"x": x if self.shape is None else x.reshape(self.shape), "t": t}
            for name in inspect.signature(math_.report).parameters:
                whole = own.get(name, "")
                if whole in self.slots_of:
                    given[name] = self.slot(s, whole)
                elif whole in self.numbers_of:
                    given[name] = self.number(h, whole)
                elif whole in self.hyper:
                    value = self.hyper[whole]
                    given[name] = value(max(t - 1, 0)) if is_schedule(value) else value
            wanted = {name: given[name] for name in inspect.signature(math_.report).parameters}
            return np.array(math_.report(**wanted), x.dtype).reshape(-1)
        return x

    @property
    def has_reported_point(self) -> bool:
        """Whether the point to report is not x."""
        return any(math.report is not None for math, _ in self._stages)

    def place(self, name: str) -> int:
        """Return the offset in h of a carried number, or of a hyperparameter that is a number.

        Parameters
        ----------
        name : str

        Returns
        -------
        int
        """
        return layout(self.program).offsets[name]

    def table(self, name: str) -> int:
        """Return the offset in h of the table of the powers of a hyperparameter.

        Parameters
        ----------
        name : str

        Returns
        -------
        int
        """
        return layout(self.program).offsets[f"{name}_t"]

    def number(self, h: np.ndarray, name: str) -> float:
        """Return a carried number.

        Parameters
        ----------
        h : ndarray
            The hyperparameters and numbers after the step.
        name : str

        Returns
        -------
        float
        """
        return float(h[self.place(name)])
