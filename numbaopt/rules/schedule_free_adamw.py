"""Schedule-free AdamW: AdamW that averages its iterates instead of decaying its learning rate."""

from numbaopt.rule import max, min, rule, sqrt, where


@rule(report=lambda x, z, b1: x + (1 - 1 / b1) * (z - x))
def schedule_free_adamw(x, g, z: "x", v, t, lr_max, weights, lr=2.5e-3, b1=0.9, b2=0.999, eps=1e-8, wd=0.0,
                        warmup_steps=0, r=0.0, weight_lr_power=2.0):  # fmt: skip
    """Schedule-free AdamW (Defazio et al. 2024, Algorithm 1, arXiv:2405.15682), as in the authors' package.

    x is the paper's y, which lies between the base iterate z and the average of the iterates and is where the gradient
    is evaluated. The reported point is that average, the paper's x. Use the reported point as the solution.
    """
    v = b2 * v + (1 - b2) * g**2
    g = g / (sqrt(v / (1 - b2**t)) + eps)
    if wd:
        g = g + wd * x
    rate = lr * min(1, t / max(warmup_steps, 1))
    lr_max = max(lr_max, rate)
    weight = t**r * lr_max**weight_lr_power
    weights = weights + weight
    c = weight / where(weights > 0, weights, 1.0)
    x = x + c * (z - x) - rate * (1 - b1 * (1 - c)) * g
    return x, z - rate * g, v, lr_max, weights
