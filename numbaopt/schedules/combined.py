"""Schedules made of schedules: one after another, multiplied, held for a while."""

from collections.abc import Iterable
from itertools import pairwise
from math import inf, prod

from numbaopt.schedules.decorator import Schedule, checked, shortly


class Combined(Schedule):
    """Schedules put together; their numbers lie in h after its own, one schedule's after another's.

    Attributes
    ----------
    parts : tuple of Schedule
    values : tuple of float
        All parameters.

    Examples
    --------
    >>> from numbaopt import schedules
    >>> lr = schedules.product([schedules.constant(0.1), schedules.linear(1.0, 0.0, 100)])
    >>> isinstance(lr, schedules.Combined), lr.parts
    (True, (constant(0.1), linear(1, 0, 100)))
    """

    def __init__(self, parts, numbers):
        self.parts = parts
        self.values = tuple(float(number) for number in numbers) + tuple(v for part in parts for v in part.values)
        self._own = len(numbers)
        self.texts()  # raises where two parts are different functions of one name

    def texts(self) -> dict[str, str]:
        """Return {name: source} of the functions that `text` calls.

        Returns
        -------
        dict of str
        """
        texts: dict[str, str] = {}
        for name, text in [pair for part in self.parts for pair in part.texts().items()]:
            if texts.setdefault(name, text) != text:
                raise ValueError(f"two schedules are named {name.removesuffix('_at')!r}: give one another name")
        return texts

    def parts_texts(self, counts: list, at: int) -> list[str]:
        """Return the expressions of the parts, each for its own count.

        Parameters
        ----------
        counts : list of str
        at : int
            Where in h the numbers lie.

        Returns
        -------
        list of str
        """
        place, texts = at + self._own, []
        for part, k in zip(self.parts, counts, strict=True):
            texts.append(part.text(k, place))
            place += len(part.values)
        return texts

    def __repr__(self):
        make, given = self.__reduce__()
        return f"{make.__name__}({', '.join(map(shortly, given))})"

    def __hash__(self):
        return hash((type(self), self.parts, self.values))


class Joined(Combined):
    """Schedules one after another, each counting from 0 at its own start; `joined` makes them.

    Attributes
    ----------
    parts : tuple of Schedule
    boundaries : tuple of int
        Where the next one takes over.

    Examples
    --------
    >>> from numbaopt import schedules
    >>> lr = schedules.warmup(schedules.constant(0.1), 10)
    >>> isinstance(lr, schedules.Joined), lr.boundaries
    (True, (10.0,))
    """

    def __init__(self, parts, boundaries):
        self.boundaries = boundaries
        super().__init__(parts, boundaries)

    def __call__(self, k: float) -> float:
        """Return the value after ``k`` steps."""
        index = sum(k >= b for b in self.boundaries)
        return self.parts[index](k - (0, *self.boundaries)[index])

    def text(self, k: str, at: int) -> str:
        """Return an expression for the value, in the words of compiled steps.

        Parameters
        ----------
        k : str
            The count.
        at : int
            Where in h its numbers begin.

        Returns
        -------
        str
        """
        texts = self.parts_texts([k, *(f"({k} - h[{at + i}])" for i in range(len(self.boundaries)))], at)

        def between(first, last):  # a tree: a chain of a hundred would nest deeper than Python reads
            if first == last:
                return texts[first]
            middle = (first + last) // 2
            return f"({between(first, middle)} if {k} < h[{at + middle}] else {between(middle + 1, last)})"

        return between(0, len(texts) - 1)

    def __reduce__(self):
        return joined, (list(self.parts), list(self.boundaries))


class Product(Combined):
    """Schedules multiplied."""

    def __call__(self, k: float) -> float:
        """Return the value after ``k`` steps."""
        return prod(part(k) for part in self.parts)

    def text(self, k: str, at: int) -> str:
        """Return an expression for the value, in the words of compiled steps.

        Parameters
        ----------
        k : str
            The count.
        at : int
            Where in h its numbers begin.

        Returns
        -------
        str
        """
        return f"({' * '.join(self.parts_texts([k] * len(self.parts), at))})"

    def __reduce__(self):
        return product, (list(self.parts),)


class Staircase(Combined):
    """A schedule that is looked at every so many steps, and held in between."""

    def __call__(self, k: float) -> float:
        """Return the value after ``k`` steps."""
        steps = self.values[0]
        return self.parts[0](k // steps * steps)

    def text(self, k: str, at: int) -> str:
        """Return an expression for the value, in the words of compiled steps.

        Parameters
        ----------
        k : str
            The count.
        at : int
            Where in h its numbers begin.

        Returns
        -------
        str
        """
        return self.parts_texts([f"({k} // h[{at}] * h[{at}])"], at)[0]

    def __reduce__(self):
        return staircase, (self.parts[0], self.values[0])


def joined(schedules: Iterable[Schedule], boundaries: Iterable[float]) -> Schedule:
    """Return schedules one after another, as torch's ``SequentialLR`` and optax's ``join_schedules``.

    Parameters
    ----------
    schedules : list of Schedule
        Each counts from 0 at its own start.
    boundaries : list of int, one fewer than schedules, increasing
        The steps at which the next schedule takes over.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError, ValueError
        For what is no schedule, or cannot be joined so.

    Examples
    --------
    >>> from numbaopt.schedules import cosine, joined, linear
    >>> lr = joined([linear(0, 0.1, 100), cosine(0.1, 900)], [100])
    >>> lr(0), lr(50), lr(100), lr(1000)
    (0.0, 0.05, 0.1, 0.0)
    """
    parts, boundaries = _schedules("joined", schedules), tuple(boundaries)
    if len(boundaries) != len(parts) - 1 or not all(a < b for a, b in pairwise((0, *boundaries, inf))):
        raise ValueError(f"{len(parts)} schedules need {len(parts) - 1} increasing boundaries, not {list(boundaries)}")
    return Joined(parts, boundaries)


def product(schedules: Iterable[Schedule]) -> Schedule:
    """Return schedules multiplied: a value and its factors, as torch's ``ChainedScheduler``.

    Parameters
    ----------
    schedules : list of Schedule
        The first is mostly the value, the others factors such as ``exponential(1, 0.9)``.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError, ValueError
        For what is no schedule, or cannot be joined so.

    Examples
    --------
    >>> from numbaopt.schedules import exponential, linear, product
    >>> product([linear(0, 0.1, 10), exponential(1, 0.5, 10)])(20)
    0.025
    """
    return Product(_schedules("product", schedules), ())


def staircase(schedule: Schedule, steps: float) -> Schedule:
    """Return a schedule looked at every ``steps`` steps and held in between, as ``staircase=True`` in optax and Keras.

    With the batches of an epoch as ``steps``, the value changes once an epoch.

    Parameters
    ----------
    schedule : Schedule
    steps : int

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError, ValueError
        For what is no schedule, or cannot be joined so.

    Examples
    --------
    >>> from numbaopt.schedules import linear, staircase
    >>> lr = staircase(linear(1.0, 0.0, 100), 25)
    >>> lr(0), lr(24), lr(25), lr(99), lr(100)
    (1.0, 1.0, 0.75, 0.25, 0.0)
    """
    if not isinstance(schedule, Schedule):
        raise TypeError(f"staircase takes a schedule, not {schedule!r}")
    return Staircase((schedule,), (checked("staircase", "steps", steps, "positive"),))


def _schedules(label, schedules):
    parts = tuple(schedules)
    if not parts or not all(isinstance(part, Schedule) for part in parts):
        raise TypeError(f"{label} takes a list of schedules, not {schedules!r}")
    return parts
