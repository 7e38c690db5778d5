"""Weight decay: parameters drawn towards zero, by way of the gradient or beside it."""

from numbaopt.rule import rule


@rule
def add_decayed_weights(g, x, t, wd=0.0, mask=1.0):
    """Weight decay that joins the gradient, before the rule sees it: optax's name, what torch's SGD and Adam do.

    The mask is 1 where weights decay and 0 where not: one number, or an array with one for each coordinate.
    """
    return g + wd * mask * x


@rule
def decoupled_weight_decay(x, before, t, wd=0.0, mask=1.0):
    """Weight decay beside the step (Loshchilov & Hutter 2019, arXiv:1711.05101, Algorithm 2, line 12).

    As in the paper wd is a rate of its own, not multiplied with lr: torch's ``AdamW(lr, weight_decay=w)`` is wd = lr w.
    """
    return x - wd * mask * before
