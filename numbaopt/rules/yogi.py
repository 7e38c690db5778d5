"""Yogi: Adam whose second moment changes by bounded amounts, so that large gradients are forgotten slowly."""

from numbaopt.rule import rule, sign, sqrt


@rule
def yogi(x, g, m: "initial_accumulator", v: "initial_accumulator", t, lr=1e-2, b1=0.9, b2=0.999, eps=1e-3,
         eps_root=0.0, initial_accumulator=1e-6):  # fmt: skip
    """Yogi (Zaheer et al. 2018, NeurIPS, Algorithm 2).

    Bias corrections and initial values are as in optax, and `lr` is as in the paper.
    """
    m = b1 * m + (1 - b1) * g
    v = v - (1 - b2) * sign(v - g**2) * g**2
    mhat = m / (1 - b1**t)
    vhat = v / (1 - b2**t)
    if eps_root:
        vhat = vhat + eps_root
    return x - lr * mhat / (sqrt(vhat) + eps), m, v
