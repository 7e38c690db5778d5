"""Adagrad: each coordinate's learning rate decreases with the sum of its squared gradients."""

from numbaopt.rule import rule, sqrt


@rule
def adagrad(x, g, s: "initial_accumulator", t, lr=1e-2, lr_decay=0.0, wd=0.0, initial_accumulator=0.0, eps=1e-10,
            maximize=False, eps_in_sqrt=False):  # fmt: skip
    """Adagrad with a diagonal matrix (Duchi, Hazan & Singer 2011, JMLR 12, Figure 1).

    `lr_decay` and `eps` are as in PyTorch. For the variant of optax and Keras pass ``initial_accumulator=0.1``,
    ``eps=1e-7`` and ``eps_in_sqrt=True``.
    """
    if maximize:
        g = -g
    if wd:
        g = g + wd * x
    s = s + g**2
    size = sqrt(s + eps) if eps_in_sqrt else sqrt(s) + eps
    return x - lr / (1 + (t - 1) * lr_decay) * g / size, s
