"""What a history says of itself."""

import numpy as np
import pytest

from numbaopt.results.history import History


@pytest.mark.parametrize(
    ("nit", "text"),
    [
        ([], "0 steps"),
        ([0], "0 steps"),  # the start alone
        ([0, 1], "1 step"),
        ([0, 1, 2], "2 steps"),
        ([1, 2, 3], "3 steps"),  # of minibatches, which begin with a step
        ([2, 3], "steps 2 to 3"),  # of a run that was resumed
        ([7, 8, 9], "steps 7 to 9"),
    ],
)
def test_it_names_the_steps_that_it_has(nit, text):
    history = History(nit=np.array(nit, int), fun=np.zeros(len(nit)))
    assert repr(history) == f"History of {text}: nit, fun"
