"""The measurements behind GUIDE.md: ``python -m benchmarks.guide [PART ...]`` prints its tables in Markdown.

Each method runs with its default hyperparameters, and with the best learning rate of a grid that is the same for all
methods: on smooth problems the one that solves most of them, on data the one with the lowest training loss. Test data
are not used to choose anything. The parts are smooth, bounds, softmax, network, large and sparse; by default all run.
"""

import functools
import sys
import warnings
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numba import njit

from benchmarks.peers import need
from numbaopt import get, minimize, problems, schedules

GRID = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0]
SMOOTH = [name for name in problems.names() if name != "brown_badly_scaled"]
GAP, EVALUATIONS = 1e-6, 10_000  # solved: f - f* <= GAP (1 + |f*|) after at most this number of evaluations
SEEDS = 0, 1, 2
GOAL = 0.95  # fraction of test images that are classified correctly

SOLVERS = ["lbfgs", "nonlinear_cg", "barzilai_borwein"]
MOMENTUM = {"sgd, momentum 0.9": ("sgd", {"momentum": 0.9})}
MOMENTUM["sgd, Nesterov 0.9"] = "sgd", {"momentum": 0.9, "nesterov": True}
ADAPTIVE = ["adam", "amsgrad", "nadam", "radam", "adabelief", "adan", "rmsprop", "adagrad", "adadelta"]
SIGNS = ["lion", "signum", "rprop"]
NO_RATE = ["prodigy", "dadapt_adamw", "dog", "dowg", "cocob", "schedule_free_adamw", "schedule_free_sgd", "polyak_sgd"]
MATRICES = ["muon", "shampoo", "soap", "adafactor", "sm3"]
LAYERS = ["lamb", "lars", "novograd", "fromage"]

ON_SMOOTH = [*SOLVERS, "sgd", *MOMENTUM, *ADAPTIVE, *SIGNS, *NO_RATE, "momo_adam", "lamb"]
ON_DATA = ["sgd", *MOMENTUM, *ADAPTIVE, "adamw", "lion", *NO_RATE, "momo", "momo_adam", *MATRICES, *LAYERS]
ON_NETWORK = ["sgd", "sgd, momentum 0.9", "adam", "adamw", "lion", "prodigy", "schedule_free_adamw", *MATRICES]
ON_LARGE = ["sgd, momentum 0.9", "adam", "adamw", "lion", "prodigy", "muon", "soap", *LAYERS]
ON_SPARSE = ["sgd", *MOMENTUM, "adagrad", "adam", "amsgrad", "rmsprop", "lion", "ftrl", "prodigy", "dog", "sm3"]
MINIMUM = {"f_min", "lower_bound"}  # hyperparameters that are set to the minimum if it is known, else to 0


def method(name, minimum=0.0, **hyper):
    """Return the method of a row in the tables."""
    known, momentum = MOMENTUM.get(name, (name, {}))
    base = get(known)
    return base(**momentum, **{k: minimum for k in MINIMUM.intersection(base.hyper)}, **hyper)


def table(head, rows):
    """Print a Markdown table."""
    for line in (head, ["---"] + ["--:"] * (len(head) - 1), *rows):
        print("|", " | ".join(line), "|", flush=True)


# ---- smooth problems: evaluations until the minimum


@functools.cache
def until_solved(problem):
    """Return a problem, and its objective with a zero gradient where it is solved, which ends a run with gtol = 0."""
    p = problems.get(problem)
    fun, goal = p.fun, p.minimum + GAP * (1 + abs(p.minimum))

    @njit
    def objective(x, grad, *args):
        f = fun(x, grad, *args)
        if f <= goal:
            grad[:] = 0.0
        return f

    return p, objective


def evaluations(name, problem, **hyper):
    """Return the number of evaluations until the problem is solved; infinity if it is not."""
    p, fun = until_solved(problem)
    options = {"maxiter": EVALUATIONS, "maxfev": EVALUATIONS, "gtol": 0.0}
    result = minimize(fun, p.x0, p.args, method(name, p.minimum, **hyper), jac="inplace", options=options)
    return result.nfev if result.success else np.inf


def summary(counts):
    """Return the number of problems that were solved, and the median of their evaluations."""
    solved = [count for count in counts if count < np.inf]
    return [str(len(solved)), f"{np.median(solved):.0f}" if solved else "-"]


