"""Hyperparameters with one value for each coordinate."""

import numpy as np


class PerCoordinate:
    """One value of a hyperparameter for each coordinate, as in ``adam(lr=np.array([1e-2, 1e-4]))``; immutable.

    Parameters
    ----------
    values : array_like of real numbers
        They are copied.
    """

    __slots__ = ("values",)

    def __init__(self, values):
        self.values = np.array(values, float)
        self.values.flags.writeable = False

    def __eq__(self, other):
        return isinstance(other, PerCoordinate) and np.array_equal(self.values, other.values)

    def __hash__(self):
        return hash((self.values.shape, self.values.tobytes()))

    def __bool__(self):
        return True

    def __repr__(self):
        return np.array2string(self.values, separator=", ", threshold=6, edgeitems=2)

    def __reduce__(self):
        return PerCoordinate, (np.array(self.values),)

    def flat(self, size, rule, name):
        """Return the values as a flat array; raise ValueError unless there are ``size`` of them."""
        if self.values.size != size:
            count = f"{rule}: {name} has {self.values.size} values, for {size} coordinates"
            raise ValueError(f"{count}: give one for each, or one number")
        return self.values.reshape(-1)

    def fill(self, row, rule, name):
        """Write the values into a slot of any shape."""
        row[...] = self.flat(row.size, rule, name).reshape(row.shape)
