"""Fit a peak and its standard errors to every pixel of a map: 100 000 fits of five parameters in less than a second.

A quantum well is scanned with a laser spot, and at each point a spectrum of the emitted light is recorded: a Gaussian
peak on a sloping background, with noise. Where the well is one atomic layer thicker, its energy is lower; where it is
rough, the peak is broad. A Python loop over `scipy.optimize.curve_fit` takes most of a minute for what `minimize_many`
does in less than a second.

The choice of x makes the fits converge in few evaluations. The Jacobian J at the starting point predicts the covariance
of the parameters, U U', by J'J / noise**2 = inv(U U'). With parameters = start + U x, the contours of chi squared are
nearly spherical around its minimum, and x is measured in standard errors: a gradient below 3e-4 means that the distance
of every parameter from the minimum is less than that fraction of its standard error.

Run: python examples/gaussian_peaks.py [FOLDER for the figure; default: the current one] [--rows 250]

With --rows 250, the map has 100 000 spectra.
"""

import argparse
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numba import njit, prange
from scipy.ndimage import gaussian_filter
from scipy.optimize import curve_fit

from numbaopt import minimize_many

NAMES = "height", "center", "width", "offset", "slope"
UNITS = "counts", "meV", "meV", "counts", "counts/meV"
ENERGY = np.arange(48) - 23.5  # in meV, relative to the center of the spectrum
NOISE = 2.0  # standard deviation, in counts
TOLERANCE = 3e-4  # in standard errors
FAST = {"reassoc", "contract", "arcp", "nsz"}  # all flags that keep NaN and infinity


# ---- the model, compiled: one spectrum at a time


@njit(error_model="numpy", fastmath=FAST)
def bell(u):
    """Return exp(-u**2 / 2) with an error below 3e-14, using exp(y) = exp(y / 256)**256.

    LLVM does not vectorize calls of np.exp, but it does this arithmetic for four or eight samples at once.
    """
    y = max(u * u * (-0.5 / 256), -1.0)
    e = 1 + y * (1 + y / 2 * (1 + y / 3 * (1 + y / 4 * (1 + y / 5 * (1 + y / 6)))))
    for _ in range(8):
        e *= e
    return e


@njit(error_model="numpy", fastmath=FAST)
def derivatives(energy, height, center, width):
    """Return the derivatives of the model with respect to height, center and width, at one energy."""
    u = (energy - center) / width
    b = bell(u)
    shift = height / width * b * u
    return b, shift, shift * u


@njit(error_model="numpy", fastmath=FAST)
def parameter(i, x, start, unit):
    """Return entry i of start + unit @ x."""
    p = start[i]
    for j in range(x.size):
        p += unit[i, j] * x[j]
    return p


@njit(error_model="numpy", fastmath=FAST)
def misfit(x, grad, spectrum, start, unit, energy, noise):
    """Return half of chi squared at the parameters start + unit @ x, and write the gradient in x into grad."""
    height, center, width = parameter(0, x, start, unit), parameter(1, x, start, unit), parameter(2, x, start, unit)
    offset, slope = parameter(3, x, start, unit), parameter(4, x, start, unit)
    total = g0 = g1 = g2 = g3 = g4 = 0.0
    for k in range(energy.size):
        d0, d1, d2 = derivatives(energy[k], height, center, width)
        r = height * d0 + offset + slope * energy[k] - spectrum[k]
        total += r * r
        g0, g1, g2, g3, g4 = g0 + r * d0, g1 + r * d1, g2 + r * d2, g3 + r, g4 + r * energy[k]
    weight = 1 / noise**2
    for j in range(x.size):
        g = unit[0, j] * g0 + unit[1, j] * g1 + unit[2, j] * g2 + unit[3, j] * g3 + unit[4, j] * g4
        grad[j] = weight * g
    return 0.5 * weight * total


