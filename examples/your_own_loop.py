"""Write your own training loop around `step`: logistic regression with the full batch and with minibatches.

A step with the full batch takes one pass over the data, and a step with a minibatch takes a small part of a pass.
Therefore the table compares the loss after the same number of passes, in which minibatches take many more steps.

Run: python examples/your_own_loop.py
"""

import numpy as np
from sklearn.datasets import load_breast_cancer

from numbaopt import Optimizer, adam

PASSES, BATCH = 20, 32


def load():
    """Return 30 standardized measurements of each of 569 tumors, and whether they are benign (1) or not (0)."""
    X, y = load_breast_cancer(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y.astype(float)


def loss(w, X, y):
    """Return the mean logistic loss with a small penalty, and its gradient."""
    z = X @ w
    p = 1 / (1 + np.exp(-z))
    f = np.mean(np.logaddexp(0, z) - y * z) + 0.5e-3 * w @ w
    return f, X.T @ (p - y) / len(y) + 1e-3 * w


def full_batch(X, y):
    """Take one step for each pass over the data."""
    w = np.zeros(X.shape[1])
    rule = adam(lr=0.02)
    state = rule.init(w)
    history = []
    for _ in range(PASSES):
        f, g = loss(w, X, y)
        rule.step(w, g, state)  # modifies w and state in place
        history.append(f)
    return w, history


def minibatches(X, y):
    """Take one step for each batch, with the rows in a new order in each pass."""
    w = np.zeros(X.shape[1])
    rule = adam(lr=0.02)
    state = rule.init(w)
    rng = np.random.default_rng(0)
    history = []
    for _ in range(PASSES):
        history.append(loss(w, X, y)[0])
        order = rng.permutation(len(y))
        for lo in range(0, len(y), BATCH):
            rows = order[lo : lo + BATCH]
            _, g = loss(w, X[rows], y[rows])
            rule.step(w, g, state)
    return w, history


def accumulated(X, y):
    """Take the same steps as `full_batch`, but accumulate the gradient from batches in the buffer of `Optimizer`.

    `Optimizer` accepts an array, or a list or dict of arrays; `opt.grads` has the same structure.
    """
    params = {"w": np.zeros(X.shape[1])}
    opt = Optimizer(adam(lr=0.02), params)
    for _ in range(PASSES):
        opt.zero_grad()
        for lo in range(0, len(y), BATCH):
            rows = slice(lo, lo + BATCH)
            _, g = loss(params["w"], X[rows], y[rows])
            opt.grads["w"] += g * len(y[rows]) / len(y)
        opt.step()
    return params["w"]


def main():
    """Print the loss after some passes over the data; return the final losses, and the accumulation error."""
    X, y = load()
    (w, full), (_, mini) = full_batch(X, y), minibatches(X, y)
    print(f"{'passes over the data':22} full batch   minibatches of {BATCH}")
    for k in (0, 1, 2, 5, 10, PASSES - 1):
        print(f"{k:22} {full[k]:10.4f} {mini[k]:16.4f}")
    gap = np.abs(accumulated(X, y) - w).max()
    print(f"\nWith the accumulated gradient, the final weights are the same within {gap:.0e}.")
    return full[-1], mini[-1], gap


if __name__ == "__main__":
    main()
