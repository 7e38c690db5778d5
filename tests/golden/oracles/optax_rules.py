"""optax, and loops from the papers where optax is wrong or has no such convention."""

import inspect
import math

import numpy as np
from recording import Recording

VERSION = "0.2.8"
WORDS = {
    "lr": "learning_rate",
    "wd": "weight_decay",
    "initial_accumulator": "initial_accumulator_value",
}


def optax_recording(name, defaults, sets, words=None, make=None, fixed=None, counts=None, **rest):
    """Return the recording of ``optax.<name>``, or of what ``make(optax, **hyper)`` returns.

    optax has no default for lr: the one in ``defaults`` is ours, or that of the paper. ``words`` are optax's for ours,
    ``fixed`` are keywords that make the rule of the function, ``counts`` the dtype of the step counter.
    """

    def run(hyper, x0, g):
        import jax

        # For float32 too: arrays stay float32, but 1 - b2**t is computed in float64, as in torch. Without it
        # LAMB's float32 is off by 8e-6 in the set `from_zero`, by rounding alone.
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")
        import optax
        import optax.contrib

        theirs = {(WORDS | (words or {})).get(k, k): k for k in defaults}
        function = getattr(optax, name, None) or getattr(optax.contrib, name)
        for word, parameter in inspect.signature(function).parameters.items():
            if word in theirs and word != "learning_rate":
                default = 0.0 if parameter.default is None else parameter.default
                assert default == defaults[theirs[word]], f"optax.{name} has another default of {word}"
        hyper = {word: hyper[k] for word, k in theirs.items()} | (fixed or {})
        optimizer = make(optax, **hyper) if make else function(**hyper)
        x = jax.numpy.asarray(x0)
        state = optimizer.init(x)
        if counts:
            state = jax.tree.map(lambda leaf: leaf.astype(counts) if leaf.ndim == 0 else leaf, state)
        trajectory = np.empty_like(g)
        for t, row in enumerate(g):
            update, state = optimizer.update(jax.numpy.asarray(row), state, x)
            x = optax.apply_updates(x, update)
            trajectory[t] = x
        return trajectory

    return Recording("optax", VERSION, defaults, {"defaults": {}, **sets}, run, **rest)


def paper_recording(loop, defaults, sets, **rest):
    """Return the recording of ``loop(x, gradients, **hyper)``, which yields x, a Python float, for one coordinate."""

    def run(hyper, x0, g):
        walks = [list(loop(float(x), [float(v) for v in column], **hyper)) for x, column in zip(x0, g.T, strict=True)]
        return np.array(walks).T

    return Recording("paper", None, defaults, {"defaults": {}, **sets}, run, **rest)


def adan_by_hand(x, gradients, lr, b1, b2, b3, eps, wd, no_prox):
    """Walk as in Adan's Algorithm 1, in its own letters, with the authors' bias corrections."""
    beta1, beta2, beta3 = 1 - b1, 1 - b2, 1 - b3
    m = v = n = 0.0
    last = gradients[0]
    for k, g in enumerate(gradients, 1):
        m = (1 - beta1) * m + beta1 * g
        v = (1 - beta2) * v + beta2 * (g - last)
        n = (1 - beta3) * n + beta3 * (g + (1 - beta2) * (g - last)) ** 2
        rate = lr / (math.sqrt(n) / math.sqrt(1 - b3**k) + eps)
        way = rate * (m / (1 - b1**k) + (1 - beta2) * (v / (1 - b2**k)))
        x = (1 - lr * wd) * x - way if no_prox else (x - way) / (1 + wd * lr)
        last = g
        yield x


def adam_with_eps_hat(x, gradients, lr, b1, b2, eps, eps_hat):
    """Walk as at the end of section 2 of Adam's paper: alpha_t = alpha sqrt(1 - b2^t) / (1 - b1^t), epsilon hat."""
    m = v = 0.0
    for t, g in enumerate(gradients, 1):
        m += (1 - b1) * (g - m)
        v += (1 - b2) * (g * g - v)
        alpha = lr * math.sqrt(1 - b2**t) / (1 - b1**t)
        x -= alpha * m / (math.sqrt(v) + eps)
        yield x


