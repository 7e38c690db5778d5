"""Schedules compared with those of PyTorch and optax, installed and recorded, and with formulas; also in compiled steps."""

import copy
import inspect
import math
import pickle
from math import cos, exp, log, pi, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numbaopt import RuleError, adam, lamb, rule, schedules, sgd
from numbaopt.schedules import (
    Joined,
    Schedule,
    constant,
    cosine,
    cosine_restarts,
    curves,
    cyclic,
    delayed,
    exponential,
    interpolated,
    inverse_sqrt,
    inverse_time,
    joined,
    linear,
    multistep,
    natural_exponential,
    onecycle,
    polynomial,
    product,
    schedule,
    square_root,
    staircase,
    step,
    warmup,
    warmup_cosine,
    warmup_exponential,
    warmup_stable_decay,
)

# name -> schedule, and a function that creates PyTorch's from `torch.optim.lr_scheduler` and an optimizer with lr=0.1
TORCH = {
    "StepLR": (step(0.1, 30), lambda s, o: s.StepLR(o, 30)),
    "StepLR, 0.9": (step(0.1, 7, 0.9), lambda s, o: s.StepLR(o, 7, 0.9)),
    "StepLR as stairs": (staircase(exponential(0.1, 0.9, 7), 7), lambda s, o: s.StepLR(o, 7, 0.9)),
    "MultiStepLR": (multistep(0.1, [30, 80, 200]), lambda s, o: s.MultiStepLR(o, [30, 80, 200])),
    "MultiStepLR, 0.5": (multistep(0.1, [1, 2, 3], 0.5), lambda s, o: s.MultiStepLR(o, [1, 2, 3], 0.5)),
    "ConstantLR": (multistep(0.1 / 3, [5], 3), lambda s, o: s.ConstantLR(o)),
    "ConstantLR, 0.25": (multistep(0.025, [100], 4), lambda s, o: s.ConstantLR(o, 0.25, 100)),
    "LinearLR": (linear(0.1 / 3, 0.1, 5), lambda s, o: s.LinearLR(o)),
    "LinearLR down": (linear(0.1, 0.01, 200), lambda s, o: s.LinearLR(o, 1.0, 0.1, 200)),
    "ExponentialLR": (exponential(0.1, 0.95), lambda s, o: s.ExponentialLR(o, 0.95)),
    "ExponentialLR, 1.01": (exponential(0.1, 1.01), lambda s, o: s.ExponentialLR(o, 1.01)),
    "PolynomialLR": (polynomial(0.1, 0, 5), lambda s, o: s.PolynomialLR(o)),
    "PolynomialLR, 2": (polynomial(0.1, 0, 300, 2), lambda s, o: s.PolynomialLR(o, 300, 2.0)),
    "PolynomialLR, 0.5": (polynomial(0.1, 0, 101, 0.5), lambda s, o: s.PolynomialLR(o, 101, 0.5)),
    "CosineAnnealingLR": (cosine(0.1, 399, 0.01), lambda s, o: s.CosineAnnealingLR(o, 399, 0.01)),
    "CosineAnnealingLR to 0": (cosine(0.1, 450), lambda s, o: s.CosineAnnealingLR(o, 450)),
    "warm restarts": (cosine_restarts(0.1, 50), lambda s, o: s.CosineAnnealingWarmRestarts(o, 50)),
    "warm restarts, 2": (
        cosine_restarts(0.1, 10, 2, 0.001),
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 10, 2, 0.001),
    ),
    "warm restarts, 3": (cosine_restarts(0.1, 7, mult=3), lambda s, o: s.CosineAnnealingWarmRestarts(o, 7, 3)),
    "warm restarts, one step": (cosine_restarts(0.1, 1, 2), lambda s, o: s.CosineAnnealingWarmRestarts(o, 1, 2)),
    "CyclicLR": (cyclic(0.001, 0.1, 20), lambda s, o: s.CyclicLR(o, 0.001, 0.1, 20)),
    "CyclicLR, defaults": (cyclic(0.001, 0.1), lambda s, o: s.CyclicLR(o, 0.001, 0.1)),
    "CyclicLR, triangular2": (
        cyclic(0.001, 0.1, 11, 31, cycle_rate=0.5),
        lambda s, o: s.CyclicLR(o, 0.001, 0.1, 11, 31, "triangular2"),
    ),
    "CyclicLR, exp_range": (
        cyclic(0.001, 0.1, 30, 10, step_rate=0.99),
        lambda s, o: s.CyclicLR(o, 0.001, 0.1, 30, 10, "exp_range", 0.99),
    ),
    "OneCycleLR": (onecycle(0.1, 400), lambda s, o: s.OneCycleLR(o, 0.1, 400)),
    "OneCycleLR, linear": (
        onecycle(0.1, 401, 0.25, "linear", 10, 100),
        lambda s, o: s.OneCycleLR(o, 0.1, 401, None, None, 0.25, "linear", div_factor=10, final_div_factor=100),
    ),
    "OneCycleLR, three phases": (
        onecycle(0.1, 400, three_phase=True),
        lambda s, o: s.OneCycleLR(o, 0.1, 400, three_phase=True),
    ),
    "OneCycleLR, three linear phases": (
        onecycle(0.1, 433, 0.4, "linear", three_phase=True),
        lambda s, o: s.OneCycleLR(o, 0.1, 433, pct_start=0.4, anneal_strategy="linear", three_phase=True),
    ),
    "SequentialLR": (
        joined([linear(0.01, 0.1, 17), cosine(0.1, 423)], [17]),
        lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, 1, 17), s.CosineAnnealingLR(o, 423)], [17]),
    ),
    "SequentialLR of three": (
        joined([constant(0.1), exponential(0.1, 0.99), step(0.1, 30, 0.5)], [10, 110]),
        lambda s, o: s.SequentialLR(o, [s.ConstantLR(o, 1), s.ExponentialLR(o, 0.99), s.StepLR(o, 30, 0.5)], [10, 110]),
    ),
    "ChainedScheduler": (
        product([multistep(0.05, [40], 2), exponential(1, 0.99)]),
        lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.5, 40), s.ExponentialLR(o, 0.99)]),
    ),
    "ChainedScheduler of three": (
        product([linear(0.05, 0.1, 50), step(1, 60, 0.9), cosine(1, 500)]),
        lambda s, o: s.ChainedScheduler([s.LinearLR(o, 0.5, 1, 50), s.StepLR(o, 60, 0.9), s.CosineAnnealingLR(o, 500)]),
    ),
    "LambdaLR, inverse time": (
        inverse_time(0.1, 0.05),
        lambda s, o: s.LambdaLR(o, lambda k: 1 / (1 + 0.05 * k)),
    ),
    "LambdaLR, natural exponential": (
        natural_exponential(0.1, 0.3, 50),
        lambda s, o: s.LambdaLR(o, lambda k: math.exp(-0.3 * k / 50)),
    ),
    "LambdaLR, Transformer": (  # as in the paper, d_model = 512 and 40 steps of warm-up, its step being k
        warmup(inverse_sqrt((512 * 40) ** -0.5, 40), 40),
        lambda s, o: s.LambdaLR(o, lambda k: 10 * 512**-0.5 * min(max(k, 1e-9) ** -0.5, k * 40**-1.5)),
    ),
    "StepLR by epochs of 20": (
        staircase(cosine(0.1, 20 * 25), 20),
        lambda s, o: s.LambdaLR(o, lambda k: (1 + math.cos(math.pi * (k // 20) / 25)) / 2),
    ),
}

# name -> schedule, and a function that creates optax's
OPTAX = {
    "linear": (linear(0.1, 0.01, 100), lambda o: o.linear_schedule(0.1, 0.01, 100)),
    "linear begun later": (delayed(linear(0, 0.1, 100), 33), lambda o: o.linear_schedule(0, 0.1, 100, 33)),
    "polynomial": (polynomial(0.1, 0.01, 200, 3), lambda o: o.polynomial_schedule(0.1, 0.01, 3, 200)),
    "polynomial begun later": (
        delayed(polynomial(0.2, 0.01, 300, 0.7), 50),
        lambda o: o.polynomial_schedule(0.2, 0.01, 0.7, 300, 50),
    ),
    "piecewise_constant": (
        multistep(0.1, [30, 100, 250], [0.5, 0.1, 3]),
        lambda o: o.piecewise_constant_schedule(0.1, {30: 0.5, 100: 0.1, 250: 3.0}),
    ),
    "piecewise_constant, none": (multistep(0.1, []), lambda o: o.piecewise_constant_schedule(0.1)),
    "piecewise_interpolate": (
        interpolated([0.1, 0.05, 0.005, 0.02], [30, 100, 250]),
        lambda o: o.piecewise_interpolate_schedule("linear", 0.1, {30: 0.5, 100: 0.1, 250: 4.0}),
    ),
    "piecewise_interpolate, cosine": (
        interpolated([0.1, 0.05, 0.005, 0.0], [17, 101, 399], "cosine"),
        lambda o: o.piecewise_interpolate_schedule("cosine", 0.1, {17: 0.5, 101: 0.1, 399: 0.0}),
    ),
    "exponential_decay": (exponential(0.1, 0.5, 100), lambda o: o.exponential_decay(0.1, 100, 0.5)),
    "exponential_decay, staircase": (step(0.1, 30, 0.5), lambda o: o.exponential_decay(0.1, 30, 0.5, staircase=True)),
    "exponential_decay to an end": (
        exponential(0.1, 0.9, 10, 0.01),
        lambda o: o.exponential_decay(0.1, 10, 0.9, end_value=0.01),
    ),
    "exponential_decay upwards": (
        exponential(0.1, 1.1, 10, 1.5),
        lambda o: o.exponential_decay(0.1, 10, 1.1, end_value=1.5),
    ),
    "exponential_decay, all": (
        delayed(staircase(exponential(0.1, 0.8, 30, 0.013), 30), 15),
        lambda o: o.exponential_decay(0.1, 30, 0.8, 15, True, 0.013),
    ),
    "cosine_decay": (cosine(0.1, 333), lambda o: o.cosine_decay_schedule(0.1, 333)),
    "cosine_decay, exponent": (
        cosine(0.1, 300, 0.01, exponent=2.5),
        lambda o: o.cosine_decay_schedule(0.1, 300, 0.1, 2.5),
    ),
    "warmup_constant": (linear(0.01, 0.1, 60), lambda o: o.warmup_constant_schedule(0.01, 0.1, 60)),
    "warmup_cosine": (
        warmup_cosine(0.001, 0.1, 40, 400, 0.01),
        lambda o: o.warmup_cosine_decay_schedule(0.001, 0.1, 40, 400, 0.01),
    ),
    "warmup_cosine, exponent": (
        warmup_cosine(0, 0.2, 100, 350, 0.02, 0.5),
        lambda o: o.warmup_cosine_decay_schedule(0, 0.2, 100, 350, 0.02, 0.5),
    ),
    "warmup_cosine without": (
        warmup_cosine(0.5, 0.1, 0, 300),
        lambda o: o.warmup_cosine_decay_schedule(0.5, 0.1, 0, 300),
    ),
    "warmup_exponential": (
        warmup_exponential(0.0, 0.1, 50, 0.7, 40),
        lambda o: o.warmup_exponential_decay_schedule(0.0, 0.1, 50, 40, 0.7),
    ),
    "warmup_exponential to an end": (
        warmup_exponential(0.0, 0.1, 50, 0.7, 40, 0.02),
        lambda o: o.warmup_exponential_decay_schedule(0.0, 0.1, 50, 40, 0.7, end_value=0.02),
    ),
    "warmup_exponential, all": (
        warmup(delayed(staircase(exponential(0.1, 0.7, 40, 0.02), 40), 25), 50, 0.01),
        lambda o: o.warmup_exponential_decay_schedule(0.01, 0.1, 50, 40, 0.7, 25, True, 0.02),
    ),
    "sgdr": (
        joined(
            [warmup_cosine(0, 0.1, 10, 50), warmup_cosine(0.01, 0.08, 20, 150), warmup_cosine(0, 0.05, 5, 150, 0.001)],
            [50, 200],
        ),
        lambda o: o.sgdr_schedule(
            [
                {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 10, "decay_steps": 50},
                {"init_value": 0.01, "peak_value": 0.08, "warmup_steps": 20, "decay_steps": 150},
                {"init_value": 0.0, "peak_value": 0.05, "warmup_steps": 5, "decay_steps": 150, "end_value": 0.001},
            ]
        ),
    ),
    "cosine_onecycle": (
        interpolated([0.004, 0.1, 0.004 / 1e4], [int(0.3 * 399), 399], "cosine"),
        lambda o: o.cosine_onecycle_schedule(399, 0.1),
    ),
    "linear_onecycle": (
        interpolated([0.01, 0.1, 0.01, 0.0001], [int(0.2 * 377), int(0.7 * 377), 377]),
        lambda o: o.linear_onecycle_schedule(377, 0.1, 0.2, 0.7, 10, 100),
    ),
    "join": (
        joined([linear(0, 0.1, 20), constant(0.1), cosine(0.1, 200, 0.01)], [20, 120]),
        lambda o: o.join_schedules(
            [o.linear_schedule(0, 0.1, 20), o.constant_schedule(0.1), o.cosine_decay_schedule(0.1, 200, 0.1)], [20, 120]
        ),
    ),
}

STEPS = 400
AT = [0, 1, 17, 100, 399]

# fmt: off
# Values of PyTorch 2.13.0 and of optax 0.2.8 in float64 at these k.
RECORDED = {
    "StepLR": [0.1, 0.1, 0.1, 0.00010000000000000003, 1.0000000000000008e-14],
    "StepLR, 0.9": [0.1, 0.1, 0.08100000000000002, 0.022876792454961013, 0.00024650347049580716],
    "StepLR as stairs": [0.1, 0.1, 0.08100000000000002, 0.022876792454961013, 0.00024650347049580716],
    "MultiStepLR": [0.1, 0.1, 0.1, 0.0010000000000000002, 0.00010000000000000003],
    "MultiStepLR, 0.5": [0.1, 0.05, 0.0125, 0.0125, 0.0125],
    "ConstantLR": [0.03333333333333333, 0.03333333333333333, 0.1, 0.1, 0.1],
    "ConstantLR, 0.25": [0.025, 0.025, 0.025, 0.1, 0.1],
    "LinearLR": [0.03333333333333333, 0.04666666666666667, 0.1, 0.1, 0.1],
    "LinearLR down": [0.1, 0.09955000000000001, 0.09234999999999997, 0.05499999999999992, 0.009999999999999997],
    "ExponentialLR": [0.1, 0.095, 0.04181203352191771, 0.0005920529220333994, 1.2933572748966038e-10],
    "ExponentialLR, 1.01": [0.1, 0.101, 0.11843044313729356, 0.27048138294215274, 5.299417545375696],
    "PolynomialLR": [0.1, 0.08000000000000002, 0.0, 0.0, 0.0],
    "PolynomialLR, 2": [0.1, 0.09933444444444445, 0.08898777777777774, 0.04444444444444438, 0.0],
    "PolynomialLR, 0.5": [0.1, 0.09950371902099892, 0.091196664868669, 0.009950371902099903, 0.0],
    "CosineAnnealingLR": [0.1, 0.09999860512841136, 0.09959748154195165, 0.08675710892045913, 0.01],
    "CosineAnnealingLR to 0": [0.1, 0.09999878153526974, 0.09964827540532686, 0.08830222215594893, 0.0031359005254054306],
    "warm restarts": [0.1, 0.09990133642141358, 0.07408768370508577, 0.1, 9.866357858642206e-05],
    "warm restarts, 2": [0.1, 0.09757729755661011, 0.07297252973710756, 0.06944282990207196, 0.0822766043268538],
    "warm restarts, 3": [0.1, 0.09504844339512096, 0.05373650467932122, 0.09944154131125643, 0.08951963347593797],
    "warm restarts, one step": [0.1, 0.1, 0.09619397662556434, 0.03785099100483681, 0.04024548389919359],
    "CyclicLR": [0.001, 0.005949999999999983, 0.08515000000000002, 0.1, 0.005950000000000071],
    "CyclicLR, defaults": [0.001, 0.0010495000000000166, 0.0018415000000000172, 0.005949999999999983, 0.0207505],
    "CyclicLR, triangular2": [0.001, 0.009999999999999967, 0.08083870967741937, 0.021758064516129036, 0.0011309853830645162],
    "CyclicLR, exp_range": [0.001, 0.004266999999999988, 0.048289113148838304, 0.025158134524033128, 0.001179505532750454],
    "OneCycleLR": [0.0040000000000000036, 0.004016725990295247, 0.008753494340683884, 0.09408711625798234, 4e-07],
    "OneCycleLR, linear": [0.01, 0.010906801007556675, 0.025415617128463477, 0.09975087281795512, 0.00043216957605984874],
    "OneCycleLR, three phases": [0.0040000000000000036, 0.004016725990295247, 0.008753494340683884, 0.09408711625798234, 4e-07],
    "OneCycleLR, three linear phases": [0.004, 0.004557491289198606, 0.013477351916376307, 0.05974912891986062, 0.001507098630136987],
    "SequentialLR": [0.010000000000000002, 0.015294117647058826, 0.1, 0.0907972208780035, 0.0023002147525777086],
    "SequentialLR of three": [0.1, 0.1, 0.093206534790699, 0.0404731972678324, 0.0001953125],
    "ChainedScheduler": [0.05, 0.0495, 0.042147159669196334, 0.03660323412732295, 0.001813187199499512],
    "ChainedScheduler of three": [0.05, 0.0509994966518315, 0.06680907647829944, 0.0814057647468726, 0.005173368595489775],
    "LambdaLR, inverse time": [0.1, 0.09523809523809523, 0.05405405405405405, 0.016666666666666666, 0.0047732696897374695],
    "LambdaLR, natural exponential": [0.1, 0.09940179640539354, 0.09030295516688769, 0.05488116360940264, 0.00912638972030592],
    "LambdaLR, Transformer": [0.0, 0.00017469281074217107, 0.002969777782616908, 0.004419417382415923, 0.002212476016889965],
    "StepLR by epochs of 20": [0.1, 0.1, 0.1, 0.09045084971874738, 0.013551568628929435],
    "linear": [0.1, 0.09910000000000001, 0.0847, 0.01, 0.01],
    "linear begun later": [0.0, 0.0, 0.0, 0.067, 0.1],
    "polynomial": [0.1, 0.09865673875, 0.07894547875, 0.02125, 0.01],
    "polynomial begun later": [0.2, 0.2, 0.2, 0.17723482833621587, 0.01],
    "piecewise_constant": [0.1, 0.1, 0.1, 0.005000000000000001, 0.015000000000000003],
    "piecewise_constant, none": [0.1, 0.1, 0.1, 0.1, 0.1],
    "piecewise_interpolate": [0.1, 0.09833333333333334, 0.07166666666666667, 0.005000000000000001, 0.020000000000000004],
    "piecewise_interpolate, cosine": [0.1, 0.09957432749209755, 0.05, 0.0050157341422610345, 0.0],
    "exponential_decay": [0.1, 0.0993092495437036, 0.08888426811665702, 0.05, 0.006293472187854492],
    "exponential_decay, staircase": [0.1, 0.1, 0.1, 0.0125, 1.220703125e-05],
    "exponential_decay to an end": [0.1, 0.09895192582062146, 0.0836011527916834, 0.03486784401000001, 0.01],
    "exponential_decay upwards": [0.1, 0.10095765827768871, 0.11758923494079665, 0.25937424601000025, 1.5],
    "exponential_decay, all": [0.1, 0.1, 0.1, 0.06400000000000002, 0.013],
    "cosine_decay": [0.1, 0.09999777490752056, 0.0993583207280933, 0.07935108735154094, 0.0],
    "cosine_decay, exponent": [0.1, 0.09999383168045198, 0.09823252954794931, 0.05384253606658721, 0.010000000000000002],
    "warmup_constant": [0.009999999999999995, 0.011499999999999996, 0.035500000000000004, 0.1, 0.1],
    "warmup_cosine": [0.0010000000000000009, 0.003475000000000006, 0.04307500000000001, 0.09397114317029975, 0.01000171346211229],
    "warmup_cosine, exponent": [0.0, 0.0020000000000000018, 0.034, 0.2, 0.02],
    "warmup_cosine without": [0.1, 0.09999725846827562, 0.0992097803984621, 0.07500000000000001, 0.0],
    "warmup_exponential": [0.0, 0.0020000000000000018, 0.034000000000000016, 0.06402838534600862, 0.004451233728542343],
    "warmup_exponential to an end": [0.0, 0.0020000000000000018, 0.034000000000000016, 0.06402838534600862, 0.02],
    "warmup_exponential, all": [0.009999999999999995, 0.011799999999999991, 0.040600000000000004, 0.1, 0.02],
    "sgdr": [0.0, 0.009999999999999995, 0.09263200821770462, 0.06994042992684404, 0.001],
    "cosine_onecycle": [0.0040000000000000036, 0.004016725990295247, 0.008753494340683884, 0.09408711625798234, 4e-07],
    "linear_onecycle": [0.01, 0.0112, 0.030400000000000003, 0.08803191489361703, 0.00010000000000000002],
    "join": [0.0, 0.0050000000000000044, 0.08500000000000002, 0.1, 0.010000000000000002],
}
# fmt: on

# Values of other packages at the same k: Keras 3.15.1 with floatx float64, transformers 5.23.0 with a LambdaLR of lr 0.1.
ELSEWHERE = {
    "InverseTimeDecay": (
        inverse_time(0.1, 0.4, 50),
        [0.1, 0.09920634920634921, 0.0880281690140845, 0.05555555555555556, 0.02385496183206107],
    ),
    "InverseTimeDecay, staircase": (
        staircase(inverse_time(0.1, 0.4, 50), 50),
        [0.1, 0.1, 0.1, 0.05555555555555556, 0.02631578947368421],
    ),
    "CosineDecayRestarts": (
        cosine_restarts(0.1, 30, 2),
        [0.1, 0.09972609281539918, 0.0396044135093689, 0.09829629063606263, 0.010734152793884278],
    ),
    "CosineDecayRestarts, all": (
        cosine_restarts(0.1, 30, 1.5, 0.005, 0.9),
        [0.1, 0.09973978817462921, 0.042624192833900454, 0.05871416948437691, 0.06106617660192253],
    ),
    "PolynomialDecay": (
        polynomial(0.1, 0.01, 300, 1.7),
        [0.1, 0.09949059519854854, 0.09150294783996506, 0.05517387741827424, 0.01],
    ),
    "ExponentialDecay": (
        staircase(exponential(0.1, 0.7, 30), 30),
        [0.1, 0.1, 0.1, 0.03429999999999999, 0.0009688901040699992],
    ),
    "PiecewiseConstantDecay": (multistep(0.1, [17 + 1, 99 + 1], [0.5, 0.2]), [0.1, 0.1, 0.1, 0.01, 0.01]),
    "get_inverse_sqrt_schedule": (
        warmup(inverse_sqrt(0.1, 40), 40),
        [0.0, 0.0025000000000000005, 0.0425, 0.0632455532033676, 0.03166237934306518],
    ),
    "get_inverse_sqrt_schedule, timescale": (
        warmup(inverse_sqrt(0.1, 100), 10),
        [0.0, 0.010000000000000002, 0.09667364890456637, 0.07254762501100118, 0.04522156316461346],
    ),
    "get_wsd_schedule, linear": (warmup_stable_decay(0.1, 10, 80, 200), [0.0, 0.010000000000000002, 0.1, 0.095, 0.0]),
    "get_wsd_schedule": (
        warmup_stable_decay(0.1, 20, 60, 350, 0.01, 0.01, "cosine"),
        [0.010000000000000002, 0.014500000000000002, 0.08650000000000001, 0.09927683148693833, 0.011730874622313302],
    ),
    "get_wsd_schedule, 1-sqrt": (
        warmup_stable_decay(0.1, 20, 50, 350, curve="1-sqrt"),
        [0.0, 0.005000000000000001, 0.085, 0.07072299781154401, 0.0030464028516734246],
    ),
    "get_cosine_schedule_with_warmup": (
        warmup(cosine(0.1, 400), 20),
        [0.0, 0.005000000000000001, 0.085, 0.09045084971874738, 0.0006785371411752284],
    ),
}


def torch_course(make):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    scheduler, course = make(torch.optim.lr_scheduler, optimizer), []
    for _ in range(STEPS):
        course += scheduler.get_last_lr()
        optimizer.step()
        scheduler.step()
    return course


def optax_course(make):
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    with jax.enable_x64(True):
        course = jax.vmap(make(optax))(jax.numpy.arange(STEPS))
    assert course.dtype == np.float64
    return np.asarray(course)


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.filterwarnings("ignore:.*epoch parameter in `scheduler.step.*:UserWarning")  # torch's own call of itself
def test_values_equal_torch(name):
    ours, make = TORCH[name]
    np.testing.assert_allclose([ours(k) for k in range(STEPS)], torch_course(make), rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("name", OPTAX)
def test_values_equal_optax(name):
    ours, make = OPTAX[name]
    np.testing.assert_allclose([ours(k) for k in range(STEPS)], optax_course(make), rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("name", [*TORCH, *OPTAX])
def test_values_equal_recorded_values(name):
    ours, _ = (TORCH | OPTAX)[name]
    np.testing.assert_allclose([ours(k) for k in AT], RECORDED[name], rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_values_equal_keras_and_transformers(name):
    ours, recorded = ELSEWHERE[name]
    rtol = 1e-6 if name.startswith("CosineDecayRestarts") else 1e-12  # Keras computes parts of it in float32
    np.testing.assert_allclose([ours(k) for k in AT], recorded, rtol=rtol, atol=1e-16)


@pytest.mark.parametrize("mult", [1, 1.001, 1.1, 1.5, 2, 3.0])
@pytest.mark.parametrize("steps", [1, 7, 10, 12.5])
def test_restarts_equal_consecutive_cosines(steps, mult):
    ours, start, length, height = cosine_restarts(0.1, steps, mult, 0.01, 0.9), 0.0, float(steps), 0.09
    for k in range(1000):
        while k - start > length * (1 - 1e-9):
            start, length, height = start + length, length * mult, height * 0.9
        expected = 0.01 + height * (1 + math.cos(math.pi * (k - start) / length)) / 2
        assert ours(k) == pytest.approx(expected, rel=1e-9), f"k={k}"


def test_momentum_cycles_inversely_to_lr_as_in_torch():
    torch = pytest.importorskip("torch")
    for make, ours in (
        (lambda s, o: s.OneCycleLR(o, 0.1, 300), interpolated([0.95, 0.85, 0.95], [0.3 * 300 - 1, 299], "cosine")),
        (lambda s, o: s.CyclicLR(o, 0.01, 0.1, 20, 30), cyclic(0.9, 0.8, 20, 30)),
    ):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
        scheduler = make(torch.optim.lr_scheduler, optimizer)
        for k in range(300):
            assert ours(k) == pytest.approx(optimizer.param_groups[0]["momentum"], rel=1e-12)
            optimizer.step()
            scheduler.step()


# Formulas of optax 0.2.8: `polynomial_schedule` of power 1, `exponential_decay`, `cosine_decay_schedule` and
# `join_schedules`. The count starts at 0.


def optax_linear(init, end, steps, count):
    fraction = 1 - min(max(count, 0), steps) / steps
    return (init - end) * fraction + end


def optax_exponential(init, rate, steps, count):
    return init * rate ** (count / steps)


def optax_cosine(init, steps, alpha, count):
    decay = 0.5 * (1 + math.cos(math.pi * min(count, steps) / steps))
    return init * ((1 - alpha) * decay + alpha)


def optax_join(schedules, boundaries, count):
    value = schedules[0](count)
    for boundary, part in zip(boundaries, schedules[1:], strict=True):
        value = value if count < boundary else part(count - boundary)
    return value


COUNTS = [0, 1, 2, 49, 50, 51, 99, 100, 101, 1000, 10**6]
positive = st.floats(1e-6, 1e3)


@given(positive, positive, st.integers(1, 10_000), st.integers(0, 20_000))
def test_values_equal_the_formulas_of_optax(init, final, steps, count):
    assert constant(init)(count) == init
    assert linear(init, final, steps)(count) == pytest.approx(
        optax_linear(init, final, steps, count), rel=1e-12, abs=1e-15
    )
    assert cosine(init, steps)(count) == pytest.approx(optax_cosine(init, steps, 0, count), rel=1e-12, abs=1e-15 * init)
    ours = cosine(init, steps, final)(count)
    assert ours == pytest.approx(optax_cosine(init, steps, final / init, count), rel=1e-9, abs=1e-12)
    assert exponential(init, 0.9, steps)(count) == pytest.approx(optax_exponential(init, 0.9, steps, count), rel=1e-12)


def test_known_values():
    assert linear(0, 0.1, 100)(0) == 0 and linear(33, 1e-5, 7)(7) == linear(33, 1e-5, 7)(10**9) == 1e-5, (
        "both end values are exact"
    )
    assert linear(0, 0.1, 100)(25) == pytest.approx(0.025, rel=1e-15)
    assert linear(1.0, 0.5, 2)(1) == 0.75
    assert cosine(0.2, 100)(0) == 0.2 and cosine(0.2, 100)(50) == pytest.approx(0.1) and cosine(0.2, 100)(100) == 0
    assert cosine(0.2, 100, 0.1)(10**9) == 0.1 and cosine(0.2, 90, 0.1)(30) == pytest.approx(0.175)
    assert exponential(0.8, 0.5)(3) == 0.1 and exponential(0.8, 0.5, 10)(30) == 0.1
    assert exponential(1, 0.9, steps=2)(4) == pytest.approx(0.81)


# Schedules one after another.

PARTS = [linear(0, 0.1, 10), constant(0.1), cosine(0.1, 20, 0.01), exponential(0.01, 0.5)]
BOUNDARIES = [10, 15, 35]


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 14, 15, 16, 34, 35, 36, 40, 100])
def test_joined_equals_join_schedules_of_optax(count):
    whole = joined(PARTS, BOUNDARIES)
    assert whole(count) == optax_join(PARTS, BOUNDARIES, count)
    assert joined(PARTS[:1], [])(count) == PARTS[0](count)
    nested = joined([joined(PARTS[:2], BOUNDARIES[:1]), joined(PARTS[2:], [20])], [15])
    assert nested(count) == whole(count)


# In the compiled step.


@schedule
def up_and_down(k, init: float, warmup: int = 5) -> float:
    """Increase linearly, then decrease as 1 / sqrt(k)."""
    if k < warmup:
        return init * (k + 1) / warmup
    scale = sqrt((k + 1) / warmup)
    return init / scale


@schedule
def wobble(k, a, b=pi / 8):
    return abs(a) * exp(-0.1 * log(k + 1.0)) * (1 + cos(pi * k + b)) + min(max(a, b), 1)


@schedule
def lr(k, value):
    """Has the name of the hyperparameter that follows it."""
    return value / (k + 1)


@schedule
def stairs(k, init, drop, every):
    return init * drop ** (k // every)


ALL = [
    constant(0.05),
    linear(0, 0.1, 7),
    exponential(0.1, 0.9, 3),
    cosine(0.1, 12, 0.01),
    joined([linear(0, 0.1, 4), cosine(0.1, 8)], [4]),
    joined([joined([linear(0, 0.1, 2), constant(0.1)], [2]), joined([cosine(0.1, 4), lr(0.1)], [4])], [5]),
    up_and_down(0.1),
    wobble(0.01),
    lr(0.3),
    stairs(0.1, 0.5, 4),
]

LIBRARY = {  # one schedule of each kind that changes its course within 40 steps
    "constant": constant(0.05),
    "cosine": cosine(0.1, 12, 0.01, 1.5),
    "cosine_restarts": cosine_restarts(0.1, 5, 2, 0.01, 0.9),
    "cyclic": cyclic(0.01, 0.1, 4, 7, 0.5, 0.99),
    "delayed": delayed(cosine_restarts(0.1, 5), 3),
    "exponential": exponential(0.1, 0.9, 3, 0.02),
    "interpolated": interpolated([0.1, 0.05, 0.2, 0.0], [3, 10, 20], "1-sqrt"),
    "inverse_sqrt": inverse_sqrt(0.1, 5),
    "inverse_time": inverse_time(0.1, 0.5, 5),
    "joined": joined([cyclic(0.01, 0.1, 3), step(0.1, 4, 0.5)], [13]),
    "linear": linear(0, 0.1, 7),
    "multistep": multistep(0.1, [3, 7, 8, 30], [0.5, 2, 0, 1]),
    "natural_exponential": natural_exponential(0.1, 0.1, 2),
    "onecycle": onecycle(0.1, 39, three_phase=True),
    "polynomial": polynomial(0.1, 0.01, 20, 2.5),
    "product": product([joined([linear(0.1, 0.2, 5), constant(0.3)], [9]), exponential(1, 0.9), step(1, 7)]),
    "square_root": square_root(0.1, 0.01, 20),
    "staircase": staircase(joined([linear(0, 0.1, 10), cosine(0.1, 20)], [10]), 4),
    "step": step(0.1, 4, 0.5),
    "warmup": warmup(staircase(inverse_sqrt(0.1, 10), 5), 10),
    "warmup_cosine": warmup_cosine(0.01, 0.1, 10, 30),
    "warmup_exponential": warmup_exponential(0.01, 0.1, 10, 0.9, 2, 0.03),
    "warmup_stable_decay": warmup_stable_decay(0.1, 5, 20, 10, final=0.01),
}


def test_the_library_is_complete():
    assert set(LIBRARY) == set(schedules.__all__) - {"Combined", "Joined", "Schedule", "schedule"}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", LIBRARY)
def test_the_compiled_step_uses_the_same_lr(name, dtype):
    each, x, g = LIBRARY[name], np.zeros(1, dtype), np.ones(1, dtype)
    bound = sgd(lr=each)
    compiled, s, h = bound.kernel(x), bound.slots(x), bound.h
    for k in [*range(42), 1000, 10**6]:
        x[0] = 0
        compiled(k + 1, x, g, s, h)
        np.testing.assert_allclose(-x[0], each(k), rtol=1e-13 if dtype == np.float64 else 2e-7, atol=1e-17)


@pytest.mark.slow
def test_a_hundred_milestones():
    places = np.cumsum(np.random.default_rng(0).integers(1, 9, 100)).tolist()
    bound = sgd(lr=multistep(1.0, places, 0.99))
    x, g = np.zeros(1), np.ones(1)
    compiled, s, h = bound.kernel(x), bound.slots(x), bound.h
    for k in range(places[-1] + 2):
        x[0] = 0
        compiled(k + 1, x, g, s, h)
        assert -x[0] == pytest.approx(0.99 ** sum(k >= place for place in places), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("each", ALL, ids=repr)
def test_a_schedule_equals_a_new_lr_at_each_step(each):
    rng = np.random.default_rng(0)
    x, gradients = rng.normal(size=5), rng.normal(size=(16, 5))
    y = x.copy()
    bound = sgd(lr=each, momentum=0.5)
    state, other = bound.init(x), sgd(momentum=0.5).init(y)
    for k, g in enumerate(gradients):
        bound.step(x, g, state)
        sgd(lr=each(k), momentum=0.5).step(y, g, other)
        np.testing.assert_allclose(x, y, rtol=1e-14, err_msg=f"k={k}")
    assert np.array_equal(state.s, other.s)


def test_several_schedules_in_one_float32_rule():
    bound = adam(
        lr=joined([linear(0.0, 0.1, 5), cosine(0.1, 10)], [5]), b1=linear(0.5, 0.9, 10), eps=exponential(1e-3, 0.5)
    )
    x = np.linspace(-1, 1, 6, dtype=np.float32)
    y, m, v = x.copy(), np.zeros_like(x), np.zeros_like(x)
    state = bound.init(x)
    for t in range(1, 15):
        g = np.cos(x * t)
        y, m, v = adam.math(y, g, m, v, t, *(f(t - 1) if isinstance(f, Schedule) else f for f in bound.hyper.values()))
        bound.step(x, g, state)
        np.testing.assert_allclose(x, y, rtol=3e-6, atol=1e-7)


@pytest.mark.parametrize(("plain", "n"), [(lamb, 9), (sgd, 60_000)], ids=["several passes", "parallel"])
def test_schedules_in_other_kinds_of_steps(plain, n):
    bound = plain(lr=cosine(0.1, 10))
    x = np.random.default_rng(0).normal(size=n).astype(np.float32)
    y, g = x.copy(), x + 1
    state, other = bound.init(x), plain.init(y)
    for k in range(3):
        bound.step(x, g, state)
        plain(lr=cosine(0.1, 10)(k)).step(y, g, other)
    assert np.array_equal(x, y)


def test_h_holds_each_number_of_a_schedule():
    bound = sgd(lr=cosine(0.5, 10, 0.1))
    assert bound.h.tolist()[:4] == [0.5, 10, 0.1, 1]
    h, x = bound.h, np.ones(3)
    h[0] = 0.25
    bound.jit(1, x, np.ones(3), bound.slots(x), h)
    assert (x == 0.75).all()
    whole = sgd(lr=joined([linear(1, 2, 3), constant(4)], [5]))
    assert whole.h.tolist()[:5] == [5, 1, 2, 3, 4]
    nested = joined(
        [staircase(linear(1, 2, 3), 6), product([constant(4), joined([constant(7), step(8, 9)], [10])])], [5]
    )
    assert sgd(lr=nested).h.tolist()[:10] == [5, 6, 1, 2, 3, 4, 10, 7, 8, 9]


def test_a_schedule_turns_a_switch_on():
    bound = sgd(momentum=linear(0.0, 0.9, 2), lr=1.0)
    x = np.zeros(1)
    state = bound.init(x)
    for _ in range(3):
        bound.step(x, np.ones(1), state)
    # Velocities 1, 0.45 + 1, 0.9 * 1.45 + 1.
    np.testing.assert_allclose(x, -(1 + 1.45 + 2.305))


# Invalid parameters.


@pytest.mark.parametrize("value", ["0.1", None, 1j, True, float("nan"), float("inf"), [0.1], np.array([0.1]), cosine])
def test_parameters_are_finite_numbers(value):
    with pytest.raises(TypeError, match="linear: final must be a finite real number, not "):
        linear(0, value, 10)


@pytest.mark.parametrize("steps", [0, -1, -0.5])
def test_steps_are_positive(steps):
    for make in (lambda: linear(0, 1, steps), lambda: cosine(1, steps), lambda: exponential(1, 0.5, steps)):
        with pytest.raises(ValueError, match="steps must be positive, not "):
            make()


def test_calls_are_checked_like_any_function():
    for make in (linear, lambda: cosine(1), lambda: linear(0, 1, 2, 3), lambda: cosine(1, 2, last=3)):
        with pytest.raises(TypeError):
            make()
    assert linear(final=1, init=0, steps=4) == linear(0, 1, 4)
    assert str(inspect.signature(cosine)) == "(init, steps, final=0.0, exponent=1.0)" and cosine.__doc__.startswith(
        "Return half a cosine"
    )


@pytest.mark.parametrize(
    "boundaries", [[], [1], [1, 2, 3], [2, 1], [2, 2], [0, 2], [-1, 2], [float("nan"), 2], [1, float("inf")]], ids=repr
)
def test_boundaries(boundaries):
    with pytest.raises(ValueError, match="joined: 3 schedules need 2 positive, increasing boundaries, not "):
        joined([constant(1)] * 3, boundaries)


@pytest.mark.parametrize("parts", [[], [0.1], [constant(1), 0.5], [constant], ["cosine"]])
def test_combined_schedules_need_schedules(parts):
    with pytest.raises(TypeError, match="joined: schedules must be a list of at least one schedule, not "):
        joined(parts, [5] * (len(parts) - 1))
    with pytest.raises(TypeError, match="product: schedules must be a list of at least one schedule, not "):
        product(parts)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: step(0.1, 0), ValueError, "step: steps must be positive, not 0"),
        (lambda: step(0.1, 30, -0.1), ValueError, "step: rate must be positive, not -0.1"),
        (lambda: exponential(0.1, 0), ValueError, "exponential: rate must be positive, not 0"),
        (lambda: polynomial(0.1, 0, 10, -1), ValueError, "polynomial: power must be positive, not -1"),
        (lambda: cosine(0.1, 10, exponent=0), ValueError, "cosine: exponent must be positive, not 0"),
        (lambda: cosine_restarts(0.1, 0), ValueError, "cosine_restarts: steps must be positive, not 0"),
        (lambda: cosine_restarts(0.1, 10, 0.5), ValueError, "cosine_restarts: mult must be at least 1, not 0.5"),
        (lambda: cyclic(0, 0.1, 0), ValueError, "cyclic: up must be positive, not 0"),
        (lambda: cyclic(0, 0.1, 5, -5), ValueError, "cyclic: down must be at least 0, not -5"),
        (lambda: cyclic(0, 0.1, step_rate=0), ValueError, "cyclic: step_rate must be positive, not 0"),
        (lambda: inverse_sqrt(0.1, -3), ValueError, "inverse_sqrt: steps must be positive, not -3"),
        (lambda: inverse_time(0.1, "1"), TypeError, "inverse_time: rate must be a finite real number, not '1'"),
        (
            lambda: natural_exponential(0.1, math.nan),
            TypeError,
            "natural_exponential: rate must be a finite real number",
        ),
        (
            lambda: multistep(0.1, [30, 20]),
            ValueError,
            "multistep: milestones must be positive and increasing, not [30.0, 20.0]",
        ),
        (
            lambda: multistep(0.1, [30, 30]),
            ValueError,
            "multistep: milestones must be positive and increasing, not [30.0, 30.0]",
        ),
        (
            lambda: multistep(0.1, [0, 30]),
            ValueError,
            "multistep: milestones must be positive and increasing, not [0.0, 30.0]",
        ),
        (lambda: multistep(0.1, ["3"]), TypeError, "multistep: milestones[0] must be a finite real number, not '3'"),
        (
            lambda: multistep(0.1, [1, 2], [0.5]),
            ValueError,
            "multistep: rate must be a number or a list of 2 numbers, not [0.5]",
        ),
        (lambda: multistep(0.1, [1], [-0.5]), ValueError, "multistep: rate must be at least 0, not -0.5"),
        (lambda: multistep(None, [1]), TypeError, "multistep: init must be a finite real number, not None"),
        (
            lambda: interpolated([1, 2], [5, 7]),
            ValueError,
            "interpolated: 2 boundaries need 3 values, not [1, 2]",
        ),
        (
            lambda: interpolated([1, 2, 3], [7, 5]),
            ValueError,
            "interpolated: boundaries must be positive and increasing, not [7.0",
        ),
        (
            lambda: interpolated([1, 2], [5], "cubic"),
            ValueError,
            "curve must be one of 'linear', 'cosine', '1-sqrt', not 'cubic'",
        ),
        (lambda: interpolated([1, None], [5]), TypeError, "linear: final must be a finite real number, not None"),
        (lambda: onecycle(0.1, 0), ValueError, "onecycle: steps must be positive, not 0"),
        (lambda: onecycle(0.1, 100, 0), ValueError, "onecycle: rise must be positive, not 0"),
        (
            lambda: onecycle(0.1, 100, 1.0),
            ValueError,
            "onecycle: the turning points for steps=100 and rise=1 must be positive and increasing",
        ),
        (lambda: onecycle(0.1, 3), ValueError, "rise=0.3 must be positive and increasing, not [-0.1"),
        (lambda: onecycle(0.1, 100, 0.5, three_phase=True), None, ""),
        (
            lambda: onecycle(0.1, 100, 0.6, three_phase=True),
            ValueError,
            "rise=0.6 must be positive and increasing, not [59.0, 118",
        ),
        (
            lambda: onecycle(0.1, 100, curve="cos"),
            ValueError,
            "curve must be one of 'linear', 'cosine', '1-sqrt', not 'cos'",
        ),
        (lambda: onecycle("0.1", 100), TypeError, "onecycle: peak must be a finite real number, not '0.1'"),
        (lambda: onecycle(0.1, 100, div=0), ValueError, "onecycle: div must be positive, not 0"),
        (lambda: onecycle(0.1, 100, final_div=-1), ValueError, "onecycle: final_div must be positive, not -1"),
        (lambda: warmup(0.1, 10), TypeError, "warmup: schedule must be a schedule such as cosine(0.1, 1000), not 0.1"),
        (lambda: warmup(constant(1), -1), ValueError, "warmup: steps must be at least 0, not -1"),
        (
            lambda: delayed(cosine, 10),
            TypeError,
            "delayed: schedule must be a schedule such as cosine(0.1, 1000), not <function",
        ),
        (
            lambda: staircase(0.1, 10),
            TypeError,
            "staircase: schedule must be a schedule such as cosine(0.1, 1000), not 0.1",
        ),
        (lambda: staircase(constant(1), 0), ValueError, "staircase: steps must be positive, not 0"),
        (
            lambda: warmup_cosine(0, 1, 10, 10),
            ValueError,
            "warmup_cosine: steps must be larger than warmup_steps=10, not 10",
        ),
        (
            lambda: warmup_cosine(0, 1, True, 10),
            TypeError,
            "warmup_cosine: warmup_steps must be a finite real number, not True",
        ),
        (lambda: warmup_exponential(0, 1, 10, 0), ValueError, "exponential: rate must be positive, not 0"),
        (lambda: warmup_stable_decay(1, 5, -5, 5), ValueError, "must be at least 0, not -5"),
        (lambda: warmup_stable_decay(1, 5, 5, 0), ValueError, "linear: steps must be positive, not 0"),
        (
            lambda: warmup_stable_decay(1, 5, 5, 5, curve="exp"),
            ValueError,
            "curve must be one of 'linear', 'cosine', '1-sqrt', not",
        ),
    ],
)
def test_messages_name_the_wrong_parameter(make, error, text):
    if error is None:
        make()
        return
    with pytest.raises(error) as caught:
        make()
    assert text in str(caught.value)


def test_a_custom_schedule_may_bound_its_parameters():
    @schedule(power="positive", least="at least 0")
    def power_law(k, init, power, least=0.0):
        return max(init / (k + 1) ** power, least)

    assert power_law(8, 1, 2)(3) == 2
    with pytest.raises(ValueError, match="power_law: power must be positive, not -1"):
        power_law(8, -1)
    with pytest.raises(ValueError, match="power_law: least must be at least 0, not -0.5"):
        power_law(8, 1, -0.5)
    for bounds in ({"powr": "positive"}, {"power": "negative"}):
        with pytest.raises(
            TypeError, match="schedule inverse: .* must name one of its parameters and one of the bounds 'positive'"
        ):

            @schedule(**bounds)
            def inverse(k, init, power):
                return init / (k + 1) ** power


def test_a_schedule_may_only_use_known_names():
    scale = 2.0

    def module(k, a):
        return a * math.cos(k)

    def outside(k, a):
        return a * scale * k

    for function, name in ((module, "math"), (outside, "scale")):
        with pytest.raises(
            RuleError, match=rf"schedule {function.__name__}: unknown name '{name}'; available names are "
        ):
            schedule(function)
    namespace = {}
    exec("def f(k, a): return a", namespace)
    for thing in (namespace["f"], lambda k, a: a):
        with pytest.raises(RuleError, match="no source to read; define it with `def`"):
            schedule(thing)


def test_two_schedules_of_one_name_are_told_apart():
    def make(factor):
        if factor == 1:

            @schedule
            def decay(k, a):
                return a / (k + 1)
        else:

            @schedule
            def decay(k, a):
                return a / (k + 2)

        return decay(0.5)

    one, two = make(1), make(2)
    assert one != two and one == make(1) or one != make(1)  # a function that is defined again may be a new one
    assert one(0) == 0.5 and two(0) == 0.25
    for each in (one, two):
        x = np.zeros(1)
        bound = sgd(lr=each)
        bound.step(x, np.ones(1), bound.init(x))
        assert x[0] == -each(0)
    with pytest.raises(ValueError, match="two schedules are named 'decay'"):
        joined([one, two], [5])
    with pytest.raises(ValueError, match="two schedules are named 'decay'"):
        sgd(lr=one, momentum=two).init(np.ones(1))


# Equality, repr and copies.


@pytest.mark.parametrize("each", [*ALL[:-4], *LIBRARY.values()], ids=repr)
def test_equality_repr_and_copies(each):
    assert eval(repr(each), vars(schedules) | {"lr": lr}) == each
    assert hash(eval(repr(each), vars(schedules) | {"lr": lr})) == hash(each)
    for again in (copy.copy(each), copy.deepcopy(each), pickle.loads(pickle.dumps(each))):
        assert again == each and hash(again) == hash(each) and again(7) == each(7)
        assert sgd(lr=again) == sgd(lr=each)
        assert sgd(lr=again).program is sgd(lr=each).program
    assert isinstance(each, Schedule) and isinstance(each, Joined) == repr(each).startswith("joined")


def test_pickles_of_version_0_1_0_find_their_functions():
    """They name the module `numbaopt.schedules.curves`, which held all of these."""
    for name in (
        "cosine_restarts",
        "cyclic",
        "exponential",
        "inverse_sqrt",
        "inverse_time",
        "natural_exponential",
        "step",
    ):
        assert getattr(curves, name) is getattr(schedules, name)


def test_inequality():
    assert linear(0, 1, 2) != linear(0, 1, 3) != constant(1) != 1
    assert joined([constant(1), constant(2)], [3]) != joined([constant(1), constant(2)], [4])
    assert cosine(1.0000000001, 10) != cosine(1, 10), "their repr is not rounded"
    assert staircase(constant(1), 2) != staircase(constant(1), 3) != product([constant(1)]) != constant(1)
    assert {constant(1): "a"}[constant(1.0)] == "a"


def test_repr():
    assert repr(exponential(0.1, 0.9)) == "exponential(0.1, 0.9)"
    assert repr(exponential(0.1, 0.9, 1, 0.5)) == "exponential(0.1, 0.9, 1, 0.5)"
    assert repr(multistep(0.5, [30, 80], 0.5)) == "joined([constant(0.5), constant(0.25), constant(0.125)], [30, 80])"
    assert repr(staircase(product([linear(0, 1, 5), constant(1 / 3)]), 4)) == (
        "staircase(product([linear(0, 1, 5), constant(0.3333333333333333)]), 4)"
    )
    assert (
        repr(joined([constant(1), constant(np.float64(2))], [np.int64(3)])) == "joined([constant(1), constant(2)], [3])"
    )


def test_one_compiled_step_for_all_parameters():
    x = np.ones(3)
    one, two = sgd(lr=cosine(0.1, 10)), sgd(lr=cosine(0.2, 20))
    assert one.source() == two.source() and one.kernel(x) is two.kernel(x)


def test_a_schedule_may_be_the_default_of_a_rule():
    @rule
    def warm(x, g, t, lr=linear(0, 1, 2)):  # noqa: B008
        return x - lr * g

    x = np.zeros(1)
    state = warm.init(x)
    for expected in (0.0, -0.5, -1.5, -2.5):
        warm.step(x, np.ones(1), state)
        assert x[0] == expected
