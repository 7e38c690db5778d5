"""The result of a minimisation, and the interrupt that carries one.

`Result` is `scipy.optimize.OptimizeResult` in all but its cost: importing that takes as long as importing
Numba, and a run that needs nothing else of SciPy should not pay for it.
"""

import sys

import numpy as np

_ORDER = ("message", "success", "status", "fun", "x", "nit")
MOST_LINES = 12  # that an entry of a result is printed on
WIDTH = 76


class Result(dict):
    """What a minimisation came to: a dict whose keys are attributes too.

    ``isinstance(result, scipy.optimize.OptimizeResult)`` holds.

    Attributes
    ----------
    x : ndarray, or the structure of x0
        The solution.
    fun : float
        The objective there; for minibatches, the mean that the message names.
    jac : ndarray, or the structure of x0
        The gradient.
    success : bool
        Whether a tolerance was met, or the epochs asked for are done.
    status : int
        0 success; 1 maxiter or maxfev; 2 maxtime; 3 objective or gradient not finite; 4 broken off by Ctrl-C or
        an exception; 5 a tolerance was met, but at a worse point than x; 8 x is outside of bounds
        that a caller gave to a method that takes none; 99 stopped by the callback.
    message : str
        Why it ended, in a sentence.
    nit, nfev, njev : int
        Steps, evaluations of the objective and of its gradient.
    nonfinite : int
        Evaluations that were not finite, where the option of that name is not "stop".

    Notes
    -----
    It prints as SciPy's do. Of what would take more than twelve lines, arrays in a dict for one, only shapes and
    ranges are printed.

    Examples
    --------
    >>> result = Result(x=[1.0], fun=0.5, nit=3)
    >>> result.fun, result["nit"]
    (0.5, 3)
    """

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name, value):
        self[name] = value

    def __delattr__(self, name):
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None

    @property  # type: ignore[misc]
    def __class__(self):  # what isinstance asks when type() does not settle it
        optimize = sys.modules.get("scipy.optimize")
        return getattr(optimize, "OptimizeResult", Result)

    def __dir__(self):
        return list(self)

    def __reduce__(self):
        return Result, (dict(self),)

    def __repr__(self):
        return _lines(self) if self else "Result()"


class OptimizationInterrupted(KeyboardInterrupt):
    """Ctrl-C during a minimisation: what was found so far is not lost.

    Attributes
    ----------
    result : Result
        The run as it stood.
    """

    def __init__(self, result):
        super().__init__(result)
        self.result = result

    def __str__(self):
        return f"{self.result.message} The result so far is this exception's `.result`."


def _lines(value, indent=0, margin=1):
    """Lay a dict out as SciPy lays out its results."""
    if type(value).__repr__ not in (dict.__repr__, Result.__repr__) or not value:
        with np.printoptions(
            linewidth=WIDTH - indent, edgeitems=2, threshold=12, formatter={"float_kind": _digits}
        ):
            return str(value)
    width = max(len(str(key)) for key in value) + margin
    lines = []
    for key in sorted(value, key=lambda key: _ORDER.index(key) if key in _ORDER else len(_ORDER)):
        text = _lines(value[key], indent + width + 2, 0)
        if not indent and _is_wall(value[key], text):
            text = _ranges(value[key])
        lines.append(f"{key!s:>{width}}: " + text.replace("\n", "\n" + " " * (width + 2)))
    return "\n".join(lines)


def _is_wall(value, text):
    """Tell whether a value, laid out in full, is more than one reads."""
    listed = isinstance(value, (list, tuple)) and len(text) > WIDTH  # NumPy does not abbreviate those
    return listed or not isinstance(value, str) and text.count("\n") >= MOST_LINES


def _ranges(tree):
    """Say of each array in a tree which shape it has, and between which values it lies; of many, the ends."""
    leaves = list(_leaves(tree, ""))
    width = max(len(path) for path, _ in leaves)
    lines = [f"{path:>{width}}: {_range(leaf)}" if path else _range(leaf) for path, leaf in leaves]
    if len(lines) > MOST_LINES:
        lines[6:-2] = [f"{'...':>{width}}  {len(lines) - 8} more"]
    return "\n".join(lines)


def _leaves(tree, path):
    """Yield what is in a tree with its path, at the top of a dict without quotes and brackets."""
    if isinstance(tree, dict) and tree:
        for key, child in tree.items():
            yield from _leaves(child, f"{path}[{key!r}]" if path else str(key))
    elif isinstance(tree, (list, tuple)) and not all(np.ndim(child) == 0 for child in tree):
        for i, child in enumerate(tree):
            yield from _leaves(child, f"{path}[{i}]")
    else:
        yield path, tree


def _range(leaf):
    array = np.asarray(leaf)
    if array.dtype.kind not in "fiub" or not array.size:
        text = " ".join(repr(leaf).split())
        return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."
    finite = array[np.isfinite(array)]
    lost = f", {array.size - finite.size} not finite" * (finite.size < array.size)
    ends = f", {_digits(finite.min()).strip()} to {_digits(finite.max()).strip()}" if finite.size else ""
    return f"shape {array.shape}{ends}{lost}"


def _digits(number):
    if np.isfinite(number):
        return np.format_float_scientific(number, precision=3, pad_left=2, unique=False)
    return f"{number:10}"
