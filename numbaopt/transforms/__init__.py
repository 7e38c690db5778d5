"""Stages for `numbaopt.chain`, which run before or after a rule in the same pass over memory.

In ``chain(clip_by_global_norm(max_norm=1.0), adam(lr=1e-3), ema(decay=0.99))``, the stage before the rule changes its
gradient and the stage after it changes the new x. Stages have hyperparameters like rules. If two stages use the same
name, the name of the later stage becomes the prefix of its hyperparameter, such as ``prox_l1_lr``.

Names of the stages in other packages (names in optax are in italics):

============================================ =========================================================================
PyTorch, *optax*, papers                     numbaopt
============================================ =========================================================================
clip_grad_value_, *clip*                     `clip`
clip_grad_norm_, *clip_by_global_norm*       `clip_by_global_norm`
*adaptive_grad_clip*, AGC                    `adaptive_grad_clip`
*normalize_by_update_norm*                   `normalize_by_update_norm`
weight_decay, *add_decayed_weights*          `add_decayed_weights` (to the gradient), `decoupled_weight_decay`
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

# Modules are imported, and their stages lowered, on first use: a run with bounds needs only the box.
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
