"""Rules and solvers with their hyperparameters: written by ``python -m numbaopt.tools.stubs``."""

from collections.abc import Callable
from typing import Any, Literal, overload

import numpy as np

from numbaopt.results.result import Result
from numbaopt.rule import Rule
from numbaopt.schedules import Schedule
from numbaopt.solvers.solver import Solver

Number = float | Schedule | np.ndarray
__all__ = [
    "accsgd",
    "acprop",
    "adabelief",
    "adabound",
    "adadelta",
    "adafactor",
    "adagrad",
    "adam",
    "adamax",
    "adamaxw",
    "adamod",
    "adamw",
    "adan",
    "ademamix",
    "adopt",
    "amsbound",
    "amsgrad",
    "asgd",
    "cocob",
    "dadapt_adamw",
    "diffgrad",
    "dog",
    "dowg",
    "eve",
    "fromage",
    "ftml",
    "ftrl",
    "lamb",
    "lars",
    "lion",
    "madgrad",
    "mars",
    "momo",
    "momo_adam",
    "muon",
    "nadam",
    "nadamw",
    "noisy_sgd",
    "novograd",
    "optimistic_adam",
    "optimistic_gradient_descent",
    "padam",
    "polyak_sgd",
    "prodigy",
    "qhadam",
    "qhsgd",
    "radam",
    "rmsprop",
    "rprop",
    "schedule_free_adamw",
    "schedule_free_sgd",
    "sgd",
    "shampoo",
    "sign_sgd",
    "signum",
    "simplified_ademamix",
    "sm3",
    "smorms3",
    "soap",
    "sophia",
    "swats",
    "wngrad",
    "yogi",
    "barzilai_borwein",
    "lbfgs",
    "nonlinear_cg",
]

class _Accsgd(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        kappa: Number = 1000.0,
        xi: Number = 10.0,
        small_const: Number = 0.7,
        wd: Number = 0.0,
    ) -> _Accsgd: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

accsgd: _Accsgd

class _Acprop(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-16,
        eps_root: Number = 1e-16,
        wd: Number = 0.0,
    ) -> _Acprop: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

acprop: _Acprop

class _Adabelief(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-16,
        eps_root: Number = 1e-16,
        nesterov: bool = False,
    ) -> _Adabelief: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

adabelief: _Adabelief

class _Adabound(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.999,
        final_lr: Number = 0.1,
        gamma: Number = 0.001,
        eps: Number = 1e-08,
        wd: Number = 0.0,
    ) -> _Adabound: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

adabound: _Adabound

class _Adadelta(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 1.0,
        rho: Number = 0.9,
        eps: Number = 1e-06,
        wd: Number = 0.0,
        maximize: bool = False,
    ) -> _Adadelta: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

adadelta: _Adadelta

class _Adafactor(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.01,
        beta2_decay: Number = -0.8,
        eps1: Number = 2.220446049250313e-16,
        eps2: Number = 0.001,
        d: Number = 1.0,
        wd: Number = 0.0,
        maximize: bool = False,
    ) -> _Adafactor: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

adafactor: _Adafactor

class _Adagrad(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.01,
        lr_decay: Number = 0.0,
        wd: Number = 0.0,
        initial_accumulator: Number = 0.0,
        eps: Number = 1e-10,
        maximize: bool = False,
        eps_in_sqrt: bool = False,
    ) -> _Adagrad: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

adagrad: _Adagrad

class _Adam(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-08,
        wd: Number = 0.0,
        decoupled: bool = False,
        maximize: bool = False,
        eps_root: Number = 0.0,
        eps_hat: bool = False,
    ) -> _Adam: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

adam: _Adam

class _Adamax(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.002,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-08,
        wd: Number = 0.0,
        maximize: bool = False,
    ) -> _Adamax: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

adamax: _Adamax

class _Adamaxw(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.002,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-08,
        wd: Number = 0.0001,
    ) -> _Adamaxw: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

adamaxw: _Adamaxw

class _Adamod(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.999,
        b3: Number = 0.999,
        eps: Number = 1e-08,
        wd: Number = 0.0,
    ) -> _Adamod: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

adamod: _Adamod

class _Adamw(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-08,
        wd: Number = 0.01,
        maximize: bool = False,
        eps_root: Number = 0.0,
    ) -> _Adamw: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

