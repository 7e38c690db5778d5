"""WNGrad: gradient descent whose learning rate starts high and decreases with every gradient."""

from numbaopt.rule import rule, sum


@rule
def wngrad(x, g, t, b: 1, lr=0.56):
    """WNGrad (Wu, Ward & Bottou 2018, arXiv:1803.02865), as in ensmallen.

    The divisor b is updated with the current gradient before it divides that gradient.
    """
    b = b + lr**2 / b * sum(g**2)
    return x - lr / b * g, b
