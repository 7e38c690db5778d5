"""Schedule-free SGD: SGD that averages its iterates instead of decaying its learning rate."""

from numbaopt.rule import max, min, rule, where


@rule(report=lambda x, z, momentum: x + (1 - 1 / momentum) * (z - x))
def schedule_free_sgd(x, g, z: "x", t, lr_max, weights, lr=1.0, momentum=0.9, wd=0.0, warmup_steps=0, r=0.0,
                      weight_lr_power=2.0):  # fmt: skip
    """Schedule-free SGD (Defazio et al. 2024, arXiv:2405.15682), as in the authors' package.

    x is the paper's y, which lies between the base iterate z and the average of the iterates and is where the gradient
    is evaluated. The reported point is that average, the paper's x. Use the reported point as the solution.
    """
    if wd:
        g = g + wd * x
    rate = lr * min(1, t / max(warmup_steps, 1))
    lr_max = max(lr_max, rate)
    weight = t**r * lr_max**weight_lr_power
    weights = weights + weight
    c = weight / where(weights > 0, weights, 1.0)
    x = x + c * (z - x) - rate * (1 - momentum * (1 - c)) * g
    return x, z - rate * g, lr_max, weights
