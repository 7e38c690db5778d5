"""Epochs of minibatches: logistic regression of the size of Fashion-MNIST compared with torch and scikit-learn.

The least time of an epoch follows from the data: 60 000 rows of 3136 bytes, 188 MB, are read from memory once, in
random order. The hardware cannot predict where the next row begins, so it reads them at a third of the speed of
consecutive rows, or at two thirds if they are prefetched, as `numbaopt.data.gather.gather` does. The copy of a batch
has 400 kB and stays in the second-level cache, where the loss reads it. With two classes the loss takes 4 operations
for each number, and the memory limits the speed; with ten classes it takes 40, 1.9 billion in an epoch, and the
arithmetic does.
"""

import functools

import numpy as np
from numba import njit

from benchmarks.measure import Contest, Race, size
from benchmarks.peers import TorchEpochs, sklearn_epoch
from numbaopt import minimize
from numbaopt.data.batches import Batches

ROWS, FEATURES, CLASSES, BATCH = 60_000, 784, 10, 128
TILE = 8  # rows that share each access to w and to its gradient; all batches here are multiples of it
SUMS = {"reassoc", "contract", "nsz"}  # sums may be reordered, and thus vectorized


@njit(fastmath=SUMS)
def products(X, i, w, z):
    """Compute z = X[i : i + TILE] @ w."""
    a, b, c, d, e, f, g, h = X[i], X[i + 1], X[i + 2], X[i + 3], X[i + 4], X[i + 5], X[i + 6], X[i + 7]
    z0 = z1 = z2 = z3 = z4 = z5 = z6 = z7 = w.dtype.type(0)
    for j in range(w.size):
        z0 += a[j] * w[j]
        z1 += b[j] * w[j]
        z2 += c[j] * w[j]
        z3 += d[j] * w[j]
        z4 += e[j] * w[j]
        z5 += f[j] * w[j]
        z6 += g[j] * w[j]
        z7 += h[j] * w[j]
    z[0], z[1], z[2], z[3], z[4], z[5], z[6], z[7] = z0, z1, z2, z3, z4, z5, z6, z7


@njit(fastmath=SUMS)
def add(grad, X, i, r):
    """Compute grad += r @ X[i : i + TILE]."""
    a, b, c, d, e, f, g, h = X[i], X[i + 1], X[i + 2], X[i + 3], X[i + 4], X[i + 5], X[i + 6], X[i + 7]
    r0, r1, r2, r3, r4, r5, r6, r7 = r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]
    for j in range(grad.size):
        grad[j] += r0 * a[j] + r1 * b[j] + r2 * c[j] + r3 * d[j] + r4 * e[j] + r5 * f[j] + r6 * g[j] + r7 * h[j]


@njit
def logistic(w, grad, X, y):
    """Return the mean loss for y in {0, 1}."""
    f, one, z = 0.0, w.dtype.type(1), np.empty(TILE, w.dtype)
    grad[:] = 0
    for i in range(0, y.size, TILE):
        products(X, i, w, z)
        for q in range(TILE):
            e = np.exp(-abs(z[q]))
            f += max(z[q], 0 * one) - y[i + q] * z[q] + np.log1p(e)
            z[q] = ((one if z[q] >= 0 else e) / (one + e) - y[i + q]) / w.dtype.type(y.size)
        add(grad, X, i, z)
    return f / y.size


@njit
def softmax(w, grad, X, y):
    """Return the mean loss for y in {0, ..., classes - 1}; w has a row for each class."""
    f, scale, z = 0.0, w.dtype.type(1 / y.size), np.empty((w.shape[0], TILE), w.dtype)
    grad[:] = 0
    for i in range(0, y.size, TILE):
        for k in range(w.shape[0]):
            products(X, i, w[k], z[k])
        for q in range(TILE):
            f += residual(z[:, q], y[i + q], scale)
        for k in range(w.shape[0]):
            add(grad[k], X, i, z[k])
    return f / y.size


