"""Every rule compared with its oracle for random hyperparameters, gradients and initial values.

The oracles are those of ``golden/oracles``, so that this test covers every recording. Oracles whose package is not
installed are skipped. By default there are a few fixed examples in float64, which compile quickly.
``NUMBAOPT_EXAMPLES=300`` draws that many random examples for each oracle, with all switches and also in float32.
"""

import importlib
import math
import os
import pkgutil
import sys
from contextlib import nullcontext
from importlib.metadata import PackageNotFoundError, version
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

import numbaopt
from numbaopt import schedules
from numbaopt.methods.hyperparameters import RANGES
from tests.paths import GOLDEN

sys.path.insert(0, str(GOLDEN))
record = importlib.import_module("record")
RECORDINGS = {name: one for name, one in record.recordings().items() if name.split(".")[0] in numbaopt.names()}
ORACLES = [importlib.import_module(f"oracles.{m.name}") for m in pkgutil.iter_modules([record.HERE / "oracles"])]
MATRICES = {name: one for module in ORACLES for name, one in getattr(module, "MATRICES", {}).items()}
del MATRICES["muon.torch"]  # in bfloat16, where small singular values are rounding errors; "muon" is exact

# Few and always the same ones by default; others at each run where many are asked for.
MANY = int(os.environ.get("NUMBAOPT_EXAMPLES", 0))
drawn = settings(max_examples=MANY or 8, derandomize=not MANY)
pytestmark = pytest.mark.filterwarnings("default")  # what packages warn of is theirs
TOLERANCE = {"float64": 1e-10, "float32": 1e-4} if MANY else {"float64": 1e-10}


def needed(oracle):
    """Skip a test whose oracle is not installed. Not importorskip: Keras wants its backend named before."""
    if oracle != "paper":
        try:
            version(oracle)
        except PackageNotFoundError:
            pytest.skip(f"needs {oracle}")


# What is drawn.


def logarithmic(low, high):
    return st.floats(math.log10(low), math.log10(high)).map(lambda power: 10.0**power)


def evenly(low, high):
    return st.floats(low, high).map(lambda value: round(value, 6))  # no 1e-300, which is zero in float32


def or_zero(strategy):
    return st.one_of(st.just(0.0), strategy)


MEMORY = st.one_of(st.sampled_from([0.0, 0.9, 0.999]), evenly(0, 0.9999))
SPACES = {
    "lr": logarithmic(1e-4, 1),
    **dict.fromkeys(["b1", "b2", "b3", "rho", "beta", "momentum", "rmsprop.alpha"], MEMORY),
    "eps": logarithmic(1e-12, 1),
    **dict.fromkeys(["eps_root", "initial_accumulator", "initial_scale", "lr_decay"], or_zero(logarithmic(1e-12, 1))),
    "wd": or_zero(logarithmic(1e-4, 1)),
    # Rounding errors in directions that were not seen before are made eps**-0.5 times as large, here for gradients of
    # up to 100; below 1e-2 float32 has no digits left for that.
    "shampoo.eps": logarithmic(0.1, 10),
    # The average that is reported is not defined without momentum. prodigyopt 1.1.2 has another rule where b1 is zero:
    # it multiplies the gradient by the new d, where its own average, and Algorithm 4, have the d before.
    **dict.fromkeys(["schedule_free_adamw.b1", "schedule_free_sgd.momentum", "prodigy.b1"], evenly(0.05, 0.9999)),
}
# Numbers that make sense only together: those of one of the sets.
TOGETHER = {"muon": ["ns_a", "ns_b", "ns_c"]}


def space(rule, name, values):
    """Return what a hyperparameter is drawn from; if not by name, then between those that it was recorded with."""
    if f"{rule}.{name}" in SPACES or name in SPACES:
        return SPACES.get(f"{rule}.{name}", SPACES.get(name))
    if isinstance(values[0], bool):
        return st.booleans()
    low, high = min(values), max(values)
    if all(isinstance(value, int) for value in values):
        return st.integers(low, high)
    least, most, ends = RANGES.get(f"{rule}.{name}") or RANGES.get(name, (-math.inf, math.inf, "()"))
    assert least <= low <= high <= most
    return logarithmic(low, high) if low > 0 and high > 30 * low else evenly(low, high)