@njit(error_model="numpy", fastmath=FAST)
def guess(spectrum, energy, p):
    """Estimate p: the background from both ends, height and center from the maximum, the width from the area."""
    last, spacing = energy.size - 1, energy[1] - energy[0]
    left = right = area = 0.0
    for k in range(4):
        left, right = left + spectrum[k] / 4, right + spectrum[last - k] / 4
    slope = (right - left) / (spacing * (last - 3))
    offset = (left + right) / 2 - slope * (energy[0] + energy[last]) / 2
    top, height = 1, 0.0
    for k in range(1, last):
        smooth = (spectrum[k - 1] + 2 * spectrum[k] + spectrum[k + 1]) / 4 - offset - slope * energy[k]
        area += smooth * spacing
        if smooth > height:
            top, height = k, smooth
    width = area / (height * np.sqrt(2 * np.pi))
    p[0], p[1], p[2] = height, energy[top], min(max(width, 1.5 * spacing), 8 * spacing)
    p[3], p[4] = offset, slope


@njit(error_model="numpy", fastmath=FAST)
def information(p, energy, noise):
    """Return J'J / noise**2."""
    jac, total = np.ones((p.size, energy.size)), np.empty((p.size, p.size))
    jac[4] = energy
    for k in range(energy.size):
        jac[0, k], jac[1, k], jac[2, k] = derivatives(energy[k], p[0], p[1], p[2])
    for i in range(p.size):
        for j in range(i + 1):
            product = 0.0
            for k in range(energy.size):
                product += jac[i, k] * jac[j, k]
            total[i, j] = total[j, i] = product / noise**2
    return total


@njit(error_model="numpy")
def orthonormalize(metric, unit):
    """Fill unit, initially zero, with the upper triangular matrix for which unit' metric unit = 1 (Gram-Schmidt)."""
    for j in range(len(unit)):
        unit[j, j] = 1.0
        for i in range(j):
            overlap = 0.0
            for k in range(i + 1):
                overlap += unit[k, i] * metric[k, j]
            for k in range(i + 1):
                unit[k, j] -= overlap * unit[k, i]
        square = 0.0
        for k in range(j + 1):
            square += unit[k, j] * metric[k, j]
        for k in range(j + 1):
            unit[k, j] /= np.sqrt(square)


@njit(parallel=True)
def starts(spectra, energy):
    """Return a starting point for each spectrum."""
    p = np.empty((len(spectra), 5))
    for b in prange(len(spectra)):
        guess(spectra[b], energy, p[b])
    return p


@njit(parallel=True)
def units(p, energy, noise):
    """Return for each row of p the matrix U, for which U U' is the covariance of the parameters."""
    unit = np.zeros((len(p), 5, 5))
    for b in prange(len(p)):
        orthonormalize(information(p[b], energy, noise), unit[b])
    return unit


# ---- fitting all spectra at once, and one by one


def fit(spectra):
    """Return the parameters (B, 5), their standard errors (B, 5), and the result of `minimize_many`."""
    start = starts(spectra, ENERGY)
    unit = units(start, ENERGY, NOISE)
    result = minimize_many(
        misfit,
        np.zeros_like(start),
        args=(ENERGY, NOISE),
        data=(spectra, start, unit),
        method="lbfgs",
        jac="inplace",
        tol=TOLERANCE,
        options={"history": 5},
    )
    found = start + np.einsum("bij,bj->bi", unit, result.x)
    unit = units(found, ENERGY, NOISE)
    errors = np.sqrt(np.einsum("bij,bij->bi", unit, unit))
    return found, errors, result


def model(energy, height, center, width, offset, slope):
    """Return a spectrum, computed with NumPy."""
    return height * np.exp(-0.5 * ((energy - center) / width) ** 2) + offset + slope * energy


