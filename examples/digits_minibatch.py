"""Fit two classifiers to real images with minibatch Adam, using gradients in plain NumPy.

The loss functions below do not depend on the batches: they take the parameters and some images, and return the mean
loss and its gradient. `minimize(..., data=(X, y), batch_size=...)` shuffles the images and passes them in batches. The
parameters are a dict of arrays, and so is the gradient.

Run: python examples/digits_minibatch.py [FOLDER for the figure; default: the current one]

The images are those of Fashion-MNIST (10 000 of its training images) if Debian's package dataset-fashion-mnist is
installed, and otherwise the 1797 handwritten digits that come with scikit-learn.
"""

import argparse
import gzip
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from numbaopt import adam, minimize, schedules

FASHION = Path("/usr/share/datasets/fashion-mnist")
CLOTHES = "T-shirt trousers pullover dress coat sandal shirt sneaker bag boot".split()
HIDDEN, BATCH, L2, SEED = 64, 50, 1e-4, 0
BLUE, RED = "#3b6fb6", "#d1495b"


# ---- the two models: loss(params, X, y, l2) -> mean loss, gradient with the structure of params


def cross_entropy(z, y):
    """Return the mean cross entropy of the scores z (n, classes) for the labels y (n,), and its gradient in z."""
    rows = np.arange(len(y))
    z = z - z.max(axis=1, keepdims=True)
    p = np.exp(z)
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[rows, y] + 1e-30).mean()
    p[rows, y] -= 1
    return loss, p / len(y)


def softmax_scores(p, X):
    return X @ p["W"] + p["b"]


def softmax_loss(p, X, y, l2):
    """Return the loss and gradient of softmax regression: one linear layer."""
    loss, dz = cross_entropy(softmax_scores(p, X), y)
    return loss + l2 / 2 * np.sum(p["W"] ** 2), {"W": X.T @ dz + l2 * p["W"], "b": dz.sum(axis=0)}


def network_scores(p, X):
    return np.maximum(X @ p["W1"] + p["b1"], 0) @ p["W2"] + p["b2"]


def network_loss(p, X, y, l2):
    """Return the loss and gradient of two linear layers with a ReLU between them."""
    a = np.maximum(X @ p["W1"] + p["b1"], 0)
    loss, dz = cross_entropy(a @ p["W2"] + p["b2"], y)
    da = (dz @ p["W2"].T) * (a > 0)
    grad = {
        "W1": X.T @ da + l2 * p["W1"],
        "b1": da.sum(axis=0),
        "W2": a.T @ dz + l2 * p["W2"],
        "b2": dz.sum(axis=0),
    }
    return loss + l2 / 2 * (np.sum(p["W1"] ** 2) + np.sum(p["W2"] ** 2)), grad


def softmax_start(pixels):
    return {"W": np.zeros((pixels, 10), np.float32), "b": np.zeros(10, np.float32)}


def network_start(pixels, hidden=HIDDEN):
    """Return weights of variance 2 / inputs, which preserves the size of signals through a ReLU (He et al. 2015)."""
    normal = np.random.default_rng(SEED).standard_normal
    return {
        "W1": (normal((pixels, hidden)) * np.sqrt(2 / pixels)).astype(np.float32),
        "b1": np.zeros(hidden, np.float32),
        "W2": (normal((hidden, 10)) * np.sqrt(2 / hidden)).astype(np.float32),
        "b2": np.zeros(10, np.float32),
    }


# ---- the data


def load():
    """Return the name of the data, the names of the classes, training and test images, and their labels.

    The images are rows of float32 from 0 to 1.
    """
    if FASHION.is_dir():
        X, T = (read_idx(f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 784) for part in ("train", "t10k"))
        y, u = (read_idx(f"{part}-labels-idx1-ubyte.gz", 8) for part in ("train", "t10k"))
        X, y = X[:10_000], y[:10_000]
        return "Fashion-MNIST", CLOTHES, *(a / np.float32(255) for a in (X, T)), y.astype(int), u.astype(int)
    X, y = load_digits(return_X_y=True)
    split = train_test_split((X / 16).astype(np.float32), y, test_size=450, stratify=y, random_state=SEED)
    return "scikit-learn's digits", [str(k) for k in range(10)], *split