@st.composite
def hyperparameters(draw, name, recording):
    """Draw what some set of the recording changes; the rest stays at the oracle's default.

    Where few examples are drawn, what is on and what is off is as in the set that changes most, for each such setting
    is compiled.
    """
    rule = name.split(".")[0]
    hyper, sets = dict(recording.defaults), list(recording.sets.values())
    one = hyper | draw(st.sampled_from(sets if MANY else [max(sets, key=len)]))
    for key, default in hyper.items():
        if any(changed.get(key, default) != default for changed in sets):
            value = draw(space(rule, key, [default, *(changed[key] for changed in sets if key in changed)]))
            hyper[key] = value if MANY or bool(value) == bool(one[key]) else one[key]
    hyper |= {key: one[key] for key in TOGETHER.get(rule, ())}
    if rule == "sgd" and hyper["nesterov"]:  # else torch refuses it
        hyper |= {"momentum": max(hyper["momentum"], 0.01), "dampening": 0.0}
    if hyper.get("centered"):  # v - m^2 is alpha of v at first, with the rounding errors of v
        hyper["alpha"] = max(hyper["alpha"], 0.5)
    return hyper


@st.composite
def problems(draw, shape, evaluations=1, spread=1.0):
    """Draw x0, gradients, which do not depend on x, and values of the objective, as float64.

    Sizes differ by coordinate, up to 10**spread to either side, and jump by the square of that; some gradients are
    zero, some rows are, some have a common direction.
    """
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps = evaluations * draw(st.integers(1, 20 // evaluations))
    size, bias, zeros = draw(st.floats(-2, 1)), draw(st.sampled_from([0.0, 1.0, 10.0])), draw(st.sampled_from([0, 0.2]))
    x0 = random.normal(size=shape) * 10.0 ** random.uniform(-2, 1, shape)
    x0 *= draw(st.sampled_from([1.0, 1.0, 0.0]))
    g = random.normal(size=(steps, *shape)) + bias * random.normal(size=shape)
    g *= 10.0 ** (size + random.uniform(-spread, spread, shape))
    g *= 10.0 ** np.where(random.random(g.shape) < 0.1, random.uniform(-2, 2, g.shape) * spread, 0)
    g[random.random(g.shape) < zeros] = 0.0
    g[: evaluations * draw(st.sampled_from([0, 0, 0, 2]))] = 0.0
    f = 10.0 ** draw(st.floats(-1, 2)) * np.exp(-np.arange(steps) / 10) * (1 + 0.3 * random.normal(size=steps))
    return x0, g, f + draw(st.sampled_from([0.0, -3.0, 50.0]))


def dtyped(x0, g, dtype):
    return x0.astype(dtype), g.astype(dtype)


# What is compared.


def ours(rule, x0, g, f, reported=False):
    x, walk = x0.copy(), np.empty_like(g)
    state = rule.init(x)
    for t, gradient in enumerate(g):
        rule.step(x, gradient, state, *([f[t]] if rule.needs_value else []))
        walk[t] = rule.reported(x, state.s, state.h, state.t) if reported else x
    return walk


def theirs(name, recording, hyper, x0, g, f):
    """Run the oracle; one that asks for values asks its module for them."""
    valued = [m for m in ORACLES if recording.f is not None and m.RULES.get(name) is recording]
    with mock.patch.object(valued[0], "values", lambda: f) if valued else nullcontext():
        return np.asarray(recording.run(dict(hyper), x0.copy(), g.copy()))


def assert_same_walk(walk, reference, x0, tolerance):
    """Compare each coordinate, or a matrix as a whole, with its largest value so far."""
    reference = reference.astype(float)
    assume(np.isfinite(reference).all())  # what an oracle makes NaN is no reference
    scale = np.maximum.accumulate(abs(np.concatenate([x0[None], reference])))[1:]
    if x0.ndim == 2:
        scale = np.broadcast_to(scale.max((1, 2), keepdims=True), scale.shape)
    error = abs(walk - reference)
    wrong = ~(error <= tolerance * scale)
    note(
        f"{walk.dtype}: relative error by step {(error / np.where(scale > 0, scale, 1)).reshape(len(walk), -1).max(1)}"
    )
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0].tolist())
        pytest.fail(
            f"{walk.dtype}, step {place[0] + 1}, coordinate {place[1:]}: {walk[place]!r}, not {reference[place]!r}"
        )