def jacobian(energy, height, center, width, offset, slope):
    """Return the derivatives of the model, shape (48, 5)."""
    u = (energy - center) / width
    e = np.exp(-0.5 * u * u)
    shift = height / width * e * u
    return np.column_stack([e, shift, shift * u, np.ones_like(energy), energy])


def one_by_one(spectra, start, **options):
    """Fit with `scipy.optimize.curve_fit` in a loop; return parameters and standard errors."""
    found, errors = np.empty((2, len(spectra), 5))
    noise = np.full(ENERGY.size, NOISE)
    for b, spectrum in enumerate(spectra):
        found[b], covariance = curve_fit(model, ENERGY, spectrum, start[b], noise, absolute_sigma=True, **options)
        errors[b] = np.sqrt(np.diag(covariance))
    return found, errors


def deviation(found, spectra, start):
    """Return the distance of `found` from the limit to which curve_fit converges, in standard errors."""
    exact, errors = one_by_one(spectra, start, jac=jacobian, ftol=1e-15, xtol=1e-15, gtol=1e-15)
    return abs(found - exact) / errors


# ---- the specimen


def specimen(rows, columns, rng):
    """Return the true parameters, shape (rows, columns, 5): islands of different thickness with rough rims."""
    v, u = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1.6, 1.6, columns), indexing="ij")
    seeds = rng.uniform((-1.7, -1.1), (1.7, 1.1), (70, 2))
    nearest = np.argmin((u[..., None] - seeds[:, 0]) ** 2 + (v[..., None] - seeds[:, 1]) ** 2, axis=-1)
    islands = gaussian_filter(rng.normal(0, 1.8, 70)[nearest], rows / 125)
    rims = np.hypot(*np.gradient(islands)) * rows / 250
    height = 75 * np.exp(-0.5 * ((u - 0.3) ** 2 + (v + 0.1) ** 2)) / (1 + 2 * rims) + 15
    center = islands + 1.5 * u - 1.5 * v**2
    width = 2.6 + 1.4 * rims + 0.3 * np.sin(3 * u + 2 * v)
    offset = 20 + 4 * np.cos(u + 2 * v)
    return np.stack([height, center, width, offset, 0.1 * u], axis=-1)