def read_idx(name, header):
    with gzip.open(FASHION / name) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


# ---- fitting and drawing


def fit(loss, start, X, y, epochs, lr):
    """Run minibatch Adam with a cosine schedule; return the parameters and the loss of each step."""
    steps = epochs * -(-len(y) // BATCH)
    curve = []
    result = minimize(
        loss,
        start,
        args=(L2,),
        method=adam(lr=schedules.cosine(lr, steps)),
        jac=True,
        data=(X, y),
        batch_size=BATCH,
        epochs=epochs,
        seed=SEED,
        callback=lambda intermediate_result: curve.append(intermediate_result.fun),
    )
    return result.x, np.array(curve)


def draw(path, name, classes, curves, X, y, predicted):
    """Draw the loss of each minibatch and its running mean, and test images with their predicted classes."""
    figure = plt.figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.1, 1))
    axes = left.subplots()
    for (label, curve, steps), color in zip(curves, (BLUE, RED), strict=True):
        epochs = np.arange(1, len(curve) + 1) / steps
        axes.plot(epochs, curve, color=color, alpha=0.15, linewidth=0.6)
        mean = np.convolve(curve, np.ones(steps) / steps, "valid")
        axes.plot(epochs[steps - 1 :], mean, color=color, label=label)
    axes.set(yscale="log", xlabel="epoch", ylabel="loss: each minibatch, and the mean over an epoch")
    axes.set_title(name)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)

    right_ones, mistakes = np.flatnonzero(predicted == y)[:24], np.flatnonzero(predicted != y)[:8]
    side = int(X.shape[1] ** 0.5)
    right.suptitle("test images; below: the first mistakes")
    grid = right.subplots(4, 8, subplot_kw={"frame_on": False, "xticks": [], "yticks": []})
    for axes, i in zip(grid.flat, [*right_ones, *mistakes], strict=False):
        axes.imshow(X[i].reshape(side, side), cmap="gray_r", interpolation="nearest")
        if predicted[i] == y[i]:
            axes.set_title(classes[y[i]], fontsize=8, pad=3)
        else:
            axes.set_title(f"{classes[predicted[i]]}?\nis {classes[y[i]]}", fontsize=8, pad=3, color=RED)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def main(folder="."):
    """Fit both models, compare their accuracies with scikit-learn, save the figure; return the accuracies."""
    name, classes, X, T, y, u = load()
    print(f"{name}: {len(y)} training images, {len(u)} test images, {X.shape[1]} pixels each\n")
    print(f"{'test accuracy':20} numbaopt        scikit-learn")
    small = len(y) < 5000
    epochs = 60 if small else 10
    models = {
        "softmax regression": (softmax_loss, softmax_scores, softmax_start, 3e-2),
        "two-layer network": (network_loss, network_scores, network_start, 5e-3),
    }
    peers = {
        "softmax regression": LogisticRegression(max_iter=1000 if small else 100),
        "two-layer network": MLPClassifier((HIDDEN,), random_state=SEED, max_iter=300 if small else 20),
    }
    curves, accuracy = [], {}
    for model, (loss, scores, start, lr) in models.items():
        clock = time.perf_counter()
        p, curve = fit(loss, start(X.shape[1]), X, y, epochs, lr)
        ours_s, clock = time.perf_counter() - clock, time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # on the larger data they stop before they converge
            peers[model].fit(X, y)
        theirs_s = time.perf_counter() - clock
        predicted = scores(p, T).argmax(axis=1)
        ours, theirs = accuracy[model] = float(np.mean(predicted == u)), peers[model].score(T, u)
        curves.append((f"{model}: {ours:.1%} test accuracy", curve, len(curve) // epochs))
        print(f"{model:20} {ours:.4f} ({ours_s:4.1f} s)  {theirs:.4f} ({theirs_s:4.1f} s)")

    path = Path(folder) / "digits_minibatch.png"
    draw(path, name, classes, curves, T, u, predicted)
    print("\n(The first run compiles the step of Adam, which takes some seconds. Later runs load it from the disk.)")
    print(f"The figure was saved as {path}")
    return accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=".", help="where to save the figure")
    main(parser.parse_args().folder)
