"""Sophia: momentum divided by a running mean of the Hessian's diagonal, clipped so that no step exceeds lr."""

from numbaopt.rule import max, min, normal, rule, sign


@rule(evaluations=2, report=lambda x, origin, t: origin if t % 2 else x)
def sophia(x, g, m, hessian, origin, kept, t, lr=1e-3, b1=0.96, b2=0.99, gamma=0.01, eps=1e-12, clip=1.0, wd=0.0,
           delta=1e-3, seed=0):  # fmt: skip
    """Sophia-H (Liu et al. 2024, Algorithm 3, arXiv:2305.14342), with the Hessian's diagonal from a second gradient.

    Two steps make one step of the paper. The odd step stores the gradient and moves x by ``delta * u``, with random
    signs u. The even step estimates the diagonal as u times the change of the gradient over `delta`, and moves from
    ``origin``, which is the reported point in between. The paper estimates the diagonal at every tenth step; here it is
    every step.
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