# Where MoMo subtracts means of values and of products that are large beside what is left, jumps cost the digits.
CALM = {"momo", "momo_adam"}


@pytest.mark.parametrize("name", RECORDINGS)
def test_rule_walks_as_its_oracle(name):
    recording, spread = RECORDINGS[name], 0.3 if name in CALM else 1.0
    needed(recording.oracle)
    make = getattr(numbaopt, name.split(".")[0])

    @drawn
    @given(
        hyperparameters(name, recording), problems((5,), make.gradients_per_step, spread)
    )  # JAX compiles for each shape
    def check(hyper, problem):
        # Before the first gradient that is not zero the authors of Prodigy and D-Adaptation count no steps.
        assume(not hyper.get("bias_correction") or problem[1][0].any())
        rule = make(**hyper)
        for dtype, tolerance in TOLERANCE.items():
            x0, g = dtyped(*problem[:2], dtype)
            reference = theirs(name, recording, hyper, x0, g, problem[2])
            assert_same_walk(ours(rule, x0, g, problem[2], recording.reported), reference, x0, tolerance)

    check()


# One column more than rows, or one less: with more, SOAP's first basis would be a matter of taste.
SHAPES = st.sampled_from([(3, 4), (4, 3), (3, 3)])


@pytest.mark.slow
@pytest.mark.parametrize("name", MATRICES)
def test_rule_walks_as_its_oracle_on_matrices(name):
    recording = MATRICES[name]
    needed(recording.oracle)
    make = getattr(numbaopt, name.split(".")[0])

    @drawn
    @given(hyperparameters(name, recording), SHAPES.flatmap(lambda shape: problems(shape, spread=0.3)))
    def check(hyper, problem):
        rule = make(**hyper)
        for dtype, tolerance in TOLERANCE.items():
            x0, g = dtyped(*problem[:2], dtype)
            reference = theirs(name, recording, hyper, x0, g, problem[2])
            assert_same_walk(ours(rule, x0, g, problem[2]), reference, x0, tolerance)

    check()


# Rules along schedules of lr. Of the peak lr, a number of steps n and a rate r: ours, torch's, and optax's.
COURSES = {
    "constant": (
        lambda lr, n, r: schedules.constant(lr),
        lambda s, o, lr, n, r: s.LambdaLR(o, lambda k: 1.0),
        lambda o, lr, n, r: o.constant_schedule(lr),
    ),
    "step": (
        lambda lr, n, r: schedules.step(lr, n, r),
        lambda s, o, lr, n, r: s.StepLR(o, n, r),
        lambda o, lr, n, r: o.exponential_decay(lr, n, r, staircase=True),
    ),
    "multistep": (
        lambda lr, n, r: schedules.multistep(lr, [n, 2 * n], r),
        lambda s, o, lr, n, r: s.MultiStepLR(o, [n, 2 * n], r),
        lambda o, lr, n, r: o.piecewise_constant_schedule(lr, {n: r, 2 * n: r}),
    ),
    "exponential": (
        lambda lr, n, r: schedules.exponential(lr, r, n),
        lambda s, o, lr, n, r: s.ExponentialLR(o, r ** (1 / n)),
        lambda o, lr, n, r: o.exponential_decay(lr, n, r),
    ),
    "linear": (
        lambda lr, n, r: schedules.linear(lr * r, lr, n),
        lambda s, o, lr, n, r: s.LinearLR(o, r, 1.0, n),
        lambda o, lr, n, r: o.linear_schedule(lr * r, lr, n),
    ),
    "polynomial": (
        lambda lr, n, r: schedules.polynomial(lr, 0, n, 3 * r),
        lambda s, o, lr, n, r: s.PolynomialLR(o, n, 3 * r),
        lambda o, lr, n, r: o.polynomial_schedule(lr, 0, 3 * r, n),
    ),
    "cosine": (  # behind its end torch's rises again
        lambda lr, n, r: schedules.cosine(lr, n + 20, lr * r),
        lambda s, o, lr, n, r: s.CosineAnnealingLR(o, n + 20, lr * r),
        lambda o, lr, n, r: o.cosine_decay_schedule(lr, n + 20, r),
    ),
    "joined": (
        lambda lr, n, r: schedules.joined([schedules.linear(lr * r, lr, n), schedules.cosine(lr, 40)], [n]),
        lambda s, o, lr, n, r: s.SequentialLR(o, [s.LinearLR(o, r, 1.0, n), s.CosineAnnealingLR(o, 40)], [n]),
        lambda o, lr, n, r: o.join_schedules([o.linear_schedule(lr * r, lr, n), o.cosine_decay_schedule(lr, 40)], [n]),
    ),
    "cosine_restarts": (
        lambda lr, n, r: schedules.cosine_restarts(lr, n, 2, lr * r),
        lambda s, o, lr, n, r: s.CosineAnnealingWarmRestarts(o, n, 2, lr * r),
        None,
    ),
    "cyclic": (
        lambda lr, n, r: schedules.cyclic(lr * r, lr, n),
        lambda s, o, lr, n, r: s.CyclicLR(o, lr * r, lr, n, cycle_momentum=False),
        None,
    ),
    "onecycle": (
        lambda lr, n, r: schedules.onecycle(lr, n + 20, r),
        lambda s, o, lr, n, r: s.OneCycleLR(o, lr, n + 20, pct_start=r, cycle_momentum=False),
        None,
    ),
}
NUMBERS = st.tuples(logarithmic(1e-4, 1), st.integers(1, 25), st.floats(0.05, 0.95))
# Not ASGD and Rprop: torch's take lr at the step before, and at the first step only.
TORCH = {"sgd": "SGD", "rmsprop": "RMSprop", "adagrad": "Adagrad", "adam": "Adam", "adamw": "AdamW", "radam": "RAdam"}
TORCH |= {"nadam": "NAdam", "adadelta": "Adadelta", "adamax": "Adamax"}
# Not RMSprop: optax puts lr into what its momentum remembers.
OPTAX = ["adam.optax", "adamw.optax", "adagrad.optax", "nadamw", "adamaxw", "adabelief", "yogi", "lion", "sign_sgd"]
OPTAX += ["signum", "lamb", "lars", "novograd", "ademamix", "adopt", "optimistic_gradient_descent", "sm3"]


