"""Schedules, which define a hyperparameter as a function of the number of steps and run inside the compiled step.

A schedule takes the place of a number, as in ``adam(lr=cosine(1e-2, 1000))``. It counts steps from k = 0 at the first
step, as in PyTorch and optax, and can be called to inspect its values: ``cosine(1e-2, 1000)(500)``. Use the decorator
`schedule` to define a custom one.

Schedules count steps, not epochs: for 90 epochs of B batches use ``cosine(0.1, 90 * B)``. To change the value once an
epoch, as PyTorch does if ``scheduler.step()`` is called once an epoch, use ``staircase(cosine(0.1, 90 * B), B)``.

Names of the schedules in other packages (names in optax are in italics; lr is the learning rate that PyTorch takes from
its optimizer):

============================================== =======================================================================
PyTorch, *optax*, Keras                        numbaopt
============================================== =======================================================================
ConstantLR(factor, total_iters)                ``multistep(lr * factor, [total_iters], 1 / factor)``
LinearLR, *linear_schedule*                    `linear`
*warmup_constant_schedule*                     `linear`
PolynomialLR, *polynomial_schedule*            `polynomial`
StepLR, *exponential_decay(staircase)*         `step`
ExponentialLR, *exponential_decay*             `exponential`; with *transition_begin*, `delayed`
MultiStepLR, *piecewise_constant_schedule*     `multistep`
*piecewise_interpolate_schedule*               `interpolated`
CosineAnnealingLR, *cosine_decay_schedule*     `cosine`
CosineAnnealingWarmRestarts                    `cosine_restarts`
CyclicLR                                       `cyclic`
OneCycleLR, *cosine_* and *linear_onecycle*    `onecycle`
SequentialLR, *join_schedules*                 `joined`
ChainedScheduler                               `product`
*warmup_cosine_decay_schedule*                 `warmup_cosine`
*sgdr_schedule*                                `joined` of several `warmup_cosine`
*warmup_exponential_decay_schedule*            `warmup_exponential`
InverseTimeDecay                               `inverse_time`; with ``staircase=True``, `staircase`
LambdaLR, MultiplicativeLR                     `schedule`
============================================== =======================================================================
"""

from numbaopt.schedules.combined import Combined, Joined, joined, product, staircase
from numbaopt.schedules.curves import constant, cosine, linear, polynomial, square_root
from numbaopt.schedules.cycles import cosine_restarts, cyclic
from numbaopt.schedules.decays import exponential, inverse_sqrt, inverse_time, natural_exponential, step
from numbaopt.schedules.decorator import Schedule, schedule
from numbaopt.schedules.recipes import interpolated, multistep, onecycle
from numbaopt.schedules.warmups import delayed, warmup, warmup_cosine, warmup_exponential, warmup_stable_decay

__all__ = ["Combined", "Joined", "Schedule", "constant", "cosine", "cosine_restarts", "cyclic", "delayed"]
__all__ += ["exponential", "interpolated", "inverse_sqrt", "inverse_time", "joined", "linear", "multistep"]
__all__ += ["natural_exponential", "onecycle", "polynomial", "product", "schedule", "square_root", "staircase", "step"]
__all__ += ["warmup", "warmup_cosine", "warmup_exponential", "warmup_stable_decay"]


def __dir__() -> list[str]:
    return sorted(__all__)
