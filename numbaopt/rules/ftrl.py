"""FTRL-Proximal: online learning of sparse linear models; l1 sets coordinates to zero exactly."""

from numbaopt.rule import abs, rule, sign, sqrt, where


@rule
def ftrl(
    x, g, n: "initial_accumulator", z, t, lr=1e-3, lr_power=-0.5, initial_accumulator=0.1, l1=0.0, l2=0.0, beta=0.0
):
    """FTRL-Proximal (McMahan et al. 2013, KDD, Algorithm 1), with Keras's defaults and its generalised lr_power.

    The paper's lambda_2 is 2 l2, as in Keras. The leader is pulled to zero, not to x0: the first step takes x0 to
    (1 - sqrt(n0 / n1)) x0 and the step in the gradient from there, a zero gradient takes it to zero.
    """
    # The paper's root, which takes a third of the time of a power.
    before = sqrt(n) if lr_power == -0.5 else n ** (-lr_power)
    n = n + g**2
    after = sqrt(n) if lr_power == -0.5 else n ** (-lr_power)
    sigma = 1 / lr * (after - before)
    z = z + g - sigma * x
    x = where(abs(z) <= l1, 0.0, (sign(z) * l1 - z) / (1 / lr * (beta + after) + 2 * l2))
    return x, n, z
