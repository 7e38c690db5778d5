"""Adagrad: steps that shrink with all the gradient a coordinate has seen."""

from numbaopt.rule import rule, sqrt


@rule
def adagrad(x, g, s: "initial_accumulator", t, lr=1e-2, lr_decay=0.0, wd=0.0, initial_accumulator=0.0, eps=1e-10,
            maximize=False, eps_in_sqrt=False):  # fmt: skip
    """Adagrad (Duchi, Hazan & Singer 2011, JMLR 12, Figure 1, diagonal); lr_decay and eps as in torch.

    In optax and Keras it is initial_accumulator=0.1, eps=1e-7, eps_in_sqrt=True.
    """
    if maximize:
        g = -g
    if wd:
        g = g + wd * x
    s = s + g**2
    size = sqrt(s + eps) if eps_in_sqrt else sqrt(s) + eps
    return x - lr / (1 + (t - 1) * lr_decay) * g / size, s
