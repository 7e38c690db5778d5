"""Adagrad: steps that shrink with all the gradient a coordinate has seen."""

from numbaopt.rule import rule, sqrt


@rule
def adagrad(x, g, s: "initial_accumulator", t, lr=1e-2, lr_decay=0.0, initial_accumulator=0.0, eps=1e-10):
    """Adagrad (Duchi, Hazan & Singer 2011, JMLR 12, Figure 1, diagonal); lr_decay and eps as in torch."""
    s = s + g**2
    return x - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps), s
