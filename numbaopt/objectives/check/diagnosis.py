"""What a wrong gradient has in common with the right one: guesses at the mistake, in words."""

import math

import numpy as np


def causes(structure, places, gradient, estimate, wrong, things):
    """Guess, array by array, at what is wrong with a gradient.

    Parameters
    ----------
    structure : Structure
        Of x0.
    places : ndarray of int
        The entries that were compared, of the flat x0, in order.
    gradient, estimate : ndarray, shape (len(places),)
        What was given, and what it should be, roughly.
    wrong : ndarray of bool, shape (len(places),)
    things : sequence
        Batch and args: their lengths are numbers that a sum and a mean may differ by.

    Returns
    -------
    list of str
        Sentences.
    """
    lengths = {len(thing) for thing in things if hasattr(thing, "__len__")}
    lengths |= {np.size(thing) for thing in things if hasattr(thing, "shape")}
    leaves = {}
    for i, (lo, hi) in enumerate(structure.segments):
        inside = (places >= lo) & (places < hi)
        if wrong[inside].any():
            shape, double = structure.shapes[i], structure.complexes[i]
            whole = shape if inside.sum() == hi - lo and not double else None
            imaginary = (places[inside] - lo) % 2 == 1 if double else None
            text = _cause(gradient[inside], estimate[inside], lengths, imaginary, whole)
            leaves.setdefault(text, []).append(f"x{structure.paths[i]}")
    leaves.pop(None, None)
    if structure.tree == 0:
        return [f"It is {text}" for text in leaves]
    return [f"In {', '.join(names)} it is {text}" for text, names in leaves.items()]


def _cause(g, d, lengths, imaginary, shape):
    if _alike(g, 0 * d, d):
        return "zero throughout: is it filled at all?"
    if imaginary is not None and imaginary.any() and _alike(g, np.where(imaginary, -d, d), d):
        return "the conjugate of what it should be, dL/dRe + 1j dL/dIm: take np.conj of it, as of what JAX returns."
    factor = float(g @ d / (d @ d)) if d.any() else 0.0
    if len(g) > 1 and _alike(g, factor * d, d) and not _near(factor, 1):
        return _factor(factor, lengths, imaginary is not None)
    if shape is not None and len(shape) == 2 and min(shape) > 1:
        turned = np.ravel(d.reshape(shape).T)
        if _alike(g, turned, d):
            return f"transposed, of shape {shape[::-1]}: is a .T missing, or one too many?"
    return None


def _factor(factor, lengths, double):
    size = abs(factor)
    sign = "the negative of " if factor < 0 else ""
    if _near(size, 1):
        return "the negative of what it should be: is it that of -fun?"
    if _near(size, 2):
        return f"{sign}twice what it should be: is there a factor 2 too many?"
    if _near(size, 0.5):
        more = " The Wirtinger derivative is half of what steps need, dL/dRe + 1j dL/dIm." * double
        return f"{sign}half of what it should be: is a factor 2 missing?{more}"
    for n in sorted(lengths - {0, 1, 2}):
        if _near(size, n):
            return f"{sign}{n} times what it should be: a sum over {n} rows, where fun is their mean?"
        if _near(size, 1 / n):
            return f"{sign}1/{n} of what it should be: a mean over {n} rows, where fun is their sum?"
    return f"{sign}{size:.4g} times what it should be."


def _near(a, b):
    return math.isclose(a, b, rel_tol=1e-2)


def _alike(a, b, scale):
    return scale.any() and np.allclose(a, b, rtol=1e-2, atol=1e-4 * abs(scale).max())
