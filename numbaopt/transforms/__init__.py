"""Stages for `numbaopt.rule.chain`: what goes before or after a rule, in the same pass over memory.

``chain(clip_by_global_norm(max_norm=1.0), adam(lr=1e-3), ema(decay=0.99))``: stages before the rule change its
gradient, stages after it change the new x. Their hyperparameters are set as a rule's are; where names meet, the later
one is told apart by its stage: ``prox_l1_lr``. What others call them:

============================================ =========================================================================
torch, *optax*, papers                       here
============================================ =========================================================================
clip_grad_value_, *clip*                     `clip`
clip_grad_norm_, *clip_by_global_norm*       `clip_by_global_norm`
*adaptive_grad_clip*, AGC                    `adaptive_grad_clip`
*normalize_by_update_norm*                   `normalize_by_update_norm`
weight_decay, *add_decayed_weights*          `add_decayed_weights`, which joins the gradient; `decoupled_weight_decay`
*centralize*                                 `centralize`
*add_noise*                                  `add_noise`
*MultiSteps*                                 `accumulate`
*apply_if_finite*                            `apply_if_finite`
*contrib.sam*                                `sam`
*freeze*                                     `freeze`
C-AdamW, C-Lion                              `cautious`
*lookahead*                                  `lookahead`
swa_utils.AveragedModel, Polyak averaging    `ema`, `swa`
ReduceLROnPlateau, *reduce_on_plateau*       `plateau`
*projections*                                `box`, `non_negative`, `simplex`, `l1_ball`, `l2_ball`
softshrink, proximal steps                   `prox_l1`, `prox_group_l1`, `prox_l2`
============================================ =========================================================================
"""

import importlib
from typing import TYPE_CHECKING

# Each is read, and lowered, only where it is asked for: a run with bounds needs no more than the box.
_FILES = {
    "averages": ["ema", "lookahead", "swa"],
    "centralization": ["centralize"],
    "clipping": ["adaptive_grad_clip", "clip", "clip_by_global_norm", "normalize_by_update_norm"],
    "gates": ["accumulate", "apply_if_finite"],
    "masks": ["cautious", "freeze"],
    "noise": ["add_noise"],
    "plateaus": ["plateau"],
    "projections": ["box", "l1_ball", "l2_ball", "non_negative", "simplex"],
    "proximal": ["prox_group_l1", "prox_l1", "prox_l2"],
    "sharpness": ["sam"],
    "weight_decay": ["add_decayed_weights", "decoupled_weight_decay"],
}
__all__ = sorted(name for names in _FILES.values() for name in names)


if TYPE_CHECKING:
    from numbaopt.transforms.typed import *  # noqa: F403
else:

    def __getattr__(name):
        for file, names in _FILES.items():
            if name in names:
                return getattr(importlib.import_module(f"{__name__}.{file}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
