"""SM3: Adagrad that stores one accumulator for each row and each column of a matrix."""

from numbaopt.rule import columnmax, matrix, min, rowmax, rule, sqrt, where


@rule
def sm3(x, g, m, v, r: "zeros(rows, 1)", c: "zeros(1, columns)", t, lr=0.1, momentum=0.9, eps=1e-8):
    """SM3-II (Anil et al. 2019, arXiv:1901.11150, Algorithm SM3-II), with momentum and `eps` as in optax.

    In arrays that are not matrices, each coordinate has its own accumulator, as in Adagrad.
    """
    if matrix(x):
        nu = min(r, c) + g**2
        r = rowmax(nu)
        c = columnmax(nu)
    else:
        v = v + g**2
        nu = v
    m = momentum * m + (1 - momentum) * where(nu == 0, 0.0, g / sqrt(nu + eps))
    return x - lr * m, m, v, r, c
