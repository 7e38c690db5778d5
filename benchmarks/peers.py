"""Other libraries to compare with. If one is not installed, NotImplementedError makes asv skip the benchmark."""

import functools
import importlib

import numpy as np
from numba import njit, prange

from benchmarks import THREADS


def need(package):
    """Import a package; raise NotImplementedError if it is not installed."""
    try:
        return importlib.import_module(package)
    except ImportError:
        raise NotImplementedError(f"{package} is not installed") from None


def torch_adam(x, g):
    """Return a step of torch's Adam as a single CPU kernel, its fastest form."""
    torch = need("torch")
    torch.set_num_threads(THREADS)
    parameter = torch.nn.Parameter(torch.from_numpy(x.copy()))
    parameter.grad = torch.from_numpy(g.copy())
    return torch.optim.Adam([parameter], fused=True).step


class NumPyAdam:
    """Adam as it is commonly written in NumPy, avoiding temporary arrays where that is easy."""

    def __init__(self, x, g):
        self.x, self.g, self.m, self.v, self.t = x.copy(), g, np.zeros_like(x), np.zeros_like(x), 0

    def step(self, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8):
        self.t += 1
        self.m *= b1
        self.m += (1 - b1) * self.g
        self.v *= b2
        self.v += (1 - b2) * self.g**2
        denominator = np.sqrt(self.v)
        denominator *= (1 - b2**self.t) ** -0.5
        denominator += eps
        self.x -= lr / (1 - b1**self.t) * self.m / denominator


def _jax_adam(lr):
    """Return JAX in float64, optax's Adam, and the gradient of Rosenbrock's function without its value."""
    jax, optax = need("jax"), need("optax")
    jax.config.update("jax_enable_x64", True)

    @jax.grad
    def gradient(x):
        return jax.numpy.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    def update(x, g, state):
        change, state = adam.update(g, state)
        return optax.apply_updates(x, change), state

    adam = optax.adam(lr)
    return jax, adam.init, update, gradient


def jax_rosenbrock(x0, steps, lr=1e-3, form="scan"):
    """Return a compiled run of ``lax.scan`` over optax.adam on Rosenbrock's function, which returns the last x.

    Parameters
    ----------
    x0 : ndarray, shape (n,) or (B, n)
        The starting point, or one for each of B problems, which ``vmap`` runs together.
    steps : int
        The number of steps.
    lr : float
        The learning rate.
    form : {"scan", "tuned"}
        "scan" is the usual form: an iteration computes the gradient and then steps. "tuned" passes the gradient to the
        next iteration, which is faster.
    """
    jax, init, update, gradient = _jax_adam(lr)

    def plain(carry, _):
        x, state = carry
        return update(x, gradient(x), state), None

    def tuned(carry, _):
        x, g, state = carry
        x, state = update(x, g, state)
        return (x, gradient(x), state), None

    def run(x):
        if form == "tuned":
            return jax.lax.scan(tuned, (x, gradient(x), init(x)), length=steps)[0][0]
        return jax.lax.scan(plain, (x, init(x)), length=steps)[0][0]

    compiled, x0 = jax.jit(run if x0.ndim == 1 else jax.vmap(run)), jax.numpy.asarray(x0)
    return lambda: compiled(x0).block_until_ready()


def jax_until(X0, gtol, most, lr):
    """Return a run of ``vmap`` of ``lax.while_loop`` for each row of X0, until no entry of the gradient exceeds gtol.

    It returns the last x and the number of iterations, at most `most`, of each problem.
    """
    jax, init, update, gradient = _jax_adam(lr)

    def unfinished(problem):
        _, g, _, k = problem
        return (jax.numpy.max(abs(g)) > gtol) & (k < most)

    def iterate(problem):
        x, g, state, k = problem
        x, state = update(x, g, state)
        return x, gradient(x), state, k + 1

    @jax.jit
    @jax.vmap
    def run(x):
        x, _, _, k = jax.lax.while_loop(unfinished, iterate, (x, gradient(x), init(x), 0))
        return x, k

    X0 = jax.numpy.asarray(X0)
    return lambda: jax.block_until_ready(run(X0))