def yogi(optax, learning_rate, **hyper):
    """Return optax.yogi with its eps_root and initial accumulator left free."""
    return optax.chain(optax.scale_by_yogi(**hyper), optax.scale_by_learning_rate(learning_rate))


ADAM = {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "eps": 1e-8}
ALL = {"lr": 0.02, "b1": 0.8, "b2": 0.99, "eps": 1e-4}
NO_MEMORY = {"lr": 1.0, "b1": 0.0, "b2": 0.0}

RULES = {
    "lamb": optax_recording(
        "lamb",
        {**ADAM, "eps": 1e-6, "wd": 0.0},
        {
            "all": {**ALL, "wd": 0.1},
            "from_zero": {"lr": 0.1},  # |x| = 0: trust ratio 1
            "quiet_start": {"lr": 0.1, "b2": 0.9},  # |update| = 0: trust ratio 1
            "no_memory": {"lr": 0.3, "b1": 0.0, "b2": 0.0, "eps": 1e-2, "wd": 1.0},
        },
    ),
    "rmsprop.optax": optax_recording(
        "rmsprop",
        {
            "lr": 1e-2,
            "alpha": 0.9,
            "eps": 1e-8,
            "initial_scale": 0.0,
            "eps_in_sqrt": True,
            "centered": False,
            "momentum": 0.0,
            "nesterov": False,
        },
        {
            "all": {
                "lr": 0.02,
                "alpha": 0.95,
                "eps": 1e-3,
                "initial_scale": 0.5,
                "eps_in_sqrt": False,
                "centered": True,
                "momentum": 0.7,
                "nesterov": True,
            },
            "nesterov": {"momentum": 0.9, "nesterov": True, "initial_scale": 1.0, "eps": 1e-4},
            "centered": {"centered": True, "eps": 1e-4},
        },
        words={"alpha": "decay"},
        make=lambda optax, momentum, **hyper: optax.rmsprop(momentum=momentum or None, **hyper),
    ),
    "adagrad.optax": optax_recording(
        "adagrad",
        {"lr": 1e-2, "initial_accumulator": 0.1, "eps": 1e-7, "eps_in_sqrt": True},
        {
            "all": {"lr": 0.3, "initial_accumulator": 0.5, "eps": 1e-3},
            "from_nothing": {"lr": 5.0, "initial_accumulator": 0.0, "eps": 1.0},
        },
        make=lambda optax, eps_in_sqrt, **hyper: optax.adagrad(**hyper),
    ),
    "adam.optax": optax_recording(
        "adam",
        {**ADAM, "eps_root": 0.0},
        {"all": {**ALL, "eps_root": 1e-3}, "large_root": {"lr": 5.0, "eps_root": 10.0, "eps": 0.0}},
    ),
    "adam.paper": paper_recording(
        adam_with_eps_hat,
        {**ADAM, "eps": 1e-7, "eps_hat": True},
        {"all": ALL, "large": {"lr": 3.0, "b1": 0.5, "b2": 0.9999, "eps": 1.0}},
        note="the end of section 2, eps as in Keras",
    ),
    "adamw.optax": optax_recording(
        "adamw",
        {**ADAM, "eps_root": 0.0, "wd": 1e-4},
        {
            "all": {**ALL, "eps_root": 1e-3, "wd": 0.3},
            "large_root": {"lr": 1.0, "eps_root": 10.0, "eps": 0.0, "wd": 0.9},
        },
    ),
    "nadamw": optax_recording(
        "nadamw",
        {**ADAM, "eps_root": 0.0, "wd": 1e-4},
        {
            "all": {**ALL, "eps_root": 1e-3, "wd": 0.3},
            "no_memory": {**NO_MEMORY, "eps": 1e-30, "wd": 0.0},
            "large_eps": {"lr": 0.5, "b1": 0.95, "eps": 1.0, "wd": 1.0},
        },
        fixed={"nesterov": True},
    ),
    "adamaxw": optax_recording(
        "adamaxw",
        {**ADAM, "lr": 2e-3, "wd": 1e-4},
        {
            "all": {**ALL, "wd": 0.3},
            "no_memory": {**NO_MEMORY, "eps": 1e-30, "wd": 0.0},
            "large_eps": {"lr": 0.5, "b1": 0.99, "b2": 0.5, "eps": 1.0, "wd": 1.0},
        },
    ),
    "adabelief": optax_recording(
        "adabelief",
        {**ADAM, "eps": 1e-16, "eps_root": 1e-16, "nesterov": False},
        {
            "all": {**ALL, "eps_root": 1e-3, "nesterov": True},
            "short_memory": {"lr": 1.0, "b1": 0.1, "b2": 0.2, "eps": 1e-3, "eps_root": 1e-8},
            "large_eps": {"lr": 5.0, "b1": 0.95, "b2": 0.9999, "eps": 1.0, "eps_root": 1.0},
        },
    ),
    "yogi": optax_recording(
        "yogi",
        {**ADAM, "lr": 1e-2, "eps": 1e-3, "eps_root": 0.0, "initial_accumulator": 1e-6},
        {
            "all": {"lr": 0.1, "b1": 0.8, "b2": 0.99, "eps": 1e-2, "eps_root": 1e-3, "initial_accumulator": 0.1},
            "short_memory": {"lr": 1.0, "b1": 0.0, "b2": 0.5, "eps": 1.0},
            "full_accumulator": {"lr": 5.0, "b2": 0.9999, "initial_accumulator": 1e3},
        },
        make=yogi,
    ),
    "adan": paper_recording(
        adan_by_hand,
        {"lr": 1e-3, "b1": 0.98, "b2": 0.92, "b3": 0.99, "eps": 1e-8, "wd": 0.0, "no_prox": False},
        {
            "all": {"lr": 0.02, "b1": 0.9, "b2": 0.8, "b3": 0.95, "eps": 1e-4, "wd": 0.3, "no_prox": True},
            "proximal": {"lr": 0.3, "b1": 0.9, "wd": 1.0},
            "no_memory": {"lr": 1.0, "b1": 0.0, "b2": 0.0, "b3": 0.0, "eps": 1e-30},
            "large_eps": {"lr": 5.0, "b3": 0.9999, "eps": 1.0},
        },
        note="optax 0.2.8's adan has 1 - b2 in place of b2 (google-deepmind/optax#1715) and is no oracle; "
        "pytorch_optimizer 4.1.0's agrees to 2e-15 in all these sets",
    ),
    "lion": optax_recording(
        "lion",
        {"lr": 1e-4, "b1": 0.9, "b2": 0.99, "wd": 1e-3},
        {
            "all": {"lr": 0.02, "b1": 0.8, "b2": 0.95, "wd": 0.3},
            "no_memory": {"lr": 1.0, "b1": 0.0, "b2": 0.0, "wd": 0.0},
            "b1_above_b2": {"lr": 0.5, "b1": 0.99, "b2": 0.5, "wd": 1.0},
        },
        ours={"wd": 0.0},
    ),
    "sign_sgd": optax_recording("sign_sgd", {"lr": 1e-3}, {"large": {"lr": 0.3}, "huge": {"lr": 1e3}}),
    "signum": optax_recording(
        "signum",
        {"lr": 1e-3, "beta": 0.9},
        {"all": {"lr": 0.02, "beta": 0.5}, "no_memory": {"lr": 1.0, "beta": 0.0}, "long": {"lr": 1.0, "beta": 0.999}},
    ),
    "optimistic_gradient_descent": optax_recording(
        "optimistic_gradient_descent",
        {"lr": 1e-3, "alpha": 1.0, "beta": 1.0},
        {
            "all": {"lr": 0.02, "alpha": 0.5, "beta": 2.0},
            "plain": {"lr": 0.1, "beta": 0.0},
            "differences": {"lr": 1.0, "alpha": 0.0, "beta": 100.0},
        },
    ),
    "optimistic_adam": optax_recording(
        "optimistic_adam_v2",
        {**ADAM, "alpha": 1.0, "beta": 1.0, "eps_root": 0.0, "nesterov": True},
        {
            "all": {**ALL, "alpha": 0.5, "beta": 2.0, "eps_root": 1e-3, "nesterov": False},
            "no_memory": {**NO_MEMORY, "eps": 1e-30},
            "large_eps": {"lr": 5.0, "b1": 0.95, "eps": 1.0, "beta": 10.0},
        },
    ),
    "ademamix": optax_recording(
        "ademamix",
        {**ADAM, "b3": 0.9999, "alpha": 5.0, "eps_root": 0.0, "wd": 0.0},
        {
            "all": {**ALL, "b3": 0.95, "alpha": 2.0, "eps_root": 1e-3, "wd": 0.3},
            "no_memory": {**NO_MEMORY, "b3": 0.0, "eps": 1e-30},
            "large": {"lr": 0.5, "b1": 0.99, "b2": 0.5, "b3": 0.5, "alpha": 50.0, "eps": 1.0, "wd": 1.0},
        },
    ),
    "simplified_ademamix": optax_recording(
        "simplified_ademamix",
        {"lr": 1e-4, "b1": 0.99, "b2": 0.95, "alpha": 0.0, "eps": 1e-8, "eps_root": 0.0, "wd": 0.0},
        {
            "all": {**ALL, "alpha": 2.0, "eps_root": 1e-3, "wd": 0.3},
            "no_memory": {**NO_MEMORY, "eps": 1e-30},
            "large": {"lr": 0.1, "b1": 0.9999, "b2": 0.5, "alpha": 50.0, "eps": 1.0, "wd": 1.0},
        },
    ),
    "adopt": optax_recording(
        "adopt",
        {**ADAM, "b2": 0.9999, "eps": 1e-6, "nesterov": False, "use_clipping": True},
        {
            "all": {**ALL, "nesterov": True, "use_clipping": False},
            "nesterov": {"lr": 0.3, "nesterov": True},
            "no_memory": {**NO_MEMORY, "eps": 1e-2},
        },
    ),
    "madgrad": optax_recording(
        "madgrad",
        {"lr": 1e-2, "momentum": 0.9, "wd": 0.0, "eps": 1e-6},
        {
            "all": {"lr": 0.1, "momentum": 0.5, "wd": 0.1, "eps": 1e-3},
            "no_momentum": {"lr": 1.0, "momentum": 0.0, "eps": 1e-2},
            "large_eps": {"lr": 10.0, "momentum": 0.99, "eps": 1.0},
        },
        counts="float64",
        note="the step counter is a float64, for optax takes the square root of an int32 in float32",
    ),
    "cocob": optax_recording(
        "cocob",
        {"lr": 1.0, "alpha": 100.0, "eps": 1e-8, "wd": 0.0},
        {
            "all": {"lr": 0.1, "alpha": 10.0, "eps": 1e-3, "wd": 0.1},
            "bold": {"alpha": 1.0},
            "large_eps": {"lr": 10.0, "eps": 10.0},
        },
    ),
    "acprop": optax_recording(
        "acprop",
        {**ADAM, "eps": 1e-16, "eps_root": 1e-16, "wd": 0.0},
        {
            "all": {**ALL, "eps_root": 1e-3, "wd": 0.3},
            "short_memory": {"lr": 1.0, "b1": 0.1, "b2": 0.2, "eps": 1e-2, "eps_root": 1e-8},
            "large_eps": {"lr": 0.5, "b1": 0.95, "b2": 0.9999, "eps": 1.0, "eps_root": 1.0, "wd": 1.0},
        },
    ),
}
