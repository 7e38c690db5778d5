"""SGD: gradient descent, optionally with momentum."""

from numbaopt.rule import rule


@rule
def sgd(x, g, b, t, lr=1e-3, momentum=0.0, dampening=0.0, wd=0.0, nesterov=False, maximize=False):
    """Gradient descent with momentum (Sutskever et al. 2013).

    The momentum buffer, dampening and Nesterov momentum are as in PyTorch.
    """
    if maximize:
        g = -g
    if wd:
        g = g + wd * x
    if momentum:
        b = g if t == 1 else momentum * b + (1 - dampening) * g
        g = g + momentum * b if nesterov else b
    return x - lr * g, b
