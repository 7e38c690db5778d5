"""Weight decay, through the gradient or applied to x directly."""

from numbaopt.rule import rule


@rule
def add_decayed_weights(g, x, t, wd=0.0, mask=1.0):
    """Add weight decay to the gradient before the rule uses it.

    The name is that of optax; SGD and Adam of PyTorch do the same. The mask is 1 where weights decay and 0 elsewhere: a
    number, or an array with one value per coordinate.
    """
    return g + wd * mask * x


@rule
def decoupled_weight_decay(x, before, t, wd=0.0, mask=1.0):
    """Apply weight decay to x directly (Loshchilov & Hutter 2019, arXiv:1711.05101, Algorithm 2, line 12).

    As in the paper, `wd` is a separate rate that is not multiplied by lr: ``AdamW(lr, weight_decay=w)`` of PyTorch
    corresponds to ``wd = lr * w``.
    """
    return x - wd * mask * before