def torch_walk(name, hyper, course, numbers, x0, g):
    import torch
    from oracles.torch_rules import in_torch_words

    x, walk = torch.nn.Parameter(torch.tensor(x0)), np.empty_like(g)
    words = in_torch_words(hyper | {"lr": numbers[0]})
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # of the product that NAdam keeps in a tensor
    try:
        optimizer = getattr(torch.optim, TORCH[name])([x], foreach=False, **words)
        scheduler = course(torch.optim.lr_scheduler, optimizer, *numbers)
        for t, gradient in enumerate(g):
            x.grad = torch.tensor(gradient)
            optimizer.step()
            walk[t] = x.detach().numpy()
            scheduler.step()
    finally:
        torch.set_default_dtype(before)
    return walk


@pytest.mark.slow
@drawn
@given(st.data(), st.sampled_from(list(TORCH)), st.sampled_from(list(COURSES)), NUMBERS, problems((5,)))
def test_scheduled_rule_walks_as_torchs(data, name, course, numbers, problem):
    pytest.importorskip("torch")
    hyper, (x0, g, f), (make, of_torch, _) = (
        data.draw(hyperparameters(name, RECORDINGS[name])),
        problem,
        COURSES[course],
    )
    rule = getattr(numbaopt, name)(**hyper | {"lr": make(*numbers)})
    assert_same_walk(ours(rule, x0, g, f), torch_walk(name, hyper, of_torch, numbers, x0, g), x0, 1e-10)


@pytest.mark.slow
@drawn
@given(
    st.data(),
    st.sampled_from(OPTAX),
    st.sampled_from([course for course, (*_, of_optax) in COURSES.items() if of_optax]),
    NUMBERS,
    problems((5,)),
)
def test_scheduled_rule_walks_as_optaxs(data, name, kind, numbers, problem):
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    recording, (x0, g, f), (make, _, of_optax) = RECORDINGS[name], problem, COURSES[kind]
    hyper = data.draw(hyperparameters(name, recording))
    rule = getattr(numbaopt, name.split(".")[0])(**hyper | {"lr": make(*numbers)})
    course = of_optax(optax, *numbers)

    def lr(count):  # which is an int32, of which optax computes lr in float32, in x64 too
        return course(jax.numpy.asarray(count, "int64"))

    reference = theirs(name, recording, hyper | {"lr": lr}, x0, g, f)
    assert_same_walk(ours(rule, x0, g, f), reference, x0, 1e-10)
