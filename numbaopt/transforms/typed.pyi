"""Stages with their hyperparameters: written by ``python -m numbaopt.tools.stubs``."""

from collections.abc import Callable
from typing import Any, overload

import numpy as np

from numbaopt.results.result import Result
from numbaopt.rule import Rule
from numbaopt.schedules import Schedule

Number = float | Schedule | np.ndarray
__all__ = [
    "accumulate",
    "adaptive_grad_clip",
    "add_decayed_weights",
    "add_noise",
    "apply_if_finite",
    "box",
    "cautious",
    "centralize",
    "clip",
    "clip_by_global_norm",
    "decoupled_weight_decay",
    "ema",
    "freeze",
    "l1_ball",
    "l2_ball",
    "lookahead",
    "non_negative",
    "normalize_by_update_norm",
    "plateau",
    "prox_group_l1",
    "prox_l1",
    "prox_l2",
    "sam",
    "simplex",
    "swa",
]

class _Accumulate(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        k: Number = 2,
    ) -> _Accumulate: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

accumulate: _Accumulate

class _AdaptiveGradClip(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        clipping: Number = 0.01,
        eps: Number = 0.001,
    ) -> _AdaptiveGradClip: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

adaptive_grad_clip: _AdaptiveGradClip

class _AddDecayedWeights(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        wd: Number = 0.0,
        mask: Number = 1.0,
    ) -> _AddDecayedWeights: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

add_decayed_weights: _AddDecayedWeights

class _AddNoise(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        eta: Number = 0.01,
        gamma: Number = 0.55,
        seed: Number = 0,
    ) -> _AddNoise: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

add_noise: _AddNoise

class _ApplyIfFinite(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        max_consecutive_errors: Number = 5,
    ) -> _ApplyIfFinite: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

apply_if_finite: _ApplyIfFinite

class _Box(Rule):
    @overload  # type: ignore[override]
    def __call__(self) -> _Box: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

box: _Box

class _Cautious(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        floor: Number = 0.001,
    ) -> _Cautious: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

cautious: _Cautious

class _Centralize(Rule):
    @overload  # type: ignore[override]
    def __call__(self) -> _Centralize: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

centralize: _Centralize

class _Clip(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        max_delta: Number = 1.0,
    ) -> _Clip: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

clip: _Clip

class _ClipByGlobalNorm(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        max_norm: Number = 1.0,
        eps: Number = 1e-06,
    ) -> _ClipByGlobalNorm: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

clip_by_global_norm: _ClipByGlobalNorm

class _DecoupledWeightDecay(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        wd: Number = 0.0,
        mask: Number = 1.0,
    ) -> _DecoupledWeightDecay: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

decoupled_weight_decay: _DecoupledWeightDecay

class _Ema(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        decay: Number = 0.999,
    ) -> _Ema: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

ema: _Ema

class _Freeze(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        mask: Number = 1.0,
    ) -> _Freeze: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

freeze: _Freeze

class _L1Ball(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        radius: Number = 1.0,
    ) -> _L1Ball: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

l1_ball: _L1Ball

class _L2Ball(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        radius: Number = 1.0,
    ) -> _L2Ball: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

l2_ball: _L2Ball

class _Lookahead(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        sync_period: Number = 5,
        slow_step_size: Number = 0.5,
    ) -> _Lookahead: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

lookahead: _Lookahead

class _NonNegative(Rule):
    @overload  # type: ignore[override]
    def __call__(self) -> _NonNegative: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

non_negative: _NonNegative

class _NormalizeByUpdateNorm(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        scale_factor: Number = 1.0,
        eps: Number = 1e-06,
    ) -> _NormalizeByUpdateNorm: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

normalize_by_update_norm: _NormalizeByUpdateNorm

class _Plateau(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        factor: Number = 0.1,
        patience: Number = 10,
        threshold: Number = 0.0001,
        atol: Number = 0.0,
        cooldown: Number = 0,
        min_scale: Number = 0.0,
        every: Number = 1,
    ) -> _Plateau: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

plateau: _Plateau

class _ProxGroupL1(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        strength: Number = 1.0,
    ) -> _ProxGroupL1: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

prox_group_l1: _ProxGroupL1

class _ProxL1(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        strength: Number = 1.0,
    ) -> _ProxL1: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

prox_l1: _ProxL1

class _ProxL2(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        strength: Number = 1.0,
    ) -> _ProxL2: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

prox_l2: _ProxL2

class _Sam(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        rho: Number = 0.05,
    ) -> _Sam: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

sam: _Sam

class _Simplex(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        radius: Number = 1.0,
    ) -> _Simplex: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

simplex: _Simplex

class _Swa(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        start: Number = 1,
        k: Number = 1,
    ) -> _Swa: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

swa: _Swa