adamw: _Adamw

class _Adan(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.98,
        b2: Number = 0.92,
        b3: Number = 0.99,
        eps: Number = 1e-08,
        wd: Number = 0.0,
        no_prox: bool = False,
    ) -> _Adan: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

adan: _Adan

class _Ademamix(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.999,
        b3: Number = 0.9999,
        alpha: Number = 5.0,
        eps: Number = 1e-08,
        wd: Number = 0.0,
        eps_root: Number = 0.0,
    ) -> _Ademamix: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

ademamix: _Ademamix

class _Adopt(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.9999,
        eps: Number = 1e-06,
        nesterov: bool = False,
        use_clipping: bool = True,
    ) -> _Adopt: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

adopt: _Adopt

class _Amsbound(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.999,
        final_lr: Number = 0.1,
        gamma: Number = 0.001,
        eps: Number = 1e-08,
        wd: Number = 0.0,
    ) -> _Amsbound: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

amsbound: _Amsbound

class _Amsgrad(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-08,
        wd: Number = 0.0,
        decoupled: bool = False,
        maximize: bool = False,
    ) -> _Amsgrad: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

amsgrad: _Amsgrad

class _Asgd(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.01,
        lambd: Number = 0.0001,
        alpha: Number = 0.75,
        t0: Number = 1000000.0,
        wd: Number = 0.0,
        maximize: bool = False,
    ) -> _Asgd: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

asgd: _Asgd

class _Cocob(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 1.0,
        alpha: Number = 100.0,
        eps: Number = 1e-08,
        wd: Number = 0.0,
    ) -> _Cocob: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

cocob: _Cocob

class _DadaptAdamw(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 1.0,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-08,
        wd: Number = 0.0,
        d0: Number = 1e-06,
        bias_correction: bool = False,
    ) -> _DadaptAdamw: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

dadapt_adamw: _DadaptAdamw

class _Diffgrad(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-08,
        wd: Number = 0.0,
    ) -> _Diffgrad: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

diffgrad: _Diffgrad

class _Dog(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 1.0,
        reps_rel: Number = 1e-06,
        eps: Number = 1e-08,
        wd: Number = 0.0,
    ) -> _Dog: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

dog: _Dog

class _Dowg(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 1.0,
        init_estim_sq_dist: Number = 0.0001,
        eps: Number = 0.0001,
        wd: Number = 0.0,
    ) -> _Dowg: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

dowg: _Dowg

class _Eve(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.999,
        b3: Number = 0.999,
        eps: Number = 1e-08,
        clip: Number = 10.0,
        f_min: Number = 0.0,
    ) -> _Eve: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

eve: _Eve

class _Fromage(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.01,
        min_norm: Number = 1e-06,
    ) -> _Fromage: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

fromage: _Fromage

class _Ftml(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.0025,
        b1: Number = 0.6,
        b2: Number = 0.999,
        eps: Number = 1e-08,
        wd: Number = 0.0,
    ) -> _Ftml: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

ftml: _Ftml

class _Ftrl(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        lr_power: Number = -0.5,
        initial_accumulator: Number = 0.1,
        l1: Number = 0.0,
        l2: Number = 0.0,
        beta: Number = 0.0,
    ) -> _Ftrl: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

ftrl: _Ftrl

class _Lamb(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-06,
        wd: Number = 0.0,
    ) -> _Lamb: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

lamb: _Lamb

class _Lars(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 1.0,
        momentum: Number = 0.9,
        wd: Number = 0.0,
        trust: Number = 0.001,
        eps: Number = 0.0,
        nesterov: bool = False,
    ) -> _Lars: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

lars: _Lars

class _Lion(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.0001,
        b1: Number = 0.9,
        b2: Number = 0.99,
        wd: Number = 0.0,
    ) -> _Lion: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

lion: _Lion

class _Madgrad(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.01,
        momentum: Number = 0.9,
        wd: Number = 0.0,
        eps: Number = 1e-06,
    ) -> _Madgrad: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

madgrad: _Madgrad

class _Mars(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.003,
        b1: Number = 0.95,
        b2: Number = 0.99,
        gamma: Number = 0.025,
        eps: Number = 1e-08,
        wd: Number = 0.0,
    ) -> _Mars: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

mars: _Mars

