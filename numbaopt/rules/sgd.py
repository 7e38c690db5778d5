"""SGD: a step against the gradient, or against a velocity that remembers earlier ones."""

from numbaopt.rule import rule


@rule
def sgd(x, g, b, t, lr=1e-3, momentum=0.0, dampening=0.0, wd=0.0, nesterov=False, maximize=False):
    """Gradient descent with momentum (Sutskever et al. 2013); buffer, dampening and Nesterov's variant as in torch."""
    if maximize:
        g = -g
    if wd:
        g = g + wd * x
    if momentum:
        b = g if t == 1 else momentum * b + (1 - dampening) * g
        g = g + momentum * b if nesterov else b
    return x - lr * g, b
