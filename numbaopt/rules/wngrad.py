"""WNGrad: gradient descent whose rate starts high and falls with every gradient, as fast as it has to."""

from numbaopt.rule import rule, sum


@rule
def wngrad(x, g, t, b: 1, lr=0.56):
    """WNGrad (Wu, Ward & Bottou 2018, arXiv:1803.02865), as in ensmallen: b has seen the gradient that it divides."""
    b = b + lr**2 / b * sum(g**2)
    return x - lr / b * g, b
