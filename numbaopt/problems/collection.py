"""All problems, by name."""

from typing import Any

from numbaopt.common.suggest import closest
from numbaopt.problems import closed_form, seeded
from numbaopt.problems.problem import Problem

_constructors = closed_form.CONSTRUCTORS | seeded.CONSTRUCTORS


def names() -> tuple[str, ...]:
    """Return the names of all problems.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from numbaopt import problems
    >>> problems.names()[:3]
    ('ravine', 'booth', 'beale')
    """
    return tuple(_constructors)


def get(name: str, **parameters: Any) -> Problem:
    """Return the problem of a given name.

    Parameters
    ----------
    name : str
        One of `names`.
    **parameters
        The parameters of its constructor: for most problems ``n``, the number of variables.

    Returns
    -------
    Problem

    Raises
    ------
    TypeError
        If the constructor does not have one of the parameters.
    ValueError
        If there is no problem of this name, or it is not defined for this number of variables.

    Examples
    --------
    >>> from numbaopt import problems
    >>> problems.get("rosenbrock", n=4).x0
    array([-1.2,  1. , -1.2,  1. ])
    """
    if name not in _constructors:
        near = closest(str(name), _constructors)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"There is no problem {name!r}; there are {', '.join(_constructors)}.{hint}")
    return _constructors[name](**parameters)