@njit
def residual(z, label, scale):
    """Return the loss of one row; replace z by the derivative times `scale`."""
    top = z.max()
    f = top - z[label]
    for k in range(z.size):
        z[k] = np.exp(z[k] - top)
    total = z.sum()
    for k in range(z.size):
        z[k] *= scale / total
    z[label] -= scale
    return f + np.log(total)


@functools.cache
class Problem:
    """A classification problem, "binary" or "softmax", with random data, which do not affect the speed."""

    def __init__(self, kind):
        rng, rows = np.random.default_rng(0), size(ROWS, ROWS // 50)
        self.X = rng.random((rows, FEATURES), np.float32)
        self.y = rng.integers(0, 2 if kind == "binary" else CLASSES, rows)
        if kind == "binary":
            self.fun, self.labels, self.targets = logistic, self.y.astype("f"), self.y.astype("f")
        else:
            self.fun, self.labels, self.targets = softmax, self.y, np.eye(CLASSES, dtype="f")[self.y]
        self.feed = {"data": (self.X, self.labels), "batch_size": BATCH, "seed": 0}
        self.x0 = np.zeros(self.targets.shape[1:] + (FEATURES,), "f")

    def ours(self, epochs=1):
        return minimize(self.fun, self.x0, jac="inplace", epochs=epochs, **self.feed)

    def theirs(self):
        """Return the epochs of torch, after checking that they give the same weights for rows in the same order."""
        torch = TorchEpochs(self.X, self.targets, BATCH)
        rows = Batches(np.arange(self.y.size), BATCH, seed=0).epoch(0)
        torch.epoch(np.concatenate([batch for (batch,), _ in rows]))
        np.testing.assert_allclose(self.ours().x, torch.w.detach().numpy(), rtol=0, atol=1e-6)
        return torch


class Epoch:
    """Seconds that an epoch of Adam takes, including the call from Python."""

    params = ["binary", "softmax"]
    param_names = ["kind"]
    timeout = 300

    def setup(self, kind):
        self._problem = Problem(kind)
        self._problem.ours()

    def time_epoch(self, kind):
        self._problem.ours()


class AgainstTorch(Contest):
    """An epoch of Adam, called from Python, compared with a loop in torch that does not compute the loss."""

    params = ["binary", "softmax"]
    param_names = ["kind"]

    def race(self, kind):
        problem = Problem(kind)
        return Race(problem.ours, problem.theirs().epoch)


class AgainstSklearn(Contest):
    """An epoch of Adam compared with one of SGDClassifier, which takes one row per step and does not use Adam."""

    params = ["binary", "softmax"]
    param_names = ["kind"]

    def race(self, kind):
        problem = Problem(kind)
        return Race(problem.ours, sklearn_epoch(problem.X, problem.y))


@njit
def squares(w, grad, X, y):
    """Return the mean squared error of a linear model."""
    f = 0.0
    grad[:] = 0
    for i in range(y.size):
        r = -y[i]
        for j in range(w.size):
            r += X[i, j] * w[j]
        f += r * r
        for j in range(w.size):
            grad[j] += 2 * r * X[i, j] / y.size
    return f / y.size


class Small:
    """Microseconds per epoch of 1000 rows of 5 numbers in batches of 20: the difference between 60 epochs and one."""

    params = [True, False]
    param_names = ["shuffle"]
    timeout = 300

    def setup(self, shuffle):
        X = np.random.default_rng(0).normal(size=(1000, 5))
        feed = {"data": (X, X @ np.arange(5.0)), "batch_size": 20} | ({"seed": 1} if shuffle else {"shuffle": False})

        def run(epochs):
            minimize(squares, np.zeros(5), jac="inplace", epochs=epochs, **feed)

        self._race = Race(lambda: run(60), lambda: run(1))

    def track_time(self, shuffle):
        many, one = self._race.run()
        return (many - one) / 59 * 1e6

    track_time.unit = "us/epoch"
