"""The functions of matrices that rules may call; they are compiled, and take NumPy arrays in plain Python as well."""

import numpy as np

from numbaopt.backends.cpu import jit


@jit
def added(a):
    """Return the sum of all entries, computed in float64."""
    z = 0.0
    for row in range(a.shape[0]):
        for column in range(a.shape[1]):
            z += a[row, column]
    return z


@jit
def averaged(a):
    """Return the mean of all entries, computed in float64."""
    return added(a) / a.size


@jit
def filled(like, number):
    """Return a matrix of the same shape and dtype with all entries equal to a number."""
    return np.full(like.shape, number, like.dtype)


@jit
def transpose(a):
    """Return a C-contiguous copy of the transposed matrix; a factor of ``@`` is not copied but read transposed."""
    return np.ascontiguousarray(a.T)


@jit
def rowmean(a):
    """Return the mean of each row, shape (rows, 1)."""
    out = np.empty((a.shape[0], 1), a.dtype)
    for row in range(a.shape[0]):
        z = 0.0
        for column in range(a.shape[1]):
            z += a[row, column]
        out[row, 0] = z / a.shape[1]
    return out


@jit
def columnmean(a):
    """Return the mean of each column, shape (1, columns)."""
    z = np.zeros(a.shape[1])
    for row in range(a.shape[0]):
        for column in range(a.shape[1]):
            z[column] += a[row, column]
    out = np.empty((1, a.shape[1]), a.dtype)
    for column in range(a.shape[1]):
        out[0, column] = z[column] / a.shape[0]
    return out


@jit
def rowmax(a):
    """Return the largest entry of each row, shape (rows, 1); NaN where one is NaN."""
    out = np.empty((a.shape[0], 1), a.dtype)
    for row in range(a.shape[0]):
        z = a[row, 0]
        for column in range(1, a.shape[1]):
            z = np.maximum(z, a[row, column])
        out[row, 0] = z
    return out


@jit
def columnmax(a):
    """Return the largest entry of each column, shape (1, columns); NaN where one is NaN."""
    out = np.empty((1, a.shape[1]), a.dtype)
    out[0] = a[0]
    for row in range(1, a.shape[0]):
        for column in range(a.shape[1]):
            out[0, column] = np.maximum(out[0, column], a[row, column])
    return out


@jit
def orthogonal(a, c1, c3, c5, steps, eps):
    """Return an approximation of the orthogonal factor U V' of a = U S V' by a Newton-Schulz iteration of order five.

    Each step maps every singular value s of ``a / max(|a|, eps)`` to ``c1 s + c3 s**3 + c5 s**5``. The coefficients of
    Jordan (2024, "Muon") increase small singular values fastest, and take all of them to between 0.7 and 1.2.
    """
    T = a.dtype.type
    tall = a.shape[0] > a.shape[1]
    y = np.ascontiguousarray(a.T) if tall else a.copy()
    y = y / T(max(np.sqrt(added(y * y)), eps))  # a new array, since uncompiled y may be a itself
    n = y.shape[0]
    product, square, other = np.empty((n, n), y.dtype), np.empty((n, n), y.dtype), np.empty_like(y)
    for _ in range(int(steps)):
        np.dot(y, y.T, product)
        np.dot(product, product, square)
        for i in range(n):
            for j in range(n):
                square[i, j] = T(c5) * square[i, j] + T(c3) * product[i, j]
            square[i, i] += T(c1)
        np.dot(square, y, other)
        y, other = other, y
    return np.ascontiguousarray(y.T) if tall else y


@jit
def inverse_root(a, p, eps):
    """Return ``a ** (-1 / p)`` of a symmetric positive semidefinite matrix, with eigenvalues below eps replaced by eps.

    It is computed in float64, since small eigenvalues become the largest ones of the result. If eps is zero,
    eigenvalues that are zero stay zero.
    """
    values, vectors = np.linalg.eigh(a.astype(np.float64))
    for k in range(values.size):
        value = max(values[k], eps)
        vectors[:, k] *= value ** (-0.5 / p) if value > 0 else 0.0
    return (vectors @ vectors.T).astype(a.dtype)


@jit
def eigenvectors(a):
    """Return the eigenvectors of a symmetric matrix as columns, by descending eigenvalue, computed in float64."""
    return np.ascontiguousarray(np.linalg.eigh(a.astype(np.float64))[1][:, ::-1].astype(a.dtype))


@jit
def orthonormal(a):
    """Return an orthonormal matrix whose first k columns span those of a square matrix, for each k."""
    return np.ascontiguousarray(np.linalg.qr(a)[0])


@jit
def descending(a):
    """Return the permutation matrix for which ``a @ permutation`` is the row a in descending order."""
    out = np.zeros((a.size, a.size), a.dtype)
    order = np.argsort(-a.ravel(), kind="mergesort")
    for k in range(a.size):
        out[order[k], k] = 1
    return out