def smooth():
    print(f"\n## {len(SMOOTH)} smooth problems: f - f* <= {GAP:g} (1 + |f*|) in {EVALUATIONS} evaluations\n")
    rows = []
    for name in ON_SMOOTH:
        clock = perf_counter()
        row = [name, *summary([evaluations(name, problem) for problem in SMOOTH])]
        if name in SOLVERS:
            rows.append([*row, "", "", "", ""])
        else:
            tried = {lr: [evaluations(name, problem, lr=lr) for problem in SMOOTH] for lr in GRID}
            best = min(tried, key=lambda lr: [tried[lr].count(np.inf), np.median(tried[lr])])
            best_each = [min(counts) for counts in zip(*tried.values(), strict=True)]
            rows.append([*row, f"{best:g}", *summary(tried[best]), *summary(best_each)])
        print(f"{name}: {perf_counter() - clock:.0f} s", file=sys.stderr)
    head = ["method", "default: solved", "evaluations", "best lr", "solved", "evaluations"]
    table([*head, "an lr for each problem: solved", "evaluations"], [row + [""] * (8 - len(row)) for row in rows])


def bounds():
    print("\n## Rosenbrock's valley with x1 <= 0.8, where the minimum is 0.04: projected gradient <= 1e-6\n")
    p, box = problems.get("rosenbrock"), [(None, 0.8), (None, None)]
    rows = []
    for name in ("barzilai_borwein", "L-BFGS-B", "adam", "sgd, momentum 0.9", "rprop"):
        fixed = name in ("barzilai_borwein", "L-BFGS-B")
        tried = []
        for lr in [np.nan] if fixed else GRID:
            rule = name if fixed else method(name, lr=lr)
            options = {"maxiter": EVALUATIONS}
            r = minimize(p.fun, p.x0, (), rule, jac="inplace", bounds=box, tol=1e-6, options=options)
            tried.append((r.nfev if r.success else np.inf, lr, r.fun - 0.04))
        nfev, lr, gap = min(tried)
        rows.append([name, "" if fixed else f"{lr:g}", f"{nfev:.0f}", f"{gap:.0e}"])
    table(["method", "best lr", "evaluations", "f - f*"], rows)


# ---- data by minibatches


