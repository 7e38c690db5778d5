"""AccSGD: SGD with an acceleration that is proven for stochastic least squares."""

from numbaopt.rule import rule


@rule
def accsgd(x, g, w: "x", t, lr=1e-3, kappa=1000.0, xi=10.0, small_const=0.7, wd=0.0):
    """Accelerated SGD (Kidambi et al. 2018, Algorithm 3, arXiv:1803.05591), with the authors' defaults.

    `lr` is the short step size; the long one is ``lr * kappa / small_const``. The statistical advantage `xi` is at most
    ``sqrt(kappa)``.
    """
    if wd:
        g = g + wd * x
    beta = small_const**2 * xi / kappa  # 1 - alpha in the paper
    w = w + beta * (x - lr * kappa / small_const * g - w)
    x = x - lr * g
    return x + beta / (small_const + beta) * (w - x), w