def measure(true, rng):
    """Return noisy spectra. Some spectra are NaN, as if pixels of the detector were broken."""
    spectra = model(ENERGY, *(p[:, None] for p in true.T)) + NOISE * rng.standard_normal((len(true), ENERGY.size))
    spectra[rng.integers(0, len(true), len(true) // 2000)] = np.nan
    return spectra


# ---- the results


def draw(file, shape, spectra, found, errors, pulls):
    """Draw maps of the fitted parameters, three spectra with their fits, and histograms of the errors."""
    figure = plt.figure(figsize=(14, 6.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(2.6, 1))
    maps = [
        ("height, counts", found[:, 0], "magma"),
        ("center, meV", found[:, 1], "RdYlBu_r"),
        ("width, meV", found[:, 2], "viridis"),
        ("standard error of the center, meV", errors[:, 1], "cividis"),
    ]
    spots = [(0.14, 0.32, "#3b6fb6"), (0.45, 0.53, "#d98324"), (0.67, 0.75, "#d1495b")]
    spots = [(int(v * shape[0]), int(u * shape[1]), color) for v, u, color in spots]
    for ax, (title, values, name) in zip(left.subplots(2, 2).flat, maps, strict=True):
        low, high = np.nanquantile(values, [0.002, 0.998])
        colors = plt.get_cmap(name).with_extremes(bad="white")
        image = ax.imshow(values.reshape(shape), cmap=colors, vmin=low, vmax=high)
        left.colorbar(image, ax=ax, shrink=0.8, pad=0.02).outline.set_visible(False)
        ax.set_title(title, loc="left")
        ax.set(xticks=[], yticks=[], frame_on=False)
        for v, u, color in spots:
            ax.plot(u, v, "o", markersize=7, markerfacecolor=color, markeredgecolor="white", markeredgewidth=1.2)
    above, below = right.subplots(2, 1)
    fine, sides = np.linspace(ENERGY[0], ENERGY[-1], 400), np.linspace(-4, 4, 65)
    for v, u, color in spots:
        b = v * shape[1] + u
        above.plot(ENERGY, spectra[b], ".", color=color, markersize=4.5)
        above.plot(fine, model(fine, *found[b]), color=color, linewidth=1.4)
    above.set(xlabel="energy, meV", ylim=(0, None), xlim=(fine[0], fine[-1]))
    above.set_title("counts, at three points of the map", loc="left")
    for values, name in zip(pulls.T, NAMES, strict=True):
        below.hist(values, sides, density=True, histtype="step", linewidth=1.2, label=name)
    below.plot(sides, np.exp(-(sides**2) / 2) / np.sqrt(2 * np.pi), color="0.2", linestyle="--", label="normal")
    below.set(xlabel="(fitted - true) / standard error", yticks=[], xlim=(-4, 4))
    below.set_title("errors of the fits", loc="left")
    below.legend(frameon=False, fontsize=8)
    for ax in (above, below):
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=80)
    plt.close(figure)


def seconds(function, *args, **kwargs):
    """Return the duration of a call in seconds, and its return value."""
    clock = time.perf_counter()
    value = function(*args, **kwargs)
    return time.perf_counter() - clock, value


def main(folder=".", rows=110, sample=1000):
    """Fit the spectra, print accuracy and speed, save the figure; return the printed numbers."""
    rng = np.random.default_rng(5)
    shape = rows, rows * 8 // 5
    true = specimen(*shape, rng).reshape(-1, 5)
    spectra = measure(true, rng)
    fit(spectra[:100])  # compile
    ours, (found, errors, result) = seconds(fit, spectra)

    good = np.flatnonzero(result.success)
    pulls = (found[good] - true[good]) / errors[good]
    some = rng.choice(good, min(sample, len(good)), replace=False)
    start = starts(spectra[some], ENERGY)
    plain, with_jac = (seconds(one_by_one, spectra[some], start, jac=jac)[0] / len(some) for jac in (None, jacobian))
    distance = deviation(found[some], spectra[some], start)

    ours /= len(spectra)
    print(f"{len(spectra)} spectra, {ENERGY.size} channels and five parameters each. Fitted: {len(good)};", end=" ")
    print(f"not finite: {np.sum(result.status == 3)}.")
    print(f"{'numbaopt, including the standard errors':44}{ours * 1e6:8.1f} us per fit", end="")
    print(f", {result.nfev[good].mean():.1f} evaluations")
    for name, theirs in (("scipy.optimize.curve_fit, from the same start", plain), ("with the Jacobian", with_jac)):
        print(f"{name:44}{theirs * 1e6:8.1f} us per fit: {theirs / ours:.0f} times as long")
    print(
        f"\n{'':8}{'standard error':>22}{'(fitted - true) / standard error':>38}{'largest distance to curve_fit':>32}"
    )
    for i, (name, unit) in enumerate(zip(NAMES, UNITS, strict=True)):
        print(f"{name:8}{np.median(errors[good, i]):11.4f} {unit:10}", end="")
        print(f"{pulls[:, i].mean():22.3f} +- {pulls[:, i].std():.3f}", end="")
        print(f"{distance[:, i].max():23.1e} standard errors")
    file = Path(folder) / "gaussian_peaks.png"
    draw(file, shape, spectra, found, errors, pulls)
    print(f"\nThe figure was saved as {file}")
    return {"good": len(good), "pulls": pulls, "deviation": distance.max(), "faster": plain / ours}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=".", help="where to save the figure")
    parser.add_argument("--rows", type=int, default=110, help="rows of the map; it has 1.6 times as many columns")
    arguments = parser.parse_args()
    main(arguments.folder, arguments.rows)