class _Momo(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 1.0,
        b1: Number = 0.9,
        lower_bound: Number = 0.0,
        wd: Number = 0.0,
        adapt_lower_bound: bool = False,
    ) -> _Momo: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

momo: _Momo

class _MomoAdam(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.01,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-08,
        lower_bound: Number = 0.0,
        wd: Number = 0.0,
        adapt_lower_bound: bool = False,
    ) -> _MomoAdam: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

momo_adam: _MomoAdam

class _Muon(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        momentum: Number = 0.95,
        nesterov: bool = True,
        wd: Number = 0.1,
        ns_a: Number = 3.4445,
        ns_b: Number = -4.775,
        ns_c: Number = 2.0315,
        ns_steps: Number = 5,
        eps: Number = 1e-07,
        match_rms: bool = False,
        b1: Number = 0.9,
        b2: Number = 0.999,
    ) -> _Muon: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

muon: _Muon

class _Nadam(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.002,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-08,
        wd: Number = 0.0,
        momentum_decay: Number = 0.004,
        decoupled: bool = False,
        maximize: bool = False,
    ) -> _Nadam: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

nadam: _Nadam

class _Nadamw(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-08,
        wd: Number = 0.0001,
        eps_root: Number = 0.0,
    ) -> _Nadamw: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

nadamw: _Nadamw

class _NoisySgd(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.01,
        eta: Number = 0.01,
        gamma: Number = 0.55,
        seed: Number = 0,
    ) -> _NoisySgd: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

noisy_sgd: _NoisySgd

class _Novograd(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.25,
        eps: Number = 1e-06,
        eps_root: Number = 0.0,
        wd: Number = 0.0,
    ) -> _Novograd: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

novograd: _Novograd

class _OptimisticAdam(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        alpha: Number = 1.0,
        beta: Number = 1.0,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-08,
        eps_root: Number = 0.0,
        nesterov: bool = True,
    ) -> _OptimisticAdam: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

optimistic_adam: _OptimisticAdam

class _OptimisticGradientDescent(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        alpha: Number = 1.0,
        beta: Number = 1.0,
    ) -> _OptimisticGradientDescent: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

optimistic_gradient_descent: _OptimisticGradientDescent

class _Padam(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.1,
        b1: Number = 0.9,
        b2: Number = 0.999,
        partial: Number = 0.25,
        eps: Number = 1e-08,
        wd: Number = 0.0,
    ) -> _Padam: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

padam: _Padam

class _PolyakSgd(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 1.0,
        max_lr: Number = 1.0,
        f_min: Number = 0.0,
        eps: Number = 0.0,
        positive: bool = False,
    ) -> _PolyakSgd: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

polyak_sgd: _PolyakSgd

class _Prodigy(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 1.0,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-08,
        wd: Number = 0.0,
        d0: Number = 1e-06,
        d_coef: Number = 1.0,
        bias_correction: bool = False,
        safeguard_warmup: bool = False,
    ) -> _Prodigy: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

prodigy: _Prodigy

class _Qhadam(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.999,
        nu1: Number = 1.0,
        nu2: Number = 1.0,
        eps: Number = 1e-08,
        wd: Number = 0.0,
        decoupled: bool = False,
    ) -> _Qhadam: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

qhadam: _Qhadam

class _Qhsgd(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.01,
        momentum: Number = 0.999,
        nu: Number = 0.7,
        wd: Number = 0.0,
        decoupled: bool = False,
    ) -> _Qhsgd: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

qhsgd: _Qhsgd

class _Radam(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-08,
        wd: Number = 0.0,
        decoupled: bool = False,
        maximize: bool = False,
    ) -> _Radam: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

radam: _Radam

class _Rmsprop(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.01,
        alpha: Number = 0.99,
        eps: Number = 1e-08,
        wd: Number = 0.0,
        momentum: Number = 0.0,
        centered: bool = False,
        maximize: bool = False,
        nesterov: bool = False,
        initial_scale: Number = 0.0,
        eps_in_sqrt: bool = False,
    ) -> _Rmsprop: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

rmsprop: _Rmsprop

class _Rprop(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.01,
        eta_minus: Number = 0.5,
        eta_plus: Number = 1.2,
        min_step_size: Number = 1e-06,
        max_step_size: Number = 50.0,
        maximize: bool = False,
    ) -> _Rprop: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

