"""NovoGrad: momentum of gradients that are divided by the running norm of their array."""

from numbaopt.rule import norm, rule, sqrt, where


@rule
def novograd(x, g, m, t, v, lr=1e-3, b1=0.9, b2=0.25, eps=1e-6, eps_root=0.0, wd=0.0):
    """NovoGrad (Ginsburg et al. 2019, Algorithm 1, arXiv:1905.11286), with the defaults of `b1` and `b2` in optax."""
    size = norm(g) ** 2
    v = where(t > 1, b2 * v + (1 - b2) * size, size)
    m = b1 * m + g / (sqrt(v + eps_root) + eps) + wd * x
    return x - lr * m, m, v
