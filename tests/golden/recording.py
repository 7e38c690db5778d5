"""What a recording is: an oracle, its defaults, the sets of hyperparameters to run it with, and the walk itself.

Every file of ``oracles`` exports ``RULES``, from a rule's name to its `Recording`. A second opinion on a rule, from an
oracle that it follows in another convention, goes by ``rule.oracle``, as in ``rmsprop.optax``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

STEPS, N = 100, 7
# Where x starts at zero it is all displacement: a relative error in x is one in the steps.
X0 = np.array([0.0, 1.7, -0.3, 0.0, 2.9e-3, -41.0, 0.6])


@dataclass
class Recording:
    """One oracle for one rule.

    Attributes
    ----------
    oracle : str
        The package that is run, or "paper" for loops written from the paper.
    version : str or None
        The package's version, which has to be installed to record.
    defaults : dict
        The oracle's hyperparameters, in numbaopt's names, with the oracle's defaults.
    sets : dict of dict
        Sets of hyperparameters by name: what differs from the defaults. One is ``"defaults": {}``.
    run : callable
        ``run(hyper, x0, g)``, all hyperparameters given: x after every step, in the shape of the gradients ``g``.
        ``x0`` and ``g`` are float64 or float32 and so is the walk. Imports what it needs itself.
    ours : dict
        What numbaopt has otherwise: another default, or a hyperparameter that the oracle lacks.
    note : str
        What a reader of the recording should know.
    f : array, shape (STEPS,), optional
        The objective's value at every step, for rules that ask for it. It depends on x as little as the gradients do.
    reported : bool
        Whether the walk is that of the point to report, where that is not x.
    """

    oracle: str
    version: str | None
    defaults: dict
    sets: dict
    run: Callable
    ours: dict = field(default_factory=dict)
    note: str = ""
    f: np.ndarray | None = None
    reported: bool = False


def gradients():
    """Return gradients of sizes 1e-4 to 1e2, changing sign, jumping between sizes, some of them zero."""
    random = np.random.RandomState(20130)  # its stream is frozen for ever (NEP 19), a Generator's is not
    sizes = np.array([1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2])
    g = random.standard_normal((STEPS, N)) * sizes
    jumps = random.random_sample((STEPS, N)) < 0.1
    g[jumps] = (random.standard_normal((STEPS, N)) * sizes[random.randint(0, N, (STEPS, N))])[jumps]
    g[random.random_sample((STEPS, N)) < 0.1] = 0.0
    g[:4, 3] = 0.0  # a second moment that stays zero for a while
    g[60] = 0.0  # a step with no gradient at all: momentum goes on
    return g


def start(name):
    """Return x0 and the gradients of a set of hyperparameters."""
    x0, g = X0.copy(), gradients()
    if name == "from_zero":
        x0[:] = 0.0
    if name == "quiet_start":
        g[:3] = 0.0
    return x0, g
