"""How a problem is minimized: the method, the options, and the arguments about minibatches, checked and completed."""

import warnings

from numbaopt.common.suggest import closest
from numbaopt.data.batches import Batches, entropy, is_stream
from numbaopt.drivers.checkpoint import EVERY, keeper
from numbaopt.drivers.options import complete_options, split
from numbaopt.methods.chain import chain
from numbaopt.methods.method import Method
from numbaopt.methods.registry import get, names
from numbaopt.methods.rule import Rule
from numbaopt.objectives.spsa import Spsa

SCIPY_METHODS = (
    "nelder-mead",
    "powell",
    "cg",
    "bfgs",
    "newton-cg",
    "l-bfgs-b",
    "tnc",
    "cobyla",
    "cobyqa",
    "slsqp",
    "trust-constr",
    "dogleg",
    "trust-ncg",
    "trust-exact",
    "trust-krylov",
)


class Settings:
    """How one run is done, apart from its problem and its method.

    Parameters
    ----------
    options : dict
        Options that are not hyperparameters, from `numbaopt.drivers.options.split`.
    tol : float or None
        Stands for the option gtol, unless that is given.
    callback : callable or None
        As in `numbaopt.minimize`.
    minibatch : dict
        From `read_minibatch`.
    keeper : numbaopt.drivers.checkpoint.Keeper or None
        What writes checkpoints and resumes from one.
    spsa : bool
        Whether the gradient is estimated by simultaneous perturbation.

    Attributes
    ----------
    options : dict
        All options, with their defaults.
    batches : numbaopt.data.batches.Batches or None
    spsa : numbaopt.objectives.spsa.Spsa or None
    seed : int or None
        The seed that the run depends on, to be reported with its result.
    callback, keeper
        As passed.

    Raises
    ------
    TypeError, ValueError
        For invalid options or data, or options that have no meaning in this run.
    """

    def __init__(self, options, tol=None, callback=None, minibatch=(), keeper=None, spsa=False):
        minibatch = dict(minibatch)
        if keeper is not None:
            minibatch = keeper.seeded(minibatch, spsa)
        seed = minibatch.get("seed")
        if spsa and ("data" not in minibatch or is_stream(minibatch["data"])):
            minibatch.pop("seed", None)  # the seed of the estimates, and not of the batches
        if minibatch and "data" not in minibatch:
            raise ValueError(
                f"{next(iter(minibatch))} without data: pass the arrays to be split into batches as data, not as args"
            )
        self.options = complete_options(options, tol, bool(minibatch), spsa)
        self.batches = batches = Batches(**minibatch) if minibatch else None
        self.callback, self.keeper, self.spsa, self.seed = callback, keeper, None, None
        if spsa:
            self.seed = entropy(seed) if batches is None or batches.seed is None else batches.seed
            self.spsa = Spsa.seeded(self.seed, self.options["spsa_c"], self.options["spsa_gamma"])
        elif batches is not None and batches.shuffle:
            self.seed = batches.seed

    def check_method(self, method):
        """Raise ValueError if a rule or solver cannot do what these settings ask for."""
        if not isinstance(method, Rule) and (self.spsa is not None or self.batches is not None):
            changed = "with jac='spsa', values are random" if self.spsa else "with data, each batch changes it"
            raise ValueError(f"{method.name} compares values of one function, but {changed}: use a rule")
        policy = self.options["nonfinite"]
        if policy == "stop":
            return
        if not isinstance(method, Rule):
            text = f"{method.name} takes shorter steps by itself where fun is not finite"
            raise ValueError(f"nonfinite={policy!r} is for rules; {text}")
        if self.batches is not None and method.gradients_per_step > 1:
            text = f"{method.name} takes {method.gradients_per_step} gradients of each"
            raise ValueError(f"nonfinite={policy!r} skips batches, but {text}")


def read_minibatch(data, batch_size, epochs, shuffle, seed, drop_last):
    """Return the arguments for minibatches that differ from their defaults, by name."""
    minibatch = {"data": data, "batch_size": batch_size, "epochs": epochs, "seed": seed}
    minibatch = {name: value for name, value in minibatch.items() if value is not None}
    if shuffle is not True:
        minibatch["shuffle"] = shuffle
    if drop_last is not False:
        minibatch["drop_last"] = drop_last
    return minibatch


def read_checkpoint(checkpoint, every, resume):
    """Return what writes checkpoints and resumes from one; None if none of the arguments is given."""
    if checkpoint is None and resume is None and every is EVERY:
        return None
    return keeper(checkpoint, every, resume)


def read_method(method, options):
    """Return a rule or solver with the hyperparameters among the options, the other options, and the unknown ones."""
    hyper, others, unknown = split(method, options)
    return (method(**hyper) if hyper else method), others, unknown


def is_scipys(method):
    """Return whether a method is one of SciPy's, or a function that follows SciPy's protocol for custom methods."""
    if isinstance(method, str):
        return method.lower() in SCIPY_METHODS
    return callable(method) and not isinstance(method, Method)


def find(method):
    """Return the rule or solver with this name, or ``method`` itself if it is one; the error also names SciPy's."""
    try:
        return get("adam" if method is None else method)
    except ValueError:
        known = [*names(), *names("solvers")]
        near = closest(method.lower(), [*known, *SCIPY_METHODS])
        hint = f" Did you mean {near[0]!r}?" if near else ""
        there = f"there are {', '.join(known)}, and SciPy's {', '.join(SCIPY_METHODS)}"
        raise ValueError(f"unknown method {method!r}; {there}.{hint}") from None


def takes_bounds(method):
    """Return whether a rule or solver can keep x within bounds."""
    return isinstance(method, Rule) or method.bounded


def bounded(method):
    """Return a rule or solver that keeps x within bounds; ValueError if this one cannot."""
    if isinstance(method, Rule):
        from numbaopt.transforms import box

        return chain(method, box)
    if not method.bounded:
        others = "every rule does (such as adam), and barzilai_borwein, and SciPy's L-BFGS-B"
        raise ValueError(f"{method.name} takes no bounds; {others}")
    return method


def refuse_constraints(method, constraints):
    """Raise ValueError for constraints other than bounds; an empty sequence is none."""
    if constraints is not None and not (isinstance(constraints, (tuple, list, dict)) and not constraints):
        taken = "bounds, but no other" if takes_bounds(method) else "neither bounds nor"
        raise ValueError(f"{method.name} takes {taken} constraints; SLSQP and trust-constr do")


def warn_of_hessian(method, hess, hessp, stacklevel):
    """Warn that a method ignores the Hessian, as SciPy does."""
    for name, value, what in (("hess", hess, "Hessian"), ("hessp", hessp, "Hessian-vector product")):
        if value is not None:
            text = f"Method {method.name} does not use {what} information ({name})."
            warnings.warn(text, RuntimeWarning, stacklevel=stacklevel + 1)