rprop: _Rprop

class _ScheduleFreeAdamw(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.0025,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-08,
        wd: Number = 0.0,
        warmup_steps: Number = 0,
        r: Number = 0.0,
        weight_lr_power: Number = 2.0,
    ) -> _ScheduleFreeAdamw: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

schedule_free_adamw: _ScheduleFreeAdamw

class _ScheduleFreeSgd(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 1.0,
        momentum: Number = 0.9,
        wd: Number = 0.0,
        warmup_steps: Number = 0,
        r: Number = 0.0,
        weight_lr_power: Number = 2.0,
    ) -> _ScheduleFreeSgd: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

schedule_free_sgd: _ScheduleFreeSgd

class _Sgd(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        momentum: Number = 0.0,
        dampening: Number = 0.0,
        wd: Number = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
    ) -> _Sgd: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

sgd: _Sgd

class _Shampoo(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        momentum: Number = 0.0,
        eps: Number = 1e-06,
        wd: Number = 0.0,
        decoupled: bool = False,
        every: Number = 1,
    ) -> _Shampoo: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

shampoo: _Shampoo

class _SignSgd(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
    ) -> _SignSgd: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

sign_sgd: _SignSgd

class _Signum(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        beta: Number = 0.9,
    ) -> _Signum: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

signum: _Signum

class _SimplifiedAdemamix(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.0001,
        b1: Number = 0.99,
        b2: Number = 0.95,
        alpha: Number = 0.0,
        eps: Number = 1e-08,
        wd: Number = 0.0,
        eps_root: Number = 0.0,
    ) -> _SimplifiedAdemamix: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

simplified_ademamix: _SimplifiedAdemamix

class _Sm3(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.1,
        momentum: Number = 0.9,
        eps: Number = 1e-08,
    ) -> _Sm3: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

sm3: _Sm3

class _Smorms3(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        eps: Number = 1e-16,
    ) -> _Smorms3: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

smorms3: _Smorms3

class _Soap(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.003,
        b1: Number = 0.95,
        b2: Number = 0.95,
        b3: Number = 0.95,
        eps: Number = 1e-08,
        wd: Number = 0.01,
        every: Number = 10,
    ) -> _Soap: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

soap: _Soap

class _Sophia(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.96,
        b2: Number = 0.99,
        gamma: Number = 0.01,
        eps: Number = 1e-12,
        clip: Number = 1.0,
        wd: Number = 0.0,
        delta: Number = 0.001,
        seed: Number = 0,
    ) -> _Sophia: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

sophia: _Sophia

class _Swats(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.001,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 1e-09,
        tol: Number = 1e-09,
    ) -> _Swats: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

swats: _Swats

class _Wngrad(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.56,
    ) -> _Wngrad: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

wngrad: _Wngrad

class _Yogi(Rule):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: Number = 0.01,
        b1: Number = 0.9,
        b2: Number = 0.999,
        eps: Number = 0.001,
        eps_root: Number = 0.0,
        initial_accumulator: Number = 1e-06,
    ) -> _Yogi: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

yogi: _Yogi

class _BarzilaiBorwein(Solver):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: float = 1.0,
        formula: Literal['ABB', 'BB1', 'BB2'] = 'ABB',
        memory: int = 20,
        c1: float = 0.0001,
        max_ls: int = 25,
    ) -> _BarzilaiBorwein: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

barzilai_borwein: _BarzilaiBorwein

class _Lbfgs(Solver):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: float = 1.0,
        history: int = 10,
        c1: float = 0.0001,
        c2: float = 0.9,
        line_search: bool = True,
        max_ls: int = 25,
    ) -> _Lbfgs: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

lbfgs: _Lbfgs

class _NonlinearCg(Solver):
    @overload  # type: ignore[override]
    def __call__(
        self,
        *,
        lr: float = 1.0,
        beta: Literal['PR+', 'FR', 'HS', 'DY', 'HZ'] = 'PR+',
        c1: float = 0.0001,
        c2: float = 0.1,
        max_ls: int = 25,
    ) -> _NonlinearCg: ...
    @overload
    def __call__(self, fun: Callable[..., Any], x0: Any, /, args: Any = (), **options: Any) -> Result: ...

nonlinear_cg: _NonlinearCg