class TorchEpochs:
    """Logistic regression in torch: explicit gradients without autograd, no loss, and Adam as a single kernel.

    ``X`` is float32. ``y`` contains 0.0 and 1.0 for two classes, and is one-hot for more classes; `w` then has a row
    for each class.
    """

    def __init__(self, X, y, batch):
        self._torch = torch = need("torch")
        torch.set_num_threads(THREADS)
        self._X, self._y, self._batch = torch.from_numpy(X), torch.from_numpy(y), batch
        self.w = torch.zeros(y.shape[1:] + X.shape[1:], requires_grad=True)
        self.w.grad = torch.zeros_like(self.w)
        self._adam = torch.optim.Adam([self.w], fused=True)
        self._rows = torch.empty(batch, X.shape[1])

    def epoch(self, order=None):
        """Step through all rows, in the order of an array of int64, or by default in a new random order."""
        torch, w = self._torch, self.w
        order = torch.randperm(len(self._X)) if order is None else torch.from_numpy(order)
        with torch.no_grad():
            for rows in order.split(self._batch):
                X = torch.index_select(self._X, 0, rows, out=self._rows[: len(rows)])
                y = self._y.index_select(0, rows)
                if w.ndim == 1:
                    torch.mv(X.t(), torch.sigmoid(X @ w).sub_(y).div_(len(rows)), out=w.grad)
                else:
                    torch.mm(torch.softmax(X @ w.t(), 1).sub_(y).div_(len(rows)).t(), X, out=w.grad)
                self._adam.step()


def sklearn_epoch(X, y):
    """Return an epoch of scikit-learn's stochastic gradient descent, one row per step and one-versus-rest."""
    model = need("sklearn.linear_model").SGDClassifier(loss="log_loss", alpha=0.0, learning_rate="constant", eta0=1e-3)
    classes = np.unique(y)
    return lambda: model.partial_fit(X, y, classes)


def ensmallen_adam(fun, x0, steps):
    """Return a run of ensmallen's Adam on an objective ``fun(x, grad)`` in Python."""
    adam = need("pyensmallen").Adam(batchSize=1, maxIterations=steps, tolerance=-1.0)
    return lambda: adam.optimize(fun, x0)


def copying(x, g, s):
    """Return loops that read x, g and the slots and write x and the slots without arithmetic: the memory bandwidth.

    The values are ORed with a zero that the compiler does not know, one integer instruction for each vector, so the
    arrays do not change. There are two forms, with one part for each thread and with small blocks as in the step: which
    one is faster depends on the machine.
    """
    bits = f"i{x.dtype.itemsize}"
    x, g, s, zero = x.view(bits), g.view(bits), s.view(bits), np.zeros(1, bits)[0]
    return [functools.partial(_copying, x, g, s, zero, part) for part in (-(-x.size // THREADS), 4096)]


@njit(parallel=True)
def _copying(x, g, s, zero, part):
    n = x.size
    for b in prange((n + part - 1) // part):
        lo = np.int64(b) * part
        hi = min(lo + part, n)
        if s.shape[0] == 0:
            _sweep0(x[lo:hi], g[lo:hi], zero)
        elif s.shape[0] == 1:
            _sweep1(x[lo:hi], g[lo:hi], s[0, lo:hi], zero)
        elif s.shape[0] == 2:
            _sweep2(x[lo:hi], g[lo:hi], s[0, lo:hi], s[1, lo:hi], zero)
        else:
            _sweep3(x[lo:hi], g[lo:hi], s[0, lo:hi], s[1, lo:hi], s[2, lo:hi], zero)


@njit
def _sweep0(x, g, zero):
    for i in range(x.size):
        x[i] |= g[i] & zero


@njit
def _sweep1(x, g, a, zero):
    for i in range(x.size):
        x[i] |= g[i] & zero
        a[i] |= zero


@njit
def _sweep2(x, g, a, b, zero):
    for i in range(x.size):
        x[i] |= g[i] & zero
        a[i] |= zero
        b[i] |= zero


@njit
def _sweep3(x, g, a, b, c, zero):
    for i in range(x.size):
        x[i] |= g[i] & zero
        a[i] |= zero
        b[i] |= zero
        c[i] |= zero