@dataclass
class Task:
    """A model to fit with minibatches: ``loss(params, X, y, l2)``, its data, and its score on test data."""

    loss: Any
    start: Any
    train: tuple
    score: Any
    l2: float
    batch: int
    epochs: int
    goal: float = np.inf

    @property
    def steps(self):
        return -(-len(self.train[1]) // self.batch)

    def fit(self, rule, seed=0):
        """Return the loss on all training data, the score, the epochs until the goal, and the seconds."""
        reached = []

        def callback(intermediate_result):
            epoch_done = intermediate_result.nit % self.steps == 0
            if epoch_done and not reached and self.score(intermediate_result.x) >= self.goal:
                reached.append(intermediate_result.nit // self.steps)

        clock, feed = perf_counter(), {"data": self.train, "batch_size": self.batch, "epochs": self.epochs}
        result = minimize(self.loss, self.start, (self.l2,), rule, jac=True, callback=callback, seed=seed, **feed)
        seconds = perf_counter() - clock
        full = self.loss(result.x, *self.train, self.l2)[0]
        return np.nan_to_num(full, nan=np.inf), self.score(result.x), reached[0] if reached else np.inf, seconds

    def mean(self, rule):
        """Return the means of the results of `fit` over several seeds of the shuffling."""
        return np.mean([self.fit(rule, seed) for seed in SEEDS], axis=0)

    def choose(self, name, rate, candidates):
        """Return the candidate with the lowest training loss; ``rate`` turns a candidate into lr or a schedule."""
        return min(candidates, key=lambda lr: self.fit(method(name, lr=rate(lr)))[0])


def compare(title, task, names, score, goal=True):
    """Print a table of the results of methods on a task."""
    print(f"\n## {title}: {task.epochs} epochs of {task.steps} steps, batches of {task.batch}, l2 = {task.l2:g}\n")
    cosine = functools.partial(schedules.cosine, steps=task.epochs * task.steps)
    rows = []
    for name in names:
        loss, accuracy, _, _ = task.mean(method(name))
        row = [name, f"{state(name):.3g}", f"{loss:.4f}", score(accuracy)]
        candidates = GRID
        for rate in (float, cosine):
            lr = task.choose(name, rate, candidates)
            candidates = [lr, *GRID[GRID.index(lr) + 1 :][:2]]  # a decaying rate may start higher
            loss, accuracy, epochs, seconds = task.mean(method(name, lr=rate(lr)))
            row += [f"{lr:g}", f"{loss:.4f}", score(accuracy)] + [f"{epochs:.1f}"] * goal
        rows.append([*row, f"{seconds:.2f}"])
        print(f"{name}: {row}", file=sys.stderr)
    each = ["loss", "score"]
    columns = ["lr", *each] + ["epochs to goal"] * goal
    head = ["method", "state"] + [f"default: {each[0]}", each[1], *columns]
    table([*head, *[f"cosine: {columns[0]}", *columns[1:]], "seconds"], rows)


def state(name):
    """Return the size of the state relative to the parameters, for a 256 by 256 matrix."""
    x = np.zeros((256, 256))
    return method(name).shaped(x.shape).slots(x.reshape(-1)).size / x.size


def softmax_loss(p, X, y, l2):
    loss, dz = cross_entropy(X @ p["W"] + p["b"], y)
    return loss + l2 / 2 * np.sum(p["W"] ** 2), {"W": X.T @ dz + l2 * p["W"], "b": dz.sum(axis=0)}


def network_loss(p, X, y, l2):
    a = np.maximum(X @ p["V"] + p["c"], 0)
    loss, top = softmax_loss(p, a, y, l2)
    da = (cross_entropy(a @ p["W"] + p["b"], y)[1] @ p["W"].T) * (a > 0)
    return loss + l2 / 2 * np.sum(p["V"] ** 2), top | {"V": X.T @ da + l2 * p["V"], "c": da.sum(axis=0)}


def cross_entropy(z, y):
    z = z - z.max(axis=1, keepdims=True)
    p = np.exp(z)
    p /= p.sum(axis=1, keepdims=True)
    chosen = np.arange(len(y)), y
    loss = -np.log(p[chosen] + 1e-30).mean()
    p[chosen] -= 1
    return loss, p / len(y)


def digits(hidden=None, batch=50, epochs=20):
    """Return the task of classifying scikit-learn's digits by softmax regression, or by a network of two layers."""
    need("sklearn")
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    X, y = load_digits(return_X_y=True)
    X, T, y, u = train_test_split((X / 16).astype(np.float32), y, test_size=450, stratify=y, random_state=0)
    inner = hidden or X.shape[1]
    start = {"W": np.zeros((inner, 10), np.float32), "b": np.zeros(10, np.float32)}
    if hidden:  # the variance 2 / inputs preserves the size of signals through a ReLU (He et al. 2015)
        normal = np.random.default_rng(0).standard_normal
        start["V"] = (normal((X.shape[1], hidden)) * np.sqrt(2 / X.shape[1])).astype(np.float32)
        start["W"] = (normal((hidden, 10)) * np.sqrt(2 / hidden)).astype(np.float32)
        start["c"] = np.zeros(hidden, np.float32)

    def accuracy(p):
        top = np.maximum(T @ p["V"] + p["c"], 0) if hidden else T
        return np.mean((top @ p["W"] + p["b"]).argmax(axis=1) == u)

    return Task(network_loss if hidden else softmax_loss, start, (X, y), accuracy, 1e-4, batch, epochs, GOAL)


def softmax():
    compare("Digits, softmax regression", digits(), ON_DATA, "{:.2%}".format)


def network():
    compare("Digits, two layers", digits(hidden=64, epochs=10), ON_NETWORK, "{:.2%}".format)


def large():
    compare("Digits, two layers, large batches", digits(hidden=64, batch=674, epochs=30), ON_LARGE, "{:.2%}".format)


def logistic(w, X, y, l2):
    margin = y * (X @ w)
    pull = y / (1 + np.exp(margin)) / len(y)
    return np.logaddexp(0, -margin).mean() + l2 / 2 * w @ w, l2 * w - pull @ X


def sparse(rows=2000, features=1000, active=10, l2=1e-4):
    """Fit logistic regression with rare features: the frequency of the k-th is proportional to 1 / k."""
    rng = np.random.default_rng(0)
    frequency = 1 / np.arange(1, features + 1)
    X = np.zeros((2 * rows, features))
    for row in X:
        row[rng.choice(features, active, replace=False, p=frequency / frequency.sum())] = 1
    y = np.sign(X @ (2 * rng.standard_normal(features)) + rng.logistic(size=len(X)))
    train, test = (X[:rows], y[:rows]), (X[rows:], y[rows:])
    optimum = minimize(logistic, np.zeros(features), (*train, l2), "lbfgs", jac=True, tol=1e-9)
    task = Task(logistic, np.zeros(features), train, lambda w: np.mean(test[0] @ w * test[1] > 0), l2, 50, 10)
    score = task.score(optimum.x)
    print(f"\nThe lowest possible loss of the next table is {optimum.fun:.4f} (lbfgs); its score is {score:.2%}.")
    compare("Rare features, logistic regression", task, ON_SPARSE, "{:.2%}".format, goal=False)


PARTS = {part.__name__: part for part in (smooth, bounds, softmax, network, large, sparse)}


def main(chosen):
    warnings.simplefilter("ignore")  # with some rates of the grid, runs overflow
    np.seterr(all="ignore")
    need("threadpoolctl").threadpool_limits(1)  # the matrices are too small for threads
    for name in chosen or PARTS:
        clock = perf_counter()
        PARTS[name]()
        print(f"\n{name}: {perf_counter() - clock:.0f} s in total")


if __name__ == "__main__":
    main(sys.argv[1:])
