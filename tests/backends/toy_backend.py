"""A backend of one module, for test_dispatch.py: arrays in a wrapper that NumPy does not see through."""

import numpy as np

from numbaopt.backends import host
from numbaopt.lowering.emit_cpu import emit  # noqa: F401

picklable = False


class Toy:
    """An array of this backend."""

    __toy_array__ = True

    def __init__(self, values):
        self.values = values

    def __getitem__(self, at):
        return Toy(self.values[at])

    def __setitem__(self, at, values):
        self.values[at] = values

    def reshape(self, *shape):
        return Toy(self.values.reshape(*shape))

    def __array__(self, *args, **options):
        raise TypeError("a toy is not an array")


def prepare(rule, x):
    prepared = host.prepare(rule, x.values)

    def step(t, x, g, s, h):
        prepared.step(t, x.values.reshape(-1), g.values.reshape(-1), s, h)

    return prepared._replace(step=step, direct=None)


def arguments(x, g, shape, dtype):
    for each, name in ((x, "x"), (g, "g")):
        if not isinstance(each, Toy):
            raise TypeError(f"{name} is a toy, not {type(each).__name__}")
    host.arguments(x.values, g.values, shape, dtype)
    return x, g


def fetch(step, h):
    pass


def check_parameter(x, name):
    host.check_parameter(x.values, name)


def stand_in(x):
    return x.values


def stepped_view(x):
    return x


def gradient(g, x, name, step, convert):
    return Toy(convert(g.values, name))


def zeros(n, dtype):
    return Toy(np.zeros(n, dtype))


def assign(array, values):
    array[:] = values


def copy(source, target):
    target.values.reshape(-1)[:] = source.values.reshape(-1)


def to_host(array):
    return np.array(getattr(array, "values", array))
