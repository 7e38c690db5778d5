"""Sophia: momentum over the Hessian's running diagonal, no step longer than lr."""

from numbaopt.rule import max, min, normal, rule, sign


@rule(evaluations=2, report=lambda x, origin, t: origin if t % 2 else x)
def sophia(x, g, m, hessian, origin, kept, t, lr=1e-3, b1=0.96, b2=0.99, gamma=0.01, eps=1e-12, clip=1.0, wd=0.0,
           delta=1e-3, seed=0):  # fmt: skip
    """Sophia-H (Liu et al. 2024, Algorithm 3, arXiv:2305.14342), the Hessian's diagonal from a second gradient.

    A pair of steps is one of the paper's. The odd one keeps the gradient and leaves x ``delta`` aside, by random signs
    u; at the even one u times the gradient's change over delta estimates the diagonal, and the step is made from
    ``origin``, the point that is reported in between. The paper estimates at every tenth step; here it is at each.
    """
    odd = t % 2
    u = sign(normal(x, seed, t - 1 + odd))
    if odd == 1:
        origin = x
        kept = g
        x = x + delta * u
    else:
        m = b1 * m + (1 - b1) * kept
        hessian = b2 * hessian + (1 - b2) * u * (g - kept) / delta
        x = origin * (1 - lr * wd) - lr * max(min(m / max(gamma * hessian, eps), clip), -clip)
    return x, m, hessian, origin, kept
