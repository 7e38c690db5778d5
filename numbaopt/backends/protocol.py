"""What a backend is: the functions that let a rule step one kind of arrays."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np


class Prepared(NamedTuple):
    """What a state starts from.

    Attributes
    ----------
    rule : Rule
        The rule for the shape of x, ``rule.shaped(shape)``.
    s : array, shape (k, n)
        The slots, made with ``rule.slots``, in the memory of the backend.
    shape : tuple of int
        The shape of x; of a complex x, the shape of its real and imaginary parts.
    dtype : dtype
        The dtype of x; of a complex x, the dtype of its parts.
    step : callable
        ``step(t, x, g, s, h)``, which changes x and s in place.
    direct : dtype or None
        The dtype object that x and g must have to be passed to ``step`` as they are; None if they are always checked.
    """

    rule: Any
    s: Any
    shape: tuple[int, ...]
    dtype: np.dtype
    step: Callable[..., None]
    direct: np.dtype | None = None


class Backend(Protocol):
    """The functions of a backend. A module that has them is one; `numbaopt.backends.dispatch` lists those modules.

    Its arrays, those of `zeros` and the slots among them, have a shape, a size and a dtype, and can be sliced and
    reshaped as views. They either have the attribute that marks the arrays of the backend or are NumPy arrays, and
    `to_host` takes both.

    Attributes
    ----------
    picklable : bool
        Whether states may be pickled: their slots are in host memory.
    """

    picklable: bool

    def emit(self, name: str, program: Any) -> str:
        """Return the text of a lowered rule's step."""

    def prepare(self, rule: Any, x: Any) -> Prepared:
        """Check x, allocate the slots with the dtypes of `slot_dtypes`, and compile the step."""

    def arguments(self, x: Any, g: Any, shape: tuple[int, ...], dtype: np.dtype) -> tuple[Any, Any]:
        """Return x and g as the step takes them; raise TypeError or ValueError if they do not fit the state."""

    def fetch(self, step: Any, h: np.ndarray) -> None:
        """Write the carried numbers into h if the step keeps them elsewhere."""

    def check_parameter(self, x: Any, name: str) -> None:
        """Raise TypeError or ValueError if an array cannot be a parameter of `numbaopt.Optimizer`."""

    def stand_in(self, x: Any) -> Any:
        """Return x, or a NumPy array of its shape and dtype, from which shapes and dtypes can be read."""

    def stepped_view(self, x: Any) -> Any:
        """Return a view of x as the step takes it without further checks."""

    def gradient(self, g: Any, x: Any, name: str, step: Any, convert: Callable[..., np.ndarray]) -> Any:
        """Return the gradient of a parameter as the step takes it.

        ``convert(g, name)`` makes a NumPy array of the parameter's shape. ``step`` is the one that will take the
        gradient, or None if that is copied first.
        """

    def zeros(self, n: int, dtype: np.dtype) -> Any:
        """Return a flat array of zeros."""

    def assign(self, array: Any, values: Any) -> None:
        """Write values, or one value everywhere, into an array."""

    def copy(self, source: Any, target: Any) -> None:
        """Copy an array into another one of the same size."""

    def to_host(self, array: Any) -> np.ndarray:
        """Return a copy of an array as a NumPy array."""


def slot_dtypes(rule: Any, dtype: np.dtype) -> Mapping[str, np.dtype]:
    """Return the dtype of each slot of a rule whose x has a dtype: that of x.

    This is the only place that decides it. A backend allocates what is returned here and compiles its step for it.
    """
    return dict.fromkeys(rule.slots_of, np.dtype(dtype))


def common_slot_dtype(rule: Any, dtype: np.dtype) -> np.dtype:
    """Return the one dtype of all slots, for backends that keep them as the rows of one array.

    Raises
    ------
    TypeError
        If the slots have several dtypes.
    """
    dtypes = slot_dtypes(rule, dtype)
    found = set(dtypes.values())
    if len(found) > 1:
        names = ", ".join(f"{slot} {kind}" for slot, kind in dtypes.items())
        raise TypeError(f"{rule.name}: this backend keeps all slots in one array, which has one dtype; not {names}")
    return found.pop() if found else np.dtype(dtype)
