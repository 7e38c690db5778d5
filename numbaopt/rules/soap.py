"""SOAP: Adam in the eigenbasis of the preconditioners of Shampoo."""

from numbaopt.rule import columnmean, descending, eigenvectors, matrix, orthonormal, rule, sqrt, transpose


@rule
def soap(
    x, g, m, v, left: "zeros(rows, rows)", right: "zeros(columns, columns)",
    p: "identity(rows)", q: "identity(columns)",
    t, lr=3e-3, b1=0.95, b2=0.95, b3=0.95, eps=1e-8, wd=0.01, every=10,
):  # fmt: skip
    """SOAP (Vyas et al. 2024, arXiv:2409.11321, Algorithm 3), as in the authors' code, which calls `b3` shampoo_beta.

    The first gradient initializes the basis and does not move x. From then on, one step of orthogonal iteration updates
    the basis every `every` steps. Arrays that are not matrices are updated by Adam, starting with the second gradient.
    """
    if t > 1:
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * (transpose(p) @ g @ q if matrix(x) else g) ** 2
        d = sqrt(v) + eps
        d = p @ (transpose(p) @ m @ q / d) @ transpose(q) if matrix(x) else m / d
        step = lr * sqrt(1 - b2 ** (t - 1)) / (1 - b1 ** (t - 1))
        x = (x - step * d) * (1 - lr * wd)
    if matrix(x):
        left = b3 * left + (1 - b3) * (g @ transpose(g))
        right = b3 * right + (1 - b3) * (transpose(g) @ g)
        if t == 1:
            p = eigenvectors(left)
            q = eigenvectors(right)
        elif (t - 1) % every == 0:
            left_p = left @ p
            right_q = right @ q
            order = descending(columnmean(p * left_p))
            place = descending(columnmean(q * right_q))
            v = transpose(order) @ v @ place
            p = orthonormal(left_p @ order)
            q = orthonormal(right_q @ place)
    return x, m, v, left, right, p, q
