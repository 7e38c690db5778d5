"""Functions that tests of several modules minimize."""


def bowl(x):
    return float(((x - 1) ** 2).sum())


def slope(x):
    return 2 * (x - 1)


def both(x):
    return bowl(x), slope(x)


def in_python(fun):
    """Hide from a driver that a function is compiled, so that it is evaluated by way of Python."""
    return lambda *args: fun(*args)
