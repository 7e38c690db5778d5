"""AdEMAMix: Adam with a second, much slower running mean of the gradient."""

from numbaopt.rule import rule, sqrt


@rule
def ademamix(x, g, m1, m2, v, t, lr=1e-3, b1=0.9, b2=0.999, b3=0.9999, alpha=5.0, eps=1e-8, wd=0.0, eps_root=0.0):
    """AdEMAMix (Pagliardini, Ablin & Grangier 2024, Algorithm 1, arXiv:2409.03137).

    Schedules may be passed for `b3` and `alpha`.
    """
    if wd:
        x = x * (1 - lr * wd)
    m1 = b1 * m1 + (1 - b1) * g
    m2 = b3 * m2 + (1 - b3) * g
    v = b2 * v + (1 - b2) * g**2
    mhat = m1 / (1 - b1**t)
    vhat = v / (1 - b2**t)
    if eps_root:
        vhat = vhat + eps_root
    return x - lr * (mhat + alpha * m2) / (sqrt(vhat) + eps), m1, m2, v
