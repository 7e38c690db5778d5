"""Guesses at the mistake in a wrong gradient, from how it relates to the correct one."""

import math

import numpy as np


def diagnose(structure, places, gradient, estimate, wrong, arguments):
    """Guess what is wrong with a gradient, separately for each array.

    Parameters
    ----------
    structure : Structure
        The structure of x0.
    places : ndarray of int, shape (k,)
        The indices of the compared entries in the flat x0, in increasing order.
    gradient, estimate : ndarray of float64, shape (k,)
        The entries of the gradient, and their estimates by finite differences.
    wrong : ndarray of bool, shape (k,)
        Which entries differ from their estimates.
    arguments : sequence
        The batch and args. Their lengths are candidates for the ratio of a sum and a mean.

    Returns
    -------
    list of str
        One sentence for each guess.
    """
    lengths = {len(argument) for argument in arguments if hasattr(argument, "__len__")}
    lengths |= {np.size(argument) for argument in arguments if hasattr(argument, "shape")}
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
        return "zero everywhere: does fun fill it?"
    if imaginary is not None and imaginary.any() and _alike(g, np.where(imaginary, -d, d), d):
        return "the conjugate of the expected dL/dRe + 1j dL/dIm: apply np.conj to it, as to the gradients of JAX."
    factor = float(g @ d / (d @ d)) if d.any() else 0.0
    if len(g) > 1 and _alike(g, factor * d, d) and not _near(factor, 1):
        return _factor(factor, lengths, imaginary is not None)
    if shape is not None and len(shape) == 2 and min(shape) > 1:
        transposed = np.ravel(d.reshape(shape).T)
        if _alike(g, transposed, d):
            return f"transposed, as if of shape {shape[::-1]}: is a .T missing or superfluous?"
    return None


def _factor(factor, lengths, double):
    size = abs(factor)
    sign = "the negative of " if factor < 0 else ""
    if _near(size, 1):
        return "the negative of what it should be: is it the gradient of -fun?"
    if _near(size, 2):
        return f"{sign}twice what it should be: is there a superfluous factor of 2?"
    if _near(size, 0.5):
        hint = " The Wirtinger derivative is half of the expected dL/dRe + 1j dL/dIm." * double
        return f"{sign}half of what it should be: is a factor of 2 missing?{hint}"
    for n in sorted(lengths - {0, 1, 2}):
        if _near(size, n):
            return f"{sign}{n} times what it should be: is it a sum over {n} rows, although fun is their mean?"
        if _near(size, 1 / n):
            return f"{sign}1/{n} of what it should be: is it a mean over {n} rows, although fun is their sum?"
    return f"{sign}{size:.4g} times what it should be."


def _near(a, b):
    return math.isclose(a, b, rel_tol=1e-2)


def _alike(a, b, scale):
    return scale.any() and np.allclose(a, b, rtol=1e-2, atol=1e-4 * abs(scale).max())
