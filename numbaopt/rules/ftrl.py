"""FTRL-Proximal: online learning of sparse linear models, in which l1 sets coordinates exactly to zero."""

from numbaopt.rule import abs, rule, sign, sqrt, where


@rule
def ftrl(
    x, g, n: "initial_accumulator", z, t, lr=1e-3, lr_power=-0.5, initial_accumulator=0.1, l1=0.0, l2=0.0, beta=0.0
):
    """FTRL-Proximal (McMahan et al. 2013, KDD, Algorithm 1), with the defaults and the `lr_power` of Keras.

    The paper's lambda_2 is ``2 * l2``, as in Keras. The iterates are regularized towards zero, not towards x0: the
    first gradient step starts from ``(1 - sqrt(n0 / n1)) * x0``, so that a zero gradient moves x0 to zero.
    """
    # The square root of the paper takes a third of the time of a general power.
    before = sqrt(n) if lr_power == -0.5 else n ** (-lr_power)
    n = n + g**2
    after = sqrt(n) if lr_power == -0.5 else n ** (-lr_power)
    sigma = 1 / lr * (after - before)
    z = z + g - sigma * x
    x = where(abs(z) <= l1, 0.0, (sign(z) * l1 - z) / (1 / lr * (beta + after) + 2 * l2))
    return x, n, z
