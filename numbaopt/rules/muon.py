"""Muon: orthogonalized momentum for matrices, and AdamW for all other arrays."""

from numbaopt.rule import columns, matrix, max, orthogonal, rows, rule, sqrt


@rule
def muon(
    x, g, m, v, t, lr=1e-3, momentum=0.95, nesterov=True, wd=0.1, ns_a=3.4445, ns_b=-4.775, ns_c=2.0315, ns_steps=5,
    eps=1e-7, match_rms=False, b1=0.9, b2=0.999,
):  # fmt: skip
    """Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon), as in PyTorch, but in the dtype of x, not bfloat16.

    With `match_rms`, steps have the size of those of AdamW (Liu et al. 2025, arXiv:2502.16982, Section 2.2). Arrays
    that are not matrices are updated by AdamW with `b1`, `b2` and the same `lr`, `eps` and `wd`; use parameter groups
    of `Optimizer` for other values. optax scales by the transposed shape and corrects the bias of Nesterov momentum.
    """
    if matrix(x):
        m = momentum * m + (1 - momentum) * g
        u = m
        if nesterov:
            u = momentum * m + (1 - momentum) * g
        u = orthogonal(u, ns_a, ns_b, ns_c, ns_steps, eps)
        scale = sqrt(max(1, rows(x) / columns(x)))
        if match_rms:
            scale = 0.2 * sqrt(max(rows(x), columns(x)))
    else:
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        u = m / (1 - b1**t) / (sqrt(v / (1 - b2**t)) + eps)
        scale = 1
    return x * (1 - lr * wd) - lr * scale * u, m, v
