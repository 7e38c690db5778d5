"""How a rule is compiled and does its steps."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from numbaopt.backends import cpu, dispatch, host
from numbaopt.backends.protocol import common_slot_dtype
from numbaopt.methods.slots import Slots
from numbaopt.methods.state import State, adopt, objective_value, step_arguments


class Stepping(Slots):
    """The part of a rule that compiles it and does its steps."""

    needs_value: bool

    if TYPE_CHECKING:

        def shaped(self, shape: tuple[int, ...]) -> Any:
            """Return the rule for a shape of x: see `Rule.shaped`."""

    def source(self, backend: str = "cpu") -> str:
        """Return the text that the rule is lowered to.

        Parameters
        ----------
        backend : {"cpu", "cuda"}

        Returns
        -------
        str

        Raises
        ------
        ValueError
            For another backend.
        """
        return dispatch.named(backend).emit(self.name, self.program)

    @property
    def jit(self) -> Any:
        """The compiled step ``step(t, x, g, s, h)``, to be called from your own ``@njit`` code.

        ``t`` is the step number, an int from 1 on; ``x`` and ``g`` are float arrays of shape (n,); ``s``, of shape
        (k, n), comes from ``rule.slots(x)``, and ``h`` is ``rule.h``. All arrays are C-contiguous, and ``x``, ``g``
        and ``s`` have one dtype. ``x`` and ``s`` change in place, and nothing is returned.
        """
        return host.inlined_step(self.name, self.program)

    def kernel(self, x: np.ndarray) -> Callable[..., None]:
        """Return the compiled step for x's dtype and size; it takes no other types.

        Parameters
        ----------
        x : ndarray, shape (n,)

        Returns
        -------
        function
            ``step(t, x, g, s, h)``, as `jit`.
        """
        return host.kernel(self.name, self.program, x.size, x.dtype, common_slot_dtype(self, x.dtype))

    def gate(self, h: np.ndarray, t: int) -> int | None:
        """Return how many steps have passed the gates of a `split` part, or None if this step has not.

        Parameters
        ----------
        h : ndarray
            The numbers after the step.
        t : int
            The number of the step.

        Returns
        -------
        int or None
        """
        if self.program.gate is None:
            return t
        flag, counted = self.program.gate
        return int(self.number(h, counted)) if self.number(h, flag) else None

    def init(self, x: Any) -> State:
        """Return the state to start from.

        Parameters
        ----------
        x : ndarray or device array (``__cuda_array_interface__``), float32 or float64, C-contiguous, any shape
            The parameters. Slots that start as a copy of x, or at another value than zero, are made from it. A NumPy
            array may be complex: its real and imaginary parts are then separate coordinates.

        Returns
        -------
        State

        Raises
        ------
        TypeError, ValueError
            If x is not such an array.
        """
        backend = dispatch.of(x)
        return State(backend.prepare(self, x), backend)

    def step(self, x: Any, g: Any, state: State, f: float | None = None) -> None:
        """Do one step in place: ``x`` and ``state`` change, nothing else.

        Parameters
        ----------
        x, g : ndarrays (or both device arrays) of the state's shape
            The parameters and the gradient at them. x is C-contiguous and has the dtype that `init` was called with.
        state : State
            From `init` of this rule. The hyperparameters may differ from those of the last step.
        f : float
            The objective's value at x, for rules that need it.

        Raises
        ------
        TypeError, ValueError
            If x, g and state do not fit each other. Nothing has changed then.
        """
        if self.needs_value:
            f = objective_value(self, f)
        try:
            t = state.t + 1
            if state.rule is not self:
                adopt(self, x, state)
            direct = state._direct
            if direct is not None and x.dtype is g.dtype is direct:
                h = state.h
                if self.needs_value:
                    h[-1] = f
                state._step(t, x, g, state.s, h)
                state.t = t
                return
        except cpu.MISMATCH_ERRORS:
            pass  # below, arguments are converted to what the step takes, or an error says what does not fit
        x, g = step_arguments(self, x, g, state)
        if state.rule is not self:
            adopt(self, x, state)
        if self.needs_value:
            state.h[-1] = f
        state._step(state.t + 1, x, g, state.s, state.h)
        state.t += 1
