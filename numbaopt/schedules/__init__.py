"""Schedules: a hyperparameter as a function of the steps done, computed inside the compiled step.

``adam(lr=cosine(1e-2, 1000))``. A schedule counts from k = 0 at the first step, as torch's and optax's do, and can be
called to look at it: ``cosine(1e-2, 1000)(500)``. `schedule` makes one of a function of your own.

It counts steps, not epochs: 90 epochs of B batches are ``cosine(0.1, 90 * B)``. A value held through each epoch, as
where torch's ``scheduler.step()`` is called once an epoch, is ``staircase(cosine(0.1, 90 * B), B)``.

What others call them; lr is the value that torch takes from its optimizer:

============================================== =======================================================================
torch, *optax*, Keras                          here
============================================== =======================================================================
ConstantLR(factor, total_iters)                ``multistep(lr * factor, [total_iters], 1 / factor)``
LinearLR, *linear_schedule*                    `linear`
*warmup_constant_schedule*                     `linear`
PolynomialLR, *polynomial_schedule*            `polynomial`
StepLR, *exponential_decay(staircase)*         `step`
ExponentialLR, *exponential_decay*             `exponential`; *transition_begin* of this and others is `delayed`
MultiStepLR, *piecewise_constant_schedule*     `multistep`
*piecewise_interpolate_schedule*               `interpolated`
CosineAnnealingLR, *cosine_decay_schedule*     `cosine`
CosineAnnealingWarmRestarts                    `cosine_restarts`
CyclicLR                                       `cyclic`
OneCycleLR, *cosine_* and *linear_onecycle*    `onecycle`
SequentialLR, *join_schedules*                 `joined`
ChainedScheduler                               `product`
*warmup_cosine_decay_schedule*                 `warmup_cosine`; several `joined` are *sgdr_schedule*
*warmup_exponential_decay_schedule*            `warmup_exponential`
InverseTimeDecay                               `inverse_time`; ``staircase=True`` of this and others is `staircase`
LambdaLR, MultiplicativeLR                     `schedule`
============================================== =======================================================================
"""

from numbaopt.schedules.combined import Combined, Joined, joined, product, staircase
from numbaopt.schedules.curves import (
    constant,
    cosine,
    cosine_restarts,
    cyclic,
    exponential,
    inverse_sqrt,
    inverse_time,
    linear,
    natural_exponential,
    polynomial,
    square_root,
    step,
)
from numbaopt.schedules.decorator import Schedule, schedule
from numbaopt.schedules.recipes import (
    delayed,
    interpolated,
    multistep,
    onecycle,
    warmup,
    warmup_cosine,
    warmup_exponential,
    warmup_stable_decay,
)

__all__ = ["Combined", "Joined", "Schedule", "constant", "cosine", "cosine_restarts", "cyclic", "delayed"]
__all__ += ["exponential", "interpolated", "inverse_sqrt", "inverse_time", "joined", "linear", "multistep"]
__all__ += ["natural_exponential", "onecycle", "polynomial", "product", "schedule", "square_root", "staircase", "step"]
__all__ += ["warmup", "warmup_cosine", "warmup_exponential", "warmup_stable_decay"]


def __dir__() -> list[str]:
    return sorted(__all__)
