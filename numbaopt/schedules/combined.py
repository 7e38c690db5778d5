"""Schedules that combine other schedules: in sequence, multiplied, or held constant between changes."""

from collections.abc import Iterable
from itertools import pairwise
from math import inf, prod

from numbaopt.schedules.decorator import Schedule, check_parameter, short_repr


class Combined(Schedule):
    """Base of schedules that combine other schedules.

    Its own numbers come first in the array h of hyperparameters, followed by those of each part.

    Attributes
    ----------
    parts : tuple of Schedule
        Schedules that are combined.
    values : tuple of float
        All parameters: its own, followed by those of each part.

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
        self._count = len(numbers)
        self.texts()  # raises if two parts are different functions of the same name

    def texts(self) -> dict[str, str]:
        """Return the source of the functions that `text` calls.

        Returns
        -------
        dict of str
            Source code by name of the function.

        Raises
        ------
        ValueError
            If two different functions have the same name.
        """
        texts: dict[str, str] = {}
        for name, text in [pair for part in self.parts for pair in part.texts().items()]:
            if texts.setdefault(name, text) != text:
                raise ValueError(f"two schedules are named {name.removesuffix('_at')!r}: rename one of them")
        return texts

    def parts_texts(self, counts: list, at: int) -> list[str]:
        """Return the expressions of the parts, each for its own step number.

        Parameters
        ----------
        counts : list of str
            Expressions for the number of steps done, one for each part.
        at : int
            Index of the schedule's first number in the array h of hyperparameters.

        Returns
        -------
        list of str
        """
        position, texts = at + self._count, []
        for part, k in zip(self.parts, counts, strict=True):
            texts.append(part.text(k, position))
            position += len(part.values)
        return texts

    def __repr__(self):
        factory, arguments = self.__reduce__()
        return f"{factory.__name__}({', '.join(map(short_repr, arguments))})"

    def __hash__(self):
        return hash((type(self), self.parts, self.values))


class Joined(Combined):
    """Schedules one after another, each counting steps from 0 at its start, as returned by `joined`.

    Attributes
    ----------
    parts : tuple of Schedule
        Schedules in order.
    boundaries : tuple of int
        Steps at which the next schedule starts.

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
        """Return an expression for the value, in the language of compiled steps.

        Parameters
        ----------
        k : str
            Expression for the number of steps done.
        at : int
            Index of the schedule's first number in the array h of hyperparameters.

        Returns
        -------
        str
        """
        texts = self.parts_texts([k, *(f"({k} - h[{at + i}])" for i in range(len(self.boundaries)))], at)

        # A binary tree of conditions, because a chain of a hundred exceeds the nesting limit of Python's parser.
        def between(first, last):
            if first == last:
                return texts[first]
            middle = (first + last) // 2
            return f"({between(first, middle)} if {k} < h[{at + middle}] else {between(middle + 1, last)})"

        return between(0, len(texts) - 1)

    def __reduce__(self):
        return joined, (list(self.parts), list(self.boundaries))


class Product(Combined):
    """The product of schedules, as returned by `product`."""

    def __call__(self, k: float) -> float:
        """Return the value after ``k`` steps."""
        return prod(part(k) for part in self.parts)

    def text(self, k: str, at: int) -> str:
        """Return an expression for the value; see `Schedule.text`."""
        return f"({' * '.join(self.parts_texts([k] * len(self.parts), at))})"

    def __reduce__(self):
        return product, (list(self.parts),)


class Staircase(Combined):
    """A schedule that is evaluated every so many steps, as returned by `staircase`."""

    def __call__(self, k: float) -> float:
        """Return the value after ``k`` steps."""
        steps = self.values[0]
        return self.parts[0](k // steps * steps)

    def text(self, k: str, at: int) -> str:
        """Return an expression for the value; see `Schedule.text`."""
        return self.parts_texts([f"({k} // h[{at}] * h[{at}])"], at)[0]

    def __reduce__(self):
        return staircase, (self.parts[0], self.values[0])


def joined(schedules: Iterable[Schedule], boundaries: Iterable[float]) -> Schedule:
    """Return a schedule that follows several schedules one after another.

    It corresponds to SequentialLR in PyTorch and to join_schedules in optax.

    Parameters
    ----------
    schedules : list of Schedule
        Schedules in order. Each counts steps from 0 at its start.
    boundaries : list of int
        Steps at which the next schedule starts, positive and increasing, one fewer than `schedules`.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError
        If `schedules` is not a list of schedules.
    ValueError
        If the number or order of boundaries is wrong, or different schedules have the same name.

    Examples
    --------
    >>> from numbaopt.schedules import cosine, joined, linear
    >>> lr = joined([linear(0, 0.1, 100), cosine(0.1, 900)], [100])
    >>> lr(0), lr(50), lr(100), lr(1000)
    (0.0, 0.05, 0.1, 0.0)
    """
    parts, boundaries = _schedules("joined", schedules), tuple(boundaries)
    if len(boundaries) != len(parts) - 1 or not all(a < b for a, b in pairwise((0, *boundaries, inf))):
        needed = f"{len(parts)} schedules need {len(parts) - 1} positive, increasing boundaries"
        raise ValueError(f"joined: {needed}, not {list(boundaries)}")
    return Joined(parts, boundaries)


def product(schedules: Iterable[Schedule]) -> Schedule:
    """Return the product of several schedules, as ChainedScheduler in PyTorch.

    Parameters
    ----------
    schedules : list of Schedule
        Usually one schedule of values and further schedules of factors, such as ``exponential(1, 0.9)``.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError
        If `schedules` is not a list of schedules.
    ValueError
        If different schedules have the same name.

    Examples
    --------
    >>> from numbaopt.schedules import exponential, linear, product
    >>> product([linear(0, 0.1, 10), exponential(1, 0.5, 10)])(20)
    0.025
    """
    return Product(_schedules("product", schedules), ())


def staircase(schedule: Schedule, steps: float) -> Schedule:
    """Return a schedule whose value changes only every `steps` steps, as with ``staircase=True`` in optax and Keras.

    If `steps` is the number of batches in an epoch, the value changes once an epoch.

    Parameters
    ----------
    schedule : Schedule
        Schedule that is evaluated every `steps` steps.
    steps : int
        Number of steps during which the value is constant.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError
        If `schedule` is not a schedule, or `steps` is not a finite real number.
    ValueError
        If `steps` is not positive.

    Examples
    --------
    >>> from numbaopt.schedules import linear, staircase
    >>> lr = staircase(linear(1.0, 0.0, 100), 25)
    >>> lr(0), lr(24), lr(25), lr(99), lr(100)
    (1.0, 1.0, 0.75, 0.25, 0.0)
    """
    parts = (check_schedule("staircase", schedule),)
    return Staircase(parts, (check_parameter("staircase", "steps", steps, "positive"),))


def _schedules(label, schedules):
    parts = tuple(schedules)
    if not parts or not all(isinstance(part, Schedule) for part in parts):
        raise TypeError(f"{label}: schedules must be a list of at least one schedule, not {schedules!r}")
    return parts


def check_schedule(label, schedule):
    """Return a schedule; raise TypeError for anything else, such as a function that still needs its parameters."""
    if not isinstance(schedule, Schedule):
        raise TypeError(f"{label}: schedule must be a schedule such as cosine(0.1, 1000), not {schedule!r}")
    return schedule
