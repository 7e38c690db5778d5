"""A hyperparameter given for each coordinate."""

import numpy as np


class Coordinates:
    """One value of a hyperparameter for each coordinate: ``adam(lr=np.array([1e-2, 1e-4]))``. Never changes."""

    __slots__ = ("values",)

    def __init__(self, values):
        self.values = np.array(values, float)
        self.values.flags.writeable = False

    def __eq__(self, other):
        return isinstance(other, Coordinates) and np.array_equal(self.values, other.values)

    def __hash__(self):
        return hash((self.values.shape, self.values.tobytes()))

    def __bool__(self):
        return True

    def __repr__(self):
        return np.array2string(self.values, separator=", ", threshold=6, edgeitems=2)

    def __reduce__(self):
        return Coordinates, (np.array(self.values),)

    def flat(self, size, rule, name):
        """Return the values as a flat array; ValueError where there are not so many coordinates."""
        if self.values.size != size:
            given = f"{rule}: {name} has {self.values.size} values, for {size} coordinates"
            raise ValueError(f"{given}: give one for each, or one number")
        return self.values.reshape(-1)

    def fill(self, row, rule, name):
        """Write the values into a slot."""
        row[...] = self.flat(row.size, rule, name).reshape(row.shape)
