"""Finite differences of a scalar function, by SciPy's rules: relative steps, kept inside the bounds.

The steps and the bits are those of `scipy.optimize._numdiff.approx_derivative`, as the tests say. It is not
called because it is private, takes 0.1 ms a gradient, brings 0.3 s of imports, and divides by zero where a
bound fixes a variable.
"""

import numpy as np

_EPS = {"2-point": 1 / 2, "3-point": 1 / 3, "cs": 1 / 2}  # the power of eps that balances both errors
SCHEMES = tuple(_EPS)


def gradient(value, x, f, scheme, bounds=None, rel_step=None, single=False):
    """Return the gradient of `value` at `x` by finite differences.

    Parameters
    ----------
    value : callable
        The function. It is given a fresh array each time, complex for "cs", and may overwrite it.
    x : ndarray, shape (n,)
    f : float
        ``value(x)``.
    scheme : {"2-point", "3-point", "cs"}
        One evaluation an entry; two; one at a complex point.
    bounds : (ndarray, ndarray), optional
        Lower and upper bounds; "cs" needs none. Where they are equal nothing is evaluated, and the derivative
        is 0.
    rel_step : float or ndarray, optional
        Steps are ``rel_step * abs(x)``; otherwise a power of machine epsilon times ``max(1, abs(x))``.
    single : bool
        Whether `value` computes in float32 even where x is float64: steps are then long enough to be seen.

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    h, one_sided = _steps(x, scheme, bounds, rel_step, single)
    g = np.zeros(x.size)
    for i, step in enumerate(h.tolist()):
        if scheme == "cs":
            z = x.astype(complex)
            z[i] += step * 1j
            g[i] = value(z).imag / step
            continue
        here, a, b = x.item(i), x.copy(), x.copy()
        if scheme == "2-point" or one_sided[i]:
            a[i], b[i] = here + step, here + 2 * step
        else:
            a[i], b[i] = here - step, here + step
        left, right = a.item(i), b.item(i)  # what was stored: here + step is rounded
        if left == here:
            continue  # equal bounds
        if scheme == "2-point":
            g[i] = (value(a) - f) / (left - here)
        elif one_sided[i]:
            g[i] = (-3.0 * f + 4 * value(a) - value(b)) / (right - here)
        else:
            before = value(a)
            g[i] = (value(b) - before) / (right - left)
    return g


@np.errstate(invalid="ignore", over="ignore")  # an infinite x is the drivers' to report
def _steps(x, scheme, bounds, rel_step, single):
    """Return the step of each entry, and whether "3-point" must take both its steps to one side."""
    eps = np.finfo(np.float32 if single else x.dtype).eps ** _EPS[scheme]
    sign = np.where(x >= 0, 1.0, -1.0)
    h = eps * sign * np.maximum(1.0, np.abs(x))
    if rel_step is not None:
        wanted = rel_step * sign * np.abs(x)
        h = np.where((x + wanted) - x == 0, h, wanted)
    one_sided = np.zeros(x.size, bool)
    if scheme == "3-point":
        h = np.abs(h)
    if bounds is None or scheme == "cs":
        return h, one_sided
    below, above = x - bounds[0], bounds[1] - x
    room = np.where(above >= below, above, -below)  # to the farther bound
    if scheme == "2-point":
        outside = (x + h < bounds[0]) | (x + h > bounds[1])
        fits = np.abs(h) <= np.abs(room)
        return np.where(fits, np.where(outside, -h, h), room), one_sided
    central = (below >= h) & (above >= h)
    aside = np.sign(room) * np.minimum(h, 0.5 * np.abs(room))
    both = np.minimum(below, above)
    short = ~central & (np.abs(aside) <= both)  # a shorter step to both sides is still longer than to one
    return np.where(central, h, np.where(short, both, aside)), ~central & ~short
