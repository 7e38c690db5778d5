"""A minimization problem: the function, its starting point, arguments, gradient and bounds, each read once."""

import difflib

import numpy as np

from numbaopt.common.tree import flatten
from numbaopt.common.validation import describe
from numbaopt.objectives.bounds import read_bounds, refuse_complex
from numbaopt.objectives.differences import SCHEMES

WORDS = ("inplace", *SCHEMES, "spsa", "autograd")


class Problem:
    """A minimization problem, as the user passed it.

    Many runs may share one problem: `objective` makes a new objective, with counters of its own, for each of them.

    Parameters
    ----------
    fun, x0, args, jac, bounds
        As in `numbaopt.minimize`.

    Attributes
    ----------
    fun : callable
        The user's function.
    x0 : ndarray, shape (n,)
        A private, flat copy of the starting point, float32 or float64; of complex arrays, real and imaginary parts.
    structure : numbaopt.common.tree.Structure
        The shapes of x0.
    args : tuple
        Further arguments of ``fun``.
    jac : callable, bool, str or None
        As the user passed it. `objective` reads it, because SciPy's own methods accept other forms.
    bounds : (ndarray, ndarray) or None
        Lower and upper bounds, flat, -inf and inf where there is none.

    Raises
    ------
    TypeError, ValueError
        If ``fun`` is not callable, or if ``x0`` or ``bounds`` are invalid.
    """

    __slots__ = ("args", "bounds", "fun", "jac", "structure", "x0")

    def __init__(self, fun, x0, args=(), jac=None, bounds=None):
        if not callable(fun):
            raise TypeError(f"fun must be callable, not {describe(fun)}.")
        self.fun, self.jac = fun, jac
        self.structure, self.x0 = flatten(x0)
        self.args = args if isinstance(args, tuple) else (args,)
        self.bounds = None
        if bounds is not None:
            refuse_complex(bounds, self.structure)
            self.bounds = read_bounds(bounds, self.x0.size, self.x0.dtype)

    def objective(self, rel_step=None, spsa=None):
        """Return a new `Objective` for this problem.

        Parameters
        ----------
        rel_step : float or array_like, optional
            The option ``finite_diff_rel_step`` of `numbaopt.minimize`.
        spsa : numbaopt.objectives.spsa.Spsa, optional
            The seed and the shifts for ``jac="spsa"``.

        Returns
        -------
        numbaopt.objectives.objective.Objective

        Raises
        ------
        TypeError, ValueError
            If ``jac`` or ``rel_step`` is invalid, or does not suit ``fun`` or ``x0``.
        ImportError
            If ``jac="autograd"`` and the autograd package is not installed.
        """
        jac = read_jac(self.jac)
        if jac == "cs" and not self.structure.real:
            raise ValueError("jac='cs' shifts real numbers along the imaginary axis, but x0 is complex: use '3-point'.")
        return _objective_class(jac)(self, jac, rel_step, spsa)


def is_spsa(jac):
    """Return whether the gradient is to be estimated by simultaneous perturbation."""
    return isinstance(jac, str) and jac == "spsa"


def read_jac(jac):
    """Return the form of the gradient: a callable, True, one of `WORDS`, or None for the default differences."""
    if isinstance(jac, (bool, np.bool_)):
        return True if jac else None
    if jac is None or callable(jac) or (isinstance(jac, str) and jac in WORDS):
        return jac
    near = difflib.get_close_matches(str(jac), WORDS, 1)
    raise ValueError(
        f"jac={jac!r} is not known{f'; did you mean {near[0]!r}?' if near else '.'} It is a function, "
        f"True (fun returns f and gradient), 'inplace' (fun(x, grad) fills grad), "
        f"'2-point', '3-point', 'cs', 'spsa', 'autograd', or None."
    )


def _objective_class(jac):
    """Return the class for a form of the gradient; it is imported here because a run needs only one of them."""
    if jac is None or (isinstance(jac, str) and (jac in SCHEMES or jac == "spsa")):
        from numbaopt.objectives.estimated import Differences, Simultaneous

        return Simultaneous if jac == "spsa" else Differences
    if isinstance(jac, str) and jac == "autograd":
        from numbaopt.objectives.autograd import Autograd

        return Autograd
    from numbaopt.objectives.analytic import Inplace, Separate, Together

    return Together if jac is True else Separate if callable(jac) else Inplace
