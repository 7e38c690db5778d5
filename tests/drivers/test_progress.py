"""The total of a progress bar."""

import sys
import types

import numpy as np
import pytest

import numbaopt
from numbaopt import chain, minimize
from numbaopt.transforms import sam

ROWS = np.arange(20.0)


class Bar:
    """Stands for tqdm's bar and notes what it shows."""

    made = None

    def __init__(self, total=None, **_):
        self.total, self.n = total, 0
        type(self).made.append(self)

    def set_postfix_str(self, text, refresh):
        self.text = text

    def refresh(self):
        pass

    close = refresh


@pytest.fixture
def bars(monkeypatch):
    """Return the bars that are made, as in a notebook, where there is no terminal."""
    made = []
    module = types.ModuleType("tqdm.auto")
    module.tqdm = type("tqdm", (Bar,), {"made": made})
    monkeypatch.setitem(sys.modules, "tqdm.auto", module)
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    return made


def loss(x, rows):
    return float(np.mean((x[0] - rows) ** 2)), np.array([2 * np.mean(x[0] - rows)])


@pytest.mark.parametrize(
    ("method", "gradients"),
    [(numbaopt.sgd(lr=0.01), 1), (chain(sam(rho=0.01), numbaopt.sgd(lr=0.01)), 2)],
    ids=["sgd", "sam"],
)
def test_the_total_counts_every_gradient_of_a_step(bars, method, gradients):
    feed = {"data": ROWS, "batch_size": 5, "epochs": 3, "seed": 0}
    result = minimize(loss, np.zeros(1), jac=True, method=method, options={"progress": True}, **feed)
    (bar,) = bars
    assert result.nfev == 12 * gradients
    assert (bar.total, bar.n) == (12 * gradients, 12 * gradients)


def test_the_total_is_maxiter_where_that_is_less(bars):
    feed = {"data": ROWS, "batch_size": 5, "epochs": 3, "seed": 0}
    minimize(loss, np.zeros(1), jac=True, method="sgd", options={"progress": True, "maxiter": 7}, **feed)
    (bar,) = bars
    assert (bar.total, bar.n) == (7, 7)
